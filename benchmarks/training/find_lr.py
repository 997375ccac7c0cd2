"""Learning rates that a sweep suggests, beside the preset's, which was chosen by scores.

The suggestions are of one sweep each, on the training part alone; `times` is suggestion / preset.
Options: presets=textcnn/default,fasttext/default data=trec,mr seed=0
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import files

PRESETS = "textcnn/default,fasttext/default,textrnn/default,rcnn/default"


def measure(
    presets: str = PRESETS, data: str = "trec,mr", seed: str = "0"
) -> Iterator[dict[str, Any]]:
    """Yield one entry a preset and set: what each rule suggests, and seconds."""
    for preset in presets.split(","):
        for name in data.split(","):
            yield suggested(preset, name, int(seed))


def suggested(preset: str, data: str, seed: int) -> dict[str, Any]:
    """Sweep once; return the suggestions beside the preset's rate."""
    import zoo

    model, _, name = preset.partition("/")
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        sweep = zoo.find_lr(model, files(data, Path(folder))["data"], preset=name, seed=seed)
    rate = sweep.preset_rate
    return {
        "id": f"{preset} {data} seed {seed}",
        "preset": preset,
        "data": data,
        "seed": seed,
        "preset_rate": rate,
        "suggested": sweep.suggested,
        "times": {rule: value / rate for rule, value in sweep.suggested.items()},
        "steps": len(sweep.rates),
        "stopped": sweep.stopped,
        "seconds": sweep.seconds,
    }
