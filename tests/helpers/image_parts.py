"""Small images that tests make: learnable, of every kind, and broken in every way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.preset.loading import load_preset
from zoo.tasks.image_classification.data import ImageDataset, load_images
from zoo.tasks.request import Request

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
    image = generator.integers(0, 120, (height, width, 3))
    image[..., 0 if label == "red" else 2] += 120
    return image.astype(np.uint8)


def write_folder(
    folder: Path, count: int = 20, suffix: str = ".png", first: int = 0, classes=CLASSES
) -> Path:
    """Write a folder of class folders, of images of different sizes; return it."""
    for label in classes:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            sides = (20 + number % 5 * 8, 20 + number % 3 * 10)
            path = folder / label / f"{number:03}{suffix}"
            Image.fromarray(pixels(label, number, *sides)).save(path)
    return folder


def with_data(**changes: Any) -> Any:
    """Return the data block of the debug preset, changed, with batches of 8."""
    keys = {f"data.{key}": value for key, value in changes.items()}
    return load_preset("resnet", "debug", {"data.batch_size": 8} | keys).data


SETTINGS = with_data()


def load(
    source: Any, image_size: int = 24, settings: Any = SETTINGS, **options: Any
) -> ImageDataset:
    """Load images with the settings of a quick training run."""
    return load_images(Request(source, **options), settings=settings, image_size=image_size)


def messages(data: ImageDataset) -> str:
    """Return all findings as one text."""
    return "\n".join(map(str, data.findings))


def arrays(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Return images of 16 x 16 pixels, and their classes 0 (blue) and 1 (red)."""
    images = np.stack([pixels(label, n, 16, 16) for label in CLASSES for n in range(count)])
    return images, np.repeat([0, 1], count)


def write_deep(folder: Path, top: int, count: int = 6) -> Path:
    """Write grey PNG files of 16 bits, whose values go up to `top`, into two class folders."""
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for seed in range(count):
            values = np.random.default_rng([seed, number]).integers(0, top + 1, (16, 16))
            values[0, 0] = top
            path = folder / label / f"{top}-{seed}.png"
            Image.fromarray(values.astype(np.uint16)).save(path)
    return folder
