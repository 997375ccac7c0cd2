"""Seeds of a step: each part of a batch has its own, wherever it is computed.

What is not public in Keras was written against 3.15.1: `global_seed_generator`, where layers and
ops without a seed take theirs from.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

# Not public in TensorFlow 2.21, which can publicly be told to be deterministic, but not to stop.
from tensorflow.python.framework import config

from zoo.errors import ZooError

# Between the seeds of two parts; Keras takes seeds modulo 2**31 - 2.
APART = 1_000_003


@contextmanager
def replica_seeds(layer: keras.Layer, number: int, count: int) -> Iterator[None]:
    """Give the seed generators of a layer the seeds of a part of the batch, for the block.

    Keras 3.15.1 seeds every replica alike: row for row the same dropout. Here the seeds depend on
    the part alone, so that a batch in two micro-batches and one on two replicas make the same step.
    The first part has the seed of an undivided batch. After the block the states of the generators
    are the same on every replica.

    Args:
        layer: a model, or any layer, with the seed generators of those in it.
        number: which micro-batch of this replica, from 0.
        count: micro-batches of a replica.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync * count == 1:
        yield
        return
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    part = tf.cast(replica, tf.int64) * count + number
    # A state is a seed and a counter.
    variables = layer.non_trainable_variables
    states = [state for state in variables if state.name == "seed_generator_state"]
    before = [tf.identity(state.value) for state in states]
    for state, value in zip(states, before, strict=True):
        state.assign(value + tf.stack([part * APART, 0]))
    yield
    for state, value in zip(states, before, strict=True):
        state.assign(tf.stack([value[0], state.value[1]]) if number == count - 1 else value)


def global_seed() -> list[int] | None:
    """Return the state of the generator of layers and ops without a seed; None before its use."""
    generator = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    return None if generator is None else [int(part) for part in generator.state.numpy()]


def set_global_seed(state: list[int] | None) -> None:
    """Set the generator of layers and ops without a seed to what `global_seed` returned."""
    if state is None:
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
    else:
        seed_generator.global_seed_generator().state.assign(state)


def random_state() -> dict[str, Any]:
    """Return the state of the generators of Python and numpy as JSON types."""
    version, words, gauss = random.getstate()
    state = np.random.get_state(legacy=False)
    key = state["state"]["key"].tolist()
    return {
        "python": [version, list(words), gauss],
        "numpy": state | {"state": {"key": key, "pos": int(state["state"]["pos"])}},
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Set the generators of Python and numpy to what `random_state` returned.

    Raises:
        ZooError: it is not such a state.
    """
    try:
        version, words, gauss = state["python"]
        random.setstate((version, tuple(words), gauss))
        key = np.array(state["numpy"]["state"]["key"], np.uint32)
        inner = state["numpy"]["state"] | {"key": key}
        np.random.set_state(state["numpy"] | {"state": inner})
    except (ValueError, TypeError, KeyError) as error:
        raise ZooError(f"a checkpoint's random state is damaged: {error}.") from error


@contextmanager
def deterministic_ops(wanted: bool) -> Iterator[None]:
    """Run a block with deterministic ops if they are wanted; as before afterwards."""
    if not wanted or are_deterministic():
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        config.disable_op_determinism()


def are_deterministic() -> bool:
    """Whether TensorFlow's ops are deterministic now."""
    return bool(config.is_op_determinism_enabled())
