"""Batches of images: decoded by threads, a few batches ahead, in a seeded order."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.epochs import EpochCursor, class_weights, epoch_of, epoch_order, epoch_rows
from zoo.data.store import Split
from zoo.errors import ZooError
from zoo.tasks.image_classification.augment import augmentation, flipped, shifted
from zoo.tasks.image_classification.image import (
    DEEPEST,
    CenterCrop,
    Source,
    center_part,
    name_of,
    open_image,
    random_part,
)
from zoo.tasks.image_classification.randaugment import randaugment
from zoo.tasks.image_classification.settings import ImageData

AHEAD = 3  # batches being decoded while one is used
DRAWS = 6  # numbers an image: four of a random part, of which two also shift it, flip, a spare


@dataclasses.dataclass(frozen=True)
class ImageSplit:
    """Images of one source: a row of the store is the path of a file or a place in an array.

    Args:
        split: rows and labels.
        arrays: pixels `(images, height, width, channels)`, a list of those of several sizes,
            bytes of files (`zoo.tasks.image_classification.sources.encoded`), or None for files.
    """

    split: Split
    arrays: Any = None

    def __len__(self) -> int:
        return len(self.split)

    @property
    def labels(self) -> np.ndarray:
        """Class ids, int32."""
        return self.split.labels

    def names(self, positions: Any) -> list[str]:
        """Return paths, or places in the array."""
        return self.split.inputs(positions)

    def sources(self, positions: Any) -> list[Source]:
        """Return where images are, in the order of their positions."""
        return sources(self.names(positions), self.arrays)


def sources(names: list[str], arrays: Any) -> list[Source]:
    """Return files of their paths, or pixels or bytes of their places in an array."""
    return [Path(name) if arrays is None else arrays[int(name)] for name in names]


@dataclasses.dataclass(frozen=True)
class ImageTransform:
    """What the network sees of an image.

    Args:
        settings: the preset's data block.
        size: height and width in training.
        fill: mean colour, in [0, 255].
        deep_scale: value of an image of 16 bits that becomes white.
    """

    settings: ImageData
    size: int
    fill: tuple[float, ...]
    deep_scale: int = DEEPEST

    @property
    def evaluation_size(self) -> int:
        """Height and width in scoring."""
        asked = self.settings.evaluation_size
        return self.size if asked is None else max(asked, self.size)

    @property
    def center(self) -> CenterCrop:
        """What scoring sees of an image."""
        return CenterCrop(self.evaluation_size, self.settings.center_fraction, self.deep_scale)

    @property
    def draws(self) -> int:
        """Numbers in [0, 1) drawn for a training image."""
        return DRAWS + 2 * self.settings.randaugment_ops

    def trained(self, source: Source, draws: np.ndarray) -> np.ndarray:
        """Return a part of an image for training, changed; shifts and flips come later."""
        settings = self.settings
        image = open_image(source, self.size, self.deep_scale)
        if settings.crop == "resized":
            part = random_part(image, self.size, settings.crop_area, draws)
        else:
            part = center_part(image, self.size, settings.center_fraction)
        if not settings.randaugment_ops:
            return part
        strength, drawn = settings.randaugment_magnitude, draws[DRAWS:].reshape(-1, 2)
        return randaugment(part, strength, self.fill, drawn)

    def as_it_is(self, arrays: Any, training: bool) -> bool:
        """Whether images of an array need neither cut nor change of size."""
        if not isinstance(arrays, np.ndarray) or self.settings.center_fraction < 1.0:
            return False
        size = self.size if training else self.evaluation_size
        same = arrays.dtype == np.uint8 and arrays.shape[1:] == (size, size, 3)
        each_apart = self.settings.crop == "resized" or self.settings.randaugment_ops > 0
        return same and not (training and each_apart)


def image_batches(
    images: ImageSplit,
    view: ImageTransform,
    *,
    num_classes: int,
    seed: int | None,
    replica_ids: range = range(1),
    replicas: int = 1,
    cursor: EpochCursor | None = None,
) -> tf.data.Dataset:
    """Return a dataset of images `(batch, size, size, 3)` in [0, 255] and labels `(batch,)`.

    Iterated again, a seeded dataset gives the order, crops and flips of the next epoch; one made
    again starts from the first. With `balance="class-weights"` float32 weights come third; with
    mixup or cutmix labels are float32 `(batch, classes)`.

    Args:
        images: what to read.
        view: what to show of them.
        num_classes: number of classes.
        seed: of order and augmentation; None is for scoring: in order, without any.
        replica_ids: numbers of the replicas that are fed, each its rows of every batch in turn.
        replicas: number of all replicas.
        cursor: where to begin, for a training that goes on.
    """
    settings, training = view.settings, seed is not None
    size = view.size if training else view.evaluation_size
    signature = (
        tf.TensorSpec([None, size, size, 3], tf.uint8),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([2], tf.int64),
    )
    reader = _Reader(images, view, seed, replica_ids, replicas, cursor or EpochCursor())
    dataset = tf.data.Dataset.from_generator(reader.read, output_signature=signature)
    augment = augmentation(settings, num_classes) if training else None
    if augment is not None:
        dataset = dataset.map(augment, num_parallel_calls=AHEAD, deterministic=True)
    else:
        dataset = dataset.map(lambda images, labels, key: (images, labels))
    if training and settings.balance == "class-weights":
        weights = tf.constant(class_weights(images.labels, num_classes))
        dataset = dataset.map(lambda images, labels: (images, labels, tf.gather(weights, labels)))
    rows = epoch_rows(images.labels, settings.balance) if training else len(images)
    return epoch_of(dataset, -(-rows // settings.batch_size) * len(replica_ids), ahead=2)


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Reads epoch after epoch."""

    images: ImageSplit
    view: ImageTransform
    seed: int | None
    replica_ids: range
    replicas: int
    cursor: EpochCursor

    def read(self) -> Iterator[tuple[Any, ...]]:
        """Yield the pieces of the next epoch's batches."""
        pieces = self._pieces(*self.cursor.take())
        if self.view.as_it_is(self.images.arrays, self.seed is not None):
            for rows, draws, flips, key in pieces:
                chosen = self.images.split.rows[rows]
                yield self._finished(self.images.arrays[chosen], rows, draws, flips, key)
            return
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting: deque[tuple[list[Future[np.ndarray]], Any]] = deque()
            try:
                for piece in pieces:
                    waiting.append((self._decoding(pool, *piece[:2]), piece))
                    if len(waiting) > AHEAD:
                        yield self._gathered(*waiting.popleft())
                while waiting:
                    yield self._gathered(*waiting.popleft())
            finally:  # the reader may have enough before the end
                pool.shutdown(wait=False, cancel_futures=True)

    def _pieces(self, epoch: int, skipped: int) -> Iterator[tuple[Any, ...]]:
        """Yield positions, numbers drawn, flips and key of each piece of each batch."""
        settings, labels = self.view.settings, self.images.labels
        order = np.arange(len(labels))
        sides = None
        if self.seed is not None:
            generator = np.random.default_rng([self.seed, epoch])
            order = epoch_order(labels, settings.balance, generator)
            sides = np.random.default_rng(self.seed).random(len(labels)) < 0.5
        batch = settings.batch_size
        for number in range(skipped, -(-len(order) // batch)):
            rows = order[number * batch : (number + 1) * batch]
            draws = np.random.default_rng([self.seed or 0, epoch, number]).random(
                (len(rows), self.view.draws)
            )
            flips = self._flips(sides, rows, draws, epoch)
            for replica in self.replica_ids:
                cut = slice(
                    replica * len(rows) // self.replicas, (replica + 1) * len(rows) // self.replicas
                )
                key = [(self.seed or 0) * 1_000_003 + epoch, number * self.replicas + replica]
                yield rows[cut], draws[cut], flips[cut], np.array(key, np.int64)

    def _flips(
        self, sides: np.ndarray | None, rows: np.ndarray, draws: np.ndarray, epoch: int
    ) -> np.ndarray:
        kind = self.view.settings.flip
        if sides is None or kind == "none":
            return np.zeros(len(rows), bool)
        if kind == "alternating":
            return sides[rows] ^ bool(epoch % 2)
        return draws[:, 4] < 0.5

    def _decoding(
        self, pool: ThreadPoolExecutor, rows: np.ndarray, draws: np.ndarray
    ) -> list[Future[np.ndarray]]:
        found = self.images.sources(rows)
        if self.seed is None:
            return [pool.submit(self._decoded, self.view.center, each) for each in found]
        return [
            pool.submit(self._decoded, self.view.trained, each, some)
            for each, some in zip(found, draws, strict=True)
        ]

    @staticmethod
    def _decoded(show: Callable[..., np.ndarray], source: Source, *rest: Any) -> np.ndarray:
        try:
            return show(source, *rest)
        except (OSError, ValueError, SyntaxError) as error:
            raise ZooError(f"{name_of(source)}: cannot be read any more: {error}.") from error

    def _gathered(self, decoding: list[Future[np.ndarray]], piece: Any) -> tuple[Any, ...]:
        size = self.view.size if self.seed is not None else self.view.evaluation_size
        images = np.empty((len(decoding), size, size, 3), np.uint8)
        for number, future in enumerate(decoding):
            images[number] = future.result()
        return self._finished(images, *piece)

    def _finished(
        self, images: np.ndarray, rows: np.ndarray, draws: np.ndarray, flips: np.ndarray, key: Any
    ) -> tuple[Any, ...]:
        settings = self.view.settings
        if self.seed is not None:
            if settings.crop == "pad" and settings.crop_padding:
                fill = None if settings.padding == "reflect" else self.view.fill
                images = shifted(images, settings.crop_padding, fill, draws[:, :2])
            if flips.any():
                images = flipped(images, flips)
        return images, self.images.labels[rows], key
