"""Small images that tests make: learnable, of every kind, and broken in every way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("blue", "red")
# One small, quick training: a few seconds with everything on.
QUICK = {
    "recipe.epochs": 3,
    "recipe.min_steps": 0,
    "data.batch_size": 16,
    "recipe.optimizer.learning_rate": 0.05,
    "recipe.ema": None,
    "architecture.filters": [8, 8, 16],
    "architecture.depth": 8,
    "architecture.image_size": 24,
    "recipe.dtype_policy": "float32",
}


def pixels(label: str, number: int, width: int = 32, height: int = 24) -> np.ndarray:
    """Return noise with much of one colour, uint8 `(height, width, 3)`."""
    generator = np.random.default_rng([number, CLASSES.index(label)])
    found = generator.integers(0, 120, (height, width, 3))
    found[..., 0 if label == "red" else 2] += 120
    return found.astype(np.uint8)


def write_folder(
    folder: Path, each: int = 20, suffix: str = ".png", first: int = 0, classes=CLASSES
) -> Path:
    """Write a folder of class folders, of images of different sizes; return it."""
    for label in classes:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + each):
            sides = (20 + number % 5 * 8, 20 + number % 3 * 10)
            path = folder / label / f"{number:03}{suffix}"
            Image.fromarray(pixels(label, number, *sides)).save(path)
    return folder
