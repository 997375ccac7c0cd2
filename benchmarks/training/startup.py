"""Seconds to `zoo presets`, and to the first training step on a CSV of 10,000 rows."""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import files, read_csv
from benchmarks.training_runs import ZOO, train_command

SHORT = {"recipe.epochs": 1, "recipe.min_steps": 0}


def measure(repeats: str = "5") -> Iterator[dict[str, Any]]:
    """Yield the median wall time of whole commands, in processes of their own."""
    command = [*ZOO, "presets"]
    yield {"id": "zoo presets", "seconds": _median(command, int(repeats))}
    plain = [sys.executable, "-c", "import tensorflow"]
    yield {"id": "import tensorflow", "seconds": _median(plain, int(repeats))}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = _ten_thousand_rows(folder)
        first_steps = []
        for repeat in range(3):
            run = folder / f"run{repeat}"
            wall = time.perf_counter()
            command = train_command("textcnn", path, run, SHORT, "--json")
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            wall = time.perf_counter() - wall
            metrics = json.loads(done.stdout)
            # what the process spends before its own clock starts is the interpreter's start
            lead = wall - metrics["seconds"]
            first_steps.append(metrics["training"]["seconds_to_first_step"] + max(lead, 0.0))
        yield {
            "id": "first step, 10,000 rows",
            "seconds": statistics.median(first_steps),
            "runs": first_steps,
        }


def _median(command: list[str], repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _ten_thousand_rows(folder: Path) -> Path:
    header, *rows = read_csv(files("subj", folder)["data"])
    rows = (rows * 2)[:10_000]
    path = folder / "ten_thousand.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path
