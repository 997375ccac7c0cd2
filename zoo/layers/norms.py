"""Batch norm in one pass: Keras has none, so whoever trains may offer one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import keras
from keras import ops


class FusedBatchNorm(Protocol):
    """Normalise `(batch, height, width, channels)` by the statistics of the batch, in one op."""

    def __call__(
        self, inputs: Any, gamma: Any, beta: Any, epsilon: float
    ) -> tuple[Any, Any, Any] | None:
        """Return outputs of the inputs' dtype, float32 mean and biased variance; None if unable."""


_OFFERED: ContextVar[FusedBatchNorm | None] = ContextVar("fused_batch_norm", default=None)


@contextmanager
def offer_batch_norm(fused: FusedBatchNorm | None) -> Iterator[None]:
    """Let the layers called in the block use an op; None for none."""
    token = _OFFERED.set(fused)
    try:
        yield
    finally:
        _OFFERED.reset(token)


@keras.saving.register_keras_serializable(package="zoo")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras' batch norm over the last axis; in training by the op on offer, if there is one.

    Keras 3.15.1 computes mean, variance and product in one pass over the feature map each, in
    float32 whatever the policy. The statistics, and all that is saved, are Keras' own.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise by the batch in training, else by the moving statistics."""
        fused = _OFFERED.get()
        own = training and self.trainable and mask is None and self.scale and self.center
        found = fused(inputs, self.gamma, self.beta, self.epsilon) if fused and own else None
        if found is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = found
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = ops.cast(moving, value.dtype)
            moving.assign(old * self.momentum + value * (1.0 - self.momentum))
        return outputs
