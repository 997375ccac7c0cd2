"""Peak resident memory of `zoo train resnet` on 400 and on 4,000 photographs of different sizes.

The photographs are random parts of the two that scikit-learn ships, as JPEG files, 300 to 640
pixels wide. Options: small=400 large=4000
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import photographs
from benchmarks.training_runs import peak_megabytes, train_command

SMALL = {
    "recipe.epochs": 1,
    "recipe.min_steps": 0,
    "architecture.image_size": 64,
    "architecture.filters": [16, 16, 16, 16],
}


def measure(small: str = "400", large: str = "4000") -> Iterator[dict[str, Any]]:
    """Yield the peak of each number, measured by the operating system, and their ratio."""
    peaks = []
    for count in (int(small), int(large)):
        with tempfile.TemporaryDirectory() as name:
            data = photographs(Path(name) / "photos", count)
            peaks.append(peak_megabytes(train_command("resnet", data, Path(name) / "run", SMALL)))
        yield {"id": f"photographs {count:,}", "count": count, "peak_megabytes": peaks[-1]}
    yield {"id": "ratio", "ratio": peaks[1] / peaks[0]}
