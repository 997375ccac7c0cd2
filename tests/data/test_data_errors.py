"""Data that cannot be read or trained on: one clear error each, with file and row."""

import gzip
import io
import pickle
import resource
import sys
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import tensorflow as tf
from conftest import sentences, write_csv

import zoo
from zoo import ZooError
from zoo.data import csvfile, jsonfile
from zoo.data.columns import ColumnRequest
from zoo.data.rows import Rows
from zoo.data.store import Store
from zoo.data.tables import read_rows
from zoo.data.texts import read_texts
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_data, load_split

SETTINGS = zoo.load_preset("textcnn", "default", {"data.batch_size": 8}).data


def load(source, **arguments):
    return load_data(Request(source, **arguments), settings=SETTINGS, vocabulary_size=200)


def read(source, **arguments):
    return [text for rows in read_rows(source, ColumnRequest(**arguments)) for text in rows.inputs]


# --- columns


@pytest.mark.parametrize(
    ("header", "arguments", "message"),
    [
        ("title,description,label", {}, "which column is the text: 'title', 'description'.*joined"),
        ("text,sentiment,topic", {}, "which column is the label: 'sentiment', 'topic'"),
        ("text;label", {}, "which column.*'text;label'.*separated by commas"),
        ("text;label", {"labelled": False}, "separated by commas"),
        ("text\tlabel", {}, "separated by commas"),
        ("A film that nobody has to see more than once,bad,x", {}, "looks like data"),
        ("a,b,c", {}, "which column is the text.*'a', 'b', 'c'.*--text"),
        ("text,label", {"label": "labl"}, "no column 'labl'. Did you mean 'label'"),
        ("text,label", {"inputs": "text,body"}, "no column 'body'"),
        ("text,label", {"inputs": "text", "label": "text"}, "both text and label"),
        ("text,label,label", {}, "names 'label' twice"),
    ],
)
def test_columns_that_cannot_be_told(header, arguments, message, tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\nx,y,z\n")
    with pytest.raises(ZooError, match=message) as error:
        read(path, **arguments)
    assert str(path) in str(error.value)


# --- files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,label\none,a\n".encode("utf-16"), "UTF-16"),
        ("a.csv", b"t\xe9xt,label\none,a\n", "header is not UTF-8"),
        ("a.csv", b"\n\n", "has no header"),
        ("a.csv", b"text,label", "only a header"),
        ("a.tsv", b"text\tlabel\n", "only a header"),
        ("a.csv", b'text,label\none,a\n"two,b\nthree,a\n', "row 2 does not parse.*never closed"),
        ("a.csv", b'text,label\n"one\n\nline",a\n\ntwo,b\nthree\n', "row 3 does not parse"),
        ("a.csv", b'text,label\n"one\nline",a\n\nt\xffo,b\n', "row 2, column 'text' is not UTF-8"),
        ("a.csv", b"text,label\none,\xff\n", "row 1, column 'label' is not UTF-8"),
        ("a.json", b'[{"text": "a", "label": 1},\n', "JSON array was found"),
        ("a.jsonl", b'{"text": ["a"], "label": 1}\n', "row 1: 'text': a string.*list"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n\n{"text": "b", "label": {}}', "row 2: 'label'"),
        ("a.jsonl", b"[" * 100_000, "row 1 is no JSON object"),
        ("a.jsonl", b"\n", "holds no rows"),
        ("a.parquet.gz", b"x", "compressed inside"),
        ("a.xlsx", b"x", "is no table. Accepted"),
        ("a.npy", b"x", "is no table"),
        ("a.pkl", b"x", "is no table"),
    ],
)
def test_files(name, content, message, tmp_path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ZooError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_a_fault_after_many_blocks_names_its_row(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(csvfile, "BLOCK_BYTES", 4096)
    rows = [f'"text {n} {"x" * 60}\nsecond line",a' for n in range(1000)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *rows, "one,two,three", "x,a", ""]))
    with pytest.raises(ZooError, match="row 1001 does not parse.*Expected 2 columns, got 3"):
        read(path)
    path.write_text("\n".join(["text,label", *rows[:500], '"never closed,a', *rows[500:], ""]))
    with pytest.raises(ZooError, match="row 501"):
        read(path)
    path.write_text("\n".join(["text,label", *rows[:500], "x" * 12_000 + ",a", *rows[500:], ""]))
    assert [len(text) for text in read(path)][500] == 12_000  # in larger blocks
    path.write_text("\n".join(["text,label", *rows[:500], "x" * 20_000 + ",a", *rows[500:], ""]))
    monkeypatch.setattr(csvfile, "LARGEST_ROW", 8192)
    with pytest.raises(ZooError, match="row 501 is longer than 8,192 bytes"):
        read(path)


def test_a_line_without_an_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(jsonfile, "LINE_BYTES", 1000)
    monkeypatch.setattr(jsonfile, "READ_BYTES", 300)
    (tmp_path / "a.jsonl").write_text('{"text": "' + "x" * 5000)
    with pytest.raises(ZooError, match="a line is longer than 1,000 bytes"):
        read(tmp_path / "a.jsonl")


