"""Every kind of source gives the same rows."""

import bz2
import gzip
import io
import json
import lzma
import sys

import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import tensorflow as tf
from conftest import write_csv

from zoo import ZooError
from zoo.data import csvfile
from zoo.data.columns import ColumnRequest
from zoo.data.header import choose_columns
from zoo.data.rows import to_label
from zoo.data.tables import read_rows
from zoo.data.texts import read_texts

ROWS = [("None", "a"), ('say "hi", then\nleave', "b"), ("NA", "a"), ("naïve 中文 \U0001f600", "b")]


def found(source, **arguments):
    rows = [
        pair
        for part in read_rows(source, ColumnRequest(**arguments))
        for pair in zip(part.inputs, part.labels, strict=True)
    ]
    return rows


def write_lines(path, opener=open):
    with opener(path, "wt", encoding="utf-8") as file:
        for text, label in ROWS:
            file.write(json.dumps({"label": label, "text": text}, ensure_ascii=False) + "\n")
    return path


def test_csv_and_tsv(tmp_path) -> None:
    assert found(write_csv(tmp_path / "a.csv", ROWS)) == ROWS
    (tmp_path / "a.tsv").write_text("text\tlabel\none, two\ta\nthree\tb\n")
    assert found(tmp_path / "a.tsv") == [("one, two", "a"), ("three", "b")]


@pytest.mark.parametrize("opener", [gzip, bz2, lzma])
def test_compressed(opener, tmp_path) -> None:
    ending = {"gzip": "gz", "bz2": "bz2", "lzma": "xz"}[opener.__name__]
    plain = write_csv(tmp_path / "a.csv", ROWS).read_bytes()
    (tmp_path / f"b.csv.{ending}").write_bytes(opener.compress(plain))
    assert found(tmp_path / f"b.csv.{ending}") == ROWS
    lines = write_lines(tmp_path / "a.jsonl").read_bytes()
    (tmp_path / f"b.jsonl.{ending}").write_bytes(opener.compress(lines))
    assert found(tmp_path / f"b.jsonl.{ending}") == ROWS


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbftext,label\none,a\n")
    assert found(tmp_path / "a.csv") == [("one", "a")]


def test_parquet_and_arrow_tables(tmp_path) -> None:
    texts, labels = map(list, zip(*ROWS, strict=True))
    table = pa.table({"text": texts, "label": labels})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    assert found(tmp_path / "a.parquet") == ROWS
    assert found(table) == ROWS
    assert found(pandas.DataFrame({"text": texts, "label": labels})) == ROWS
    assert found(polars.DataFrame({"text": texts, "label": labels})) == ROWS
    assert found((texts, labels)) == ROWS
    assert found((np.array(texts), np.array(labels))) == ROWS


def test_tf_datasets(tmp_path) -> None:
    texts, labels = map(list, zip(*ROWS, strict=True))
    dataset = tf.data.Dataset.from_tensor_slices((texts, labels))
    assert found(dataset) == ROWS
    assert found(dataset.batch(3)) == ROWS
    numbers = tf.data.Dataset.from_tensor_slices((texts, [1, 0, 1, 0]))
    assert [label for _, label in found(numbers)] == ["1", "0", "1", "0"]
    with pytest.raises(ZooError, match="must yield"):
        found(tf.data.Dataset.from_tensor_slices(texts))


def test_other_tables_that_speak_arrow() -> None:
    texts, labels = map(list, zip(*ROWS, strict=True))
    lazy = pa.RecordBatchReader.from_batches(
        pa.schema([("text", pa.large_string()), ("label", pa.dictionary(pa.int32(), pa.string()))]),
        [
            pa.record_batch(
                [pa.array(texts, pa.large_string()), pa.array(labels).dictionary_encode()],
                names=["text", "label"],
            )
        ],
    )
    assert found(lazy) == ROWS
    frame = pandas.DataFrame({"text": texts, "label": pandas.Categorical(labels)})
    assert found(frame) == ROWS
    assert found((frame["text"], frame["label"])) == ROWS
    assert found((polars.Series(texts), polars.Series(labels))) == ROWS
    assert found((pa.array(texts), pa.chunked_array([labels]))) == ROWS
    assert found((tf.constant(texts), np.array(labels, object))) == ROWS


