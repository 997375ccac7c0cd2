"""Pairs of rows with like and unlike labels, in batches of pairs of like length."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from zoo.data.epochs import EpochCursor, epoch_of

BLOCK_BATCHES = 50  # enough pairs to find neighbours of like length, few enough to mix an epoch
# Pairs of each kind a row has where there are up to so many rows.
PAIRS_OF_ROWS = ((120, 20), (250, 10))
PAIRS_OF_MORE = 5


class LabelledIds(Protocol):
    """Rows of token ids, each with a class."""

    @property
    def labels(self) -> np.ndarray:
        """The class of each, int `(rows,)`."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def token_ids(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of rows, int32, one row after the other, and their lengths, int64."""


@dataclasses.dataclass(frozen=True)
class IdsInMemory:
    """Rows of token ids in memory.

    Args:
        ids: int32 `(time,)` of each row, without padding.
        labels: class of each, int `(rows,)`.
    """

    ids: Sequence[np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def token_ids(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of rows, int32, one row after the other, and their lengths, int64."""
        chosen = [self.ids[position] for position in positions]
        return np.concatenate(chosen), np.array([len(ids) for ids in chosen], np.int64)


class Pairs(NamedTuple):
    """Pairs of rows.

    Args:
        first: position of one row of each pair, int32 `(pairs,)`.
        second: of the other.
        alike: whether their labels are, float32 `(pairs,)`: 1 or 0.
    """

    first: np.ndarray
    second: np.ndarray
    alike: np.ndarray


def pairs_per_row(setting: int | str, rows: int) -> int:
    """Return how many pairs of each kind a row has in an epoch.

    Args:
        setting: `recipe.contrastive.pairs_per_row`.
        rows: number of all rows.
    """
    if isinstance(setting, int):
        return setting
    return next((pairs for most, pairs in PAIRS_OF_ROWS if rows <= most), PAIRS_OF_MORE)


def draw_pairs(labels: np.ndarray, per_row: int, generator: np.random.Generator) -> Pairs:
    """Return the pairs of an epoch: each row with random rows of its class, and of the others.

    A row that is alone in its class has pairs with rows of others in the place of like ones.

    Args:
        labels: class of each row, int `(rows,)`; at least two classes.
        per_row: pairs of each kind that a row has.
        generator: where the other rows are drawn from.
    """
    by_class = np.argsort(labels, kind="stable")  # the rows of a class are neighbours
    sizes = np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    position = np.empty(len(labels), np.int64)
    position[by_class] = np.arange(len(labels))
    size, start = sizes[labels][:, None], starts[labels][:, None]
    shape = (len(labels), per_row)
    # Another row of the class: the own position is stepped over.
    like = start + generator.integers(0, np.maximum(size - 1, 1), shape)
    like += like >= position[:, None]
    unlike = generator.integers(0, len(labels) - size, (*shape[:1], 2 * per_row))
    unlike += size * (unlike >= start)
    alone = size == 1
    like = np.where(alone, unlike[:, per_row:], like)
    alike = np.broadcast_to(~alone, shape)
    partners = np.concatenate([by_class[like], by_class[unlike[:, :per_row]]], axis=1)
    targets = np.concatenate([alike, np.zeros(shape, bool)], axis=1)
    rows = np.repeat(np.arange(len(labels)), 2 * per_row)
    return Pairs(
        rows.astype(np.int32),
        partners.ravel().astype(np.int32),
        targets.ravel().astype(np.float32),
    )


def pair_batches(
    rows: LabelledIds,
    *,
    per_row: int,
    batch_size: int,
    seed: int,
    lengths: Sequence[int] = (),
    replica_ids: range = range(1),
    replicas: int = 1,
    cursor: EpochCursor | None = None,
) -> tf.data.Dataset:
    """Return a dataset of int32 `(pairs, 2, time)` ids and float32 `(pairs,)` targets, 1 or 0.

    Each epoch draws pairs of its own. They are cut into blocks, sorted within each by the longer
    row, cut into batches, and the batches of a block are shuffled: both rows of the pairs of a
    batch are padded to one length, and little of it is padding.

    Args:
        rows: at least two, of at least two classes.
        per_row: pairs of each kind that a row has in an epoch.
        batch_size: pairs of a batch of all replicas; the last one of an epoch may be smaller.
        seed: of pairs and order.
        lengths: what the rows of a batch are padded to, the next of these, in rising order; none
            is the longest row of the batch.
        replica_ids: the replicas that this dataset feeds: it yields the pairs of each in turn, for
            every batch.
        replicas: number of all replicas, which share each batch.
        cursor: where a resumed run begins.
    """
    dataset = tf.data.Dataset.from_generator(
        _batches(rows, per_row, batch_size, seed, lengths, cursor or EpochCursor()),
        output_signature=(
            tf.TensorSpec([None, 2, None], tf.int32), tf.TensorSpec([None], tf.float32),
        ),
    )  # fmt: skip

    @tf.autograph.experimental.do_not_convert
    def pieces(ids: tf.Tensor, targets: tf.Tensor) -> tf.data.Dataset:
        count = tf.shape(targets)[0]

        def piece(replica: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            span = slice(replica * count // replicas, (replica + 1) * count // replicas)
            return ids[span], targets[span]

        return tf.data.Dataset.from_tensor_slices(list(replica_ids)).map(piece)

    if replicas > 1:
        dataset = dataset.flat_map(pieces)
    count = -(-2 * per_row * len(rows) // batch_size)
    return epoch_of(dataset, count * len(replica_ids), ahead=8)


def _batches(
    rows: LabelledIds,
    per_row: int,
    batch_size: int,
    seed: int,
    lengths: Sequence[int],
    cursor: EpochCursor,
) -> Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]:
    def generate() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        epoch, skipped = cursor.take()
        generator = np.random.default_rng([seed, epoch])
        pairs = draw_pairs(rows.labels, per_row, generator)
        order = generator.permutation(len(pairs.first))
        for start in range(0, len(order), BLOCK_BATCHES * batch_size):
            block = order[start : start + BLOCK_BATCHES * batch_size]
            numbers = generator.permutation(-(-len(block) // batch_size))
            if skipped < len(numbers):
                batches = _block(rows, Pairs(*(part[block] for part in pairs)), batch_size, lengths)
                yield from map(batches, numbers[skipped:])
            skipped = max(skipped - len(numbers), 0)

    return generate


def _block(
    rows: LabelledIds, pairs: Pairs, batch_size: int, lengths: Sequence[int]
) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Return what gives the batch of a number in a block of pairs."""
    needed, places = np.unique([pairs.first, pairs.second], return_inverse=True)
    places = places.reshape(2, -1)
    flat, sizes = rows.token_ids(needed)
    ends = np.cumsum(sizes)
    longest = sizes[places].max(axis=0)
    order = np.argsort(longest, kind="stable")

    def batch(number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = order[number * batch_size : (number + 1) * batch_size]
        length = int(longest[chosen].max())
        length = next((one for one in lengths if one >= length), length)
        ids = np.zeros((len(chosen), 2, length), np.int32)
        for pair, number_of_pair in enumerate(chosen):
            for side in range(2):
                row = places[side, number_of_pair]
                ids[pair, side, : sizes[row]] = flat[ends[row] - sizes[row] : ends[row]]
        return ids, pairs.alike[chosen]

    return batch


def rows_of_batch(ids: Any, labels: Any) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the ids of each row of a batch without its padding, and its class.

    Args:
        ids: int `(rows, time)`, 0 after the last id of a row.
        labels: int `(rows,)`.
    """
    for row, label in zip(np.asarray(ids, np.int32), np.asarray(labels), strict=True):
        present = np.flatnonzero(row)
        yield row[: present[-1] + 1 if len(present) else 1], int(label)
