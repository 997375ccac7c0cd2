"""Which columns of a table are read: told by names and first values, through the command."""

import gzip
import json
import os
import time

import pandas
import pyarrow
import pytest
from conftest import sentences, write_csv

from zoo import ZooError
from zoo.data.columns import ColumnRequest, ColumnSummary, is_row_number, quoted, summarize
from zoo.data.tables import read_rows

ROWS = [(str(n), *row) for n, row in enumerate(sentences(60))]


def write_json(path, documents):
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def write_table(path, names, rows):
    """The same table as CSV, JSON lines or Parquet, by the ending of the path."""
    frame = pandas.DataFrame(rows, columns=names)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [("id", True), ("ID", True), ("", True), ("Unnamed: 0", True), ("review_id", True),
     ("reviewId", True), ("index", True), ("label_id", False), ("class_id", False),
     ("paid", False), ("valid", False), ("AID", False), ("score", False)],
)  # fmt: skip
def test_names_that_number_the_rows(name, expected) -> None:
    assert is_row_number(name) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["a", "1"], "text"), (["1", "2.5", ""], "number"), (["0", "1", None], "flag"),
     ([True, False], "flag"), ([1, 0], "flag"), ([], "text"), ([["a"], "b"], "nested")],
)  # fmt: skip
def test_what_values_are(values, expected) -> None:
    assert summarize("x", values).kind == expected
    assert summarize("x", [{"a": 1}, {"b": 1}]) == ColumnSummary("nested", fields=("a", "b"))
    assert summarize("pos", ["neg", "pos"]).holds_name


def test_a_message_holds_some_names_only() -> None:
    assert quoted(["a", "b"]) == "'a', 'b'"
    assert len(quoted(str(n) * 900 for n in range(5000))) < 2000
    assert quoted(str(n) for n in range(5000)).endswith("'19' and 4,980 more")


def test_keys_of_all_rows_count_not_of_the_first_alone(zoo_command, tmp_path) -> None:
    documents = [{"id": n, "text": text, "label": label} for n, text, label in ROWS]
    del documents[0]["label"]
    path = write_json(tmp_path / "a.jsonl", documents)
    ended = zoo_command("data", path, code=1)
    assert "1 row has no label: " in ended.stderr
    assert "a.jsonl: row 1." in ended.stderr
    shown = json.loads(zoo_command("data", path, "--drop-missing", "--json", code=0).stdout)
    assert shown["classes"].keys() == {"good", "bad"}
    del documents[0]["text"]
    ended = zoo_command("data", write_json(path, documents), "--drop-missing", code=1)
    assert "a.jsonl: row 1 has no 'text'" in ended.stderr


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_what_numbers_the_rows_is_neither_label_nor_text(ending, zoo_command, tmp_path) -> None:
    two = write_table(tmp_path / f"a{ending}", ["id", "text"], [(n % 3, t) for n, (_, t, _) in
                                                                 enumerate(ROWS)])  # fmt: skip
    ended = zoo_command("data", two, code=1)
    assert "which column is the label" in ended.stderr
    assert "('id' numbers the rows.)" in ended.stderr
    three = write_table(tmp_path / f"b{ending}", ["id", "essay", "label"], ROWS)
    assert next(read_rows(three)).inputs[0] == ROWS[0][1]
    alone = write_table(tmp_path / f"c{ending}", ["id", "label"], [(n, x) for n, _, x in ROWS])
    assert "which column is the text" in zoo_command("data", alone, code=1).stderr
    number = write_table(tmp_path / f"d{ending}", ["x", "label"], [(9, x) for _, _, x in ROWS])
    assert "which column is the text" in zoo_command("data", number, code=1).stderr


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_columns_of_0_and_1_are_labels(ending, zoo_command, tmp_path) -> None:
    rows = [(n, text, int(x == "good"), int(x == "bad"), 0) for n, text, x in ROWS]
    names = ["id", "comment_text", "good", "bad", "odd"]
    path = write_table(tmp_path / f"a{ending}", names, rows)
    for asked in ([], ["--label", "good,bad"]):
        ended = zoo_command("data", path, "--text", "comment_text", *asked, "--json", code=0)
        seen = json.loads(ended.stdout)
        assert set(seen["classes"]) == {"good", "bad"} and "labels_a_row" not in seen
        asked_columns = ["good", "bad"] if asked else ["good", "bad", "odd"]
        (read,) = (f["evidence"] for f in seen["findings"] if "columns" in f["evidence"])
        assert read["label"] == asked_columns
    ended = zoo_command("data", path, "--text", "comment_text", "--label", "good,bax", code=1)
    assert "no column 'good,bax'" in ended.stderr
    ended = zoo_command("data", path, "--text", "good", "--label", "good,bad", code=1)
    assert "column 'good' cannot be both text and label" in ended.stderr


def test_a_first_row_is_no_header(zoo_command, tmp_path) -> None:
    for rows in ([("img/0.png", "red"), ("img/1.png", "red")], [("great film", "5"), ("bad", "1")]):
        path = write_csv(tmp_path / "a.csv", rows[1:], rows[0])
        assert "looks like data" in zoo_command("data", path, code=1).stderr