def test_missing_texts_are_empty_and_missing_labels_are_none() -> None:
    expected = [("a", "1"), ("", None)]
    assert found(pa.table({"text": ["a", None], "label": [1, None]})) == expected
    assert found(pandas.DataFrame({"text": ["a", None], "label": [1, None]})) == expected
    assert found((["a", pandas.NA], [1, pandas.NA])) == expected
    assert found((["a", float("nan")], [1.0, float("nan")])) == expected


def test_the_only_column_of_strings_is_the_text() -> None:
    table = pa.table({"id": [1, 2], "essay": ["a", "b"], "label": [0, 1]})
    assert found(table) == [("a", "0"), ("b", "1")]


def test_hugging_face_datasets() -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets are not installed")
    texts, labels = map(list, zip(*ROWS, strict=True))
    dataset = datasets.Dataset.from_dict({"text": texts, "label": labels})
    assert found(dataset.select([3, 0])) == [ROWS[3], ROWS[0]]
    assert found(dataset.to_iterable_dataset()) == ROWS
    with pytest.raises(ZooError, match="Choose one of 'train'"):
        found(datasets.DatasetDict({"train": dataset}))
    with pytest.raises(ZooError, match="holds no rows"):
        found(dataset.select([]))


def test_a_pattern_of_files(tmp_path, monkeypatch) -> None:
    write_csv(tmp_path / "1.csv", ROWS[:2])
    write_csv(tmp_path / "2.csv", ROWS[2:])
    assert found(str(tmp_path / "*.csv")) == ROWS
    monkeypatch.chdir(tmp_path)
    assert found("[12].csv") == ROWS
    assert found((tmp_path / "1.csv", "2.csv")) == ROWS


def test_a_column_name_with_a_comma(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"title, body",label\none,a\n')
    assert found(path, inputs="title, body") == [("one", "a")]


def test_old_line_ends(tmp_path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\r\none,a\r\n")
    (tmp_path / "b.csv").write_bytes(b"text,label\rone,a\r")
    (tmp_path / "c.jsonl").write_bytes(b'{"text": "one", "label": "a"}\r\n')
    for name in ("a.csv", "b.csv", "c.jsonl"):
        assert found(tmp_path / name) == [("one", "a")]


def test_texts_of_two_hundred_thousand_characters(tmp_path) -> None:
    rows = [("中" * 200_000, "a"), ("x " * 100_000 + "\n", "b")]
    assert found(write_csv(tmp_path / "a.csv", rows)) == rows


def test_several_files_a_folder_of_parts_and_class_folders(tmp_path) -> None:
    (tmp_path / "parts").mkdir()
    first = write_csv(tmp_path / "parts" / "1.csv", ROWS[:2])
    second = write_csv(tmp_path / "parts" / "2.csv", ROWS[2:])
    (tmp_path / "parts" / "_SUCCESS").write_text("")
    (tmp_path / "parts" / ".hidden.csv").write_text("nothing")
    assert found([first, second]) == ROWS
    assert found(tmp_path / "parts") == ROWS
    for label, text in (("bad", "dull"), ("good", "great")):
        (tmp_path / "classes" / label).mkdir(parents=True)
        (tmp_path / "classes" / label / "1.txt").write_text(text)
    (tmp_path / "classes" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "classes" / ".ipynb_checkpoints" / "1.txt").write_text("x")
    assert found(tmp_path / "classes") == [("dull", "bad"), ("great", "good")]


def test_rows_are_numbered_in_each_file(tmp_path) -> None:
    one = write_csv(tmp_path / "1.csv", ROWS[:2])
    two = write_csv(tmp_path / "2.csv", ROWS[2:])
    parts = list(read_rows([one, two]))
    assert [(part.file, part.first) for part in parts] == [(str(one), 1), (str(two), 1)]


def test_blocks_are_numbered_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(csvfile, "BLOCK_BYTES", 2048)
    path = write_csv(tmp_path / "a.csv", [(f"row {n} " + "x" * 50, "a") for n in range(300)])
    parts = list(read_rows(path))
    assert len(parts) > 3
    for part in parts:
        assert part.inputs[0].startswith(f"row {part.first - 1} ")


def test_text_columns_are_joined_and_labels_chosen(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,body,stars\nGood,very good,5\nBad,,1\n")
    assert found(path, inputs="title,body", label="stars") == [
        ("Good very good", "5"),
        ("Bad", "1"),
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["id", "Review", "Sentiment"], (("Review",), "Sentiment")),
        (["label", "x"], (("x",), "label")),
        (["text", "z"], (("text",), "z")),
    ],
)
def test_columns_found_by_name(names, expected) -> None:
    columns = choose_columns("a.csv", names, ColumnRequest())
    assert (columns.inputs, columns.label) == expected


def test_columns_that_cannot_be_told_are_asked_for() -> None:
    with pytest.raises(ZooError, match="which column is the text.*--text"):
        choose_columns("a.csv", ["a", "b", "label"], ColumnRequest())
    with pytest.raises(ZooError, match="which column is the label.*--label"):
        choose_columns("a.csv", ["text", "b", "c"], ColumnRequest())
    with pytest.raises(ZooError, match="no column 'txt'. Did you mean 'text'"):
        choose_columns("a.csv", ["text", "label"], ColumnRequest("txt"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, "3"), (3.0, "3"), (" a ", "a"), ("", None), (None, None), (float("nan"), None),
     (b"x", "x"), (np.int64(4), "4"), (True, "True")],
)  # fmt: skip
def test_labels_as_text(value, expected) -> None:
    assert to_label(value) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b'text,label\none,a\n"never closed,b\n', "does not parse|never closed"),
        ("a.csv", b"text,label\none,a\ntwo,b\nx,y,z\n", "row 3 does not parse"),
        ("a.csv", b"text,label\none,a\ntw\xff,b\n", "row 2, column 'text' is not UTF-8"),
        ("a.csv", b"text,text,label\none,two,a\n", "names 'text' twice"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": \n', "row 2 is no JSON"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n[1]\n', "row 2 is no JSON object"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"label": 1}\n', "row 2 has no 'text'"),
        ("a.jsonl", b'{"text": "\xff", "label": 1}\n', "row 1 is not UTF-8"),
        ("a.parquet", b"PAR1 not at all", "cannot be read"),
        ("a.csv.gz", b"not compressed", "cannot be read"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"text,label\n", "only a header"),
        ("a.docx", b"x", "is no table"),
    ],
)
def test_files_that_cannot_be_read(name, content, message, tmp_path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ZooError, match=message) as error:
        found(path)
    assert name in str(error.value)


