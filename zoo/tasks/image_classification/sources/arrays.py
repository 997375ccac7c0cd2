"""Images as arrays: .npz files, NumPy arrays and lists of arrays of several sizes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from zoo.data.labels import class_labels
from zoo.data.paths import NAMED
from zoo.data.rows import BATCH_ROWS, Rows, convert_values, to_label
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.image_classification.image import coloured

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
Pixels = np.ndarray | list[np.ndarray]  # of one size, or each of its own


class Part(NamedTuple):
    """Rows of places and labels, the pixels at those places, and what there is to say of them."""

    rows: Iterator[Rows]
    pixels: Pixels
    findings: list[Finding]


def read_npz(path: Path) -> dict[str, Part]:
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
            chosen = {
                part: next((pair for pair in pairs if set(pair) <= names.keys()), None)
                for part, pairs in NPZ_PARTS.items()
            }
            found: dict[str, Part] = {}
            factor = None
            for part, pair in chosen.items():
                if pair is not None:
                    images, labels = (names[each] for each in pair)
                    where, values = f"{path}: {images}", file[images]
                    factor = scale(values, where) if factor is None else factor
                    found[part] = read_arrays(values, file[labels], where, classes, factor)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ZooError(_damaged(path, error)) from error
    if "train" not in found:
        raise ZooError(
            f"{path}: holds no arrays `images` and `labels`, nor `x_train` and `y_train`, but "
            f"{', '.join(sorted(names.values())) or 'nothing'}."
        )
    return found


def _damaged(path: Path, error: Exception) -> str:
    said = f"{path}: is not an .npz file of plain arrays: {error}."
    if "allow_pickle" in str(error):
        return (
            f"{said} Labels become plain with labels.astype(str), images of one size with "
            "numpy.stack(images)."
        )
    return said


def read_arrays(
    images: Any,
    labels: Any,
    where: str = "images",
    classes: Sequence[Any] | None = None,
    factor: float | None = None,
) -> Part:
    """Return rows of places, and the pixels as uint8 `(images, height, width, 3)`.

    Args:
        images: `(images, height, width)` or with 1, 3 or 4 channels, or a list of such images
            of several sizes; bytes, or floats in [0, 1] or [0, 255].
        labels: integers or strings `(images,)`, or one-hot `(images, classes)`.
        where: named in messages.
        classes: names of integer labels.
        factor: what brings the values to [0, 255]; None looks at them all.

    Raises:
        ZooError: shapes or types are others, or a value is out of range.
    """
    values = arrays_of(images, where)
    marks = class_labels(labels, where, classes)
    if marks.ndim != 1 or len(marks) != len(values):
        raise ZooError(
            f"{where}: labels must be one an image. Received: {len(values):,} images and labels "
            f"of shape {marks.shape}."
        )
    factor = scale(values, where) if factor is None else factor
    findings = dark(peaks(values), factor, where)
    pixels: Pixels
    if isinstance(values, list):
        pixels = [eight_bits(each[None], factor, where)[0] for each in values]
    else:
        pixels = eight_bits(values, factor, where)
    return Part(label_rows(marks, where), pixels, findings)


def arrays_of(images: Any, where: str) -> Pixels:
    """Return an array of images, or a list of arrays of several sizes.

    Args:
        images: an array of them, a tensor, or a list of arrays and of PIL images.
        where: named in messages.

    Raises:
        ZooError: their shape is another, or they hold no numbers.
    """
    if isinstance(images, np.ndarray) and images.dtype != object:
        return shaped(images, where)
    if hasattr(images, "numpy"):
        return shaped(images.numpy(), where)
    if not isinstance(images, list | tuple | np.ndarray) or not len(images):
        return shaped(np.asarray(images), where)
    each = [np.asarray(coloured(one) if isinstance(one, Image.Image) else one) for one in images]
    if len({one.shape for one in each}) == 1:
        return shaped(np.stack(each), where)
    return [shaped(one[None], f"{where}: image {number}")[0] for number, one in enumerate(each, 1)]


def shaped(images: np.ndarray, where: str) -> np.ndarray:
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


def scale(images: Pixels, where: str) -> float:
    """Return what brings all images to [0, 255]: 255 of floats in [0, 1], else 1.

    Raises:
        ZooError: they are not in one of the two ranges.
    """
    if isinstance(images, list):
        return min(scale(each, f"{where}: image {n}") for n, each in enumerate(images, 1))
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
        return np.array([float(each.max()) for each in images])
    return images.reshape(len(images), -1).max(axis=1).astype(np.float64)


def dark(peaks: np.ndarray, factor: float, where: str) -> list[Finding]:
    """Return a finding on images that have no value above 1 where 255 is white."""
    rows = np.flatnonzero(peaks <= 1.0) if factor == 1.0 else peaks[:0]
    if not len(rows):
        return []
    count = "1 image has" if len(rows) == 1 else f"{len(rows):,} images have"
    named = ", ".join(str(row + 1) for row in rows[:NAMED])
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    what = f"{where}: {count} no value above 1, where 255 is white: number {named}{more}."
    hint = "They are black to the network. Are they in [0, 1]? Give all in one scale."
    return [Finding("warning", what, {"count": len(rows)}, hint)]


def eight_bits(images: np.ndarray, factor: float, where: str) -> np.ndarray:
    """Return red, green and blue, uint8 `(images, height, width, 3)`, from what is `shaped`."""
    if images.dtype != np.uint8:
        if float(images.min()) < 0.0 or float(images.max()) * factor > 255.0:
            raise ZooError(
                f"{where}: the values go to {images.max():g}, those of the training part to 1. "
                "Give all parts in one scale."
            )
        images = (images.astype(np.float32) * factor).round().astype(np.uint8)
    if images.shape[-1] == 1:
        return np.repeat(images, 3, axis=-1)
    return _on_white(images) if images.shape[-1] == 4 else images


def _on_white(images: np.ndarray) -> np.ndarray:
    """Return red, green and blue of images with transparency, as files are read."""
    found = np.empty((*images.shape[:-1], 3), np.uint8)
    for first in range(0, len(images), BLOCK):
        block = images[first : first + BLOCK].astype(np.float32)
        opaque = block[..., 3:] / 255.0
        found[first : first + BLOCK] = np.round(block[..., :3] * opaque + 255.0 * (1.0 - opaque))
    return found


def label_rows(labels: np.ndarray, where: str) -> Iterator[Rows]:
    """Yield rows whose text is the place of an image in an array."""
    for start in range(0, len(labels), BATCH_ROWS):
        some = labels[start : start + BATCH_ROWS]
        places = [str(place) for place in range(start, start + len(some))]
        named = convert_values(where, start + 1, some.tolist(), to_label, "label")
        yield Rows(where, start + 1, places, named)
