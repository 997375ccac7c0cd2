"""A small run that is interrupted and resumed, shared by the tests of checkpoints."""

import csv
import json
from pathlib import Path

import numpy as np
from conftest import QUICK

import zoo
from zoo.training.checkpoints import callback

# Every part that has a state: norms of an average, plateau, dropout, several blocks an epoch.
SETTINGS = QUICK | {
    "recipe.epochs": 3,
    "recipe.schedule.name": "plateau",
    "recipe.schedule.patience_epochs": 0,
    "architecture.ngram_buckets": 64,
    "data.batch_size": 8,
}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def write_always(monkeypatch) -> None:
    """Write a checkpoint after every step, and wait for it."""
    for name in ("WAIT_TIMES", "LEAST_SECONDS", "FIRST_SECONDS"):
        monkeypatch.setattr(callback, name, 0)
    is_late = callback.Checkpoints._is_late

    def waits(self) -> bool:
        self.close()
        return is_late(self)

    monkeypatch.setattr(callback.Checkpoints, "_is_late", waits)


def killed() -> None:
    raise Killed


def kill_at(monkeypatch, owner, name: str, call: int, kill=killed) -> None:
    """Raise `Killed`, or do what is given, before the call of that number, from 1."""
    original, calls = getattr(owner, name), []

    def killing(*args, **kwargs):
        calls.append(name)
        if len(calls) == call:
            kill()
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, killing)


def train(data, out: Path, model: str = "textcnn", **arguments):
    arguments = {"set": SETTINGS, "seed": 3, "verbose": False} | arguments
    return zoo.train(model, str(data), out=out, **arguments)


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return [
            {key: value for key, value in line.items() if key != "seconds"}
            for line in csv.DictReader(file)
        ]


def metrics(run: Path) -> dict:
    found = json.loads((run / "metrics.json").read_text())
    timed = ("seconds", "examples_per_second", "input_wait_share")
    training = found["training"]
    del found["baseline"]["seconds"]
    found["training"] = {
        key: value for key, value in training.items() if not any(word in key for word in timed)
    }
    return {key: value for key, value in found.items() if key != "seconds"}


def assert_equal_runs(left: Path, right: Path) -> None:
    """Weights bit for bit, history and metrics but for the times, and nothing left behind."""
    weights = [zoo.load_run(run).model.network.get_weights() for run in (left, right)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert history(left) == history(right)
    assert metrics(left) == metrics(right)
    assert {path.name for path in left.iterdir()} == {path.name for path in right.iterdir()}
    assert not [path for path in right.parent.rglob("*") if ".part" in path.name]
