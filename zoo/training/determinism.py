"""TensorFlow's deterministic ops, for the time of a training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

# Not public in TensorFlow 2.21, which has a public way in but none out.
from tensorflow.python.framework import config


@contextlib.contextmanager
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
