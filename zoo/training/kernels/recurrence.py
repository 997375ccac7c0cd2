"""Loops over time compiled by XLA, where the step around them is not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that XLA compiles, once for every shape of its arguments.

    A step of a loop is some ten operations of a few microseconds on a GPU, and starting one costs
    as much: of one LSTM, 70 steps of 1,150 units, an H200 takes 29 ms as TensorFlow's loop, 10.1
    in cuDNN and 4.6 compiled.

    Args:
        function: from tensors to tensors; other arguments are constants.
    """
    return tf.function(function, jit_compile=True, autograph=False)


def as_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as it is, to be compiled with the step around it."""
    return function
