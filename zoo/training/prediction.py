"""Predictions by several workers, which share the batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.distribute import gathered_rows, worker, workers
from zoo.errors import ZooError
from zoo.training.batches import count_rows, map_tensors


def predict_together(
    model: keras.Model, x: Any, batch_size: int, steps: int | None = None
) -> np.ndarray | Any:
    """Return the outputs of every row in order, on every worker; all must ask for it.

    Keras 3.15.1 lets each worker see its shard only, and orders what it gathers by replica.

    Args:
        model: functional, built under the strategy of the workers.
        x: nest of arrays `(rows, ...)`, or a `tf.data.Dataset` of batches, the same on all workers.
        batch_size: rows of a batch of arrays.
        steps: batches of a dataset to read, or None for all.

    Returns:
        A nest of arrays `(rows, ...)`, as the model's outputs are.

    Raises:
        ZooError: a worker has no batch, and outputs have a dimension of unknown size.
    """
    strategy = model.distribute_strategy
    count, own = workers(strategy), worker(strategy)
    forward = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    specs = keras.tree.flatten(model._outputs_struct)
    owners: list[np.ndarray] = []
    outputs: list[list[np.ndarray]] = [[] for _ in specs]
    for number, batch in enumerate(itertools.islice(_batches(x, batch_size), steps)):
        owners.append(np.full(int(count_rows(batch)), number % count, np.int32))
        if number % count == own:
            for arrays, tensor in zip(outputs, keras.tree.flatten(forward(batch)), strict=True):
                arrays.append(tensor.numpy())
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int32)
    unknown = [spec.shape for spec in specs if None in spec.shape[1:]]
    if unknown and len(owners) < count:  # on all workers alike: none waits for another
        raise ZooError(
            f"predict: {len(owners)} batches for {count} workers, and one without a batch does "
            f"not know the shape of its outputs {unknown[0]}. Use a smaller batch_size."
        )
    ordered = []
    for arrays, spec in zip(outputs, specs, strict=True):
        own_rows = arrays or [np.zeros((0, *spec.shape[1:]), spec.dtype)]
        ordered.append(_in_order(strategy, np.concatenate(own_rows), owner))
    return keras.tree.pack_sequence_as(model._outputs_struct, ordered)


def _in_order(strategy: tf.distribute.Strategy, rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the rows of all workers in the order of the data.

    Args:
        strategy: that of the workers.
        rows: this worker's, `(own rows, ...)`.
        owner: the worker that has each row of the data, `(rows,)`.
    """
    everywhere = gathered_rows(strategy, rows)
    # One copy a worker, where a worker has several replicas.
    local = strategy.num_replicas_in_sync // workers(strategy)
    ordered = np.empty((len(owner), *rows.shape[1:]), rows.dtype)
    start = 0
    for number in range(workers(strategy)):
        owned = np.flatnonzero(owner == number)
        ordered[owned] = everywhere[start : start + len(owned)]
        start += len(owned) * local
    return ordered


def _batches(x: Any, batch_size: int) -> Iterator[Any]:
    if isinstance(x, tf.data.Dataset):
        for element in x:
            yield element[0] if isinstance(element, tuple) else element
        return
    for start in range(0, len(keras.tree.flatten(x)[0]), batch_size):
        rows = slice(start, start + batch_size)
        yield map_tensors(lambda array, rows=rows: tf.convert_to_tensor(array[rows]), x)
