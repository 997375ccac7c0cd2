"""CSV files that parse to something else than was meant, through the commands."""

import csv
import json
import time

import pytest
from conftest import sentences, write_csv

from zoo.data import csvfile
from zoo.data.csvfile import backslashes, outer_quotes
from zoo.data.tables import read_rows

ROWS = sentences(60)


def warnings(ended) -> dict[str, dict]:
    found = json.loads(ended.stdout)["findings"]
    return {each["what"]: each["evidence"] for each in found if each["level"] == "warning"}


@pytest.mark.parametrize(
    ("field", "lost"),
    [
        (r'"he said \"great film\" and left"', True),
        (r'"\"a\" \"b\" c"', True),
        (r'"\"b\" a"', True),
        (r'"the end \"b\""', True),
        (r'"one \" odd"', True),
        (r'"he said ""great film"" and left"', False),
        (r'"path C:\"', False),
        (r'"print(\""a\"") and more"', False),
        (r'"C:\temp and ""quoted"""', False),
        (r'"and\b, known as\""phishing."""', False),
        ("plain", False),
    ],
)
def test_quotation_marks_after_backslashes(field, lost, tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\n{field},x\nplain,y\n")
    rows = next(read_rows(path))
    assert rows.suspect == ({"backslashes": [1]} if lost else {})
    if lost and "," not in field:
        with path.open(newline="") as file:
            meant = list(csv.reader(file, escapechar="\\"))[1][0]
        assert rows.inputs[0] != meant


def test_escaped_quotation_marks_are_told(zoo_command, tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", ROWS)
    path.write_text(path.read_text() + '"he said \\"great\\" twice",good\n')
    found = warnings(zoo_command("data", path, "--json", code=0))
    what = next(what for what in found if "a backslash stood before" in what)
    assert what.startswith("1 text has lost") and "a.csv: row 61" in what
    path.write_text(path.read_text() + '"he said \\"one, two\\" twice",good\n')
    ended = zoo_command("data", path, code=1)
    assert "row 62 does not parse" in ended.stderr
    assert "not escaped with backslashes" in ended.stderr


def test_a_blank_before_a_quotation_mark(zoo_command, tmp_path) -> None:
    path = tmp_path / "a.csv"
    lines = [f'{n}, "{text}", {label}' for n, (text, label) in enumerate(ROWS)]
    path.write_text("\n".join(["id, text, label", *lines, ""]))
    found = warnings(zoo_command("data", path, "--json", code=0))
    assert next(found[what]["count"] for what in found if "a blank is before them" in what) == 60
    path.write_text(path.read_text() + '60, "good, indeed", good\n')
    ended = zoo_command("data", path, code=1)
    assert "row 61 does not parse" in ended.stderr
    assert "A blank stands before a quotation mark" in ended.stderr


def test_long_texts_with_marks_are_looked_at_in_no_time() -> None:
    started = time.perf_counter()
    for text in ("\\" * 300_000 + '"x"', '\\"' * 300_000, "\\a" * 300_000 + '"'):
        backslashes([text]), outer_quotes([f' "{text}'])
    assert time.perf_counter() - started < 2


def test_a_document_of_five_megabytes(zoo_command, trained, tmp_path) -> None:
    """huggingface/datasets#836: one row is longer than the block that a reader takes."""
    document = "the film was great, the actors and the plot dull. " * 100_000
    rows = [*ROWS, (document, "good"), *ROWS[:5]]
    path = write_csv(tmp_path / "a.csv", rows)
    parts = list(read_rows(path))
    assert [text for part in parts for text in part.inputs] == [text for text, _ in rows]
    assert [part.first for part in parts][-1] > 1
    assert json.loads(zoo_command("data", path, "--json", code=0).stdout)["rows"] == 66
    ended = zoo_command("predict", trained.path, path, code=0)
    assert len(ended.stdout.splitlines()) == 66


def test_a_long_row_that_swallows_others_is_refused(tmp_path, monkeypatch, zoo_command) -> None:
    monkeypatch.setattr(csvfile, "BLOCK_BYTES", 2048)
    rows = [f"{text},{label}" for text, label in sentences(200)]
    rows[20], rows[120] = '"' + rows[20], '"' + rows[120]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,label", *rows, ""]))
    ended = zoo_command("data", path, code=1)
    assert "row 21" in ended.stderr and "never closed" in ended.stderr


def test_one_line_of_a_megabyte_is_predicted_and_scored(zoo_command, trained, tmp_path) -> None:
    """Sentencepiece's time grows with the square of a run of characters it does not know."""
    lines = ["great film " + "\u2603" * 1_000_000, "a dull film"]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    started = time.perf_counter()
    ended = zoo_command("predict", trained.path, tmp_path / "a.txt", code=0)
    table = write_csv(tmp_path / "a.csv", list(zip(lines, ("good", "bad"), strict=True)))
    zoo_command("evaluate", trained.path, table, code=0)
    assert time.perf_counter() - started < 20
    assert len(ended.stdout.splitlines()) == 2


def test_predict_says_what_is_read_wrongly(zoo_command, trained, tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text\n"he said \\"great\\" twice"\nplain\n "quoted"\n')
    ended = zoo_command("predict", trained.path, path, code=0)
    assert len(ended.stdout.splitlines()) == 3
    assert "1 text has lost a quotation mark that a backslash stood before" in ended.stderr
    assert "a.csv: row 1." in ended.stderr
    assert "1 text stands in quotation marks that are part of the text" in ended.stderr
    assert "a.csv: row 3." in ended.stderr


def test_texts_with_commas_and_no_quotation_marks(zoo_command, tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("label,text\ngood,one, two, three\nbad,four\n")
    ended = zoo_command("data", path, code=1)
    assert "row 1 does not parse: Expected 2 columns, got 4" in ended.stderr
    assert "A text with ',' in it stands in quotation marks." in ended.stderr