def test_what_is_no_source() -> None:
    with pytest.raises(ZooError, match="no such file"):
        found("/nothing/here.csv")
    with pytest.raises(ZooError, match="of type int"):
        found(3)
    with pytest.raises(ZooError, match="same length"):
        found((["a"], ["b", "c"]))


def test_texts_to_predict(tmp_path, monkeypatch) -> None:
    (tmp_path / "a.txt").write_text("one\n\nthree")
    assert list(read_texts(tmp_path / "a.txt")) == ["one", "", "three"]
    assert list(read_texts(write_csv(tmp_path / "a.csv", ROWS))) == [text for text, _ in ROWS]
    (tmp_path / "b.csv").write_text("sentence\none\n")
    assert list(read_texts(tmp_path / "b.csv")) == ["one"]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfone\r\n\nthree\n"))
    assert list(read_texts(tmp_path / "a.txt.gz")) == ["one", "", "three"]
    (tmp_path / "c.jsonl").write_text('{"text": "cut \\ud83d"}\n')
    assert list(read_texts(tmp_path / "c.jsonl")) == ["cut \ufffd"]
    assert list(read_texts(io.BytesIO(b"one\ntwo"))) == ["one", "two"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("é\n".encode())))
    assert list(read_texts("-")) == ["é"]


def test_texts_to_predict_are_streamed(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", [(f"text {n}", "") for n in range(100_000)])
    texts = read_texts(path)
    assert next(texts) == "text 0"
    assert sum(1 for _ in texts) == 99_999


def test_a_text_in_the_place_of_a_path() -> None:
    for text in ("a great film " * 100, "zero\0byte"):
        for read in (read_rows, read_texts):
            with pytest.raises(ZooError, match="cannot be read|no such file") as error:
                list(read(text))
            assert len(str(error.value)) < 300
