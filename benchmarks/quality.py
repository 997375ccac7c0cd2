"""Test accuracy of a preset on nine public text sets, beside a linear model on the same split.

Options: model=textcnn preset=default data=trec,mr,... seeds=0,1,2
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import FLOORS, files


def measure(
    model: str = "textcnn",
    preset: str = "default",
    data: str = ",".join(FLOORS),
    seeds: str = "0,1,2",
) -> Iterator[dict[str, Any]]:
    """Train the preset as it is on every set and seed; yield one entry each."""
    for seed in seeds.split(","):
        for name in data.split(","):
            yield one(model, preset, name, int(seed))


def one(model: str, preset: str, name: str, seed: int) -> dict[str, Any]:
    """Train once; return the scores on the test part."""
    import zoo

    folder = Path(tempfile.mkdtemp(prefix="zoo-benchmark-"))
    try:
        run = zoo.train(
            model,
            preset=preset,
            out=folder / "run",
            seed=seed,
            verbose=False,
            **files(name, folder),
        )
        metrics = run.metrics
    finally:
        shutil.rmtree(folder, ignore_errors=True)
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
        "best_epoch": metrics["training"]["best_epoch"],
        "epochs": metrics["training"]["epochs"],
        "parameters": metrics["training"]["parameters"],
        "examples_per_second": metrics["training"]["examples_per_second"],
        "input_wait_share": metrics["training"]["input_wait_share"],
        "minutes": metrics["seconds"] / 60,
    }
