"""Two workers on one machine against one process: the same scores, and how many examples a second.

Both train with `zoo train textcnn`, the workers through `zoo launch`, which gives each one of two
cores. Scores: of the defaults against one process that takes the halves of a batch one after the
other; against one that takes it whole without dropout, since there masks are others, under SGD, and
under the default's AdamW, which makes a full step of a gradient that is nothing but rounding, so
that two runs that round otherwise part in time. Speed: defaults, one after the other in each
round, from the median epoch after the first, which builds the graphs and tokenizes. Options:
rounds=3 (0 for the scores alone) epochs=6
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import files
from benchmarks.training_runs import ZOO, history, train_command
from zoo.files import read_json

DRY = {
    "architecture.dropout": 0.0,
    "architecture.embedding_dropout": 0.0,
    "architecture.word_dropout": 0.0,
    "architecture.ngram_dropout": 0.0,
    "architecture.path_dropout": 0.0,
}
SGD = {"recipe.optimizer.name": "sgd", "recipe.optimizer.momentum": 0.9}
HALVES = {"recipe.micro_batches": 2}
# Changes to the default, and those of the one process alone.
SCORES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "defaults, in halves": ({}, HALVES),
    "sgd, 10 epochs": (DRY | SGD | {"recipe.epochs": 10, "recipe.min_steps": 0}, {}),
    "default optimizer, 1 epoch": (DRY | {"recipe.epochs": 1, "recipe.min_steps": 0}, {}),
    "default optimizer, all epochs": (DRY, {}),
}
SPEED = ("sst2", "newsgroups20")  # short and long texts
WORKERS = 2


def measure(rounds: str = "3", epochs: str = "6") -> Iterator[dict[str, Any]]:
    """Yield the entries of the scores, then one a set on speed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = files("sst2", folder)
        for what, (changes, alone) in SCORES.items():
            one = _train(folder / f"{what} one", parts, 1, changes | alone)
            two = _train(folder / f"{what} two", parts, WORKERS, changes)
            yield _scores(f"scores, sst2, {what}", one, two)
        for data in SPEED if int(rounds) else ():
            yield _speed(folder, data, int(rounds), epochs)


def _scores(name: str, one: Path, two: Path) -> dict[str, Any]:
    apart = {}
    for part in ("validation", "test"):
        for key in ("loss", "accuracy", "macro_f1"):
            mine, other = (read_json(run / "metrics.json")[part][key] for run in (one, two))
            apart[f"{part}_{key}"] = abs(mine - other)
    return {"id": name, "largest_difference": max(apart.values()), **apart}


def _speed(folder: Path, data: str, rounds: int, epochs: str) -> dict[str, Any]:
    parts = {key: value for key, value in files(data, folder).items() if key == "data"}
    short = {"recipe.epochs": epochs, "recipe.min_steps": 0, "data.validation_fraction": 0.02}
    rates: dict[int, list[float]] = {1: [], WORKERS: []}
    for number in range(rounds):
        for workers in rates:
            out = folder / f"{data}-{number}-{workers}"
            run = _train(out, parts, workers, short)
            seconds = [float(epoch["seconds"]) for epoch in history(run)]
            rows = read_json(run / "metrics.json")["training"]["train_examples"]
            rates[workers].append(rows / statistics.median(np.diff(seconds)))
    ratios = [two / one for one, two in zip(rates[1], rates[WORKERS], strict=True)]
    return {
        "id": f"speed, {data}",
        "rows": rows,
        "one_process_examples_per_second": statistics.median(rates[1]),
        "two_workers_examples_per_second": statistics.median(rates[WORKERS]),
        "times_one_process": statistics.median(ratios),
    }


def _train(out: Path, parts: dict[str, str], workers: int, changes: dict[str, Any]) -> Path:
    others = [word for part in parts if part != "data" for word in (f"--{part}", parts[part])]
    command = train_command("textcnn", parts["data"], out, changes, *others)
    if workers > 1:
        command = [*ZOO, "launch", "--workers", str(workers), "--", *command]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=1200)
    return out
