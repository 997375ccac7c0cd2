"""Batches of images: decoded by threads, a few batches ahead, in a seeded order."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from zoo.data.epochs import EpochCursor, epoch_of, epoch_order, epoch_rows
from zoo.errors import ZooError
from zoo.tasks.image_classification.augment import augmentations, flip_left_right, shift
from zoo.tasks.image_classification.image import UNREADABLE, ImageInput, describe
from zoo.tasks.image_classification.sources.source import ImageSplit
from zoo.tasks.image_classification.transform import ImageTransform

AHEAD = 3  # batches being decoded while one is used


def image_batches(
    images: ImageSplit,
    transform: ImageTransform,
    *,
    seed: int | None,
    epochs: int = 1,
    replica_ids: range = range(1),
    replicas: int = 1,
    cursor: EpochCursor | None = None,
) -> tf.data.Dataset:
    """Return the batches of a split.

    Iterated again, a seeded dataset gives the order, crops and flips of the next epoch; one made
    again starts from the first.

    Args:
        images: what to read.
        transform: from an image to what the network sees of it.
        seed: of order and augmentation; None is for scoring: in order, without any.
        epochs: of the run, which stages of progressive resizing share.
        replica_ids: of the replicas that are fed, each its rows of every batch in turn.
        replicas: number of all replicas.
        cursor: epoch and batch to begin at, to resume a run; None is the first.

    Returns:
        A dataset of images `(batch, size, size, 3)` in [0, 255] and their targets: int32
        `(batch,)`, with mixup or cutmix or several labels an image float32 `(batch, classes)`; with
        `balance="class-weights"` also float32 weights (`zoo.data.targets`).

    Raises:
        ZooError: while it is read: a file cannot be read any more.
    """
    settings, training = transform.settings, seed is not None
    stages = transform.stages(epochs) if training else [transform]
    sizes = {stage.size for stage in stages} if training else {transform.evaluation_size}
    size = sizes.pop() if len(sizes) == 1 else None
    signature = (
        tf.TensorSpec([None, size, size, 3], tf.uint8),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([2], tf.int64),
        tf.TensorSpec([], tf.int32),
    )
    cursor = cursor or EpochCursor()
    reader = _Reader(images, transform, seed, stages, epochs, replica_ids, replicas, cursor)
    dataset = tf.data.Dataset.from_generator(reader.read, output_signature=signature)
    targets, weigh = images.targets, None
    if training and settings.balance == "class-weights":
        weigh = targets.weigher(images.labels)
    augment = augmentations([stage.settings for stage in stages], targets) if training else None

    def finished(
        images: tf.Tensor, labels: tf.Tensor, key: tf.Tensor, stage: tf.Tensor
    ) -> tuple[Any, ...]:
        if augment is None:
            changed = images, targets.batch(labels)
        else:
            changed = augment(images, labels, key, stage)
        return changed if weigh is None else (*changed, weigh(labels))

    if augment is None:
        dataset = dataset.map(finished)
    else:
        dataset = dataset.map(finished, num_parallel_calls=AHEAD, deterministic=True)
    rows = epoch_rows(images.labels, settings.balance) if training else len(images)
    return epoch_of(dataset, -(-rows // settings.batch_size) * len(replica_ids), ahead=2)


class _Piece(NamedTuple):
    """The rows of a batch that one replica is fed.

    Args:
        positions: in the split.
        uniforms: `(rows, numbers)` in [0, 1).
        flips: whether each is mirrored.
        key: int64 `(2,)` of the augmentation by Keras' layers.
    """

    positions: np.ndarray
    uniforms: np.ndarray
    flips: np.ndarray
    key: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Reader:
    """Reads epoch after epoch."""

    images: ImageSplit
    transform: ImageTransform
    seed: int | None
    stages: Sequence[ImageTransform]
    epochs: int
    replica_ids: range
    replicas: int
    cursor: EpochCursor

    def read(self) -> Iterator[tuple[Any, ...]]:
        """Yield images, labels, key and stage of each piece of the next epoch's batches."""
        epoch, skipped = self.cursor.take()
        stage = min(epoch * len(self.stages) // self.epochs, len(self.stages) - 1)
        reader = dataclasses.replace(self, transform=self.stages[stage])
        for batch in reader._read(epoch, skipped):
            yield *batch, stage

    def _read(self, epoch: int, skipped: int) -> Iterator[tuple[Any, ...]]:
        pieces = self._pieces(epoch, skipped)
        pixels, rows = self.images.pixels, self.images.split.rows
        if isinstance(pixels, np.ndarray) and self.transform.keeps(pixels, self.seed is not None):
            for piece in pieces:
                yield self._finish(pixels[rows[piece.positions]], piece)
            return
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting: deque[tuple[list[Future[np.ndarray]], _Piece]] = deque()
            try:
                for piece in pieces:
                    waiting.append((self._submit(pool, piece), piece))
                    if len(waiting) > AHEAD:
                        yield self._gather(*waiting.popleft())
                while waiting:
                    yield self._gather(*waiting.popleft())
            finally:  # the consumer may stop before the end
                pool.shutdown(wait=False, cancel_futures=True)

    def _pieces(self, epoch: int, skipped: int) -> Iterator[_Piece]:
        settings, labels = self.transform.settings, self.images.labels
        order = np.arange(len(labels))
        sides = None
        if self.seed is not None:
            generator = np.random.default_rng([self.seed, epoch])
            order = epoch_order(labels, settings.balance, generator)
            sides = np.random.default_rng(self.seed).random(len(labels)) < 0.5
        batch_size = settings.batch_size
        for number in range(skipped, -(-len(order) // batch_size)):
            rows = order[number * batch_size : (number + 1) * batch_size]
            uniforms = np.random.default_rng([self.seed or 0, epoch, number]).random(
                (len(rows), self.transform.uniforms)
            )
            flips = self._flips(sides, rows, uniforms, epoch)
            for replica in self.replica_ids:
                share = slice(
                    replica * len(rows) // self.replicas, (replica + 1) * len(rows) // self.replicas
                )
                key = [(self.seed or 0) * 1_000_003 + epoch, number * self.replicas + replica]
                yield _Piece(rows[share], uniforms[share], flips[share], np.array(key, np.int64))

    def _flips(
        self, sides: np.ndarray | None, rows: np.ndarray, uniforms: np.ndarray, epoch: int
    ) -> np.ndarray:
        flip = self.transform.settings.flip
        if sides is None or flip == "none":
            return np.zeros(len(rows), bool)
        if flip == "alternating":
            return sides[rows] ^ bool(epoch % 2)
        return uniforms[:, 4] < 0.5

    def _submit(self, pool: ThreadPoolExecutor, piece: _Piece) -> list[Future[np.ndarray]]:
        images = self.images.inputs(piece.positions)
        if self.seed is None:
            return [pool.submit(_cropped, self.transform.center_crop, image) for image in images]
        return [
            pool.submit(_cropped, self.transform.training_crop, image, uniforms)
            for image, uniforms in zip(images, piece.uniforms, strict=True)
        ]

    def _gather(self, crops: list[Future[np.ndarray]], piece: _Piece) -> tuple[Any, ...]:
        transform = self.transform
        size = transform.size if self.seed is not None else transform.evaluation_size
        images = np.empty((len(crops), size, size, 3), np.uint8)
        for position, crop in enumerate(crops):
            images[position] = crop.result()
        return self._finish(images, piece)

    def _finish(self, images: np.ndarray, piece: _Piece) -> tuple[Any, ...]:
        """Return shifted and flipped images, labels and key."""
        settings = self.transform.settings
        if self.seed is not None:
            if settings.crop.name == "pad" and settings.crop.padding:
                fill = None if settings.crop.fill == "reflect" else self.transform.fill
                images = shift(images, settings.crop.padding, fill, piece.uniforms[:, :2])
            if piece.flips.any():
                images = flip_left_right(images, piece.flips)
        return images, self.images.labels[piece.positions], piece.key


def _cropped(crop: Callable[..., np.ndarray], image: ImageInput, *uniforms: Any) -> np.ndarray:
    try:
        return crop(image, *uniforms)
    except UNREADABLE as error:
        raise ZooError(f"{describe(image)}: cannot be read any more: {error}.") from error
