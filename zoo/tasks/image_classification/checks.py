"""A first look at every image, and what there is to say of them before training."""

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

from zoo.data.columns import quoted
from zoo.data.labels import looks_like
from zoo.data.store import Store
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.image_classification.batches import sources
from zoo.tasks.image_classification.image import DEEP_COLOURS, DEEPEST, check_image, deep_scale_of

CHUNK = 1024  # images looked at between two looks at the result
NAMED = 5
ENOUGH = 1000  # images of a class (A125)
# What is kept of each image: 24 bytes.
SEEN = np.dtype(
    [("row", "i4"), ("digest", "u8"), ("width", "i4"), ("height", "i4"), ("peak", "i4")]
)
DARK = 0.05  # of the range: what stays below is nearly black
VERY_LONG = 3.0  # times as long as wide: most of it is cut off


@dataclasses.dataclass(frozen=True)
class ImageStats:
    """What was seen of the images of a part: arrays as long as `rows`."""

    rows: np.ndarray
    digests: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    peaks: np.ndarray
    modes: Mapping[str, int]
    turned: int

    def at(self, positions: np.ndarray) -> ImageStats:
        """Return some of them; counts of modes stay those of all."""
        return dataclasses.replace(
            self,
            rows=self.rows[positions],
            digests=self.digests[positions],
            widths=self.widths[positions],
            heights=self.heights[positions],
            peaks=self.peaks[positions],
        )

    def short_sides(self) -> np.ndarray:
        """Return the shorter side of each image, in pixels."""
        return np.minimum(self.widths, self.heights)

    def deep_scale(self) -> int:
        """Return the value that becomes white in images of 16 bits."""
        deep = self.peaks[self.peaks >= 0]
        return deep_scale_of(int(deep.max())) if len(deep) else DEEPEST


def look(
    store: Store,
    rows: np.ndarray,
    arrays: Any,
    *,
    drop: bool,
    findings: list[Finding],
) -> ImageStats:
    """Read every image to its end, by several threads.

    Args:
        store: where the rows are.
        rows: those to look at.
        arrays: pixels or bytes of files, or None for files.
        drop: whether files that cannot be read are left out, with a finding.
        findings: what is added to.

    Raises:
        ZooError: files cannot be read; the message names them.
    """
    chunks: list[np.ndarray] = []
    modes: Counter[str] = Counter()
    broken: list[str] = []
    turned = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            names = list(store.iter_inputs(some))
            checked = list(pool.map(check_image, sources(names, arrays)))
            for row, name, each in zip(some, names, checked, strict=True):
                if each.problem:
                    broken.append(f"{_place(store, row, name, arrays)} {each.problem}")
            kept = [pair for pair in zip(some, checked, strict=True) if not pair[1].problem]
            modes.update(each.mode for _, each in kept)
            turned += sum(each.turned for _, each in kept)
            seen = [(row, e.digest, e.width, e.height, e.peak) for row, e in kept]
            chunks.append(np.array(seen, SEEN))
    if broken:
        _report(broken, drop, findings)
    found = np.concatenate(chunks) if chunks else np.zeros(0, SEEN)
    return ImageStats(
        rows=found["row"].copy(),
        digests=found["digest"].copy(),
        widths=found["width"].copy(),
        heights=found["height"].copy(),
        peaks=found["peak"].copy(),
        modes=modes,
        turned=turned,
    )


def _place(store: Store, row: int, name: str, arrays: Any) -> str:
    """Return the file of an image, or the row of a table or array that holds it."""
    if arrays is None:
        return name
    where, number = store.origin(int(row))
    return f"{where}: row {number}"


def _report(broken: list[str], drop: bool, findings: list[Finding]) -> None:
    count = "1 image cannot" if len(broken) == 1 else f"{len(broken):,} images cannot"
    more = f" and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    what = f"{count} be read: {'; '.join(broken[:NAMED])}{more}."
    left = "It is" if len(broken) == 1 else "They are"
    if not drop:
        raise ZooError(f"{what} Replace or remove them, or pass --drop-missing to leave them out.")
    evidence = {"count": len(broken), "files": broken[:100]}
    findings.append(Finding("warning", f"{what} {left} left out.", evidence, ""))


