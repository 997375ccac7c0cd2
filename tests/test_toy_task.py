"""A task is one folder and one line: the toy has no more, and every command knows it."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from resume_parts import Killed, kill_at, write_always
from toy_parts import add_task

import zoo
from zoo.training.monitor import Monitor


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path) -> None:
    add_task(monkeypatch, tmp_path)


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "sine.curve.csv"
    xs = np.random.default_rng(0).uniform(2.0, 6.0, 80)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("x", "y"), *((x, math.sin(x)) for x in xs)])
    return path


def test_every_command_knows_it(points, zoo_command, tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    zoo_command("train", "toycurve", points, "--out", whole, "--seed", 1, code=0)
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, Monitor, "on_train_batch_end", 20)  # of 8 steps an epoch
        with pytest.raises(Killed):
            zoo_command("train", "toycurve", points, "--out", run, "--seed", 1)
    assert not (run / "metrics.json").exists()
    ended = zoo_command("train", "toycurve", points, "--out", run, "--seed", 1, "--resume", code=0)
    assert "largest" in ended.stdout and "mean" in ended.stdout and "points/s" in ended.stdout
    first, resumed = zoo.load_run(whole), zoo.load_run(run)
    for one, other in zip(
        first.model.network.get_weights(), resumed.model.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    metrics = resumed.metrics
    assert metrics["validation"]["loss"] < metrics["baseline"]["validation"]["loss"]
    assert resumed.preset.architecture.x_mean == pytest.approx(4.0, abs=0.5)

    scores = json.loads(zoo_command("evaluate", run, points, "--json", code=0).stdout)["metrics"]
    assert scores["points"] == 80
    assert "80 points" in zoo_command("evaluate", run, points, code=0).stdout
    (tmp_path / "new.csv").write_text("x\n3.0\n5.0\n")
    lines = zoo_command("predict", run, tmp_path / "new.csv", code=0).stdout.splitlines()
    predicted = [json.loads(line)["y"] for line in lines]
    assert "takes numbers" in zoo_command("export", run, tmp_path / "serving", code=0).stdout
    server = tf.saved_model.load(str(tmp_path / "serving"))
    served = server.serve(tf.constant([[3.0], [5.0]]))
    np.testing.assert_allclose(served["y"][:, 0], predicted, rtol=1e-5)
    refused = zoo_command("generate", run, "a", code=1)
    assert "is a curve, no language model. Use predict or evaluate." in refused.stderr

    assert "x from 2" in zoo_command("data", points, code=0).stdout
    assert json.loads(zoo_command("data", points, "--json", code=0).stdout)["points"] == 80
    assert "toy task" in zoo_command("presets", "toycurve", code=0).stdout
    assert "0.05" in zoo_command("explain", "toycurve", "recipe.optimizer", code=0).stdout
    assert "largest 0." in zoo_command("runs", tmp_path, code=0).stdout.replace("\n", " ")
    (tmp_path / "words.curve.csv").write_text("x,y\na,b\n")
    wrong = zoo_command("train", "toycurve", tmp_path / "words.curve.csv", code=1)
    assert "words.curve.csv: is no CSV of numbers" in wrong.stderr
