"""Labels that are no single classes, and texts that are no texts, through the commands."""

import json

import numpy as np
import pytest
from conftest import sentences, write_csv
from PIL import Image

from zoo.data.columns import are_real_numbers
from zoo.data.labels import several_labels
from zoo.data.rows import Rows
from zoo.data.store import Store

ROWS = sentences(60)


def findings(ended) -> dict[str, dict]:
    return {each["what"]: each for each in json.loads(ended.stdout)["findings"]}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (['["pos"]', '["neg", "long"]'], 2),
        (["['pos' 'long']", "[]"], 2),
        (["[2, 27]", "{1}", "(a, b)"], 3),
        (["red;shiny", "red", "blue;shiny"], 2),
        (["red, shiny", "red", "shiny"], 1),
        (["red|shiny", "blue|shiny", "red|dull", "blue|dull"], 4),
        (["red shiny", "red", "blue", "blue shiny"], 2),
        (["very good", "good", "bad", "very bad", "neutral"], 0),
        (["Sci/Tech", "World", "Sports"], 0),
        (["Business & Finance", "Society & Culture", "Science & Mathematics"], 0),
        (["[none]", "(other)", "C++", "R&D", "a,", "sci.med", "comp.os.ms-windows.misc"], 0),
        (["rock", "rock and roll", "jazz"], 0),
        (["1", "0"], 0),
    ],
)
def test_labels_that_look_like_several(labels, expected) -> None:
    with Store([Rows("a.csv", 1, list(map(str, range(len(labels)))), labels)]) as store:
        found = several_labels(store, np.arange(len(labels)))
    assert [len(each.evidence["labels"]) for each in found] == ([expected] if expected else [])


def test_joined_labels_are_told_of_texts_and_images(zoo_command, tmp_path) -> None:
    texts = [(text, f"{label} long" if n % 3 else label) for n, (text, label) in enumerate(ROWS)]
    texts += [("a film that is long", "long")]
    path = write_csv(tmp_path / "a.csv", texts)
    what, found = next(
        (what, each)
        for what, each in findings(zoo_command("data", path, "--json", code=0)).items()
        if "several in one" in what
    )
    assert found["level"] == "warning" and "'bad long'" in what
    assert "--set data.labels.separator=MARK" in found["next"]
    ended = zoo_command(
        "data", write_csv(tmp_path / "c.csv", [(t, x.replace(" ", ";")) for t, x in texts]), code=0
    )
    assert "several labels a row, separated by ';': 3 labels" in ended.stdout
    for number in range(12):
        Image.fromarray(np.full((8, 8, 3), 20 * number, np.uint8)).save(tmp_path / f"{number}.png")
    rows = [(f"{n}.png", ("red", "blue", "red shiny", "blue shiny")[n % 4]) for n in range(12)]
    path = write_csv(tmp_path / "b.csv", rows, ("filename", "label"))
    ended = zoo_command("data", path, "--preset", "resnet/default", "--json", code=0)
    assert any("(2 of 4)" in what for what in findings(ended))


def test_numbers_are_no_classes(zoo_command, tmp_path) -> None:
    assert are_real_numbers(["0.5", "1", "-2e-1"])
    assert not are_real_numbers(["1", "2.0"]) and not are_real_numbers(["1.5", "a"])
    assert not are_real_numbers(["nan", "0.5"]) and not are_real_numbers(["inf", "0.5"])
    rows = [(text, f"{n / 7:.3f}") for n, (text, _) in enumerate(ROWS)]
    ended = zoo_command("data", write_csv(tmp_path / "a.csv", rows), code=1)
    assert "regression is not supported" in ended.stderr
    rows = [(text, f"{n % 30 / 7:.3f}") for n, (text, _) in enumerate(ROWS)]
    ended = zoo_command("data", write_csv(tmp_path / "a.csv", rows), "--json", code=0)
    assert any("look like numbers: 30 different" in what for what in findings(ended))
    rows = [(f"text {n}", f"{n / 7:.3f}") for n in range(3000)]
    ended = zoo_command("data", write_csv(tmp_path / "a.csv", rows), code=1)
    assert "Is this the label column?" in ended.stderr and "regression is not" in ended.stderr


def test_paths_of_images_are_no_texts(zoo_command, trained, tmp_path) -> None:
    rows = [(f"img/{label}/{n}.PNG", label) for n, (_, label) in enumerate(ROWS)]
    path = write_csv(tmp_path / "a.csv", rows, ("filename", "label"))
    found = findings(zoo_command("data", path, "--json", code=0))
    what = next(what for what in found if "the texts are paths of images" in what)
    assert found[what]["level"] == "warning"
    assert "zoo train resnet" in found[what]["next"]

    ended = zoo_command("predict", trained.path, path, "--text", "filename", code=0)
    assert "the texts are paths of images" in ended.stderr


def test_columns_of_paths_are_told_where_no_column_is_the_text(zoo_command, tmp_path) -> None:
    rows = [(f"{n}.png", *labels) for n, labels in enumerate([("1", "0"), ("0", "1")] * 9)]
    path = write_csv(tmp_path / "a.csv", rows, ("image_id", "red", "blue"))
    ended = zoo_command("data", path, code=1)
    assert "'image_id' holds images or paths of images" in ended.stderr