@pytest.mark.parametrize("ending", ["csv.gz", "jsonl.gz", "csv.bz2", "csv.xz", "csv.zst"])
def test_compressed_files_that_are_cut_or_none(ending, tmp_path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"text,label\nnot compressed,a\n" * 100)
    with pytest.raises(ZooError, match="cannot be read"):
        read(path)
    if ending.endswith("gz"):
        whole = gzip.compress(b'{"text": "a", "label": 1}\n' + np.random.bytes(9000))
        path.write_bytes(whole[:4000])
        with pytest.raises(ZooError, match=r"cannot be read|not UTF-8"):
            read(path)


def test_a_damaged_parquet_file(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"text {n}" for n in range(9999)], "label": ["a"] * 9999})
    parquet.write_table(table, path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[100:2000] = bytes(1900)
    path.write_bytes(content)
    with pytest.raises(ZooError, match="cannot be read"):
        read(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ZooError, match="cannot be read"):
        read(path)


# --- folders


def test_folders(tmp_path) -> None:
    with pytest.raises(ZooError, match="holds neither tables .* nor class folders"):
        read(tmp_path)
    with pytest.raises(ZooError, match=r"\*.csv: no such file"):
        read(tmp_path / "*.csv")
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "good" / "1.txt").write_text("fine")
    with pytest.raises(ZooError, match="bad: is a class folder without .txt files"):
        read(tmp_path)
    (tmp_path / "bad" / "1.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ZooError, match=r"1\.txt: is not UTF-8"):
        read(tmp_path)
    write_csv(tmp_path / "a.csv", sentences(4))
    with pytest.raises(ZooError, match="holds both tables and folders"):
        read(tmp_path)


def test_a_folder_with_a_test_part_is_not_trained_on_as_a_whole(tmp_path) -> None:
    for name in ("train-00000.csv", "test.csv"):
        write_csv(tmp_path / name, sentences(4))
    with pytest.raises(ZooError, match=r"'test.csv', 'train-00000.csv'.*--test"):
        read(tmp_path)
    (tmp_path / "test.csv").rename(tmp_path / "train-00001.csv")
    assert len(read(tmp_path)) == 8
    for name in ("train", "test"):
        (tmp_path / "folders" / name / "good").mkdir(parents=True)
    with pytest.raises(ZooError, match="several parts"):
        read(tmp_path / "folders")


# --- memory


def broken_dataset() -> tf.data.Dataset:
    lines = tf.data.TextLineDataset(["/nothing/here.txt"])
    return lines.map(lambda line: (line, line))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "of type NoneType cannot be read"),
        ({"train": 1, "test": 2}, "of type dict.*Choose one of 'train', 'test'"),
        ({"text": ["a"], "label": ["b"]}, r"of type dict.*pandas\.DataFrame\(data\)"),
        ([["a"], ["b"]], "of type list"),
        ((["a", "b"], ["x"]), "same length.*2 texts and 1 labels"),
        ((np.zeros((2, 2)), [1, 2]), "texts must have one dimension"),
        (({"a"}, ["x"]), "texts must be a list or an array. Received: set"),
        ((["a", ["b"]], ["x", "y"]), r"data: row 2: text: a string was expected. Received list"),
        ((["a", b"\xff"], ["x", "y"]), "data: row 2: text: is not UTF-8"),
        ((["a", "b"], ["x", {}]), "data: row 2: label: a string was expected"),
        (tf.data.Dataset.from_tensor_slices((["a"], ["x"])).repeat(), "never ends"),
        (tf.data.Dataset.from_tensor_slices(([1.0], ["x"])), "must yield"),
        (tf.data.Dataset.from_tensor_slices((["a"], [[[1, 0]]])), "must yield"),
        (tf.data.Dataset.from_tensor_slices({"text": ["a"], "label": [1]}), "must yield"),
        (
            tf.data.Dataset.from_tensor_slices(([b"\xff"], [1])),
            "dataset: row 1: text: is not UTF-8",
        ),
        (broken_dataset(), "dataset: cannot be read"),
        (pandas.DataFrame({"text": ["a", 3], "label": [1, 2]}), "cannot be read as Arrow"),
        (pandas.DataFrame({"a": ["a"], "b": ["b"], "c": ["c"]}), "table: which column is the text"),
        (pa.table({"text": [["a"]], "label": [1]}), "table: row 1: 'text': a string was expected"),
        (pa.table([["a"], ["b"], [1]], names=["text", "text", "label"]), "names 'text' twice"),
    ],
)
def test_data_in_memory(source, message) -> None:
    with pytest.raises(ZooError, match=message):
        read(source)


