"""The check of every image of a part, and findings on them before training."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.data.checks import SHARED
from zoo.data.columns import quoted
from zoo.data.label_sets import has_sets
from zoo.data.labels import looks_like
from zoo.data.store import Store
from zoo.errors import ZooError
from zoo.finding import Finding, counted, first_few
from zoo.tasks.image_classification.image import (
    DEEP_COLOURS,
    DEEPEST,
    ImageCheck,
    check_image,
    deep_scale_of,
)
from zoo.tasks.image_classification.sources.source import Pixels, image_inputs

CHUNK = 1024  # images whose checks are in memory at a time
NAMED = 5
ENOUGH = 1000  # images of a class (A125)
# What is kept of each image: 24 bytes.
KEPT = np.dtype(
    [("row", "i4"), ("digest", "u8"), ("width", "i4"), ("height", "i4"), ("peak", "i4")]
)
DARK = 0.05  # of the range: what stays below is nearly black
VERY_LONG = 3.0  # times as long as wide: most of it is cut off


@dataclasses.dataclass(frozen=True)
class ImageStats:
    """The images of a part and their checks; arrays are as long as `rows`.

    Args:
        store: where the rows are.
        pixels: of all rows of the store; None for files.
        rows: positions in the store, of images that can be read.
        digests: uint64 hashes: equal images, equal hashes.
        widths: of the upright images, in pixels.
        heights: of the upright images, in pixels.
        peaks: largest values of images of 16 bits grey; -1 for all others.
        modes: number of images of each of Pillow's modes.
        turned: number of images that their EXIF data turn.
    """

    store: Store
    pixels: Pixels | None
    rows: np.ndarray
    digests: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    peaks: np.ndarray
    modes: Mapping[str, int]
    turned: int

    def at(self, positions: np.ndarray) -> ImageStats:
        """Return some of the images; `modes` and `turned` stay those of all."""
        return dataclasses.replace(
            self,
            rows=self.rows[positions],
            digests=self.digests[positions],
            widths=self.widths[positions],
            heights=self.heights[positions],
            peaks=self.peaks[positions],
        )

    @property
    def labels(self) -> np.ndarray:
        """Label of each image, a position in `store.names`."""
        return self.store.labels[self.rows]

    @property
    def short_sides(self) -> np.ndarray:
        """Shorter side of each image, in pixels."""
        return np.minimum(self.widths, self.heights)

    def deep_scale(self) -> int:
        """Return the value that becomes white in images of 16 bits."""
        deep = self.peaks[self.peaks >= 0]
        return deep_scale_of(int(deep.max())) if len(deep) else DEEPEST


def check_images(
    store: Store,
    rows: np.ndarray,
    pixels: Pixels | None,
    *,
    drop_missing: bool,
    findings: list[Finding],
) -> ImageStats:
    """Read every image to its end, by several threads.

    Args:
        store: where the rows are.
        rows: those to check.
        pixels: of all rows of the store; None for files.
        drop_missing: whether files that cannot be read are left out, with a finding.
        findings: that finding is added to it.

    Raises:
        ZooError: files cannot be read; the message names them.
    """
    chunks: list[np.ndarray] = []
    modes: Counter[str] = Counter()
    broken: list[str] = []
    turned = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            readable: list[tuple[int, ImageCheck]] = []
            images = image_inputs(store, chunk, pixels)
            for row, check in zip(chunk, pool.map(check_image, images), strict=True):
                if check.problem:
                    broken.append(f"{_names(store, [row], pixels)} {check.problem}")
                else:
                    readable.append((row, check))
            modes.update(check.mode for _, check in readable)
            turned += sum(check.turned for _, check in readable)
            kept = [(row, c.digest, c.width, c.height, c.peak) for row, c in readable]
            chunks.append(np.array(kept, KEPT))
    if broken:
        _report(broken, drop_missing, findings)
    checks = np.concatenate(chunks) if chunks else np.zeros(0, KEPT)
    return ImageStats(
        store,
        pixels,
        rows=checks["row"].copy(),
        digests=checks["digest"].copy(),
        widths=checks["width"].copy(),
        heights=checks["height"].copy(),
        peaks=checks["peak"].copy(),
        modes=modes,
        turned=turned,
    )


def _names(store: Store, rows: Any, pixels: Pixels | None) -> str:
    """Return the files of the first rows; their numbers where images are not in files."""
    if pixels is not None or store.binary:
        return store.describe(rows)
    return first_few(store.iter_inputs(np.asarray(rows[:NAMED])), len(rows))


def _report(broken: list[str], drop_missing: bool, findings: list[Finding]) -> None:
    count = counted(len(broken), "image cannot", "images cannot")
    names = "; ".join(broken[:NAMED])
    more = f" and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    what = f"{count} be read: {names}{more}."
    left = "It is" if len(broken) == 1 else "They are"
    if not drop_missing:
        raise ZooError(f"{what} Replace or remove them, or pass --drop-missing to leave them out.")
    evidence = {"count": len(broken), "files": broken[:100]}
    findings.append(Finding("warning", f"{what} {left} left out.", evidence, ""))


def large_images(name: str, stats: ImageStats) -> list[Finding]:
    """Return a finding when images have so many pixels that decoding takes much time and memory."""
    limit = Image.MAX_IMAGE_PIXELS or 2**62
    pixels = stats.widths.astype(np.int64) * stats.heights
    large = stats.rows[pixels > limit]
    if not len(large):
        return []
    what = (
        f"{name}: {counted(len(large), 'image has', 'images have')} more than {limit:,} pixels: "
        f"{_names(stats.store, large, stats.pixels)}."
    )
    hint = "Each is decoded whole in every epoch: make it smaller beforehand."
    return [Finding("warning", what, {"count": len(large), "largest": int(pixels.max())}, hint)]


def converted_images(name: str, stats: ImageStats) -> list[Finding]:
    """Return findings on grey, transparent, CMYK and turned images."""
    kinds = {
        "grey": ("1", "L", "I", "I;16", "I;16B", "I;16L", "F"),
        "with transparency": ("RGBA", "LA", "PA", "RGBA;16B"),
        "in CMYK": ("CMYK", "YCCK"),
        "of 16 bits a colour": DEEP_COLOURS,
    }
    counts = {
        kind: count
        for kind, modes in kinds.items()
        if (count := sum(stats.modes.get(mode, 0) for mode in modes))
    }
    findings = []
    if counts:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
        what = f"{name}: of {len(stats.rows):,} images {listed}: all become red, green and blue."
        hint = "What is transparent becomes white." if "with transparency" in counts else ""
        if "of 16 bits a colour" in counts:
            hint = "Of 16 bits the upper 8 are read: images that use the lower ones are black."
        findings.append(Finding("info", what, counts, hint))
    if stats.turned:
        what = f"{name}: {_images_are(stats.turned)} turned upright by their EXIF data."
        findings.append(Finding("info", what, {"count": stats.turned}, ""))
    return findings


def deep_images(name: str, stats: ImageStats, deep_scale: int) -> list[Finding]:
    """Return findings on images of 16 bits.

    Args:
        name: of the part.
        stats: the images.
        deep_scale: value that becomes white.
    """
    deep = stats.peaks[stats.peaks >= 0]
    if not len(deep):
        return []
    largest = int(deep.max())
    evidence = {"count": len(deep), "largest": largest, "deep_scale": deep_scale}
    share = f"{100 * largest / DEEPEST:.1f} % of their range"
    what = (
        f"{name}: {_images_are(len(deep))} of 16 bits, with values up to {largest:,}: {share}. "
        f"{deep_scale:,} becomes white in all of them."
    )
    findings = [Finding("info", what, evidence, "The largest of the training part decides.")]
    clipped = int((deep > deep_scale).sum())
    if clipped:
        what = f"{name}: {_images_are(clipped)} of 16 bits with values above {deep_scale:,}: they "
        what += "are cut off at white, as no image to learn from goes so far."
        findings.append(Finding("warning", what, {"count": clipped}, "Are they scaled alike?"))
    dark = int((deep < DARK * deep_scale).sum())
    if dark:
        what = f"{name}: {_images_are(dark)} of 16 bits with no value above {100 * DARK:.0f} % of "
        what += f"what becomes white ({deep_scale:,}): they are nearly black."
        findings.append(Finding("warning", what, {"count": dark}, "Are they scaled alike?"))
    return findings


def copied_images(name: str, stats: ImageStats) -> list[Finding]:
    """Return findings on copies of an image, and on copies with conflicting labels."""
    order = np.argsort(stats.digests, kind="stable")
    digests, rows = stats.digests[order], stats.rows[order]
    copies = np.flatnonzero(digests[1:] == digests[:-1])
    if not len(copies):
        return []

    def names(rows: np.ndarray) -> str:
        return _names(stats.store, rows, stats.pixels)

    labels = stats.store.labels
    conflicting = copies[labels[rows[copies]] != labels[rows[copies + 1]]]
    what = f"{name}: {_images_are(len(copies))} the same as another: {names(rows[copies + 1])}."
    hint = "Copies stay on one side of the split."
    findings = [Finding("info", what, {"count": len(copies)}, hint)]
    if len(conflicting):
        pairs = [f"{names(rows[[i]])} and {names(rows[[i + 1]])}" for i in conflicting[:NAMED]]
        count = _images_are(len(conflicting))
        two = "different labels" if has_sets(stats.store) else "two labels"
        what = f"{name}: {count} there under {two}: {'; '.join(pairs)}."
        hint = "No model can be right on both. Decide on one label."
        findings.append(Finding("warning", what, {"count": len(conflicting)}, hint))
    return findings


def shared_images(
    one: ImageStats, other: ImageStats, one_name: str, other_name: str
) -> list[Finding]:
    """Return a finding when one part holds images of another.

    Args:
        one: the part that is learned from.
        other: the part that is scored.
        one_name: for the message.
        other_name: for the message.
    """
    shared = other.rows[np.isin(other.digests, one.digests)]
    if not len(shared):
        return []
    share = len(shared) / len(other.rows)
    images, are = ("image", "is") if len(shared) == 1 else ("images", "are")
    what = (
        f"{len(shared):,} {images} of {other_name} ({100 * share:.1f} %) {are} also in {one_name}: "
        f"{_names(other.store, shared, other.pixels)}."
    )
    hint = f"The {other_name} scores are too good by what was learned by heart: remove them."
    evidence = {"count": len(shared), "share": share}
    return [Finding("warning", what, evidence, hint, SHARED)]


def small_classes(counts: Mapping[Any, int]) -> list[Finding]:
    """Return a finding when classes have too few images for scores to be trusted (A125)."""
    small = {str(name): count for name, count in counts.items() if count < ENOUGH}
    if not small:
        return []
    least = min(small, key=lambda name: small[name])
    what = (
        f"{len(small)} of {len(counts)} classes {'has' if len(small) == 1 else 'have'} fewer than "
        f"{ENOUGH:,} images to learn from, "
        f"'{least}' has {small[least]:,} (A125)."
    )
    hint = (
        "Weights that are not random help most (`zoo train efficientnet DATA --preset lite0`), "
        "then --preset small-data. Read the scores with several seeds."
    )
    return [Finding("info", what, {"classes": small}, hint)]


def image_sizes(stats: ImageStats, size: int, asked: int) -> list[Finding]:
    """Return findings on the sizes of training images.

    Args:
        stats: the images.
        size: height and width that the network sees, in pixels.
        asked: `architecture.image_size` of the preset, in pixels.
    """
    low, middle, high = (int(side) for side in np.percentile(stats.short_sides, (0, 50, 100)))
    evidence = {"smallest": low, "median": middle, "largest": high, "image_size": size}
    spread = f"{low} to {high} pixels, median {middle}"
    what = f"shorter sides of images: {spread}; the network sees {size}."
    findings = [Finding("info", what, evidence, "")]
    if size < asked:
        what = f"architecture.image_size {asked} -> {size}: the images are no larger."
        findings.append(Finding("info", what, evidence, ""))
    if middle < size == asked:
        what = (
            f"architecture.image_size {size}, as set or as the weights have it: images of {middle} "
            "pixels are enlarged."
        )
        hint = (
            "That takes time. Random weights gain nothing by it: leave it out, and the images' own "
            "size is taken. Pretrained ones know details of that size: set less to be faster."
        )
        findings.append(Finding("info", what, evidence, hint))
    ratio = np.maximum(stats.widths, stats.heights) / stats.short_sides
    long = int((ratio > VERY_LONG).sum())
    if long:
        what = (
            f"{_images_are(long)} over {VERY_LONG:g} times as long as wide: most of each is cut "
            "off."
        )
        hint = "Cut them into parts beforehand."
        findings.append(Finding("warning", what, {"count": long}, hint))
    return findings


def unknown_labels(
    stats: ImageStats, rows: np.ndarray, labels: list[str], name: str, classes: Sequence[Any]
) -> Finding:
    """Return the error for images whose label training never saw.

    Args:
        stats: the images.
        rows: positions in the store of those with such a label.
        labels: those labels.
        name: of the part.
        classes: the labels of training.
    """
    advice = looks_like(labels, classes) or "Add such images to the training data, or remove them."
    folder = Path(stats.store.origin(int(rows[0]))[0])
    if folder.name in labels and any((folder / str(label)).is_dir() for label in classes):
        advice += f" Did you mean {folder}?"
    return Finding(
        "error",
        f"{name} holds labels unknown to training: {quoted(labels[:NAMED])} "
        f"({_names(stats.store, rows, stats.pixels)}).",
        {"count": len(rows), "labels": labels},
        advice,
    )


def _images_are(count: int) -> str:
    return counted(count, "image is", "images are")


def progressive_sizes(sizes: Sequence[int], epochs: int, first_size: int) -> Finding:
    """Return a finding on the sizes of progressive resizing.

    Args:
        sizes: height and width of the images of each stage, in pixels.
        epochs: of the run.
        first_size: what was asked for in the first stage.
    """
    listed = ", ".join(map(str, sizes))
    what = f"data.resizing: {len(sizes)} stages in {epochs} epochs, of {listed} pixels."
    evidence = {"sizes": list(sizes), "epochs": epochs}
    if sizes[0] < sizes[-1]:
        return Finding("info", what, evidence, "")
    hint = (
        f"Nothing grows: data.resizing.first_size {first_size} is not below the {sizes[-1]} pixels "
        "of the images. Set it lower, or data.resizing.name to constant."
    )
    return Finding("warning", what, evidence, hint)
