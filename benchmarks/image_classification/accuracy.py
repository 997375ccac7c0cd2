"""Test accuracy of presets on CIFAR-10, with the minutes of training.

Options: presets=fast-cifar,cifar-onecycle seeds=0,1,2
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import cifar10
from benchmarks.training_runs import train_once

# What each preset is to reach.
TARGETS = {"fast-cifar": 0.93, "cifar-onecycle": 0.905, "cifar-he2015": 0.9125}


def measure(
    presets: str = "fast-cifar,cifar-onecycle", seeds: str = "0,1,2"
) -> Iterator[dict[str, Any]]:
    """Train each preset as it is, once a seed; yield one entry each."""
    for seed in seeds.split(","):
        for preset in presets.split(","):
            yield scores(preset, int(seed))


def scores(preset: str, seed: int) -> dict[str, Any]:
    """Train once, on what the preset leaves of the training part; return the test scores."""
    metrics, _ = train_once("resnet", _parts, preset=preset, seed=seed)
    training = metrics["training"]
    return {
        "id": f"resnet/{preset} cifar10 seed {seed}",
        "preset": f"resnet/{preset}",
        "data": "cifar10",
        "seed": seed,
        "accuracy": metrics["test"]["accuracy"],
        "validation": metrics["validation"]["accuracy"],
        "linear": metrics["baseline"]["test"]["accuracy"],
        "wanted": TARGETS.get(preset),
        "epochs": training["epochs"],
        "best_epoch": training["best_epoch"],
        "parameters": training["parameters"],
        "examples_per_second": training["examples_per_second"],
        "input_wait_share": training["input_wait_share"],
        "training_minutes": training["seconds"] / 60,
        "minutes": metrics["seconds"] / 60,
    }


def _parts(folder: Path) -> dict[str, str]:
    return {"data": str(cifar10(folder))}
