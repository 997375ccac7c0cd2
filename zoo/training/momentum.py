"""SGD with momentum and LAMB as their papers have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="zoo")
class MomentumSGD(keras.optimizers.SGD):
    """SGD whose velocity does not hold the learning rate, in one op a variable.

    `v = m v + g`, then `w -= rate v`, or with Nesterov's momentum `w -= rate (g + m v)`. Keras'
    velocity, `v = m v - rate g`, goes on at the old rate after a jump; this one is Goyal's momentum
    correction (his equation 10). While the rate does not change they are the same.

    Source: Goyal 2017, https://arxiv.org/abs/1706.02677, section 3.
    """

    # `_get_variable_index` is Keras 3.15.1's place of a variable among the slots.

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, which Keras has decayed before."""
        if not self.momentum or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        weights = variable.value if isinstance(variable, keras.Variable) else variable
        velocity = self.momentums[self._get_variable_index(variable)].value
        # By the handle: under a strategy that is the copy of this device.
        tf.raw_ops.ResourceApplyMomentum(
            var=weights.handle,
            accum=velocity.handle,
            lr=tf.cast(learning_rate, weights.dtype),
            grad=tf.cast(gradient, weights.dtype),
            momentum=tf.constant(self.momentum, weights.dtype),
            use_nesterov=self.nesterov,
        )


@keras.saving.register_keras_serializable(package="zoo")
class Lamb(keras.optimizers.Lamb):
    """LAMB with the decay inside the trust ratio, as in its paper.

    Keras 3.15.1 decays `w -= rate decay w` beside an update that is scaled by the norm of `w`: with
    weights of norm .02 a value that the papers' decay is 50 times too strong.

    Source: You 2020, https://arxiv.org/abs/1904.00962, algorithm 2; as in timm, variables without
        decay have a trust ratio of 1.
    """

    # `_momentums` and `_velocities` are Keras 3.15.1's slots, `_use_weight_decay` its exemptions.

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable."""
        weights = variable.value if isinstance(variable, keras.Variable) else variable
        index = self._get_variable_index(variable)
        first, second = self._momentums[index].value, self._velocities[index].value
        gradient = tf.cast(tf.convert_to_tensor(gradient), weights.dtype)
        rate = tf.cast(learning_rate, weights.dtype)
        step = tf.cast(self.iterations + 1, weights.dtype)
        first.assign_add((gradient - first) * (1 - self.beta_1))
        second.assign_add((tf.square(gradient) - second) * (1 - self.beta_2))
        mean = first / (1 - tf.pow(self.beta_1, step))
        square = second / (1 - tf.pow(self.beta_2, step))
        update = mean / (tf.sqrt(square) + self.epsilon)
        trust = tf.constant(1.0, weights.dtype)
        if self.weight_decay and self._use_weight_decay(variable):
            update += self.weight_decay * weights
            norms = tf.norm(weights), tf.norm(update)
            both = tf.logical_and(norms[0] > 0, norms[1] > 0)
            trust = tf.where(both, tf.math.divide_no_nan(*norms), trust)
        weights.assign_sub(rate * trust * update)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        # `update_step` decays.
        return
