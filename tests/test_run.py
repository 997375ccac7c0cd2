"""What a run remembers of its training, and what its `evaluate` and `predict` read."""

import csv
import json
import shutil

import numpy as np
import pytest
from conftest import QUICK, sentences, write_csv
from picture_parts import QUICK as QUICK_IMAGES
from picture_parts import write_folder

import zoo
from zoo import ZooError
from zoo.files import read_json, write_json

HEADER = ("head", "lead", "text", "mark", "label")


def titled(count: int, seed: int) -> list[tuple[str, ...]]:
    """Rows whose `head` tells `mark`, and whose `text` and `label` say nothing."""
    rows = sentences(count, seed)
    return [
        (text, "tonight", "the film was", mark, str(number % 3))
        for number, (text, mark) in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def by_head(tmp_path_factory):
    """A finished run on columns that are not those whose names say text and label."""
    folder = tmp_path_factory.mktemp("columns")
    return zoo.train(
        "textcnn", str(write_csv(folder / "train.csv", titled(200, 0), HEADER)), text="head,lead",
        label="mark", set=QUICK | {"recipe.epochs": 6}, out=folder / "run", verbose=False,
    )  # fmt: skip


@pytest.fixture
def other(tmp_path):
    """New rows with the columns of `by_head`."""
    return write_csv(tmp_path / "other.csv", titled(60, 1), HEADER)


def test_a_run_remembers_its_columns(by_head, other, zoo_command) -> None:
    assert by_head.columns.to_dict() == {"text": ["head", "lead"], "label": "mark"}
    ended = zoo_command("evaluate", by_head.path, other, "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["metrics"]["accuracy"] >= 0.85
    assert "text columns 'head', 'lead', label column 'mark'" in document["findings"][0]["what"]
    ended = zoo_command("evaluate", by_head.path, other, code=0)
    assert "columns not read: 'text', 'label'" in ended.stderr
    ended = zoo_command("predict", by_head.path, other, code=0)
    found = [json.loads(line)["label"] for line in ended.stdout.splitlines()]
    assert np.mean([a == row[3] for a, row in zip(found, titled(60, 1), strict=True)]) >= 0.85
    assert "text columns 'head', 'lead'" in ended.stderr


def test_columns_that_are_named_win(by_head, other, zoo_command) -> None:
    ended = zoo_command("evaluate", by_head.path, other, "--text", "text", "--json", code=0)
    assert json.loads(ended.stdout)["metrics"]["accuracy"] <= 0.6
    ended = zoo_command("predict", by_head.path, other, "--text", "text", code=0)
    assert len({json.dumps(json.loads(line)) for line in ended.stdout.splitlines()}) == 1
    ended = zoo_command("evaluate", by_head.path, other, "--label", "label", code=1)
    assert "unknown to training" in ended.stderr


def test_columns_that_are_not_there_are_refused(by_head, tmp_path, zoo_command) -> None:
    path = write_csv(tmp_path / "plain.csv", sentences(20))
    for command in ("evaluate", "predict"):
        ended = zoo_command(command, by_head.path, path, code=1)
        assert not ended.stdout
        assert "trained with the text column 'head'" in ended.stderr
        assert "Columns here: 'text', 'label'" in ended.stderr and "--text" in ended.stderr
    zoo_command("evaluate", by_head.path, path, "--text", "text", "--label", "label", code=0)
    path = write_csv(
        tmp_path / "case.csv", titled(20, 1), ("Head", "LEAD", "text", " mark", "label")
    )
    assert by_head.evaluate(path)["accuracy"] >= 0.8  # the same names, written otherwise


def test_a_run_without_a_record_goes_by_the_names(trained, tmp_path, zoo_command) -> None:
    old = tmp_path / "old"
    shutil.copytree(trained.path, old)
    document = read_json(old / "environment.json")
    assert document.pop("columns") == {"text": ["text"], "label": "label"}
    write_json(old / "environment.json", document)
    path = write_csv(tmp_path / "named.csv", sentences(20), ("review", "sentiment"))
    assert zoo.load_run(old).columns is None
    assert zoo.load_run(old).evaluate(path)["examples"] == 20
    with pytest.raises(ZooError, match="trained with the text column 'text'"):
        trained.evaluate(path)
    write_json(old / "environment.json", document | {"columns": {"text": "x"}})
    with pytest.raises(ZooError, match=r"environment\.json: is damaged"):
        zoo.load_run(old).evaluate(path)


def test_a_name_with_a_comma_is_one_column(trained, tmp_path) -> None:
    shutil.copytree(trained.path, tmp_path / "run")
    document = read_json(tmp_path / "run" / "environment.json")
    columns = {"text": ["one, two", "lead"], "label": "label"}
    write_json(tmp_path / "run" / "environment.json", document | {"columns": columns})
    rows = [(text, "tonight", label) for text, label in sentences(20)]
    path = write_csv(tmp_path / "comma.csv", rows, ("one, two", "lead", "label"))
    findings = []
    scored = zoo.load_run(tmp_path / "run").evaluate(path, findings=findings)
    assert scored["accuracy"] >= 0.8
    assert not findings  # all columns are read
    write_csv(path, rows, ("one", "two", "label"))
    with pytest.raises(ZooError, match="trained with the text column 'one, two'"):
        zoo.load_run(tmp_path / "run").evaluate(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of 24 images with two columns of paths and two of labels."""
    folder = tmp_path_factory.mktemp("table")
    write_folder(folder / "images", 12)
    files = sorted((folder / "images").rglob("*.png"))
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "where", "label", "colour"])
        for number, path in enumerate(files):
            where = str(path.relative_to(folder))
            writer.writerow([str(files[0]), where, number % 2, path.parent.name])
    return folder / "table.csv"


@pytest.fixture(scope="module")
def by_where(table, tmp_path_factory):
    """A finished run on images of the table."""
    return zoo.train(
        "resnet", str(table), text="where", label="colour", set=QUICK_IMAGES,
        out=tmp_path_factory.mktemp("images") / "run", verbose=False,
    )  # fmt: skip


def test_image_runs_remember_theirs(by_where, table, zoo_command) -> None:
    assert by_where.columns.to_dict() == {"text": ["where"], "label": "colour"}
    assert any("columns not read: 'path', 'label'" in each.what for each in by_where.findings)
    ended = zoo_command("evaluate", by_where.path, table, "--json", code=0)
    document = json.loads(ended.stdout)
    assert set(document["metrics"]["classes"]) == {"red", "blue"}
    assert "path column 'where'" in document["findings"][0]["what"]
    renamed = table.with_name("renamed.csv")
    renamed.write_text(table.read_text().replace("where", "file"))
    ended = zoo_command("evaluate", by_where.path, renamed, code=1)
    assert "trained with the path column 'where'" in ended.stderr
