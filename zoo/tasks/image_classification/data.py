"""Labelled images: parts, checks before training, and what the data decide."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.checks import columns_read
from zoo.data.classes import (
    check_classes,
    class_order,
    classified,
    labelled_rows,
    rows_of_classes,
)
from zoo.data.columns import Columns, quoted
from zoo.data.epochs import EpochCursor
from zoo.data.labels import (
    absent_classes,
    alike_labels,
    measurements,
    rare_classes,
    several_labels,
    unlabelled_classes,
    whole_labels,
)
from zoo.data.parts import PARTS, given_parts
from zoo.data.split import sample_rows, split_rows
from zoo.data.store import Store
from zoo.errors import ZooError, check_seed, unknown
from zoo.finding import Finding
from zoo.tasks.image_classification import checks as image_checks
from zoo.tasks.image_classification.batches import ImageSplit, ImageTransform, image_batches
from zoo.tasks.image_classification.checks import ImageStats, look
from zoo.tasks.image_classification.settings import ImageData
from zoo.tasks.image_classification.sources.find import find_images
from zoo.tasks.image_classification.sources.folders import ImageSource
from zoo.tasks.image_classification.statistics import colours

SMALLEST = 8  # pixels that a network is built for


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    """Train, validation and test images with the facts the data decide; a context manager.

    Args:
        train: images to learn from.
        validation: those that pick the best epoch.
        test: those that are scored once, or None.
        classes: label of each class id.
        findings: what was found.
        fingerprint: tells contents, split and sample apart.
        settings: the preset's data block.
        seed: of split, order and augmentation.
        image_size: height and width of what the network sees in training.
        pixel_mean: of red, green and blue over training images, in [0, 255].
        pixel_std: their standard deviations.
        deep_scale: value of images of 16 bits that becomes white (`image.CenterCrop`).
    """

    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit | None
    classes: list[Any]
    findings: list[Finding]
    fingerprint: str
    settings: ImageData
    seed: int
    image_size: int
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    deep_scale: int

    @property
    def view(self) -> ImageTransform:
        """What the network sees of an image."""
        return ImageTransform(self.settings, self.image_size, self.pixel_mean, self.deep_scale)

    def dataset(
        self,
        part: str,
        cursor: EpochCursor | None = None,
        replica_ids: range = range(1),
        replicas: int = 1,
    ) -> tf.data.Dataset:
        """Return the batches of a part; see `batches.image_batches`.

        Only the training part is shuffled, balanced and augmented.

        Raises:
            ZooError: there is no such part.
        """
        images = getattr(self, part) if part in PARTS else None
        if images is None:
            raise unknown("part", part, [p for p in PARTS if getattr(self, p) is not None])
        return image_batches(
            images,
            self.view,
            num_classes=len(self.classes),
            seed=self.seed if part == "train" else None,
            replica_ids=replica_ids,
            replicas=replicas,
            cursor=cursor,
        )

    @property
    def columns(self) -> Columns | None:
        """Which columns of a table of paths the training part was read from."""
        return self.train.split.store.columns

    def close(self) -> None:
        """Remove the temporary files of the rows."""
        for images in (self.train, self.validation, self.test):
            if images is not None:
                images.split.store.close()

    def __enter__(self) -> ImageDataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclasses.dataclass
class _Part:
    """A part while it is made: rows of a store, and what was seen of its images."""

    store: Store
    rows: np.ndarray
    arrays: Any
    looked: ImageStats


def load_images(
    source: Any,
    *,
    settings: ImageData,
    image_size: int,
    enlarge: bool = False,
    validation: Any = None,
    test: Any = None,
    path: str | None = None,
    label: str | None = None,
    seed: int = 0,
    fraction: float = 1.0,
    classes: Sequence[Any] | None = None,
    drop_missing: bool = False,
) -> ImageDataset:
    """Find, check and split images.

    Every file is read to its end before training, by several threads.

    Args:
        source: what is accepted says `sources.find.find_images`.
        settings: the preset's data block.
        image_size: largest height and width that the network is to see, in pixels; the median of
            the shorter sides, if that is less.
        enlarge: whether it is `image_size` in any case.
        validation: validation data; else that of `source`, or a part of it.
        test: test data; else that of `source`, or None.
        path: path column of a table.
        label: label column of a table.
        seed: of split, sample, order and augmentation.
        fraction: share of the training part to keep, stratified, in (0, 1].
        classes: labels to keep; None keeps all.
        drop_missing: leave out images without a label, and files that cannot be read, instead of
            refusing them.

    Returns:
        The images; `close` them.

    Raises:
        ZooError: there is nothing to train on, or files cannot be read; the message names them.
    """
    if not 0.0 < fraction <= 1.0:
        raise ZooError(f"`fraction` must be in (0, 1]. Received: {fraction}.")
    check_seed(seed)
    found = _sources(source, validation, test, path, label, drop_missing)
    findings: list[Finding] = []
    stores: dict[str, Store] = {}
    parts: dict[str, _Part] = {}
    try:
        for name, each in found.items():
            stores[name] = Store(each.rows)
            whole_labels(stores[name], findings)
            findings += each.findings + stores[name].findings
            findings += columns_read(each.where, stores[name].columns, kind="path")
        for name, (store, rows) in given_parts(stores, findings).items():
            origin = found[name] if store is stores.get(name) else found["train"]
            parts[name] = _read(name, origin, store, rows, classes, drop_missing, findings)
        findings += alike_labels(stores["train"], parts["train"].rows)
        _set_apart(parts, settings, seed, fraction)
        return _finished(parts, settings, image_size, enlarge, seed, findings)
    except BaseException:
        for store in stores.values():
            store.close()
        raise


def _sources(
    source: Any,
    validation: Any,
    test: Any,
    path: str | None,
    label: str | None,
    drop_missing: bool,
) -> dict[str, ImageSource]:
    read = functools.partial(find_images, path=path, label=label, drop_missing=drop_missing)
    found = read(source)
    for name, other in (("validation", validation), ("test", test)):
        if other is not None:
            parts = read(other, training=False)
            if name not in parts and len(parts) > 1:
                raise ZooError(
                    f"{other}: given with --{name}, but holds {quoted(parts)}. Name the one to "
                    "read."
                )
            found[name] = parts.get(name) or next(iter(parts.values()))
    return found


def _read(
    name: str,
    found: ImageSource,
    store: Store,
    rows: np.ndarray,
    classes: Sequence[Any] | None,
    drop_missing: bool,
    findings: list[Finding],
) -> _Part:
    rows = labelled_rows(store, rows, drop_missing, findings)
    if classes is not None:
        if name == "train":
            check_classes(store, classes)
        rows = rows_of_classes(store, rows, classes)
    looked = look(store, rows, found.arrays, drop=drop_missing, findings=findings)
    rows = looked.rows
    if not len(rows):
        raise ZooError(f"{found.where}: no image is left ({name}).")
    present = np.flatnonzero(np.bincount(store.labels[rows]))
    if name == "train" and len(present) < 2:
        raise ZooError(
            f"{found.where}: all images ({len(rows):,}) have the one class "
            f"'{store.names[present[0]]}'. A classifier needs two."
        )
    if name == "train":
        findings += several_labels(store, rows)
        findings += measurements(store, rows)
    findings += image_checks.large(name, store, looked)
    findings += image_checks.oddities(name, looked)
    findings += image_checks.repeated(store, looked, name)
    return _Part(store, rows, found.arrays, looked)


def _set_apart(parts: dict[str, _Part], settings: ImageData, seed: int, fraction: float) -> None:
    """Set a validation part apart if there is none, and take a sample of the training part."""
    train = parts["train"]
    if "validation" not in parts:
        kept, held_out = split_rows(
            train.looked.digests, train.store.labels[train.rows], settings.validation_fraction, seed
        )
        if not len(held_out):
            raise ZooError(
                f"{train.store.file}: no class has two different images, so none can be "
                "set aside to validate. Give more, or --validation."
            )
        parts["validation"] = _Part(
            train.store, train.rows[held_out], train.arrays, train.looked.at(held_out)
        )
        train.rows, train.looked = train.rows[kept], train.looked.at(kept)
    if fraction < 1.0:
        sample = sample_rows(train.store.labels[train.rows], fraction, seed)
        train.rows, train.looked = train.rows[sample], train.looked.at(sample)


def _finished(
    parts: dict[str, _Part],
    settings: ImageData,
    image_size: int,
    enlarge: bool,
    seed: int,
    findings: list[Finding],
) -> ImageDataset:
    train = parts["train"]
    present = np.flatnonzero(np.bincount(train.store.labels[train.rows]))
    classes = class_order([train.store.names[label] for label in present])
    images: dict[str, ImageSplit] = {}
    for name in (each for each in PARTS if each in parts):
        part = parts[name]
        split, strangers, labels = classified(part.store, part.rows, classes)
        if len(strangers):
            findings.append(
                image_checks.unknown_labels(part.store, strangers, labels, name, classes)
            )
        images[name] = ImageSplit(split, part.arrays)
    median = max(int(np.median(train.looked.short_sides())), SMALLEST)
    size = image_size if enlarge else min(image_size, median)
    findings += _judged(images, parts, classes, settings, size, image_size)
    scale = train.looked.deep_scale()
    for name in images:
        findings += image_checks.depths(name, parts[name].looked, scale)
    view = ImageTransform(settings, size, (0.0, 0.0, 0.0), scale)
    mean, std = colours(images["train"], view, seed)
    return ImageDataset(
        images["train"], images["validation"], images.get("test"), classes, findings,
        _fingerprint(images, parts), settings, seed, size, mean, std, scale,
    )  # fmt: skip


def _judged(
    images: dict[str, ImageSplit],
    parts: dict[str, _Part],
    classes: list[Any],
    settings: ImageData,
    size: int,
    asked: int,
) -> list[Finding]:
    found: list[Finding] = []
    for one, other in itertools.combinations(images, 2):
        found += image_checks.shared(parts[one].looked, parts[other], one, other)
    for name in ("validation", "test"):
        if name in images:
            found += absent_classes(images[name].labels, classes, name, "image")
    counts = np.bincount(images["train"].labels, minlength=len(classes)).tolist()
    named = dict(zip(classes, counts, strict=True))
    if settings.balance == "none":
        found += rare_classes(named, settings.batch_size)
    found += image_checks.few(named) + unlabelled_classes(classes)
    found += image_checks.sizes(parts["train"].looked, size, asked)
    return found


def _fingerprint(images: dict[str, ImageSplit], parts: dict[str, _Part]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for name, each in images.items():
        found.update(name.encode())
        found.update(parts[name].looked.digests.tobytes())
        found.update(np.ascontiguousarray(each.labels).tobytes())
    return found.hexdigest()


def bundled_images() -> Path:
    """Return the path of the images that come with the package: 1,797 digits of 8 x 8 pixels."""
    return Path(__file__).parent / "bundled" / "digits.npz"
