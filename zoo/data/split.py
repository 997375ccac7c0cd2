"""Which rows are for training: stratified, seeded, copies of a text on one side. Pure numpy."""

from __future__ import annotations

import numpy as np


def split_rows(
    hashes: np.ndarray, labels: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions for training and for validation, each in rising order.

    Every class gives the share that comes nearest, at least one text and never all; all copies of
    a text, whatever their labels, go to the side of the first one. A class with a single text
    stays in training.

    Args:
        hashes: hash of each text, `(rows,)`.
        labels: class of each row, `(rows,)`.
        fraction: share of the rows for validation, in (0, 1).
        seed: seed of the choice.
    """
    generator = np.random.default_rng(seed)
    order = np.argsort(hashes, kind="stable").astype(np.int32)  # copies side by side, first first
    starts = np.flatnonzero(_is_first(hashes, order)).astype(np.int32)
    sizes = np.diff(starts, append=len(order))
    group_labels = labels[order[starts]]
    held_out = np.zeros(len(starts), bool)
    for label in np.flatnonzero(np.bincount(group_labels)):
        groups = generator.permutation(np.flatnonzero(group_labels == label))
        held_out[groups[_nearest(sizes[groups], fraction)]] = True
    chosen = np.zeros(len(order), bool)
    chosen[order] = np.repeat(held_out, sizes)
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def sample_rows(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return positions of a stratified sample in rising order; at least one row of every class.

    Args:
        labels: class of each row, `(rows,)`.
        fraction: share of each class to keep, in (0, 1].
        seed: seed of the choice.
    """
    generator = np.random.default_rng(seed)
    kept = []
    for label in np.flatnonzero(np.bincount(labels)):
        rows = np.flatnonzero(labels == label)
        count = max(1, round(fraction * len(rows)))
        kept.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(kept))


def _is_first(hashes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return where in an order by hash a new hash begins."""
    first = np.ones(len(order), bool)
    hashes = hashes[order]
    first[1:] = hashes[1:] != hashes[:-1]
    return first


def _nearest(sizes: np.ndarray, fraction: float) -> np.ndarray:
    """Return positions of groups whose rows together come nearest to a share, never all."""
    target = fraction * sizes.sum()
    # Groups larger than the share come last: one text sent a thousand times must not fill it.
    order = np.argsort(sizes > max(target, 1), kind="stable")
    filled = np.cumsum(sizes[order])
    count = int(np.argmin(np.abs(filled - target))) + 1
    return order[: min(count, len(order) - 1)]
