"""Ops that stay on the CPU, whatever devices there are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def on_host(function: Function) -> Function:
    """Return a function whose eager ops run on the CPU; graphs are left as they are.

    TensorFlow 2.21 runs an eager op on a GPU wherever it has a kernel for it, so that of ops on
    strings and ragged tensors half would, each with copies there and back, and from every thread
    that reads data.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        import tensorflow as tf

        if not tf.executing_eagerly():
            return function(*args, **kwargs)
        with tf.device("CPU:0"):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]