def large(name: str, store: Store, looked: ImageStats) -> list[Finding]:
    """Return a finding on images of so many pixels that decoding them takes long and much."""
    limit = Image.MAX_IMAGE_PIXELS or 2**62
    pixels = looked.widths.astype(np.int64) * looked.heights
    big = np.flatnonzero(pixels > limit)
    if not len(big):
        return []
    count = "1 image has" if len(big) == 1 else f"{len(big):,} images have"
    what = f"{name}: {count} more than {limit:,} pixels: {_named(store, looked.rows[big])}."
    hint = "Each is decoded whole in every epoch: make it smaller beforehand."
    return [Finding("warning", what, {"count": len(big), "largest": int(pixels.max())}, hint)]


def oddities(name: str, looked: ImageStats) -> list[Finding]:
    """Return findings on grey, transparent, CMYK and turned images."""
    kinds = {
        "grey": ("1", "L", "I", "I;16", "I;16B", "I;16L", "F"),
        "with transparency": ("RGBA", "LA", "PA", "RGBA;16B"),
        "in CMYK": ("CMYK", "YCCK"),
        "of 16 bits a colour": DEEP_COLOURS,
    }
    counts = {
        kind: sum(looked.modes.get(mode, 0) for mode in modes) for kind, modes in kinds.items()
    }
    odd = {kind: count for kind, count in counts.items() if count}
    found = []
    if odd:
        said = ", ".join(f"{count:,} {kind}" for kind, count in odd.items())
        what = f"{name}: of {len(looked.rows):,} images {said}: all become red, green and blue."
        hint = "What is transparent becomes white." if "with transparency" in odd else ""
        if "of 16 bits a colour" in odd:
            hint = "Of 16 bits the upper 8 are read: images that use the lower ones are black."
        found.append(Finding("info", what, odd, hint))
    if looked.turned:
        what = f"{name}: {_count(looked.turned)} turned upright by their EXIF data."
        found.append(Finding("info", what, {"count": looked.turned}, ""))
    return found


def depths(name: str, looked: ImageStats, deep_scale: int) -> list[Finding]:
    """Return findings on images of 16 bits, beside the value that becomes white."""
    deep = looked.peaks[looked.peaks >= 0]
    if not len(deep):
        return []
    largest, found = int(deep.max()), []
    evidence = {"count": len(deep), "largest": largest, "deep_scale": deep_scale}
    share = f"{100 * largest / DEEPEST:.1f} % of their range"
    what = (
        f"{name}: {_count(len(deep))} of 16 bits, with values up to {largest:,}: {share}. "
        f"{deep_scale:,} becomes white in all of them."
    )
    found.append(Finding("info", what, evidence, "The largest of the training part decides."))
    clipped = int((deep > deep_scale).sum())
    if clipped:
        what = f"{name}: {_count(clipped)} of 16 bits with values above {deep_scale:,}: they are "
        what += "cut off at white, as no image to learn from goes so far."
        found.append(Finding("warning", what, {"count": clipped}, "Are they scaled alike?"))
    dark = int((deep < DARK * deep_scale).sum())
    if dark:
        what = f"{name}: {_count(dark)} of 16 bits with no value above {100 * DARK:.0f} % of what "
        what += f"becomes white ({deep_scale:,}): they are nearly black."
        found.append(Finding("warning", what, {"count": dark}, "Are they scaled alike?"))
    return found


