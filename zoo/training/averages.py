"""A moving average of the weights, which is validated and kept in their place."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# The average is taken every so many steps with the decay to that power: over thousands of steps
# the same average, at an eighth of the memory traffic (a dense pass over every table).
EVERY = 8


class Averages:
    """Exponential moving average of trainable variables.

    The decay rises with the steps, `min(decay, (1 + step) / (10 + step))`, so that a short training
    is not dragged back to its start (the rule of TensorFlow's `ExponentialMovingAverage`).

    Args:
        variables: the variables; the average starts at their present values.
        decay: share of the old average that a step keeps, in (0, 1).

    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046.
    """

    def __init__(self, variables: list[Any], decay: float):
        self._variables = [variable.value for variable in variables]
        self._decay = decay
        self._averages = [tf.Variable(value, trainable=False) for value in self._variables]
        self._swapped = False

    def restart(self) -> None:
        """Set the average to the present weights."""
        for average, value in zip(self._averages, self._variables, strict=True):
            average.assign(value)

    def update(self, step: tf.Tensor) -> None:
        """Take the weights after a step (counted from 1) into the average; a graph op."""

        def take() -> tf.Tensor:
            taken = tf.cast(step, tf.float32)
            decay = tf.minimum(self._decay, (1.0 + taken) / (10.0 + taken)) ** EVERY
            for average, value in zip(self._averages, self._variables, strict=True):
                average.assign_add(
                    tf.cast(1.0 - decay, average.dtype) * (value - average), read_value=False
                )
            return step

        tf.cond(tf.equal(step % EVERY, 0), take, lambda: step)

    def swap(self) -> None:
        """Exchange weights and averages; twice is as before."""
        for average, value in zip(self._averages, self._variables, strict=True):
            kept = tf.identity(value)
            value.assign(average)
            average.assign(kept)
        self._swapped = not self._swapped

    def restore(self) -> None:
        """Put the weights back in their place if they are swapped out."""
        if self._swapped:
            self.swap()
