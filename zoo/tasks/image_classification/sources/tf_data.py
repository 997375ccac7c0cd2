"""Images that a `tf.data.Dataset` yields, kept in a file on disk."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.labels import WEIGHTS, class_labels
from zoo.data.spool import Spool
from zoo.errors import ZooError
from zoo.tasks.image_classification.sources.arrays import (
    BLOCK,
    dark_images,
    find_scale,
    label_rows,
    peaks,
    to_rgb_bytes,
    with_channels,
)
from zoo.tasks.image_classification.sources.source import ImageSource

WHERE = "dataset"


def read_tensorflow(dataset: tf.data.Dataset) -> ImageSource:
    """Return the elements of a dataset of (image, label), batched or not.

    Floats have one scale in the whole dataset. `class_names`, as Keras'
    `image_dataset_from_directory` gives them, name the integers of the labels.

    Raises:
        ZooError: its elements are something else, differ in size, never end, or cannot be read.
    """
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ZooError("dataset: never ends. Leave out repeat().")
    spec = dataset.element_spec
    if isinstance(spec, tuple) and len(spec) == 3:
        raise ZooError(f"dataset: yields (image, label, weight): {WEIGHTS}")
    pair = isinstance(spec, tuple) and len(spec) == 2
    if not pair or not all(isinstance(part, tf.TensorSpec) for part in spec):
        raise ZooError(f"dataset: must yield (image, label). Received: {spec!r:.300}")
    names = getattr(dataset, "class_names", None)
    labels: list[np.ndarray] = []
    with _PixelFile() as file:
        try:
            for images, batch_labels in dataset if spec[0].shape.rank == 4 else dataset.batch(1):
                labels.append(class_labels(batch_labels, WHERE, names, file.count + 1))
                file.append(images.numpy())
                if len(labels[-1]) != len(images):
                    raise ZooError(
                        f"dataset: labels must be one an image. Received: {batch_labels.shape} of "
                        f"{images.shape}."
                    )
        except tf.errors.OpError as error:
            raise ZooError(f"dataset: cannot be read: {error.message}") from error
        pixels = file.pixels()
    findings = dark_images(np.concatenate(file.peaks), file.scale, WHERE)
    return ImageSource(WHERE, label_rows(np.concatenate(labels), WHERE), pixels, findings)


class _PixelFile:
    """Images of one size in a temporary file that has no name, uint8; a context manager.

    While all floats are in [0, 1] they are written in that scale; when a larger one comes, those
    before it are brought to the scale of [0, 255]: no batch decides it for the others.
    """

    def __init__(self) -> None:
        self.count, self.scale = 0, 0.0
        self.peaks: list[np.ndarray] = []
        self._shape: tuple[int, ...] | None = None

    def __enter__(self) -> _PixelFile:
        self._spool = Spool("images")
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def append(self, images: np.ndarray) -> None:
        """Write some more images.

        Raises:
            ZooError: they have another size or range, or there is no space for them.
        """
        images = with_channels(images, WHERE)
        shape = images.shape[1:]
        self._shape = self._shape or shape
        if shape != self._shape:
            raise ZooError(
                f"dataset: image {self.count + 1} has shape {shape}, the first {self._shape}: "
                "give them all one size, or give a folder."
            )
        scale = find_scale(images, WHERE)
        if self.count and scale < self.scale:
            self._darken(shape)
        self.scale = min(scale, self.scale) if self.count else scale
        self.peaks.append(peaks(images))
        self._spool.append(np.ascontiguousarray(to_rgb_bytes(images, self.scale, WHERE)).data)
        self.count += len(images)

    def _darken(self, shape: tuple[int, ...]) -> None:
        """Bring what was taken for [0, 1] to [0, 255], where 1 is 1."""
        if shape[-1] == 4:
            raise ZooError(
                f"dataset: the first {self.count:,} images are in [0, 1], image "
                f"{self.count + 1} is not. Give all in one scale."
            )
        written = self._mapped("r+")
        for start in range(0, self.count, BLOCK):
            written[start : start + BLOCK] = written[start : start + BLOCK] >= 128
        written.flush()

    def _mapped(self, mode: Any) -> np.memmap:
        height, width = (self._shape or (0, 0))[:2]
        return np.memmap(self._spool.file, np.uint8, mode, shape=(self.count, height, width, 3))

    def pixels(self) -> np.ndarray:
        """Return all images; the map keeps the file, which has no name, until it is let go."""
        if not self.count:
            raise ZooError("dataset: holds no images.")
        return self._mapped("r")
