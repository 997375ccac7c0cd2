"""A diagnosis of runs, and of histories that others wrote."""

import csv
import json
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import zoo
from zoo.cli import app
from zoo.diagnosis.diagnose import HISTORY
from zoo.errors import ZooError
from zoo.files import write_json

FLAT = {"loss": [0.693, 0.6931, 0.6929, 0.693], "val_loss": [0.693, 0.6932, 0.6931, 0.693]}
OVERFITTED = {"loss": [0.6, 0.3, 0.2, 0.1], "val_loss": [0.6, 0.4, 0.45, 0.6]}


def write(path: Path, columns: dict, separator: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, keras.callbacks.History]:
    """A folder with what Keras' own callbacks write, and what `fit` returns."""
    folder = tmp_path_factory.mktemp("keras")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True), metrics=["accuracy"])
    history = model.fit(
        x, y, epochs=3, validation_data=(x, y), verbose=0,
        callbacks=[
            keras.callbacks.CSVLogger(folder / "history.csv"),
            keras.callbacks.TensorBoard(folder / "logs", histogram_freq=1),
        ],
    )  # fmt: skip
    return folder, history


def test_keras_histories_are_read_in_each_form(fitted) -> None:
    folder, history = fitted
    sources = (history, history.history, folder / "history.csv", folder / "logs")
    first, *others = [zoo.diagnose(source)[0] for source in sources]
    for other in others:
        assert other.name == first.name
        assert other.evidence == pytest.approx(first.evidence, rel=1e-6)


def test_a_run_is_diagnosed_when_it_ends_and_later(trained, tmp_path: Path) -> None:
    (line,) = (finding for finding in trained.findings if finding.name)
    assert zoo.diagnose(trained)[0] == zoo.diagnose(trained.path)[0]
    assert zoo.diagnose(trained)[0].what == line.what
    unfinished = tmp_path / "run"
    shutil.copytree(trained.path, unfinished)
    (unfinished / "metrics.json").unlink()
    assert zoo.diagnose(unfinished)  # without what only the end tells


def test_what_is_known_of_a_run_is_used(trained, tmp_path: Path) -> None:
    """Without the classes' shares nobody knows that a flat loss is that of guessing."""
    run = tmp_path / "run"
    shutil.copytree(trained.path, run)
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["training"]["steps"] = 1000
    metrics["validation"]["classes"] = {"good": {"support": 30}, "bad": {"support": 10}}
    write_json(run / "metrics.json", metrics)
    smoothing = trained.preset.recipe.loss.label_smoothing
    share = 0.75 * (1 - smoothing) + smoothing / 2
    guess = -share * math.log(share) - (1 - share) * math.log(1 - share)
    write(run / HISTORY, {"epoch": [1, 2], "loss": [guess] * 2, "val_loss": [guess] * 2})
    verdict = zoo.diagnose(run)[0]
    assert verdict.name == "not-learning"
    assert verdict.evidence["learned"] == pytest.approx(0, abs=1e-6)


def test_the_next_step_of_a_run_is_a_command_that_runs(trained, tmp_path: Path) -> None:
    run = tmp_path / "a run"
    shutil.copytree(trained.path, run)
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["training"] |= {"steps": 1000, "best_epoch": 2}
    write_json(run / "metrics.json", metrics)
    write(run / HISTORY, {"epoch": [1, 2, 3, 4], **OVERFITTED})
    next_step = next(f.next for f in zoo.diagnose(run) if f.name == "overfitted")
    assert next_step.startswith(f"`zoo train '{run}/preset.yaml' --set recipe.epochs=2`")
    write(run / HISTORY, {"epoch": [1, 2], "loss": [0.5, 5.0], "val_loss": [0.5, 5.0]})
    rate = trained.preset.values()["recipe.optimizer.learning_rate"]
    assert f"--set recipe.optimizer.learning_rate={rate / 10:.3g}`" in zoo.diagnose(run)[0].next


def test_classes_say_what_guessing_loses() -> None:
    assert zoo.diagnose(FLAT, classes=2)[0].name == "not-learning"
    tenfold = {name: [3 * value for value in values] for name, values in FLAT.items()}
    assert zoo.diagnose(tenfold, classes=2)[0].name == "rate-too-high"
    with pytest.raises(ZooError, match="must be 2 or more. Received: 1"):
        zoo.diagnose(FLAT, classes=1)


def test_names_and_separators_of_others(tmp_path: Path) -> None:
    columns = {
        "epoch": [0, 1, 2, 3],
        "train_loss": OVERFITTED["loss"],
        "valid_loss": OVERFITTED["val_loss"],
    }
    path = write(tmp_path / "fastai.csv", columns, ";")
    assert [finding.name for finding in zoo.diagnose(path)] == ["sound", "overfitted"]


def test_epochs_without_validation_are_left_out() -> None:
    history = {"loss": [0.6, 0.5, 0.3, 0.2], "val_loss": ["", 0.55, "", 0.4]}
    assert zoo.diagnose(history)[0].evidence["epochs"] == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"epoch": [1, 2], "score": [1, 2]},
            "no column of the training loss. It has: epoch, score",
        ),
        ({"loss": [1, 2]}, "no loss of validation"),
        ({"loss": [1, 2], "val_loss": ["", ""]}, "no loss of validation"),
        ({"loss": [1], "val_loss": [1]}, "has one epoch with both losses"),
        ({"loss": [1, "x"], "val_loss": [1, 2]}, "column 'loss': must be numbers. Received: 'x'"),
        ({}, "is empty|no column of the training loss"),
    ],
)
def test_histories_that_say_nothing(tmp_path: Path, columns: dict, message: str) -> None:
    for source in (columns, write(tmp_path / "history.csv", columns)):
        with pytest.raises(ZooError, match=message):
            zoo.diagnose(source)


def test_what_is_no_history(tmp_path: Path) -> None:
    for name, message in (
        ("none", "does not exist"),
        ("empty", "neither a run nor the folder of Keras' TensorBoard callback"),
        ("model.keras", "is a model, which does not tell how it was trained"),
        ("noise.csv", "is no history in CSV"),
        ("begun", "has no history.csv: its first epoch has not ended"),
    ):
        path = tmp_path / name
        if name in ("empty", "begun"):
            path.mkdir()
        if name == "begun":
            (path / "preset.yaml").write_text("model: textcnn\n")
        if path.suffix:
            path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ZooError, match=message):
            zoo.diagnose(path)


def test_command(tmp_path: Path) -> None:
    path = write(tmp_path / "history.csv", FLAT)
    shown = CliRunner().invoke(app, ["diagnose", str(path), "--classes", "2"])
    assert shown.exit_code == 0
    assert shown.stdout.lstrip().startswith(
        "warning the training loss hardly falls: 0.693 at first"
    )
    told = CliRunner().invoke(app, ["diagnose", str(path), "--classes", "2", "--json"])
    document = json.loads(told.stdout)
    assert document["verdict"] == "not-learning"
    assert document["findings"][0]["advice"] == ["A152", "A36", "A142"]
