"""Nothing that is held out is learned from: not by vocabulary, statistics, baseline or weights.

Each task is trained twice, for one epoch, so that no best one is picked: once on a part of a set,
as a split and a sample leave it; once on the same rows alone, validated with strange ones. If the
same is learned, neither what was left out nor what is validated with has left a trace.
"""

import json
import shutil

import numpy as np
import pytest
from conftest import QUICK, sentences, write_csv
from corpus_parts import QUICK as QUICK_CORPUS
from image_parts import QUICK as QUICK_IMAGES
from image_parts import pixels
from PIL import Image

import zoo
from zoo.preset.loading import load_preset
from zoo.tasks.image_classification import baseline as images
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.language_modeling.data import load_corpus
from zoo.tasks.request import Request
from zoo.tasks.text_classification import baseline as linear
from zoo.tasks.text_classification.data import load_data


def learned(data, out, model="textcnn", **options):
    """Train for an epoch; return all that was learned, and what was measured on a fixed part."""
    run = zoo.train(model, data, out=out, seed=3, verbose=False, **options)
    decided = run.preset.values()
    return {
        "weights": run.model.network.get_weights(),
        "decided": [decided[f"architecture.{key}"] for key in ("pixel_mean", "pixel_std")]
        if model == "resnet"
        else [],
        "files": {
            str(each.relative_to(out)): each.read_bytes()
            for each in (out / "model").rglob("*")
            if each.is_file() and each.suffix != ".keras"
        },
        "baseline": run.metrics["baseline"]["test"],
    }


def assert_same(one, other) -> None:
    for name, found in one.items():
        if name == "weights":
            for left, right in zip(found, other[name], strict=True):
                np.testing.assert_array_equal(left, right)
        else:
            assert found == other[name], name


def marked(rows, word):
    return [(f"{text} {word}{number}", label) for number, (text, label) in enumerate(rows)]


def test_texts(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(linear, "STRENGTHS", (3.0,))  # validation picks the best of several
    rows = marked(sentences(120), "word")
    whole, test = write_csv(tmp_path / "w.csv", rows), write_csv(tmp_path / "t.csv", sentences(20))
    preset = load_preset("textcnn", "default", QUICK | {"data.tokenizer": "words"})
    with load_data(
        Request(whole, seed=3, fraction=0.5),
        settings=preset.data,
        vocabulary_size=preset.architecture.vocabulary_size,
    ) as data:
        kept, held_out = (set(part.rows.tolist()) for part in (data.train, data.validation))
    assert len(kept) + len(held_out) < 120
    train = write_csv(tmp_path / "a.csv", [rows[each] for each in sorted(kept)])
    checked = [rows[each] for each in sorted(held_out)]
    strange = write_csv(tmp_path / "strange.csv", marked(checked, "strange"))
    options = {
        "set": QUICK | {"recipe.epochs": 1, "data.tokenizer": "words"},
        "test": str(test),
    }
    split = learned(str(whole), tmp_path / "split", fraction=0.5, **options)
    own = learned(str(train), tmp_path / "own", validation=str(strange), **options)
    assert_same(split, own)
    # A column that says the parts, of the same rows, in any order.
    parts = [(*rows[each], "train" if each in kept else "val") for each in sorted(kept | held_out)]
    column = write_csv(tmp_path / "column.csv", parts, ("text", "label", "split"))
    with load_data(
        Request(column, seed=3),
        settings=preset.data,
        vocabulary_size=preset.architecture.vocabulary_size,
    ) as data:
        assert sorted(data.tokenizer.pieces) == sorted(
            zoo.load_run(tmp_path / "own").model.tokenizer.pieces
        )


@pytest.mark.slow
def test_corpora(tmp_path) -> None:
    changes = QUICK_CORPUS | {
        "recipe.epochs": 1, "recipe.prior_bias": True, "data.tokenizer": "words",
    }  # fmt: skip
    preset = load_preset("lstm_lm", "default", changes)
    lines = [text for text, _ in marked(sentences(150), "word")]
    data = load_corpus(
        Request(lines, validation=None, fraction=0.5), settings=preset.data, vocabulary_size=10_000
    )
    kept = data.tokenizer.decode(data.train.ids[:]).splitlines()
    assert kept == lines[: len(kept)] and len(kept) < 75
    test = [text for text, _ in sentences(30)]
    options = {"model": "lstm_lm", "set": changes, "test": test}
    split = learned(lines, tmp_path / "split", fraction=0.5, **options)
    strange = [text for text, _ in marked(sentences(30, seed=8), "strange")]
    own = learned(kept, tmp_path / "own", validation=strange, **options)
    assert_same(split, own)


def write_images(folder, numbers, value=None):
    """Write an image of each number, some of 16 bits; `value` makes them strange."""
    for number in numbers:
        label = ("blue", "red")[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        found = pixels(label, number, 26, 24)
        if value is not None:
            found = np.full_like(found, value)
            found[: number + 1, 0] = 255 - value
        image = Image.fromarray(found)
        if number % 10 < 2:  # of 12 bits, or of 16
            deep = found[..., 0].astype(np.uint16) * (16 if value is None else 257)
            image = Image.fromarray(deep)
        image.save(folder / label / f"{number:03}.png")
    return folder


@pytest.mark.slow
def test_images(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(images, "STRENGTHS", (0.01,))
    whole = write_images(tmp_path / "whole", range(80))
    preset = load_preset("resnet", "default", QUICK_IMAGES)
    with load_images(
        Request(str(whole), seed=3, fraction=0.5), settings=preset.data, image_size=24
    ) as data:
        parts = {"train": data.train, "validation": data.validation}
        names = {
            name: list(map(str, part.inputs(range(len(part))))) for name, part in parts.items()
        }
    for name in names["train"]:
        target = tmp_path / "parts" / "train" / name.split("/")[-2]
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, target)
    test = write_images(tmp_path / "test", range(200, 216))
    changes = QUICK_IMAGES | {"recipe.epochs": 1}
    options = {"model": "resnet", "set": changes, "test": str(test)}
    split = learned(str(whole), tmp_path / "split", fraction=0.5, **options)
    numbers = [int(name.split("/")[-1][:3]) for name in names["validation"]]
    write_images(tmp_path / "parts" / "validation", numbers, value=250)
    assert_same(split, learned(str(tmp_path / "parts"), tmp_path / "own", **options))
    assert (
        json.loads((tmp_path / "own" / "model" / "labels.json").read_text())["deep_scale"] == 4095
    )
