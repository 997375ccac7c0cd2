"""Activations that train faster on a CPU than Keras'."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

DTYPES = (tf.bfloat16, tf.float16, tf.float32)
ROOT_HALF = 0.5**0.5
DENSITY = 0.3989422804014327  # of the normal distribution at 0


def gelu(inputs: tf.Tensor) -> tf.Tensor | None:
    """Return the exact GELU, `x Phi(x)`, of inputs of any shape; None of float64.

    Computed in float32 whatever the inputs are, and its derivative with it, which is all that is
    kept for the gradient. TensorFlow 2.21 computes `erfc` of bfloat16, which Keras' has, one number
    at a time.

    Source: Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.
    """
    if inputs.dtype not in DTYPES:
        return None

    @tf.custom_gradient
    def function(inputs: tf.Tensor) -> tuple[tf.Tensor, Any]:
        wide = tf.cast(inputs, tf.float32)
        scaled = wide * ROOT_HALF
        twice = tf.math.erf(scaled) + 1.0  # of Phi
        half = wide * 0.5
        slope = twice * 0.5 + half * tf.exp(-tf.square(scaled)) * (2 * DENSITY)
        slope = tf.cast(slope, inputs.dtype)
        return tf.cast(half * twice, inputs.dtype), lambda gradient: gradient * slope

    result: tf.Tensor = function(inputs)
    return result


# Numbers of an example below which it does not pay to compile a gradient for their shape.
FEWEST = 1 << 14


def swish(inputs: tf.Tensor) -> tf.Tensor | None:
    """Return the swish, `x sigmoid(x)`; None of small float32 maps and of those of unknown shape.

    TensorFlow 2.21 takes seven passes over memory for the gradient, and computes the sigmoid of
    bfloat16 one number at a time. Here it is float32 whatever the inputs are, and of large maps one
    pass, which XLA compiles once for every shape.

    Args:
        inputs: `(batch, height, width, channels)`.

    Source: Ramachandran 2017, https://arxiv.org/abs/1710.05941.
    """
    sides = inputs.shape[1:]
    large = None not in sides and math.prod(sides) >= FEWEST
    if inputs.dtype not in DTYPES or (inputs.dtype == tf.float32 and not large):
        return None
    gradient = _compiled_swish_gradient if large else _swish_gradient

    @tf.custom_gradient
    def function(inputs: tf.Tensor) -> tuple[tf.Tensor, Any]:
        return tf.nn.silu(inputs), lambda upstream: gradient(inputs, upstream)

    result: tf.Tensor = function(inputs)
    return result


def _swish_gradient(inputs: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    wide = tf.cast(inputs, tf.float32)
    gate = tf.sigmoid(wide)
    slope = gate * (1.0 + wide * (1.0 - gate))
    return tf.cast(tf.cast(upstream, tf.float32) * slope, inputs.dtype)


_compiled_swish_gradient = tf.function(_swish_gradient, jit_compile=True, autograph=False)