def repeated(store: Store, looked: ImageStats, name: str) -> list[Finding]:
    """Return findings on copies of a file, and on copies under two labels."""
    order = np.argsort(looked.digests, kind="stable")
    digests, rows = looked.digests[order], looked.rows[order]
    same = np.flatnonzero(digests[1:] == digests[:-1])
    if not len(same):
        return []
    labels = store.labels
    torn = same[labels[rows[same]] != labels[rows[same + 1]]]
    what = f"{name}: {_count(len(same))} the same as another: {_named(store, rows[same + 1])}."
    found = [Finding("info", what, {"count": len(same)}, "Copies stay on one side of the split.")]
    if len(torn):
        pairs = [
            f"{_named(store, rows[[i]])} and {_named(store, rows[[i + 1]])}" for i in torn[:NAMED]
        ]
        what = f"{name}: {_count(len(torn))} there under two labels: {'; '.join(pairs)}."
        hint = "No model can be right on both. Decide on one label."
        found.append(Finding("warning", what, {"count": len(torn)}, hint))
    return found


def shared(one: ImageStats, other: Any, one_name: str, other_name: str) -> list[Finding]:
    """Return a finding when the other part holds images of the one."""
    both = np.flatnonzero(np.isin(other.looked.digests, one.digests))
    if not len(both):
        return []
    share = len(both) / len(other.rows)
    images, are = ("image", "is") if len(both) == 1 else ("images", "are")
    what = (
        f"{len(both):,} {images} of {other_name} ({100 * share:.1f} %) {are} also in {one_name}: "
        f"{_named(other.store, other.rows[both])}."
    )
    hint = f"The {other_name} scores are too good by what was learned by heart: remove them."
    return [Finding("warning", what, {"count": len(both), "share": share}, hint)]


def few(counts: Mapping[Any, int]) -> list[Finding]:
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
    hint = "Try --preset small-data, and read the scores with several seeds."
    return [Finding("info", what, {"classes": small}, hint)]


def sizes(looked: ImageStats, size: int, asked: int) -> list[Finding]:
    """Return findings on the sizes of images, beside the size that the network sees."""
    short = looked.short_sides()
    low, middle, high = (int(each) for each in np.percentile(short, (0, 50, 100)))
    evidence = {"smallest": low, "median": middle, "largest": high, "image_size": size}
    spread = f"{low} to {high} pixels, median {middle}"
    what = f"shorter sides of images: {spread}; the network sees {size}."
    found = [Finding("info", what, evidence, "")]
    if size < asked:
        what = f"architecture.image_size {asked} -> {size}: the images are no larger."
        found.append(Finding("info", what, evidence, ""))
    if middle < size == asked:
        what = f"architecture.image_size {size}, as set: images of {middle} pixels are enlarged."
        hint = "That takes time and adds nothing to see: leave it out, and their own size is taken."
        found.append(Finding("info", what, evidence, hint))
    ratio = np.maximum(looked.widths, looked.heights) / short
    long = int((ratio > VERY_LONG).sum())
    if long:
        what = f"{_count(long)} over {VERY_LONG:g} times as long as wide: most of each is cut off."
        found.append(Finding("warning", what, {"count": long}, "Cut them into parts beforehand."))
    return found


def unknown_labels(
    store: Store, rows: np.ndarray, labels: list[str], name: str, classes: Sequence[Any]
) -> Finding:
    """Return the error for images whose label training never saw."""
    advice = looks_like(labels, classes) or "Add such images to the training data, or remove them."
    return Finding(
        "error",
        f"{name} holds labels unknown to training: {quoted(labels[:NAMED])} "
        f"({_named(store, rows)}).",
        {"count": len(rows), "labels": labels},
        f"{advice}{_inner(Path(store.origin(int(rows[0]))[0]), labels, classes)}",
    )


def _inner(folder: Path, labels: Sequence[str], classes: Sequence[Any]) -> str:
    """Return the folder that was meant, where one is around the folders of the classes."""
    around = folder.name in labels and any((folder / str(each)).is_dir() for each in classes)
    return f" Did you mean {folder}?" if around else ""


def _count(count: int) -> str:
    return "1 image is" if count == 1 else f"{count:,} images are"


def _named(store: Store, rows: np.ndarray) -> str:
    """Return files, or numbers in an array, of the first rows."""
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    return ", ".join(store.iter_inputs(rows[:NAMED])) + more
