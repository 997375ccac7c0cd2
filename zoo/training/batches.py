"""What `fit` is given: batches, and how many there are."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import ZooError

DATASETS = tf.data.Dataset | tf.distribute.DistributedDataset | keras.utils.PyDataset


def by_itself(model: keras.Model, x: Any, y: Any, weights: Any) -> list[Any]:
    """Return a part of a batch as it would be without the other parts: never empty, as short."""
    x, y, weights = never_empty(x, y, weights)
    ids_of_texts = model.inputs[0].shape[1:] == (None,)
    return [without_padding(x) if ids_of_texts else x, y, weights]


def never_empty(*parts: Any) -> list[Any]:
    """Return a batch without rows with one of zeros, other batches as they are.

    A replica may get none of the last rows, and has to take part in the step all the same; what is
    averaged over no rows would be NaN (https://github.com/tensorflow/tensorflow/issues/41657).
    """
    return [
        part
        if part is None
        else tf.pad(
            part,
            [[0, tf.cast(tf.shape(part)[0] == 0, tf.int32)]] + [[0, 0]] * (part.shape.rank - 1),
        )
        for part in parts
    ]


def without_padding(ids: tf.Tensor) -> tf.Tensor:
    """Return ids `(rows, time)` up to the end of the longest text, or the first column.

    What is drawn for a batch, as in dropout, depends on its shape: a part of one is drawn the same
    whether it was padded alone or with the others.

    Args:
        ids: with 0 after the last word of each text.
    """
    words = tf.where(tf.reduce_any(ids != 0, axis=0))
    return ids[:, : tf.maximum(tf.reduce_max(words) + 1, 1)]


def micro_batch(number: int, count: int, parts: Any, after: Any) -> Any:
    """Return one of `count` near-equal pieces of a batch by row; a piece may be empty.

    Args:
        number: which piece, from 0.
        count: number of pieces.
        parts: tensors `(rows, ...)`; None stays None.
        after: tensors to wait for, so that only one piece is in memory at a time.
    """
    if count == 1:
        return parts

    def piece(part: Any) -> Any:
        rows = tf.shape(part)[0]
        return tf.identity(part[rows * number // count : rows * (number + 1) // count])

    waited = [each for each in tf.nest.flatten(after, expand_composites=True) if each is not None]
    with tf.control_dependencies(waited):
        return tuple(None if part is None else piece(part) for part in parts)


def is_iterator(data: Any) -> bool:
    """Return whether a step is given an iterator, as by `fit`, or something else."""
    return isinstance(data, tf.data.Iterator | tf.distribute.DistributedIterator)


def next_batch(iterator: Any, waited: tf.Variable | None) -> Any:
    """Return the next batch of an iterator; a graph op.

    Args:
        iterator: of `fit`.
        waited: takes the seconds that it took, before anything is done with the batch; or None.
    """
    if waited is None:
        return next(iterator)
    asked = tf.timestamp()
    with tf.control_dependencies([asked]):
        batch = next(iterator)
    with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
        taken = waited.assign_add(tf.timestamp() - asked, read_value=False)

    def after(part: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([taken]), tf.device(part.device):
            return tf.identity(part)

    return tf.nest.map_structure(after, batch, expand_composites=True)


def count_steps(x: Any, batch_size: int | None, validation_split: float) -> int:
    """Return the steps of an epoch; a dataset that cannot tell is counted in one pass."""
    if isinstance(x, tf.distribute.DistributedDataset):
        steps = int(x.cardinality)
        if steps < 1:
            raise ZooError("the distributed dataset cannot tell its steps: give steps_per_epoch.")
        return steps
    if isinstance(x, tf.data.Dataset):
        steps = int(x.cardinality())
        if steps == tf.data.INFINITE_CARDINALITY:
            raise ZooError("the dataset does not end: give steps_per_epoch.")
        if steps < 0:
            steps = int(x.reduce(np.int64(0), lambda count, *_: count + 1))
    elif isinstance(x, keras.utils.PyDataset):
        steps = len(x)
    else:
        parts = [part for part in keras.tree.flatten(x) if hasattr(part, "__len__")]
        if not parts:
            raise ZooError(
                f"fit takes arrays, a tf.data.Dataset or a keras PyDataset, not {type(x).__name__}."
            )
        rows = math.floor(len(parts[0]) * (1.0 - validation_split))
        steps = math.ceil(rows / (batch_size or 32))
    if steps == 0:
        raise ZooError("there are no rows to train on.")
    return steps
