"""A table's own column of parts: what is held out there is never trained on."""

import csv
import json

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from conftest import QUICK, sentences, write_csv
from image_parts import write_folder

import zoo
from zoo import ZooError
from zoo.data.parts import rows_of_parts
from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_data

HEADER = ("text", "label", "split")


def with_parts(rows, parts):
    """Rows with a third column; the held-out ones have a word of their own."""
    marked = []
    for (text, label), part in zip(rows, parts, strict=True):
        marked.append((text if part.startswith("tr") else f"heldout{part} {text}", label, part))
    return marked


def load(source, **more):
    settings = load_preset("textcnn").override({"data.tokenizer": "words"}).data
    return load_data(Request(source, **more), settings=settings, vocabulary_size=5000)


def said(data) -> str:
    return "\n".join(map(str, data.findings))


PARTS = ["train"] * 60 + ["dev"] * 20 + ["test"] * 20


@pytest.mark.parametrize("name", ["split", "Fold", "set", "partition", "subset"])
def test_a_column_gives_the_parts(tmp_path, name) -> None:
    rows = with_parts(sentences(100), PARTS)
    with load(write_csv(tmp_path / "a.csv", rows, ("text", "label", name))) as data:
        assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 20, 20]
        assert f"column '{name}' gives the parts, in rows: train 60, validation 20, test 20." in (
            said(data)
        )
        assert "columns not read" not in said(data)
        assert not any("heldout" in piece for piece in data.tokenizer.pieces)
        assert all("heldoutdev" in text for text in data.validation.iter_inputs())
        assert all("heldouttest" in text for text in data.test.iter_inputs())


def as_json(path, rows):
    path = path.with_suffix(".jsonl")
    path.write_text("\n".join(json.dumps(dict(zip(HEADER, row, strict=True))) for row in rows))
    return path


def as_parquet(path, rows):
    path = path.with_suffix(".parquet")
    columns = zip(*rows, strict=True)
    parquet.write_table(pa.table({n: list(c) for n, c in zip(HEADER, columns, strict=True)}), path)
    return path


def as_frame(path, rows):
    return pandas.DataFrame(rows, columns=HEADER)


@pytest.mark.parametrize("written", [as_json, as_parquet, as_frame])
def test_every_table_has_them(tmp_path, written) -> None:
    rows = with_parts(sentences(100), PARTS)
    with load(written(tmp_path / "a", rows)) as data:
        assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 20, 20]
        assert all("heldouttest" in text for text in data.test.iter_inputs())


def test_the_rest_of_the_training_part_validates(tmp_path) -> None:
    rows = with_parts(sentences(100), ["train"] * 80 + ["test"] * 20)
    rows[90] = (rows[3][0], rows[3][1], "test")  # a copy: of the test part also in training
    with load(write_csv(tmp_path / "a.csv", rows, HEADER)) as data:
        assert len(data.train) + len(data.validation) == 80 and len(data.test) == 20
        assert "of test (5.0 %) is also in training" in said(data)


def test_other_data_for_a_part_leave_the_held_out_rows_out(tmp_path) -> None:
    table = write_csv(tmp_path / "a.csv", with_parts(sentences(100), PARTS), HEADER)
    other = write_csv(tmp_path / "b.csv", sentences(30, seed=5))
    with load(table, test=other, validation=table) as data:
        assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 20, 30]
        assert "validation 20 (not used: others are given), test 20 (not used" in said(data)
        assert "column 'split': the validation part is read, not 'train', 'test'." in said(data)
        assert not any("heldout" in piece for piece in data.tokenizer.pieces)


def test_values_that_are_no_parts_are_no_parts(tmp_path) -> None:
    rows = [(*row, str(number % 5)) for number, row in enumerate(sentences(100))]
    with load(write_csv(tmp_path / "a.csv", rows, ("text", "label", "fold"))) as data:
        assert len(data.train) + len(data.validation) == 100 and data.test is None
        assert "columns not read: 'fold'" in said(data)
    rows = [(*row, f"row {number}") for number, row in enumerate(sentences(100))]
    with load(write_csv(tmp_path / "a.csv", rows, ("text", "label", "set"))) as data:
        assert "columns not read: 'set'" in said(data)


