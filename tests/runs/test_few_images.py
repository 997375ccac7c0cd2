"""Runs on few images: the head is fitted to frozen features, and when that is chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import write_csv
from image_parts import QUICK as QUICK_IMAGES
from image_parts import load, pixels, with_data, write_folder
from PIL import Image
from resume_parts import Killed, assert_equal_runs, history, kill_at, write_always

import zoo
from zoo import ZooError
from zoo.preset.loading import load_preset
from zoo.runs.resolve import resolve
from zoo.tasks.image_classification.few_images import FEW_IMAGES, choose_linear_probe
from zoo.training.linear_probe import LinearProbe
from zoo.training.monitor import Monitor

PROBE = "recipe.linear_probe.name"
# What comes with the weights, and how precise they are.
SMALL = {
    key: value
    for key, value in QUICK_IMAGES.items()
    if key.startswith("architecture.") or key == "recipe.dtype_policy"
}
STEPS = QUICK_IMAGES | {PROBE: "first"}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, whose weights others start from."""
    folder = tmp_path_factory.mktemp("start")
    data = write_folder(folder / "data", 30)
    run = zoo.train("resnet", data, set=QUICK_IMAGES, out=folder / "run", verbose=False)
    return run.path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of each of two classes, of which one of each validates."""
    return write_folder(tmp_path_factory.mktemp("few") / "data", 10, first=300)


def train(images: Path, out: Path, start: Path, **arguments) -> zoo.Run:
    arguments = {"set": SMALL, "seed": 2, "verbose": False} | arguments
    return zoo.train("resnet", str(images), init=start, out=out, **arguments)


@pytest.fixture(scope="module")
def run(images: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    return train(images, tmp_path_factory.mktemp("runs") / "run", start)


def test_few_images_with_pretrained_weights_have_the_head_alone_fitted(
    run: zoo.Run, images: Path, start: Path, tmp_path: Path
) -> None:
    said = "\n".join(map(str, run.findings))
    assert "9 images a class are few (up to 10): recipe.linear_probe.name auto -> only" in said
    assert "logistic regression on the features of 18 rows is the head" in said
    assert "smoothed-accuracy" not in said and "cannot be told apart" not in said
    assert run.preset.values()[PROBE] == "only"
    training = run.metrics["training"]
    assert (training["epochs"], training["steps"], training["best_epoch"]) == (0, 0, 0)
    (line,) = history(run.path)
    scores = run.metrics["validation"]
    assert line["epoch"] == "0"
    assert float(line["val_accuracy"]) == pytest.approx(scores["accuracy"], abs=1e-6)
    with pytest.raises(ZooError, match="has no curves: the head alone was fitted"):
        zoo.diagnose(run.path)
    weights = [zoo.load_run(path).model.network for path in (start, run.path)]
    for old, new in zip(*(network.weights for network in weights), strict=True):
        assert (old.numpy() == new.numpy()).all() != old.path.startswith("logits/"), old.path


def test_it_is_a_run_as_any_other(run: zoo.Run, images: Path, start: Path, tmp_path: Path) -> None:
    assert run.evaluate(images)["accuracy"] > 0.9
    files = [str(path) for path in sorted(images.glob("*/*.png"))]
    predicted = run.predict(files)
    model = tf.saved_model.load(str(run.export(tmp_path / "serving")))
    served = model.serve(tf.constant([Path(path).read_bytes() for path in files]))
    for row, answer in zip(served["probabilities"].numpy(), predicted, strict=True):
        np.testing.assert_allclose(row, list(answer["probabilities"].values()), atol=1e-3)
    again = zoo.train(run.path / "preset.yaml", out=tmp_path / "again", verbose=False)
    assert again.metrics["validation"] == run.metrics["validation"]
    for one, other in zip(
        run.model.network.get_weights(), again.model.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_command_says_what_was_done(images: Path, start: Path, tmp_path, zoo_command) -> None:
    words = [f"--set={key}={value}" for key, value in SMALL.items()]
    ended = zoo_command(
        "train", "resnet", images, "--init", start, "--out", tmp_path / "run", *words, code=0
    )
    assert "linear probe  val_loss" in ended.stderr
    assert "the head alone was fitted" in ended.stdout


@pytest.mark.parametrize(
    ("owner", "name", "call", "settings"),
    [
        (LinearProbe, "_fit", 1, SMALL),
        (Monitor, "on_train_batch_end", 3, STEPS),
        pytest.param(LinearProbe, "_fit", 1, STEPS, marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_it_ends_with_the_same_weights(
    run: zoo.Run, images: Path, start: Path, tmp_path: Path, owner: type, name, call, settings
) -> None:
    """Before the head is fitted, and in the steps after it."""
    one = run if settings == SMALL else train(images, tmp_path / "one", start, set=settings)
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, owner, name, call)
        with pytest.raises(Killed):
            train(images, tmp_path / "other", start, set=settings)
    other = train(images, tmp_path / "other", start, set=settings, resume=True)
    assert_equal_runs(one.path, other.path)
    assert any("linear probe: logistic" in str(finding) for finding in other.findings)
    epochs = "0" if settings == SMALL else "0123"
    assert [line["epoch"] for line in history(other.path)] == list(epochs)


def test_a_sweep_of_rates_begins_with_the_fitted_head(
    images: Path, start: Path, monkeypatch
) -> None:
    fitted, fit = [], LinearProbe.fit_head

    def fit_head(self) -> None:
        fit(self)
        fitted.append(self.model.get_layer("logits").kernel.numpy())

    def swept(model, *_, **__):
        kernel = model.get_layer("logits").kernel.numpy()
        assert [(kernel == one).all() for one in fitted] == [True]

    monkeypatch.setattr(LinearProbe, "fit_head", fit_head)
    monkeypatch.setattr("zoo.runs.find_lr.sweep", swept)
    zoo.find_lr("resnet", images, init=start, set=STEPS)
    with pytest.raises(ZooError, match="is only: no step is taken.*name=first"):
        zoo.find_lr("resnet", images, init=start, set=SMALL)


def test_a_folder_of_images_with_several_labels(start: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    rows = []
    for number in range(24):
        labels = [("red",), ("blue",), ("blue", "red")][number % 3]
        image = np.max([pixels(label, number) for label in labels], axis=0)
        Image.fromarray(image).save(folder / f"{number}.png")
        rows.append((f"{number}.png", "|".join(labels)))
    write_csv(folder / "metadata.csv", rows, ("file_name", "labels"))
    found = train(folder, tmp_path / "run", start, set=SMALL | {PROBE: "only"})
    assert found.metrics["labels"] == "several"
    assert found.evaluate(folder)["micro_f1"] > 0.9
    vectors = found.features([str(folder / f"{number}.png") for number in range(24)])
    head = found.model.network.get_layer("logits")
    probabilities = tf.sigmoid(vectors @ head.kernel.numpy() + head.bias.numpy()).numpy()
    answers = found.predict([str(folder / f"{number}.png") for number in range(24)])
    for row, answer in zip(probabilities, answers, strict=True):
        np.testing.assert_allclose(row, list(answer["probabilities"].values()), atol=1e-4)


def test_both_views_of_an_image_may_be_averaged(start: Path, images: Path, tmp_path: Path) -> None:
    """Whatever the run did that the weights come from."""
    both = SMALL | {"architecture.flip_average": True}
    found = train(images, tmp_path / "run", start, set=both)
    assert found.preset.values()[PROBE] == "only"
    image = pixels("red", 900)
    one, other = found.features([image, image[:, ::-1]])
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_rows_of_rare_classes_weigh_more_where_asked(tmp_path: Path) -> None:
    write_folder(tmp_path, 5, classes=("red",))
    write_folder(tmp_path, 20, classes=("blue",))
    for balance, weights in (("none", None), ("class-weights", {0: 0.625, 1: 2.5})):
        with load(tmp_path, settings=with_data(balance=balance, validation_fraction=0.2)) as data:
            rows = list(data.plain_rows().as_numpy_iterator())
        assert sum(len(row[0]) for row in rows) == 20
        assert [len(row) for row in rows] == [2 if weights is None else 3] * len(rows)
        for _, labels, *own in rows:
            assert not own or own[0].tolist() == [weights[label] for label in labels]


@pytest.mark.parametrize(
    ("images", "classes", "fixed", "settings", "name", "says"),
    [
        (FEW_IMAGES * 3, 3, (), {"recipe.init": "FOLDER"}, "only", "auto -> only"),
        (FEW_IMAGES * 3 + 1, 3, (), {"recipe.init": "FOLDER"}, "first", None),
        (30, 3, ("recipe.epochs",), {"recipe.init": "FOLDER"}, "first", "recipe.epochs was set"),
        (30, 3, ("data.flip",), {"recipe.init": "FOLDER"}, "only", "auto -> only"),
        (30, 3, (), {}, "none", "start at random"),
        (3000, 3, (), {}, "none", None),
        (3000, 3, (), {PROBE: "only"}, "only", None),
        (30, 3, (), {PROBE: "first"}, "first", None),
    ],
)
def test_what_is_chosen_follows_from_images_and_weights(
    images, classes, fixed, settings, name, says
) -> None:
    preset = load_preset("resnet", "default", settings)
    chosen, findings = choose_linear_probe(preset, images, classes, fixed)
    assert chosen == name
    assert [says in str(finding) for finding in findings] == ([True] if says else [])


def test_what_only_steps_would_read_is_said() -> None:
    changes = {PROBE: "only", "recipe.epochs": 3, "data.flip": "none"}
    _, findings = resolve(zoo.load_preset("resnet"), changes)
    said = [str(finding) for finding in findings if "not read" in str(finding)]
    assert len(said) == 1
    assert "recipe.epochs was set, and is not read: recipe.linear_probe.name is only" in said[0]
