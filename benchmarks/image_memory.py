"""Peak resident memory of `zoo train resnet` on 400 and on 4,000 photographs of different sizes.

The photographs are random parts of the two that scikit-learn ships, as JPEG files, 300 to 640
pixels wide. Options: small=400 large=4000
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def measure(small: str = "400", large: str = "4000") -> Iterator[dict[str, Any]]:
    """Yield the peak of each number, measured by the operating system, and their ratio."""
    peaks = []
    for count in (int(small), int(large)):
        with tempfile.TemporaryDirectory() as name:
            photographs(Path(name) / "photos", count)
            peaks.append(_peak(Path(name) / "photos", Path(name) / "run"))
        yield {"id": f"photographs {count:,}", "count": count, "peak_megabytes": peaks[-1]}
    yield {"id": "ratio", "ratio": peaks[1] / peaks[0]}


def photographs(folder: Path, count: int) -> None:
    """Write two class folders of JPEG files, of random sizes and shapes."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    generator = np.random.default_rng(0)
    for label, pixels in zip(("china", "flower"), load_sample_images().images, strict=True):
        (folder / label).mkdir(parents=True)
        height, width, _ = pixels.shape
        for number in range(count // 2):
            across, down = generator.integers(300, width), generator.integers(220, height)
            left = generator.integers(0, width - across)
            upper = generator.integers(0, height - down)
            part = pixels[upper : upper + down, left : left + across]
            Image.fromarray(part).save(folder / label / f"{number:05}.jpg", quality=85)


def _peak(folder: Path, out: Path) -> float:
    """Return the peak resident megabytes of an epoch of training on a folder, checks and all."""
    command = [
        sys.executable, "-m", "zoo", "train", "resnet", str(folder), "--out", str(out), "--json",
        "--set", "recipe.epochs=1", "--set", "recipe.min_steps=0",
        "--set", "architecture.image_size=64", "--set", "architecture.filters=[16,16,16,16]",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"zoo train failed on {folder}")
    return usage.ru_maxrss / 1024
