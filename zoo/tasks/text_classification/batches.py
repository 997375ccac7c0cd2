"""Batches of token ids, padded to their own longest text, bucketed by length.

An epoch is a seeded permutation cut into blocks of some batches. A block is tokenized at once,
sorted by length, cut into batches, and its batches are shuffled: a batch holds texts of like
length, every row comes once an epoch, and the number of batches is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.epochs import EpochCursor, epoch_of, epoch_order, epoch_rows
from zoo.tasks.text_classification.token_ids import TokenizedSplit

BLOCK_BATCHES = 50  # enough texts to find neighbours of like length, few enough to mix an epoch
BLOCK_BYTES = 2 << 20  # of long texts a block holds fewer: the first batch comes within a second
# Lengths that texts are padded to where each is compiled: as many as an epoch may have shapes.
MOST_LENGTHS = 8
SHORTEST = 8


def fixed_lengths(longest: int) -> tuple[int, ...]:
    """Return the lengths that texts of up to `longest` tokens are padded to, in rising order.

    From the longest down, each is three quarters or two thirds of the one before, so that few of
    the tokens of a batch are padding; the lower half of them, of texts that cost little, halve.
    """
    lengths = [longest]
    while len(lengths) < MOST_LENGTHS and lengths[-1] > SHORTEST:
        number, last = len(lengths), lengths[-1]
        half = number > MOST_LENGTHS // 2
        lengths.append(last // 2 if half else last * 3 // 4 if number % 2 else last * 2 // 3)
    return tuple(sorted(lengths))


def batches(
    split: TokenizedSplit,
    *,
    batch_size: int,
    seed: int | None,
    balance: str = "none",
    lengths: Sequence[int] = (),
    replica_ids: range = range(1),
    replicas: int = 1,
    cursor: EpochCursor | None = None,
) -> tf.data.Dataset:
    """Return a dataset of int32 `(batch, time)` ids and the targets of their labels.

    Targets are int32 `(batch,)`, or float32 `(batch, classes)` of several labels a row
    (`zoo.data.targets`). With `balance="class-weights"` float32 weights come third. Iterated
    again, a seeded dataset gives the order of the next epoch; a dataset made again starts from the
    first.

    Args:
        split: the rows.
        batch_size: rows of a batch of all replicas; the last one of an epoch may be smaller.
        seed: seed of the order; None keeps the rows' order between blocks and does not shuffle.
        balance: the preset's `data.balance`.
        lengths: what the rows of a batch are padded to, the next of these, in rising order; none is
            the longest row of a piece.
        replica_ids: the replicas that this dataset feeds: it yields the rows of each in turn, for
            every batch. They may be none.
        replicas: number of all replicas, which share each batch by row.
        cursor: where a resumed run begins; what lies before is not tokenized. The reading that
            begins within an epoch is shorter than the dataset's cardinality.
    """
    targets = split.targets
    weigh = targets.weigher(split.labels) if balance == "class-weights" else None
    # Sorting by length would undo the balance inside a batch.
    bucketed = balance != "batches"
    signature = (
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([3], tf.int64),
    )
    ladder = tf.constant(list(lengths), tf.int64)
    source = tf.data.Dataset.from_generator(
        _blocks(split, batch_size, seed, balance, cursor or EpochCursor()),
        output_signature=signature,
    )

    # Plain TensorFlow calls: without autograph the graphs are made in a tenth of the time.
    @tf.autograph.experimental.do_not_convert
    def cut(flat: Any, sizes: Any, labels: tf.Tensor, key: tf.Tensor) -> tf.data.Dataset:
        block = tf.RaggedTensor.from_row_lengths(flat, sizes, validate=False)
        order = tf.range(tf.size(sizes))
        if bucketed:
            order = tf.argsort(sizes, stable=True)
        count = tf.cast(tf.math.ceil(tf.size(order) / batch_size), tf.int64)
        numbers = tf.range(count)
        if seed is not None:
            numbers = tf.random.experimental.stateless_shuffle(numbers, key[:2])
        numbers = numbers[key[2] :]

        # Every batch is cut into a piece for each replica; those of `replica_ids` are kept.
        pieces = tf.reshape(
            numbers[:, None] * replicas + tf.constant(list(replica_ids), tf.int64), [-1]
        )

        @tf.autograph.experimental.do_not_convert
        def piece(number: tf.Tensor) -> tuple[Any, ...]:
            first = number // replicas * batch_size
            rows = order[first : first + batch_size]
            padded = None
            if lengths:
                longest = tf.reduce_max(tf.gather(sizes, rows))
                padded = tf.stack([-1, ladder[tf.searchsorted(ladder, [longest])[0]]])
            count, replica = tf.size(rows, tf.int64), number % replicas
            rows = rows[replica * count // replicas : (replica + 1) * count // replicas]
            piece_labels = tf.gather(labels, rows)
            inputs = (tf.gather(block, rows).to_tensor(shape=padded), targets.batch(piece_labels))
            return inputs if weigh is None else (*inputs, weigh(piece_labels))

        return tf.data.Dataset.from_tensor_slices(pieces).map(piece)

    rows = epoch_rows(split.labels, balance) if seed is not None else len(split)
    dataset = source.prefetch(1).flat_map(cut)
    return epoch_of(dataset, -(-rows // batch_size) * len(replica_ids), ahead=8)


def _blocks(
    split: TokenizedSplit, batch_size: int, seed: int | None, balance: str, cursor: EpochCursor
) -> Callable[[], Iterator[tuple[Any, ...]]]:
    def generate() -> Iterator[tuple[Any, ...]]:
        epoch, skipped = cursor.take()
        if seed is None:
            order = np.arange(len(split))
        else:
            generator = np.random.default_rng([seed, epoch])
            order = epoch_order(split.labels, balance, generator)
        start = 0
        while start < len(order):
            rows = order[start : start + BLOCK_BATCHES * batch_size]
            total = np.cumsum(split.store.sizes(split.rows[rows]))
            if total[-1] > BLOCK_BYTES:
                # whole batches, or their number would not be known beforehand
                full = int(np.searchsorted(total, BLOCK_BYTES)) // batch_size
                rows = rows[: max(full, 1) * batch_size]
            count = -(-len(rows) // batch_size)
            if skipped < count:
                key = [(seed or 0) * 1_000_003 + epoch, start, skipped]
                yield *split.token_ids(rows), split.labels[rows], key
            skipped = max(skipped - count, 0)
            start += len(rows)

    return generate
