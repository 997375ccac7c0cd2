"""Images as arrays: .npz files, NumPy arrays and lists of arrays of several sizes."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.data.labels import class_labels
from zoo.data.rows import BATCH_ROWS, Rows, convert_values, to_label
from zoo.errors import ZooError
from zoo.finding import Finding, counted, first_few
from zoo.tasks.image_classification.image import to_rgb
from zoo.tasks.image_classification.sources.source import ImageSource, Pixels

NPZ_PARTS = {
    "train": (
        ("x_train", "y_train"), ("train_images", "train_labels"), ("train_x", "train_y"),
        ("images", "labels"), ("image", "label"), ("x", "y"), ("data", "labels"),
        ("data", "target"),
    ),
    "validation": (
        ("x_val", "y_val"), ("x_valid", "y_valid"), ("val_images", "val_labels"),
        ("x_validation", "y_validation"), ("val_x", "val_y"),
    ),
    "test": (("x_test", "y_test"), ("test_images", "test_labels"), ("test_x", "test_y")),
}  # fmt: skip
CLASS_NAMES = ("classes", "class_names", "label_names")
BLOCK = 1024  # images that are in memory as floats at a time


def read_npz(path: Path) -> dict[str, ImageSource]:
    """Return the parts of an .npz file; nothing in it is ever unpickled.

    Its arrays are `x_train`, `y_train`, `x_test`, `y_test` and so on, or `images` and `labels`, in
    any case; `classes`, if it is there, names the integers of the labels. Floats have one scale in
    all parts: that of the first.

    Raises:
        ZooError: the file is damaged, or has no such arrays.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = {name.lower(): name for name in file.files}
            classes = next((file[names[n]].tolist() for n in CLASS_NAMES if n in names), None)
            parts: dict[str, ImageSource] = {}
            scale = None
            for part, pairs in NPZ_PARTS.items():
                pair = next((pair for pair in pairs if set(pair) <= names.keys()), None)
                if pair is not None:
                    images, labels = (names[name] for name in pair)
                    where, values = f"{path}: {images}", file[images]
                    scale = find_scale(values, where) if scale is None else scale
                    source = read_arrays(values, file[labels], where, classes, scale)
                    parts[part] = dataclasses.replace(source, where=str(path))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ZooError(_damaged(path, error)) from error
    if "train" not in parts:
        raise ZooError(
            f"{path}: holds no arrays `images` and `labels`, nor `x_train` and `y_train`, but "
            f"{', '.join(sorted(names.values())) or 'nothing'}."
        )
    return parts


def _damaged(path: Path, error: Exception) -> str:
    message = f"{path}: is not an .npz file of plain arrays: {error}."
    if "allow_pickle" in str(error):
        message += (
            " Labels become plain with labels.astype(str), images of one size with "
            "numpy.stack(images)."
        )
    return message


def read_arrays(
    images: Any,
    labels: Any,
    where: str = "images",
    classes: Sequence[Any] | None = None,
    scale: float | None = None,
) -> ImageSource:
    """Return images in memory and their labels.

    Args:
        images: `(images, height, width)` or with 1, 3 or 4 channels, or a list of such images
            of several sizes; bytes, or floats in [0, 1] or [0, 255].
        labels: integers or strings `(images,)`, or one-hot `(images, classes)`.
        where: named in messages.
        classes: names of integer labels.
        scale: factor that brings the values to [0, 255]; None finds it (`find_scale`).

    Returns:
        A source with `pixels`.

    Raises:
        ZooError: shapes or types are others, or a value is out of range.
    """
    values = to_arrays(images, where)
    names = class_labels(labels, where, classes)
    if names.ndim != 1 or len(names) != len(values):
        raise ZooError(
            f"{where}: labels must be one an image. Received: {len(values):,} images and labels "
            f"of shape {names.shape}."
        )
    scale = find_scale(values, where) if scale is None else scale
    findings = dark_images(peaks(values), scale, where)
    pixels: Pixels
    if isinstance(values, list):
        pixels = [to_rgb_bytes(image[None], scale, where)[0] for image in values]
    else:
        pixels = to_rgb_bytes(values, scale, where)
    return ImageSource(where, label_rows(names, where), pixels, findings)


def to_arrays(images: Any, where: str) -> Pixels:
    """Return an array of images, or a list of arrays of several sizes.

    Args:
        images: an array of them, a tensor, or a list of arrays and of PIL images.
        where: named in messages.

    Raises:
        ZooError: their shape is another, or they hold no numbers.
    """
    if isinstance(images, np.ndarray) and images.dtype != object:
        return with_channels(images, where)
    if hasattr(images, "numpy"):
        return with_channels(images.numpy(), where)
    if not isinstance(images, list | tuple | np.ndarray) or not len(images):
        return with_channels(np.asarray(images), where)
    arrays = [np.asarray(to_rgb(i) if isinstance(i, Image.Image) else i) for i in images]
    if len({array.shape for array in arrays}) == 1:
        return with_channels(np.stack(arrays), where)
    return [
        with_channels(array[None], f"{where}: image {number}")[0]
        for number, array in enumerate(arrays, 1)
    ]


