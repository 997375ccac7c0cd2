"""Labels that look alike, labels without rows, and which classes are kept."""

import json
import unicodedata

import numpy as np
import pandas
import pytest
from conftest import sentences, write_csv
from image_parts import write_folder

import zoo
from zoo import ZooError
from zoo.data.labels import classes_option, looks_like, plain_form
from zoo.options import listed_classes
from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_data

ACCENT = "caf\u00e9"


def load(source, **more):
    settings = load_preset("textcnn").override({"data.tokenizer": "words"}).data
    return load_data(Request(source, **more), settings=settings, vocabulary_size=5000)


def said(data) -> str:
    return "\n".join(map(str, data.findings))


def labelled(*labels) -> list[tuple[str, str]]:
    return [(text, labels[number % len(labels)]) for number, (text, _) in enumerate(sentences(60))]


@pytest.mark.parametrize(
    "one, other",
    [
        ("Positive", "positive"), ("positive.", "positive"), ("positive\u200b", "positive"),
        ("\ufeffpositive", "positive"), ("very  good", "very good"), ("1.0", "1"), ("-2.00", "-2"),
        (ACCENT, unicodedata.normalize("NFD", ACCENT)), ("\uff21", "a"), ("True", "TRUE"),
        ("yes!", "yes"),
    ],
)  # fmt: skip
def test_forms_of_one_label(one, other) -> None:
    assert plain_form(one) == plain_form(other)


@pytest.mark.parametrize("one, other", [("C", "C++"), ("1.5", "1"), ("?", "!"), ("a b", "ab")])
def test_labels_that_differ(one, other) -> None:
    assert plain_form(one) != plain_form(other)


