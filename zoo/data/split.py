"""Which rows are for training: stratified, seeded, copies of a text on one side. Pure numpy."""

from __future__ import annotations

import numpy as np


def split_rows(
    hashes: np.ndarray, labels: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions for training and for validation, shuffled.

    Every class gives its share; all copies of a text, whatever their labels, go to the side of the
    first one. A class with a single text stays in training.

    Args:
        hashes: hash of each text, `(rows,)`.
        labels: class of each row, `(rows,)`.
        fraction: share of the rows for validation, in (0, 1).
        seed: seed of the choice.
    """
    generator = np.random.default_rng(seed)
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    sizes = np.bincount(group)
    held_out = np.zeros(len(first), bool)
    group_labels = labels[first]
    order = generator.permutation(len(first))
    for label in np.unique(labels):
        groups = order[group_labels[order] == label]
        wanted = fraction * sizes[groups].sum()
        filled = np.cumsum(sizes[groups])
        # as many groups as come nearest to the share, at least one and never all
        count = int(np.searchsorted(filled, wanted, side="left")) + 1 if len(groups) > 1 else 0
        held_out[groups[: min(count, len(groups) - 1)]] = True
    chosen = held_out[group]
    rows = generator.permutation(len(hashes))
    return rows[~chosen[rows]], rows[chosen[rows]]


def sample_rows(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return sorted positions of a stratified sample; at least one row of every class.

    Args:
        labels: class of each row, `(rows,)`.
        fraction: share of each class to keep, in (0, 1].
        seed: seed of the choice.
    """
    generator = np.random.default_rng(seed)
    kept = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = max(1, round(fraction * len(rows)))
        kept.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(kept))
