"""Kill -9 at random times: is every resumed run equal bit for bit, and what do checkpoints cost?"""

from __future__ import annotations

import collections
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training_runs import ZOO, history

# A run of some seconds whose checkpoints take about half of the time, so that kills fall into
# them; it writes down what it is doing, for the count of where they fell.
CHILD = """
import os, sys
import zoo
from zoo.tasks.text_classification import task
from zoo.tasks.text_classification.predictor import TextClassifier
from zoo.training.checkpoints import callback
from zoo.training.checkpoints.files import CheckpointFiles

data, out, phases, seed = sys.argv[1:]
callback.WAIT_TIMES, callback.LEAST_SECONDS, callback.FIRST_SECONDS = 1, 0.0, 0.0
handle = os.open(phases, os.O_RDWR | os.O_CREAT)
now = ["start"]

def phase(name):
    now[0] = name
    os.pwrite(handle, name.ljust(12).encode(), 0)

def within(owner, name, during, after=None):
    original = getattr(owner, name)
    def wrapped(*args, **kwargs):
        before = now[0]
        phase(during)
        result = original(*args, **kwargs)
        phase(after or before)
        return result
    setattr(owner, name, wrapped)

phase("start")
within(task, "load_data", "loading")
within(callback.Checkpoints, "on_epoch_begin", "training", "training")
within(callback.Checkpoints, "on_test_begin", "validation", "validation")
within(CheckpointFiles, "save", "checkpoint")
within(TextClassifier, "logits_of", "scoring", "scoring")
zoo.train(
    "textcnn", data, out=out, resume=True, seed=int(seed), verbose=False,
    set={"recipe.epochs": 12, "recipe.min_steps": 0, "architecture.filters": 32,
         "architecture.embedding_dim": 64, "architecture.ngram_buckets": 65536},
)
"""
SECONDS = 4.0  # after the first checkpoint, in which most kills fall


def measure(kills: str = "30", runs: str = "3", seed: str = "0") -> Iterator[dict[str, Any]]:
    """Yield the outcome of the kills, and the share of a usual run spent on checkpoints."""
    if int(kills):
        yield {"id": f"{kills} kills", **killed(int(kills), int(runs), int(seed))}
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        subprocess.run(
            [*ZOO, "train", "textcnn", "--out", str(run)], check=True, capture_output=True
        )
        training = json.loads((run / "metrics.json").read_text())["training"]
        seconds, spent = training["seconds"], training["checkpoint_seconds"]
        yield {
            "id": "cost",
            "training_seconds": seconds,
            "checkpoint_seconds": spent,
            "share": spent / seconds,
            "parameters": training["parameters"],
        }


def killed(kills: int, runs: int, seed: int) -> dict[str, Any]:
    """Kill runs, resume them, and compare each with one that was left alone."""
    generator = random.Random(seed)
    where: collections.Counter[str] = collections.Counter()
    equal = left_behind = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = _rows(folder / "rows.csv", generator)
        for number in range(runs):
            undisturbed, run = folder / f"undisturbed{number}", folder / f"run{number}"
            _finish(data, undisturbed, number)
            for _ in range(kills // runs):
                where[_kill(data, run, number, generator)] += 1
            _finish(data, run, number)
            equal += _weights_equal(undisturbed, run) and _history(undisturbed) == _history(run)
            left_behind += len(_left_behind(undisturbed, run))
    return {
        "kills": sum(where.values()),
        "where": dict(where.most_common()),
        "runs": runs,
        "runs_bit_equal": equal,
        "files_left_behind": left_behind,
    }


def _command(data: Path, run: Path, number: int) -> list[str]:
    phases = run.with_suffix(".phase")
    return [sys.executable, "-c", CHILD, str(data), str(run), str(phases), str(number)]


def _finish(data: Path, run: Path, number: int) -> None:
    subprocess.run(_command(data, run, number), check=True, capture_output=True)


def _kill(data: Path, run: Path, number: int, generator: random.Random) -> str:
    """Start or resume a run and kill it; return what it was doing."""
    phases = run.with_suffix(".phase")
    phases.unlink(missing_ok=True)
    process = subprocess.Popen(
        _command(data, run, number), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    anywhere = generator.random() < 0.2
    while not anywhere and process.poll() is None:
        if phases.is_file() and phases.read_text().strip() in ("checkpoint", "validation"):
            break
        time.sleep(0.01)
    time.sleep(generator.uniform(0.0, SECONDS * (3 if anywhere else 1)))
    process.kill()
    ended = process.wait() == 0
    phase = phases.read_text().strip() if phases.is_file() else "start"
    return "after its end" if ended else phase


def _rows(path: Path, generator: random.Random) -> Path:
    words = [f"word{index}" for index in range(500)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for index in range(6000):
            text = generator.choices(words, k=generator.randrange(5, 40))
            text.append("good" if index % 2 else "bad")
            writer.writerow([" ".join(text), "yes" if index % 2 else "no"])
    return path


def _weights_equal(one: Path, other: Path) -> bool:
    from zoo.runs.run import load_run

    weights = [load_run(run).model.network.get_weights() for run in (one, other)]
    return all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def _history(run: Path) -> list[dict[str, str]]:
    return [{**epoch, "seconds": ""} for epoch in history(run)]


def _left_behind(undisturbed: Path, run: Path) -> list[Path]:
    """Return what the killed run's folder, or the folder around it, has that it should not."""
    expected = {path.relative_to(undisturbed) for path in undisturbed.rglob("*")}
    unexpected = [path for path in run.rglob("*") if path.relative_to(run) not in expected]
    return unexpected + [path for path in run.parent.iterdir() if path.name.startswith(".")]