def with_channels(images: np.ndarray, where: str) -> np.ndarray:
    """Return images `(images, height, width, channels)`.

    Raises:
        ZooError: their shape is another, or they hold no numbers.
    """
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or 0 in images.shape:
        raise ZooError(
            f"{where}: images must be (images, height, width) or (images, height, width, "
            f"channels) with 1, 3 or 4 channels. Received: shape {images.shape}."
        )
    if images.dtype.name == "bfloat16":  # no number to NumPy
        return images.astype(np.float32)
    if images.dtype.kind not in "fiub":
        raise ZooError(f"{where}: pixels must be numbers. Received: {images.dtype}.")
    return images


def find_scale(images: Pixels, where: str) -> float:
    """Return what brings all images to [0, 255]: 255 of floats in [0, 1], else 1.

    Raises:
        ZooError: they are not in one of the two ranges.
    """
    if isinstance(images, list):
        return min(find_scale(image, f"{where}: image {n}") for n, image in enumerate(images, 1))
    if images.dtype == np.uint8 or not images.size or images.dtype.kind not in "fiub":
        return 1.0
    low, high = float(images.min()), float(images.max())
    if not (low >= 0.0 and high <= 255.0):
        deep = " Values of 16 bits become 8 with images // 257." if images.dtype == "u2" else ""
        raise ZooError(
            f"{where}: pixels must be in [0, 255], or in [0, 1]. Received: {low:g} to {high:g}. "
            f"Give them before any normalisation: the network does its own.{deep}"
        )
    return 255.0 if images.dtype.kind in "fb" and high <= 1.0 else 1.0


def peaks(images: Pixels) -> np.ndarray:
    """Return the largest value of each image."""
    if isinstance(images, list):
        return np.array([float(image.max()) for image in images])
    return images.reshape(len(images), -1).max(axis=1).astype(np.float64)


def dark_images(peaks: np.ndarray, scale: float, where: str) -> list[Finding]:
    """Return a finding when images have no value above 1 where 255 is white.

    Args:
        peaks: largest value of each image.
        scale: factor that brings the values to [0, 255].
        where: named in the message.
    """
    rows = np.flatnonzero(peaks <= 1.0) if scale == 1.0 else peaks[:0]
    if not len(rows):
        return []
    what = (
        f"{where}: {counted(len(rows), 'image has', 'images have')} no value above 1, where 255 is "
        f"white: number {first_few((row + 1 for row in rows), len(rows))}."
    )
    hint = "They are black to the network. Are they in [0, 1]? Give all in one scale."
    return [Finding("warning", what, {"count": len(rows)}, hint)]


def to_rgb_bytes(images: np.ndarray, scale: float, where: str) -> np.ndarray:
    """Return red, green and blue as bytes; what is transparent becomes white.

    Args:
        images: `(images, height, width, channels)` of `with_channels`.
        scale: factor that brings the values to [0, 255].
        where: named in messages.

    Returns:
        uint8 `(images, height, width, 3)`.

    Raises:
        ZooError: a value is beyond 255.
    """
    if images.dtype != np.uint8:
        if float(images.min()) < 0.0 or float(images.max()) * scale > 255.0:
            raise ZooError(
                f"{where}: the values go to {images.max():g}, those of the training part to 1. "
                "Give all parts in one scale."
            )
        images = (images.astype(np.float32) * scale).round().astype(np.uint8)
    if images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    return _on_white(images) if images.shape[-1] == 4 else images


def _on_white(images: np.ndarray) -> np.ndarray:
    opaque = np.empty((*images.shape[:-1], 3), np.uint8)
    for first in range(0, len(images), BLOCK):
        block = images[first : first + BLOCK].astype(np.float32)
        alpha = block[..., 3:] / 255.0
        opaque[first : first + BLOCK] = np.round(block[..., :3] * alpha + 255.0 * (1.0 - alpha))
    return opaque


def label_rows(labels: np.ndarray, where: str) -> Iterator[Rows]:
    """Yield the labels of images whose pixels are in memory, as rows without inputs."""
    for start in range(0, len(labels), BATCH_ROWS):
        block = labels[start : start + BATCH_ROWS].tolist()
        names = convert_values(where, start + 1, block, to_label, "label")
        yield Rows(where, start + 1, [""] * len(names), names)