def test_labels_that_look_alike_are_told(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", labelled("Positive", "positive", "positive\u200b", "bad"))
    with load(path) as data:
        finding = next(each for each in data.findings if "look alike" in each.what)
    assert finding.level == "warning"
    assert "'Positive' (15), 'positive' (15), 'positive\\u200b' (15)." in finding.what
    assert "bad" not in finding.what
    decomposed = unicodedata.normalize("NFD", ACCENT)
    with load(write_csv(tmp_path / "a.csv", labelled(ACCENT, decomposed, "bad"))) as data:
        assert "'caf\\xe9' (20), 'cafe\\u0301' (20)" in said(data)
    with load(write_csv(tmp_path / "a.csv", labelled("1", "1.0", "0", "0.0"))) as data:
        assert len(data.classes) == 4 and "'1' (15), '1.0' (15); '0' (15), '0.0' (15)" in said(data)
    with load(write_csv(tmp_path / "a.csv", labelled("good", "bad"))) as data:
        assert "look alike" not in said(data)


def test_class_folders_that_look_alike_are_told(tmp_path) -> None:
    write_folder(tmp_path, 6)
    (tmp_path / "blue").rename(tmp_path / "Red")
    with load_images(Request(tmp_path), settings=load_preset("resnet").data, image_size=16) as data:
        assert "look alike are classes of their own: 'Red' (6), 'red' (6)." in said(data)


def test_whole_numbers_of_a_csv_are_read_as_of_parquet(tmp_path, zoo_command) -> None:
    rows = labelled("1.0", "0.0")
    table = write_csv(tmp_path / "a.csv", rows)
    frame = pandas.DataFrame(rows, columns=["text", "label"])
    frame["label"] = frame["label"].astype(float)
    with load(table) as data, load(frame) as typed:
        assert data.classes == typed.classes == [0, 1]
        assert np.array_equal(data.train.labels, typed.train.labels)
        assert "all labels are whole numbers: '1.0' is read as '1'" in said(data)
    both = write_csv(tmp_path / "both.csv", labelled("1", "0"))
    with load(both, test=table) as data:
        assert data.classes == [0, 1] and len(data.test) == 60
    with load((["a b", "b c", "c d", "d e"], ["1.0", "0.0"] * 2)) as data:
        assert data.classes == ["0.0", "1.0"]  # given as text
    write_csv(table, labelled("1.5", "0.0"))
    with load(table) as data:
        assert data.classes == ["0.0", "1.5"]


@pytest.fixture(scope="module")
def numbered(trained, tmp_path_factory):
    """A copy of the run of the tests whose classes are 0 and 1."""
    return renamed(trained, tmp_path_factory.mktemp("numbered") / "run", [0, 1])


def renamed(trained, folder, labels):
    import shutil

    from zoo.files import read_json, write_json

    shutil.copytree(trained.path, folder)
    path = folder / "model" / "labels.json"
    write_json(path, read_json(path) | {"labels": labels})
    return zoo.load_run(folder)


def test_labels_unknown_to_training_may_look_like_known_ones(
    numbered, trained, tmp_path, zoo_command
) -> None:
    floats = write_csv(tmp_path / "floats.csv", labelled("1.0", "0.0"))
    assert numbered.evaluate(floats)["examples"] == 60
    old = renamed(
        trained, tmp_path / "old", ["0.0", "1.0"]
    )  # from before they were read as 0 and 1
    assert old.evaluate(floats)["examples"] == 60
    path = write_csv(tmp_path / "upper.csv", labelled("GOOD", "bad "))
    ended = zoo_command("evaluate", trained.path, path, code=1)
    assert "'GOOD' looks like 'good': write them as in training." in ended.stderr
    path = write_csv(tmp_path / "other.csv", labelled("1.0", "0.5"))
    ended = zoo_command("evaluate", numbered.path, path, code=1)
    assert "'1.0' looks like '1'" in ended.stderr
    assert looks_like(["x"], ["good"]) == ""


def test_classes_without_rows_in_the_test_part_are_told(tmp_path, zoo_command) -> None:
    table = write_csv(tmp_path / "a.csv", labelled("neg", "pos", "unsup"))
    with load(table, test=write_csv(tmp_path / "b.csv", labelled("neg", "pos"))) as data:
        found = [each for each in data.findings if "unsup" in each.what]
    assert [each.level for each in found] == ["warning"] * 2
    assert found[0].what == "test has no row of 'unsup'." and "--classes neg,pos" in found[0].next
    assert "named as data without labels" in found[1].what and "--classes neg,pos" in found[1].next
    ended = zoo_command("data", table, "--json", code=0)
    findings = json.loads(ended.stdout)["findings"]
    assert any("'unsup' is learned as a class" in each["what"] for each in findings)
    with load(table, classes=["neg", "pos"]) as data:
        assert data.classes == ["neg", "pos"] and "unsup" not in said(data)


def test_a_class_without_an_image_in_the_test_part_is_told(tmp_path) -> None:
    write_folder(tmp_path / "train", 6, classes=("red", "blue"))
    write_folder(tmp_path / "test", 3, classes=("red",))
    with load_images(Request(tmp_path), settings=load_preset("resnet").data, image_size=16) as data:
        assert "test has no image of 'blue'. Its scores say nothing" in said(data)


def test_classes_to_keep_may_hold_commas(tmp_path, zoo_command) -> None:
    assert listed_classes(["a,b"]) == ["a", "b"] == listed_classes(["a, b"])
    assert listed_classes(['"a, b",c']) == ["a, b", "c"]
    assert listed_classes(["a, b", "c"]) == ["a, b", "c"]
    assert listed_classes(["a,b"] * 2) == ["a,b"] * 2
    assert listed_classes(None) is None is listed_classes([])
    assert classes_option(["a, b", "c"]) == "--classes '\"a, b\",c'"
    with pytest.raises(ZooError, match="--classes takes a,b"):
        listed_classes(['"a'])
    with pytest.raises(ZooError, match=r"takes a list of labels.*'good,bad'"):
        zoo.train("textcnn", (["a"], ["b"]), classes="good,bad", out=tmp_path / "r")
    table = write_csv(tmp_path / "a.csv", labelled("news, sport", "news, world", "other"))
    with load(table, classes=listed_classes(["news, sport", "other"])) as data:
        assert data.classes == ["news, sport", "other"]
    ended = zoo_command(
        "train", "textcnn", table, "--classes", "news, sport,other", "--out", tmp_path / "r", code=1
    )
    assert "no row has the label 'news'" in ended.stderr
    ended = zoo_command(
        "train", "textcnn", write_csv(table, labelled("a", "b")), "--classes", "a,b", "--classes",
        "b", "--out", tmp_path / "r", code=1,
    )  # fmt: skip
    assert "no row has the label 'a,b'" in ended.stderr and "given as a,b" in ended.stderr