def test_predict_takes_no_whole_line_for_a_text(zoo_command, trained, tmp_path) -> None:
    for name, mark in (("a.csv", "|"), ("b.csv", ";"), ("c.csv", "\t"), ("d.tsv", ",")):
        (tmp_path / name).write_text(f"text{mark}label\na great film{mark}good\n")
        ended = zoo_command("predict", trained.path, tmp_path / name, code=1)
        assert ended.stdout == ""
        assert f"{name}: which column is the text" in ended.stderr
        assert f"here {mark!r} stands between" in ended.stderr
    (tmp_path / "e.csv").write_text("a great film which nobody should miss\na dull one\n")
    ended = zoo_command("predict", trained.path, tmp_path / "e.csv", code=1)
    assert "The first line looks like data" in ended.stderr


def test_a_header_of_any_length(zoo_command, tmp_path) -> None:
    names = [f"measurement_{n:05}" for n in range(5000)]
    rows = [(*["0.5"] * 5000, text, label) for _, text, label in ROWS[:20]]
    path = write_csv(tmp_path / "a.csv", rows, (*names, "words", "label"))
    assert path.read_text().index("\n") > 1 << 16
    # Five thousand columns of numbers, and one of texts.
    found = next(read_rows(path))
    assert (found.inputs[0], found.labels[0]) == ROWS[0][1:]
    ended = zoo_command("data", path, "--text", "txt", code=1)
    assert "and 4,982 more" in ended.stderr
    assert len(ended.stderr) < 2000


def test_blanks_in_a_header(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("id, text, label\n1, a film, x\n")
    for arguments in ({}, {"inputs": "text", "label": "label"}):
        found = next(read_rows(tmp_path / "a.csv", ColumnRequest(**arguments)))
        assert (found.inputs, found.labels) == ([" a film"], ["x"])


def test_names_of_files_in_any_case_and_in_no_encoding(zoo_command, trained, tmp_path) -> None:
    plain = write_csv(tmp_path / "A.CSV", [row[1:] for row in ROWS])
    packed = tmp_path / "B.Csv.GZ"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    table = write_table(tmp_path / "c.parquet", ["text", "label"], [row[1:] for row in ROWS])
    table.rename(tmp_path / "C.Parquet")
    odd = tmp_path / os.fsdecode(b"caf\xe9.csv")
    odd.write_bytes(plain.read_bytes())
    for path in (plain, packed, tmp_path / "C.Parquet"):
        ended = zoo_command("data", path, "--json", code=0)
        assert json.loads(ended.stdout)["rows"] == 60
    for command in (["data", odd], ["predict", trained.path, odd], ["data", odd.parent]):
        ended = zoo_command(*command, code=1)
        assert r"caf\xe9.csv': its name is not UTF-8. Rename it." in ended.stderr


def test_what_is_not_read_is_told_of_every_kind_of_table(zoo_command, trained, tmp_path) -> None:
    for ending in (".csv", ".jsonl", ".parquet"):
        path = write_table(tmp_path / f"a{ending}", ["id", "text", "label"], ROWS)
        assert "columns not read: 'id'" in zoo_command("data", path, code=0).stdout
    for command, name in (("evaluate", "a.jsonl"), ("predict", "a.parquet")):
        ended = zoo_command(command, trained.path, tmp_path / name, code=0)
        assert "columns not read: 'id'" in ended.stdout + ended.stderr


def test_of_many_classes_the_largest_are_shown(zoo_command, tmp_path) -> None:
    rows = [(f"text {n}", f"class {n % 80:02}") for n in range(400)]
    ended = zoo_command("data", write_csv(tmp_path / "a.csv", rows), code=0)
    assert "400 rows, 80 classes" in ended.stdout
    assert "and 30 smaller classes" in ended.stdout
    assert ended.stdout.count("class ") < 70


def test_columns_with_numbers_for_names(zoo_command, tmp_path) -> None:
    frame = pandas.DataFrame([row[1:] for row in ROWS])
    with pytest.raises(ZooError, match="numbers for names, as without a header"):
        list(read_rows(frame))
    frame.to_csv(tmp_path / "a.csv", index=False)
    ended = zoo_command("data", tmp_path / "a.csv", code=1)
    assert "numbers for names" in ended.stderr
    zoo_command("data", tmp_path / "a.csv", "--text", "0", "--label", "1", code=0)


def test_rows_with_keys_of_their_own(tmp_path) -> None:
    documents = [
        {"text": text, "label": label} | {f"{n}-{key}": key for key in range(500)}
        for n, text, label in ROWS
    ]
    started = time.perf_counter()
    found = next(read_rows(write_json(tmp_path / "a.jsonl", documents)))
    assert found.inputs == [row[1] for row in ROWS]
    assert time.perf_counter() - started < 3


def test_frames_whose_columns_cannot_be_told() -> None:
    texts = [row[1] for row in ROWS]
    numbers = pandas.DataFrame({"text": texts, "good": [1, 2] * 30, "bad": [0, 1] * 30})
    with pytest.raises(ZooError, match="which column is the label"):
        list(read_rows(numbers))
    twice = pandas.DataFrame([["a", "b", "c"]], columns=["text", "text", "label"])
    with pytest.raises(ZooError, match="cannot be read as Arrow: Duplicate column names"):
        list(read_rows(twice))
    images = pyarrow.table({"image": [{"bytes": b"x", "path": "a.png"}], "label": ["a"]})
    with pytest.raises(ZooError, match="'image' holds images"):
        list(read_rows(images))
