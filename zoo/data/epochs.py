"""The order of an epoch, where in it to begin, and remedies for rare classes (A50, A51, D24)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


class EpochCursor:
    """Where the next reading of a dataset begins: an epoch's order, and the batches it leaves out.

    Each reading takes the cursor and moves it to the beginning of the next epoch.
    """

    def __init__(self) -> None:
        self.epoch = self.batch = 0

    def set(self, epoch: int, batch: int = 0) -> None:
        """Begin the next reading at a batch of the order of an epoch, both from 0."""
        self.epoch, self.batch = epoch, batch

    def take(self) -> tuple[int, int]:
        """Return epoch and batch, and move on to the next epoch."""
        taken = self.epoch, self.batch
        self.set(self.epoch + 1)
        return taken


def epoch_order(labels: np.ndarray, balance: str, generator: np.random.Generator) -> np.ndarray:
    """Return the positions an epoch visits, in its order.

    `oversample` repeats the rows of rare classes until every class has as many as the largest;
    `batches` keeps the number of rows and gives every class the same share of each stretch of rows;
    anything else visits every row once.

    Args:
        labels: class of each row, `(rows,)`.
        balance: the preset's `data.balance`.
        generator: where the order is drawn from.
    """
    if balance == "oversample":
        return generator.permutation(_oversampled(labels, generator))
    if balance == "batches":
        return _interleaved(labels, generator)
    return generator.permutation(np.arange(len(labels), dtype=np.int32))


def epoch_rows(labels: np.ndarray, balance: str) -> int:
    """Return how many rows an epoch visits."""
    if balance == "oversample":
        counts = np.bincount(labels)
        return int(counts.max() * np.count_nonzero(counts))
    return len(labels)


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return `rows / (classes * rows of the class)` of each class, float32.

    Source: King and Zeng 2001, as in scikit-learn's `class_weight="balanced"`.
    """
    return inverse_frequencies(np.bincount(labels, minlength=num_classes), len(labels))


def inverse_frequencies(counts: np.ndarray, rows: int) -> np.ndarray:
    """Return `rows / (classes * rows of the class)` of each class, float32.

    Args:
        counts: rows of each class; a row may have several.
        rows: number of all rows.
    """
    return (rows / (len(counts) * np.maximum(counts, 1))).astype(np.float32)


def _oversampled(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    largest = int(np.bincount(labels).max())
    kept = []
    for label in np.flatnonzero(np.bincount(labels)):
        rows = np.flatnonzero(labels == label)
        copies, rest = divmod(largest, len(rows))
        kept += [rows] * copies + [generator.permutation(rows)[:rest]]
    return np.concatenate(kept)


def _interleaved(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    classes = np.flatnonzero(np.bincount(labels))
    rounds = -(-len(labels) // len(classes))
    columns = []
    for label in classes:
        rows = np.flatnonzero(labels == label)
        passes = [generator.permutation(rows) for _ in range(-(-rounds // len(rows)))]
        columns.append(np.concatenate(passes)[:rounds])
    table = generator.permuted(np.stack(columns, axis=1), axis=1)
    return table.reshape(-1)[: len(labels)]


def epoch_of(dataset: tf.data.Dataset, count: int, ahead: int) -> tf.data.Dataset:
    """Return an epoch of batches that are read ahead, of a known number.

    A reading that begins within an epoch falls short of it. Nothing is tuned while it is read: in
    TensorFlow 2.21 the end of a reading waits for the tuner, which may sleep for many seconds.

    Args:
        dataset: the batches of a whole epoch, or of what is left of one.
        count: batches of a whole epoch.
        ahead: batches to prefetch.
    """
    # `assert_cardinality` is an error at the end of a reading that is shorter. What is chained on
    # here is endless by its form, and empty.
    dataset = dataset.concatenate(dataset.take(0).repeat()).take(count).prefetch(ahead)
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