# --- data that cannot be trained on


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        ([("a", "x"), ("b", "")] * 5, {}, r"5 rows have no label: .*rows 2, 4, 6, 8, 10\. Fill"),
        ([("a", "x"), ("", "y")], {"classes": ["x", "z"]}, "no row has the label 'z'"),
        ([("", "x"), (" \u3000", "y")] * 5, {}, "all texts are empty"),
        ([(str(n), "x") for n in range(9)], {}, "all 9 rows have the one class 'x'"),
        ([("a", "x"), ("b", "y"), ("c", "y")] * 9, {}, "fewer than four different texts"),
        ([(f"text {n}", str(n)) for n in range(9)], {}, "no class has two different texts"),
        ([(f"text {n}", f"label {n}") for n in range(3000)], {}, "3,000 different labels in the"),
        (sentences(9), {"fraction": 0.0}, "`fraction` must be in"),
        (sentences(9), {"seed": -1}, "`seed` must be a whole number in"),
    ],
)
def test_data_that_cannot_be_trained_on(rows, arguments, message, tmp_path) -> None:
    with pytest.raises(ZooError, match=message):
        load(write_csv(tmp_path / "a.csv", rows), **arguments)


def test_validation_without_the_classes_that_are_kept(tmp_path) -> None:
    rows = [(f"text {n}", "abc"[n % 3]) for n in range(60)]
    path = write_csv(tmp_path / "a.csv", rows)
    other = write_csv(tmp_path / "b.csv", [("text", "c")])
    with pytest.raises(ZooError, match=r"b\.csv: no row with a label is left \(validation\)"):
        load(path, validation=other, classes=["a", "b"])


def test_a_part_that_is_not_there(tmp_path) -> None:
    with load(write_csv(tmp_path / "a.csv", sentences(40))) as data:
        for part in ("test", "tests"):
            with pytest.raises(ZooError, match=f"unknown part '{part}'.*train, validation"):
                data.dataset(part)


def test_scoring_rows_without_a_label(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", [("a", "good"), ("b", "")])
    with pytest.raises(ZooError, match="1 row has no label.*row 2"):
        load_split(Request(path), ["bad", "good"])


# --- the disk


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    path = write_csv(tmp_path / "a.csv", [("x" * 1000 + str(n), "ab"[n % 2]) for n in range(5000)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))  # as if the disk were full there
    try:
        with pytest.raises(ZooError, match="rows cannot be kept there.*TMPDIR"):
            load(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_rows_have_no_name_on_the_disk(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Store([Rows("a.csv", 1, ["a", "b"], ["x", "y"])]) as store:
        assert list(tmp_path.iterdir()) == []  # so that even a killed process leaves nothing
        assert store.raw_inputs(np.array([1])) == [b"b"]
    with pytest.raises(ValueError, match="closed"):
        store.raw_inputs(np.array([1]))


# --- hostile files: nothing is ever unpickled


class Hostile:
    """Unpickling it would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.csv.gz", "a.pkl", "a.npy", "a.npz"],
)
def test_a_pickle_under_another_name(name, target, tmp_path) -> None:
    payload = pickle.dumps(Hostile(target))
    if name.endswith(".npy"):
        content = io.BytesIO()
        np.save(content, np.array([Hostile(target)], dtype=object), allow_pickle=True)
        payload = content.getvalue()
    (tmp_path / name).write_bytes(gzip.compress(payload) if name.endswith(".gz") else payload)
    with pytest.raises(ZooError, match=name):
        load(tmp_path / name)


def test_a_pickle_in_a_class_folder_and_among_texts(target, tmp_path) -> None:
    (tmp_path / "data" / "x").mkdir(parents=True)
    (tmp_path / "data" / "x" / "1.txt").write_bytes(pickle.dumps(Hostile(target)))
    with pytest.raises(ZooError, match="not UTF-8"):
        load(tmp_path / "data")
    with pytest.raises(ZooError, match="line 1 is not UTF-8"):
        list(read_texts(tmp_path / "data" / "x" / "1.txt"))


def test_a_parquet_column_whose_type_is_a_pickle(target, tmp_path) -> None:
    """Old pyarrow unpickled such a type when the schema was read (CVE-2023-47248)."""
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Hostile(target)),
    }
    field = pa.field("text", pa.string(), metadata=metadata)
    schema = pa.schema([field, pa.field("label", pa.string())])
    rows = sentences(40)
    table = pa.table([pa.array(column) for column in zip(*rows, strict=True)], schema=schema)
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [text for text, _ in rows]


# --- texts to predict


def test_texts_to_predict_that_cannot_be_read(tmp_path, monkeypatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"fine\ncaf\xe9\n")
    texts = read_texts(tmp_path / "a.txt")
    assert next(texts) == "fine"
    with pytest.raises(ZooError, match=r"a\.txt: line 2 is not UTF-8"):
        next(texts)
    (tmp_path / "a.txt.gz").write_bytes(b"not compressed")
    with pytest.raises(ZooError, match="cannot be read"):
        list(read_texts(tmp_path / "a.txt.gz"))
    with pytest.raises(ZooError, match="no such file"):
        list(read_texts(tmp_path / "b.txt"))
    with pytest.raises(ZooError, match="no such file"):
        list(read_texts(tmp_path / "b.csv"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"fine\n\xff")))
    with pytest.raises(ZooError, match="standard input: line 2"):
        list(read_texts("-"))
