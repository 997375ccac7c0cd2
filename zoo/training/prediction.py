"""Predictions by several workers, which share the batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.distribute import gathered_rows, worker, workers


def predict_together(
    model: keras.Model, x: Any, batch_size: int, steps: int | None = None
) -> np.ndarray:
    """Return the outputs of every row in order, on every worker; all must ask for it.

    Keras 3.15.1 lets each worker see its shard only, and orders what it gathers by replica.

    Args:
        model: built under the strategy of the workers.
        x: array `(rows, ...)`, or a `tf.data.Dataset` of batches, the same on all workers.
        batch_size: rows of a batch of an array.
        steps: batches of a dataset to read, or None for all.
    """
    strategy = model.distribute_strategy
    count, mine = workers(strategy), worker(strategy)
    forward = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    outputs, owners = [], []
    for number, batch in enumerate(itertools.islice(_batches(x, batch_size), steps)):
        owners.append(np.full(len(batch), number % count, np.int32))
        if number % count == mine:
            outputs.append(forward(batch).numpy())
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int32)
    here = np.concatenate(outputs) if outputs else np.zeros((0, *model.outputs[0].shape[1:]), "f4")
    # One copy a worker, where a worker has several replicas.
    local = strategy.num_replicas_in_sync // count
    everywhere = gathered_rows(strategy, here)
    found = np.empty((len(owner), *here.shape[1:]), here.dtype)
    start = 0
    for each in range(count):
        rows = np.flatnonzero(owner == each)
        found[rows] = everywhere[start : start + len(rows)]
        start += len(rows) * local
    return found


def _batches(x: Any, batch_size: int) -> Iterator[Any]:
    if isinstance(x, tf.data.Dataset):
        for element in x:
            yield element[0] if isinstance(element, tuple) else element
        return
    for start in range(0, len(x), batch_size):
        yield tf.convert_to_tensor(x[start : start + batch_size])
