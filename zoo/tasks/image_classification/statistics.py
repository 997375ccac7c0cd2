"""What the network needs to know of the training images: their mean colour and its spread."""

from __future__ import annotations

import numpy as np

from zoo.tasks.image_classification.batches import ImageSplit, ImageTransform

PROBE = 1000  # images whose colours are averaged


def colours(
    images: ImageSplit, view: ImageTransform, seed: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each colour over a sample of images."""
    positions = np.arange(len(images))
    if len(positions) > PROBE:
        positions = np.sort(np.random.default_rng(seed).choice(positions, PROBE, replace=False))
    total, squares, count = np.zeros(3), np.zeros(3), 0
    for source in images.sources(positions):
        pixels = view.center(source).reshape(-1, 3).astype(np.float64)
        total += pixels.sum(axis=0)
        squares += np.square(pixels).sum(axis=0)
        count += len(pixels)
    mean = total / count
    # An image of one colour has no deviation, and would be divided by it.
    std = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    return tuple(mean.round(3).tolist()), tuple(std.round(3).tolist())
