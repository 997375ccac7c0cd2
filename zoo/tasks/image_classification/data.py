"""Labelled images: loading, splitting and checking them, and the facts they decide."""

from __future__ import annotations

import contextlib
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
    given_parts,
    labelled_rows,
    rows_of_classes,
    rows_of_part,
)
from zoo.data.columns import Columns, quoted
from zoo.data.epochs import EpochCursor
from zoo.data.label_sets import label_counts, strata
from zoo.data.labels import (
    absent_classes,
    alike_labels,
    measurements,
    rare_classes,
    several_labels,
    unlabelled_classes,
    whole_labels,
)
from zoo.data.parts import PARTS, SCORED, existing_part, parts_of, scored_part
from zoo.data.split import sample_rows, split_rows
from zoo.data.store import Store
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.linear_probe import NONE
from zoo.tasks.classifiers import read_kind
from zoo.tasks.image_classification import checks
from zoo.tasks.image_classification.batches import image_batches
from zoo.tasks.image_classification.checks import ImageStats, check_images
from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.settings import ImageData
from zoo.tasks.image_classification.sources.find import find_images
from zoo.tasks.image_classification.sources.source import ImageSource, ImageSplit
from zoo.tasks.image_classification.transform import ImageTransform
from zoo.tasks.label_kind import LabelKind
from zoo.tasks.one_label import OneLabel
from zoo.tasks.request import Request

ONE = OneLabel()
SMALLEST = 8  # pixels that a network is built for
COLOUR_IMAGES = 1000  # images whose colours are averaged