@pytest.mark.parametrize(
    "parts, message",
    [
        (["train"] * 97 + ["", "test", ""], r"column 'split' .*'train', 'test'.*empty.*98, 100"),
        (["train"] * 98 + ["test", "other"], r"'other' is no part .*row 100.*rename the column"),
        ([""] * 98 + ["test", "test"], "is empty"),
        (["test"] * 60 + ["valid"] * 40, "no row is for training"),
        (["train"] * 2 + ["test"] * 98, "too few to train"),
    ],
)
def test_parts_that_cannot_be_told_are_refused(tmp_path, parts, message, zoo_command) -> None:
    rows = [(*row, part) for row, part in zip(sentences(100), parts, strict=True)]
    ended = zoo_command("data", write_csv(tmp_path / "a.csv", rows, HEADER), code=1)
    with pytest.raises(ZooError, match=message):
        raise ZooError(ended.stderr.replace("\n", " "))


def test_eval_is_validation_or_else_test() -> None:
    def found(*values):
        return list(rows_of_parts("a", "split", values, np.arange(len(values)), str))

    assert found("train", "eval") == ["train", "validation"]
    assert found("train", "valid", "eval") == ["train", "validation", "test"]
    assert found("train", "test", "unsup") == ["train", "test"]


def test_a_table_given_for_one_part_may_hold_it_alone(tmp_path) -> None:
    table = write_csv(tmp_path / "a.csv", sentences(100))
    only = with_parts(sentences(30, 1), ["test"] * 30)
    with load(table, validation=write_csv(tmp_path / "b.csv", only, HEADER)) as data:
        assert len(data.validation) == 30  # asked for in so many words
    both = with_parts(sentences(30, 1), ["train"] * 10 + ["test"] * 20)
    with pytest.raises(ZooError, match="says 'train', 'test', but .* the validation data"):
        load(table, validation=write_csv(tmp_path / "b.csv", both, HEADER))


def test_the_command_never_trains_on_them(tmp_path, zoo_command, trained) -> None:
    table = write_csv(tmp_path / "a.csv", with_parts(sentences(100), PARTS), HEADER)
    ended = zoo_command("data", table, "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["rows"] == 100 and sum(document["classes"].values()) == 100
    assert any("gives the parts" in each["what"] for each in document["findings"])
    ended = zoo_command("evaluate", trained.path, table, "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["metrics"]["examples"] == 20
    assert "the test part is read, not 'train', 'validation'" in document["findings"][0]["what"]
    ended = zoo_command("predict", trained.path, table, code=0)
    assert len(ended.stdout.splitlines()) == 100  # a line a row


def test_images_have_them(tmp_path) -> None:
    write_folder(tmp_path / "images", 10)
    with (tmp_path / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "filename", "label", "split"])
        for number, path in enumerate(sorted((tmp_path / "images").rglob("*.png"))):
            part = ("train", "train", "train", "test", "train")[number % 5]
            writer.writerow([number, path.relative_to(tmp_path), path.parent.name, part])
    settings = load_preset("resnet").data
    with load_images(Request(tmp_path / "index.csv"), settings=settings, image_size=16) as data:
        assert len(data.train) + len(data.validation) == 16 and len(data.test) == 4
        assert "gives the parts, in rows: train 16, test 4" in said(data)
        assert "columns not read: ''." in said(data)
        held_out = set(data.test.inputs(range(4)))
        assert not held_out & set(data.train.inputs(range(len(data.train))))


@pytest.mark.slow
def test_a_run_trains_and_tests_by_them(tmp_path) -> None:
    rows = with_parts(sentences(300), ["train"] * 240 + ["test"] * 60)
    run = zoo.train(
        "textcnn", write_csv(tmp_path / "a.csv", rows, HEADER), set=QUICK, out=tmp_path / "run",
        verbose=False,
    )  # fmt: skip
    assert run.metrics["test"]["examples"] == 60
    assert run.metrics["training"]["train_examples"] + run.metrics["validation"]["examples"] == 240
