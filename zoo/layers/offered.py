"""Layers of Keras that use an op which Keras lacks, where whoever trains offers one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

# From `(batch, height, width, channels)`, scale and offset of each channel, and epsilon to outputs
# of the inputs' dtype, float32 mean and biased variance of each channel; None if it is unable.
FusedBatchNorm = Callable[[Any, Any, Any, float], tuple[Any, Any, Any] | None]
# From `(batch, height, width, channels)` and a kernel `(height, width, channels, filters)` to their
# convolution with as many zeros around as keep height and width; None if it is unable.
Convolution = Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True)
class Ops:
    """Ops on offer.

    Args:
        batch_norm: normalises by the statistics of the batch.
        convolve: convolves in steps of one pixel.
    """

    batch_norm: FusedBatchNorm | None = None
    convolve: Convolution | None = None


_NONE = Ops()
_OFFERED: ContextVar[Ops] = ContextVar("offered_ops", default=_NONE)


@contextmanager
def offer(offered: Ops) -> Iterator[None]:
    """Let the layers called in the block use ops."""
    token = _OFFERED.set(offered)
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
        fused = _OFFERED.get().batch_norm
        own = training and self.trainable and mask is None and self.scale and self.center
        found = fused(inputs, self.gamma, self.beta, self.epsilon) if fused and own else None
        if found is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = found
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = ops.cast(moving, value.dtype)
            moving.assign(old * self.momentum + value * (1.0 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable(package="zoo")
class Conv2D(keras.layers.Conv2D):
    """Keras' convolution; by the op on offer, if there is one and it is able."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Return the convolution without the bias."""
        convolve = _OFFERED.get().convolve
        plain = self.padding == "same" and self.groups == 1
        found = None
        if convolve and plain and {*self.strides, *self.dilation_rate} == {1}:
            found = convolve(inputs, kernel)
        return super().convolution_op(inputs, kernel) if found is None else found
