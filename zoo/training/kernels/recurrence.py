"""Loops over time for XLA: compiled alone, or with the step around them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from zoo.layers.kernels import Recurrence

# Steps of a recurrence in one turn of XLA's loop, whose counter, copies and start a turn costs.
STEPS = 4


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


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, to be compiled with the step around it."""
    return function


def scan(
    step: Callable[..., Any], carry: Sequence[tf.Tensor], numbers: tf.Tensor, reverse: bool = False
) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
    """Scan as `keras.ops.scan`, several steps in a turn of the loop.

    Args:
        step: from the carry and the number of a step to carry and outputs, which are the carry.
        carry: tensors before the first step.
        numbers: int32 `(time,)`, 0 to the last step's.
        reverse: whether the last step is the first.

    Returns:
        The last carry, and that after every step `(time, ...)`.
    """
    time = tf.shape(numbers)[0]
    known = numbers.shape[0]
    arrays = [
        tf.TensorArray(tensor.dtype, size=time, element_shape=tensor.shape) for tensor in carry
    ]

    def turn(steps: int) -> Callable[..., Any]:
        def body(done: tf.Tensor, carry: Sequence[tf.Tensor], arrays: Sequence[Any]) -> Any:
            for _ in range(steps):
                number = time - 1 - done if reverse else done
                carry, outputs = step(tuple(carry), number)
                pairs = zip(arrays, outputs, strict=True)
                arrays = [array.write(number, output) for array, output in pairs]
                done = done + 1
            return done, list(carry), list(arrays)

        return body

    state: Any = (tf.constant(0), list(carry), arrays)
    for steps in (STEPS, 1):
        end = time // steps * steps
        if known is None or known // steps:
            state = tf.while_loop(lambda done, *_: done < end, turn(steps), state)  # noqa: B023
        if known is not None and known % steps == 0:
            break
    _, carry, arrays = state
    return tuple(carry), tuple(array.stack() for array in arrays)


COMPILED = Recurrence(compiled, scan)
WITHIN_XLA = Recurrence(as_it_is, scan)
