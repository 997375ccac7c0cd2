"""JSON in the shapes that other programs write, and lines with the ends of other systems."""

import io
import json

import pandas
import pytest
from conftest import sentences

from zoo.data import jsonfile
from zoo.data.jsonfile import lines

ROWS = [{"text": text, "label": label} for text, label in sentences(20)]
FRAME = pandas.DataFrame(ROWS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FRAME.to_json(), "is one object, with a field for each column or row"),
        (FRAME.to_json(orient="index"), "is one object, with a field for each column or row"),
        (FRAME.to_json(orient="split"), "is one object, with a field for each column or row"),
        (FRAME.to_json(orient="table"), "is one object, with the rows in 'data'"),
        (json.dumps({"data": ROWS}), "is one object, with the rows in 'data'"),
        (json.dumps({"version": "1.1", "data": ROWS}), "with the rows in 'data'"),
        (FRAME.to_json(orient="records"), "A JSON array was found"),
        (json.dumps(ROWS, indent=1), "A JSON array was found"),
        ("\n".join(json.dumps(row, indent=1) for row in ROWS), "An object over several lines"),
        (json.dumps(ROWS[0]).replace(", ", ",\n"), "An object over several lines"),
    ],
)
def test_shapes_that_are_not_one_object_a_line(content, message, zoo_command, tmp_path) -> None:
    (tmp_path / "a.json").write_text(content)
    ended = zoo_command("data", tmp_path / "a.json", code=1)
    assert message in ended.stderr
    assert "orient='records', lines=True" in ended.stderr


def test_nested_fields(zoo_command, tmp_path) -> None:
    documents = [{"data": {"text": row["text"]}, "meta": {"label": row["label"]}} for row in ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, documents)))
    ended = zoo_command("data", tmp_path / "a.jsonl", code=1)
    assert "Nested fields ('data.text', 'meta.label') are not read" in ended.stderr


def test_one_row_with_a_list_beside_its_text_is_a_row(zoo_command, trained, tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a great film", "tokens": [{"a": 1}]}\n')
    ended = zoo_command("predict", trained.path, tmp_path / "a.jsonl", code=0)
    assert len(ended.stdout.splitlines()) == 1


@pytest.mark.parametrize("label", [[["pos"], "long"], ["pos", None], ["pos", [1, 2]]])
def test_lists_of_something_else_are_no_labels(label, zoo_command, tmp_path) -> None:
    documents = [*ROWS, {"text": "a film", "label": label}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, documents)))
    ended = zoo_command("data", tmp_path / "a.jsonl", code=1)
    assert "a.jsonl: row 21: 'label': a list of labels was expected" in ended.stderr


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_all_ends_of_lines(size, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(jsonfile, "READ_BYTES", size)
    for content, expected in (
        (b"a\rb\rc", [b"a", b"b", b"c"]),
        (b"a\r\nb\r\n\r\nc\r\n", [b"a", b"b", b"", b"c"]),
        (b"a\n\rb\r\r\nc\n", [b"a", b"", b"b", b"", b"c"]),
        (b"a\r", [b"a"]),
        (b"", []),
        ("a\u2028b\x0bc".encode(), ["a\u2028b\x0bc".encode()]),
    ):
        assert list(lines(tmp_path, io.BytesIO(content))) == expected


def test_old_ends_of_lines_in_predict(zoo_command, trained, tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\rtwo\rthree")
    ended = zoo_command("predict", trained.path, tmp_path / "a.txt", code=0)
    assert len(ended.stdout.splitlines()) == 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_encodings_are_named(encoding, zoo_command, trained, tmp_path) -> None:
    name = encoding.upper()
    (tmp_path / "a.jsonl").write_bytes(json.dumps(ROWS[0]).encode(encoding))
    assert f"not UTF-8 but {name}" in zoo_command("data", tmp_path / "a.jsonl", code=1).stderr
    (tmp_path / "a.txt").write_bytes("a film\n".encode(encoding))
    ended = zoo_command("predict", trained.path, tmp_path / "a.txt", code=1)
    assert f"not UTF-8 but {name}" in ended.stderr
    (tmp_path / "d" / "x").mkdir(parents=True)
    (tmp_path / "d" / "x" / "1.txt").write_bytes("a film\n".encode(encoding))
    assert f"not UTF-8 but {name}" in zoo_command("data", tmp_path / "d", code=1).stderr
