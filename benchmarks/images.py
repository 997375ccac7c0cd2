"""Test accuracy of presets on CIFAR-10, with the minutes of training.

Options: presets=fast-cifar,cifar-onecycle seeds=0,1,2
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import DATA

# What each preset is to reach.
WANTED = {"fast-cifar": 0.93, "cifar-onecycle": 0.905, "cifar-he2015": 0.9125}


def measure(
    presets: str = "fast-cifar,cifar-onecycle", seeds: str = "0,1,2"
) -> Iterator[dict[str, Any]]:
    """Train each preset as it is, once a seed; yield one entry each."""
    for seed in seeds.split(","):
        for preset in presets.split(","):
            yield one(preset, int(seed))


def cifar10(folder: Path) -> Path:
    """Write CIFAR-10 as an .npz file into a folder; return its path."""
    path = folder / "cifar10.npz"
    unpack = DATA / "cifar10" / "unpack.py"
    subprocess.run([sys.executable, str(unpack), str(path)], check=True, capture_output=True)
    return path


def one(preset: str, seed: int) -> dict[str, Any]:
    """Train once, on what the preset leaves of the training part; return the test scores."""
    import zoo

    folder = Path(tempfile.mkdtemp(prefix="zoo-benchmark-"))
    try:
        run = zoo.train(
            "resnet", str(cifar10(folder)), preset=preset, out=folder / "run", seed=seed,
            verbose=False,
        )  # fmt: skip
        metrics = run.metrics
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    training = metrics["training"]
    return {
        "id": f"resnet/{preset} cifar10 seed {seed}",
        "preset": f"resnet/{preset}",
        "data": "cifar10",
        "seed": seed,
        "accuracy": metrics["test"]["accuracy"],
        "validation": metrics["validation"]["accuracy"],
        "linear": metrics["baseline"]["test"]["accuracy"],
        "wanted": WANTED.get(preset),
        "epochs": training["epochs"],
        "best_epoch": training["best_epoch"],
        "parameters": training["parameters"],
        "examples_per_second": training["examples_per_second"],
        "input_wait_share": training["input_wait_share"],
        "training_minutes": training["seconds"] / 60,
        "minutes": metrics["seconds"] / 60,
    }