@dataclasses.dataclass(frozen=True)
class ImageDataset:
    """Train, validation and test images with the facts the data decide; a context manager.

    Args:
        train: images to learn from.
        validation: those that pick the best epoch.
        test: those that are scored once, or None.
        classes: label of each class id.
        kind: one label an image or several.
        findings: on all of them.
        fingerprint: tells contents, split and sample apart.
        settings: the preset's data block.
        seed: of split, order and augmentation.
        image_size: height and width of what the network sees in training, in pixels.
        pixel_mean: of red, green and blue over training images, in [0, 255].
        pixel_std: their standard deviations.
        deep_scale: value of images of 16 bits that becomes white (`image.CenterCrop`).
        linear_probe: the recipe's, as the data decide it.
        epochs: of the run, which stages of progressive resizing share.
    """

    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit | None
    classes: list[Any]
    kind: LabelKind
    findings: list[Finding]
    fingerprint: str
    settings: ImageData
    seed: int
    image_size: int
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    deep_scale: int
    linear_probe: str = NONE
    epochs: int = 1

    @property
    def transform(self) -> ImageTransform:
        """From an image to what the network sees of it."""
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

        The arguments are those of `zoo.tasks.task.Data.dataset`.

        Raises:
            ZooError: there is no such part.
        """
        images = existing_part(self, part)
        return image_batches(
            images,
            self.transform,
            seed=self.seed if part == "train" else None,
            epochs=self.epochs,
            replica_ids=replica_ids,
            replicas=replicas,
            cursor=cursor,
        )

    def plain_rows(self) -> tf.data.Dataset:
        """Return the training part in order, as scoring sees images; with weights if balanced."""
        rows = image_batches(self.train, self.transform, seed=None)
        if self.settings.balance == "none":
            return rows
        weights = self.train.targets.weigher(self.train.labels)(self.train.labels)
        batches = tf.data.Dataset.from_tensor_slices(weights).batch(self.settings.batch_size)
        return tf.data.Dataset.zip(rows, batches).map(lambda row, weight: (*row, weight))

    @property
    def columns(self) -> Columns | None:
        """Which columns of a table of paths the training part was read from."""
        return self.train.split.store.columns

    def close(self) -> None:
        """Remove the temporary files of the rows."""
        for images in parts_of(self).values():
            images.close()

    def __enter__(self) -> ImageDataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_images(request: Request, settings: ImageData, image_size: int) -> ImageDataset:
    """Load, check and split images.

    Every file is read to its end before training, by several threads.

    Args:
        request: see `sources.find.find_images`; `text` is the column of paths of a table.
        settings: the preset's data block.
        image_size: largest height and width that the network is to see, in pixels; the median of
            the shorter sides, if that is less and the size was not set.

    Returns:
        The images; `close` them.

    Raises:
        ZooError: there is nothing to train on, or files cannot be read; the message names them.
    """
    seed, fraction, drop_missing = request.seed, request.fraction, request.drop_missing
    find = functools.partial(
        find_images, path=request.text, label=request.label, drop_missing=drop_missing
    )
    sources = find(request.data)
    for name, data in (("validation", request.validation), ("test", request.test)):
        if data is not None:
            sources[name] = _given_part(name, data, find(data, training=False))
    findings: list[Finding] = []
    stores: dict[str, Store] = {}
    parts: dict[str, ImageStats] = {}
    with contextlib.ExitStack() as opened:
        for name, part in sources.items():
            several = settings.labels.name == "several"
            stores[name] = opened.enter_context(Store(part.rows, several))
            whole_labels(stores[name], findings)
            findings += part.findings + stores[name].findings
            findings += columns_read(part.where, stores[name].columns, kind="path")
        kind = read_kind(stores, settings, request.fixed, findings)
        for name, (store, rows) in given_parts(stores, findings).items():
            part = sources[name] if store is stores.get(name) else sources["train"]
            rows = labelled_rows(store, rows, drop_missing, findings)
            if request.classes is not None:
                if name == "train":
                    check_classes(store, request.classes)
                rows = rows_of_classes(store, rows, request.classes)
            parts[name] = check_images(
                store, rows, part.pixels, drop_missing=drop_missing, findings=findings
            )
            findings += _check_part(name, part.where, parts[name])
        findings += alike_labels(stores["train"], parts["train"].rows)
        _split(parts, settings, seed, fraction)
        enlarge = "architecture.image_size" in request.fixed
        dataset = _dataset(parts, kind, settings, image_size, enlarge, seed, findings)
        opened.pop_all()  # the data set closes them
    return dataset


def load_labelled_images(
    request: Request,
    classes: Sequence[Any],
    *,
    kind: LabelKind = ONE,
    trained: Columns | None = None,
    findings: list[Finding] | None = None,
) -> ImageSplit:
    """Load labelled images to be scored; of a folder with parts, its test part.

    Args:
        request: see `sources.find.find_images`; `text` is the column of paths of a table.
        classes: the labels of the run.
        kind: one label an image or several, as in the run.
        trained: the columns of the run, read where none are named.
        findings: findings on the images are appended to it.

    Returns:
        The images; `close` them.

    Raises:
        ZooError: they cannot be read, or hold a label that is not among the classes.
    """
    findings = [] if findings is None else findings
    drop_missing = request.drop_missing
    sources = find_images(
        request.data,
        path=request.text,
        label=request.label,
        training=False,
        drop_missing=drop_missing,
        trained=trained,
    )
    name = next(name for name in SCORED if name in sources)
    part = sources[name]
    if len(sources) > 1:
        findings.append(scored_part(str(request.data), name, sources))
    with contextlib.ExitStack() as opened:
        store = opened.enter_context(Store(part.rows, kind.name == "several"))
        whole_labels(store, findings, classes)
        kind.read(store)
        rows = rows_of_part(store, SCORED, findings)
        rows = labelled_rows(store, rows, drop_missing, findings)
        findings += part.findings + store.findings
        findings += columns_read(part.where, store.columns, trained=trained, kind="path")
        stats = check_images(store, rows, part.pixels, drop_missing=drop_missing, findings=findings)
        if not len(stats.rows):
            raise ZooError(f"{part.where}: holds no images.")
        split, unknown_rows, labels = classified(store, stats.rows, kind.targets(list(classes)))
        if len(unknown_rows):
            error = checks.unknown_labels(stats, unknown_rows, labels, part.where, classes)
            raise ZooError(str(error))
        opened.pop_all()  # the split closes it
    return ImageSplit(split, part.pixels)


def _given_part(name: str, data: Any, sources: dict[str, ImageSource]) -> ImageSource:
    """Return the source of data that are given for a part."""
    if name not in sources and len(sources) > 1:
        raise ZooError(
            f"{data}: given with --{name}, but holds {quoted(sources)}. Name the one to read."
        )
    return sources.get(name) or next(iter(sources.values()))


def _check_part(name: str, where: str, stats: ImageStats) -> list[Finding]:
    """Return findings on the images and labels of a part; refuse one without images or classes."""
    store, rows = stats.store, stats.rows
    if not len(rows):
        raise ZooError(f"{where}: no image is left ({name}).")
    findings: list[Finding] = []
    if name == "train":
        present = list(label_counts(store, rows))
        if len(present) < 2:
            what = f"have the one class '{present[0]}'" if present else "have no label"
            raise ZooError(f"{where}: all images ({len(rows):,}) {what}. A classifier needs two.")
        findings += several_labels(store, rows)
        findings += measurements(store, rows)
    findings += checks.large_images(name, stats)
    findings += checks.converted_images(name, stats)
    return findings + checks.copied_images(name, stats)


def _split(parts: dict[str, ImageStats], settings: ImageData, seed: int, fraction: float) -> None:
    """Set a validation part aside if there is none, and take a sample of the training part."""
    train = parts["train"]
    if "validation" not in parts:
        kinds = strata(train.store, train.rows)
        kept, held_out = split_rows(train.digests, kinds, settings.validation_fraction, seed)
        if not len(held_out):
            raise ZooError(
                f"{train.store.file}: no class has two different images, so none can be "
                "set aside to validate. Give more, or --validation."
            )
        train, parts["validation"] = train.at(kept), train.at(held_out)
    if fraction < 1.0:
        train = train.at(sample_rows(strata(train.store, train.rows), fraction, seed))
    parts["train"] = train


def _dataset(
    parts: dict[str, ImageStats],
    kind: LabelKind,
    settings: ImageData,
    image_size: int,
    enlarge: bool,
    seed: int,
    findings: list[Finding],
) -> ImageDataset:
    train = parts["train"]
    classes = class_order(list(label_counts(train.store, train.rows)))
    targets = kind.targets(classes)
    targets.check_balance(settings.balance)
    splits: dict[str, ImageSplit] = {}
    for name in (name for name in PARTS if name in parts):
        stats = parts[name]
        split, unknown_rows, labels = classified(stats.store, stats.rows, targets)
        if len(unknown_rows):
            findings.append(checks.unknown_labels(stats, unknown_rows, labels, name, classes))
        splits[name] = ImageSplit(split, stats.pixels)
    median = max(int(np.median(train.short_sides)), SMALLEST)
    size = image_size if enlarge else min(image_size, median)
    for one, other in itertools.combinations(splits, 2):
        findings += checks.shared_images(parts[one], parts[other], one, other)
    findings += _class_findings(splits, classes, settings)
    findings += checks.image_sizes(train, size, image_size)
    deep_scale = train.deep_scale()
    for name in splits:
        findings += checks.deep_images(name, parts[name], deep_scale)
    transform = ImageTransform(settings, size, (0.0, 0.0, 0.0), deep_scale)
    mean, std = _mean_colour(splits["train"], transform.center_crop, seed)
    return ImageDataset(
        splits["train"], splits["validation"], splits.get("test"), classes, kind, findings,
        _fingerprint(splits, parts), settings, seed, size, mean, std, deep_scale,
    )  # fmt: skip


def _class_findings(
    splits: dict[str, ImageSplit], classes: list[Any], settings: ImageData
) -> list[Finding]:
    findings: list[Finding] = []
    counts = {name: part.targets.counts(part.labels) for name, part in splits.items()}
    for name in ("validation", "test"):
        if name in splits:
            findings += absent_classes(counts[name], classes, name, "image")
    count_of = dict(zip(classes, counts["train"].tolist(), strict=True))
    if settings.balance == "none":
        findings += rare_classes(count_of, settings.batch_size, len(splits["train"]))
    return findings + checks.small_classes(count_of) + unlabelled_classes(classes)


def _mean_colour(
    images: ImageSplit, center_crop: CenterCrop, seed: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each colour over a sample of images."""
    positions = np.arange(len(images))
    if len(positions) > COLOUR_IMAGES:
        generator = np.random.default_rng(seed)
        positions = np.sort(generator.choice(positions, COLOUR_IMAGES, replace=False))
    total, squares, count = np.zeros(3), np.zeros(3), 0
    for image in images.iter_inputs(positions):
        pixels = center_crop(image).reshape(-1, 3).astype(np.float64)
        total += pixels.sum(axis=0)
        squares += np.square(pixels).sum(axis=0)
        count += len(pixels)
    mean = total / count
    # An image of one colour has no deviation, and would be divided by it.
    std = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    return tuple(mean.round(3).tolist()), tuple(std.round(3).tolist())


def _fingerprint(splits: dict[str, ImageSplit], parts: dict[str, ImageStats]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, images in splits.items():
        digest.update(name.encode())
        digest.update(parts[name].digests.tobytes())
        digest.update(np.ascontiguousarray(images.labels).tobytes())
    return digest.hexdigest()


def bundled_images() -> Path:
    """Return the path of the images that come with the package: 1,797 digits of 8 x 8 pixels."""
    return Path(__file__).parent / "bundled" / "digits.npz"
