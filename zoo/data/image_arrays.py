"""Pictures as arrays: .npz files, NumPy arrays, and what a `tf.data.Dataset` yields."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.rows import BATCH_ROWS, Rows, converted, label_text
from zoo.errors import ZooError

NPZ_PARTS = {
    "train": (
        ("x_train", "y_train"), ("images", "labels"), ("x", "y"), ("train_images", "train_labels"),
    ),
    "validation": (("x_val", "y_val"), ("x_valid", "y_valid"), ("val_images", "val_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}  # fmt: skip
Part = tuple[Iterator[Rows], np.ndarray]
BLOCK = 1024  # pictures that are in memory as floats at a time


def read_npz(path: Path) -> dict[str, Part]:
    """Return the parts of an .npz file; nothing in it is ever unpickled.

    Its arrays are `x_train`, `y_train`, `x_test`, `y_test` and so on, or `images` and `labels`;
    `classes`, if it is there, names the integers of the labels.

    Raises:
        ZooError: the file is damaged, or has no such arrays.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = set(file.files)
            classes = file["classes"].tolist() if "classes" in names else None
            found: dict[str, Part] = {}
            for part, pairs in NPZ_PARTS.items():
                for images, labels in pairs:
                    if {images, labels} <= names and part not in found:
                        found[part] = read_arrays(
                            file[images], file[labels], f"{path}: {images}", classes
                        )
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ZooError(f"{path}: is not an .npz file of plain arrays: {error}.") from error
    if "train" not in found:
        raise ZooError(
            f"{path}: holds no arrays `images` and `labels`, nor `x_train` and `y_train`, but "
            f"{', '.join(sorted(names)) or 'nothing'}."
        )
    return found


def read_arrays(
    images: Any, labels: Any, where: str = "images", classes: list[Any] | None = None
) -> Part:
    """Return rows of places, and the pixels as uint8 `(pictures, height, width, 3)`.

    Args:
        images: `(pictures, height, width)` or with 1, 3 or 4 channels; bytes, or floats in [0, 1].
        labels: integers or strings `(pictures,)`.
        where: named in messages.
        classes: names of integer labels.

    Raises:
        ZooError: shapes or types are others, or a value is out of range.
    """
    pixels = _bytes(np.asarray(images), where)
    marks = np.asarray(labels).reshape(-1) if np.asarray(labels).ndim == 2 else np.asarray(labels)
    if marks.ndim != 1 or len(marks) != len(pixels):
        raise ZooError(
            f"{where}: labels must be one a picture. Received: {len(pixels):,} pictures and labels "
            f"of shape {np.asarray(labels).shape}."
        )
    if classes is not None:
        marks = _named(marks, classes, where)
    return _rows(marks, where), pixels


def read_tensorflow(dataset: tf.data.Dataset) -> Part:
    """Return the elements of a dataset of (image, label), batched or not, kept in a file on disk.

    Raises:
        ZooError: its elements are something else, differ in size, never end, or cannot be read.
    """
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ZooError("dataset: never ends. Leave out repeat().")
    spec = dataset.element_spec
    if not (
        isinstance(spec, tuple) and len(spec) >= 2 and getattr(spec[0], "shape", None) is not None
    ):
        raise ZooError(f"dataset: must yield (image, label). Received: {spec!r:.300}")
    batched = spec[0].shape.rank == 4
    labels: list[np.ndarray] = []
    shape: tuple[int, ...] | None = None
    count = 0
    with tempfile.TemporaryFile(prefix="zoo-pictures-") as file:
        try:
            for element in dataset if batched else dataset.batch(1):
                pixels = _bytes(element[0].numpy(), "dataset")
                shape = shape or pixels.shape[1:]
                if pixels.shape[1:] != shape:
                    raise ZooError(
                        f"dataset: picture {count + 1} has shape {pixels.shape[1:]}, the first "
                        f"{shape}: give them all one size, or give a folder."
                    )
                file.write(np.ascontiguousarray(pixels).data)
                labels.append(np.asarray(element[1].numpy()).reshape(-1))
                count += len(pixels)
        except tf.errors.OpError as error:
            raise ZooError(f"dataset: cannot be read: {error.message}") from error
        if shape is None:
            raise ZooError("dataset: holds no pictures.")
        file.flush()
        # The map keeps the file, which has no name, until it is let go.
        arrays = np.memmap(file, np.uint8, "r", shape=(count, *shape))
    return _rows(np.concatenate(labels), "dataset"), arrays


def _bytes(images: np.ndarray, where: str) -> np.ndarray:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or 0 in images.shape:
        raise ZooError(
            f"{where}: pictures must be (pictures, height, width) or (pictures, height, width, "
            f"channels) with 1, 3 or 4 channels. Received: shape {images.shape}."
        )
    if images.dtype != np.uint8:
        images = _scaled(images, where)
    if images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    return _on_white(images) if images.shape[-1] == 4 else images


def _on_white(images: np.ndarray) -> np.ndarray:
    """Return red, green and blue of pictures with transparency, as files are read."""
    found = np.empty((*images.shape[:-1], 3), np.uint8)
    for first in range(0, len(images), BLOCK):
        block = images[first : first + BLOCK].astype(np.float32)
        opaque = block[..., 3:] / 255.0
        found[first : first + BLOCK] = np.round(block[..., :3] * opaque + 255.0 * (1.0 - opaque))
    return found


def _scaled(images: np.ndarray, where: str) -> np.ndarray:
    if images.dtype.kind not in "fiub":
        raise ZooError(f"{where}: pixels must be numbers. Received: {images.dtype}.")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0.0 and high <= 255.0):
        raise ZooError(
            f"{where}: pixels must be in [0, 255], or in [0, 1]. Received: {low:g} to {high:g}. "
            "Give them before any normalisation: the network does its own."
        )
    factor = 255.0 if images.dtype.kind in "fb" and high <= 1.0 else 1.0
    return (images.astype(np.float32) * factor).round().astype(np.uint8)


def _named(marks: np.ndarray, classes: list[Any], where: str) -> np.ndarray:
    if marks.dtype.kind not in "iu":
        return marks
    if len(marks) and not 0 <= int(marks.min()) <= int(marks.max()) < len(classes):
        raise ZooError(
            f"{where}: labels go from {marks.min()} to {marks.max()}, but `classes` has "
            f"{len(classes)} names."
        )
    return np.asarray(classes)[marks]


def _rows(labels: np.ndarray, where: str) -> Iterator[Rows]:
    for start in range(0, len(labels), BATCH_ROWS):
        some = labels[start : start + BATCH_ROWS]
        places = [str(place) for place in range(start, start + len(some))]
        named = converted(where, start + 1, some.tolist(), label_text, "label")
        yield Rows(where, start + 1, places, named)
