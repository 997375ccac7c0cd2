"""Labels as arrays: one class each, as numbers, names, or rows with a single one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.errors import ZooError

WEIGHTS = (
    "weights of single examples are not used. Leave them out, as with "
    "dataset.map(lambda x, y, weight: (x, y)); --set data.balance=class-weights weighs classes."
)


def class_labels(
    labels: Any, where: str, names: Sequence[Any] | None = None, first: int = 1
) -> np.ndarray:
    """Return one label an example `(examples,)`, of labels as Keras and scikit-learn give them.

    Args:
        labels: `(examples,)` or `(examples, 1)`; or one-hot `(examples, classes)`, which become the
            number of their class.
        where: named in messages.
        names: of the classes that are numbered; None leaves numbers as they are.
        first: number of the first example, for messages.

    Raises:
        ZooError: a row has several classes or none, or a number has no name.
    """
    values = np.asarray(labels.numpy() if hasattr(labels, "numpy") else labels)
    if values.ndim == 2:
        values = values[:, 0] if values.shape[1] == 1 else _of_one_hot(values, where, first)
    if values.ndim != 1:
        raise ZooError(
            f"{where}: labels must be one an example. Received: {values.dtype} of shape "
            f"{values.shape}."
        )
    return values if names is None else _named(values, names, where)


def _of_one_hot(values: np.ndarray, where: str, first: int) -> np.ndarray:
    if values.dtype.kind in "fiub":
        ones = values == 1
        bad = np.flatnonzero((ones.sum(axis=1) != 1) | ((values != 0) & ~ones).any(axis=1))
        if not len(bad):
            return values.argmax(axis=1)
        row, shown = first + int(bad[0]), values[bad[0]][:10].tolist()
        raise ZooError(
            f"{where}: row {row}: labels of shape {values.shape} must be one-hot, a single 1 among "
            f"zeros. Received: {shown}. Several labels an example, or shares of labels, are not "
            "supported: give one class each."
        )
    return values


def _named(values: np.ndarray, names: Sequence[Any], where: str) -> np.ndarray:
    if values.dtype.kind not in "iufb" or not len(values):
        return values
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        return values
    if not 0 <= int(values.min()) <= int(values.max()) < len(names):
        raise ZooError(
            f"{where}: labels go from {values.min()} to {values.max()}, but `classes` has "
            f"{len(names)} names."
        )
    return np.asarray(names)[values.astype(np.int64)]
