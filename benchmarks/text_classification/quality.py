"""Test accuracy of a preset on nine public text sets, beside a linear model on the same split.

Options: model=textcnn preset=default data=trec,mr,... seeds=0,1,2
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from benchmarks.datasets import FLOORS, files
from benchmarks.training_runs import train_once


def measure(
    model: str = "textcnn",
    preset: str = "default",
    data: str = ",".join(FLOORS),
    seeds: str = "0,1,2",
) -> Iterator[dict[str, Any]]:
    """Train the preset as it is on every set and seed; yield one entry each."""
    for seed in seeds.split(","):
        for name in data.split(","):
            yield scores(model, preset, name, int(seed))


def scores(model: str, preset: str, name: str, seed: int) -> dict[str, Any]:
    """Train once; return the scores on the test part."""
    parts = functools.partial(files, name)
    metrics, _ = train_once(model, parts, preset=preset, seed=seed)
    training = metrics["training"]
    return {
        "id": f"{model}/{preset} {name} seed {seed}",
        "preset": f"{model}/{preset}",
        "data": name,
        "seed": seed,
        "accuracy": metrics["test"]["accuracy"],
        "macro_f1": metrics["test"]["macro_f1"],
        "validation": metrics["validation"]["accuracy"],
        "linear": metrics["baseline"]["test"]["accuracy"],
        "floor": FLOORS[name],
        "best_epoch": training["best_epoch"],
        "epochs": training["epochs"],
        "parameters": training["parameters"],
        "examples_per_second": training["examples_per_second"],
        "input_wait_share": training["input_wait_share"],
        "minutes": metrics["seconds"] / 60,
    }
