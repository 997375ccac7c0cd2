"""The order of an epoch, and the three remedies for rare classes (A50, A51, D24). Pure numpy."""

from __future__ import annotations

import numpy as np


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
    counts = np.maximum(np.bincount(labels, minlength=num_classes), 1)
    return (len(labels) / (num_classes * counts)).astype(np.float32)


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
