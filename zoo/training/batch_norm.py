"""Batch norm in one op of TensorFlow, several times as fast as Keras' on a CPU."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def fused_batch_norm(
    inputs: Any, gamma: Any, beta: Any, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor] | None:
    """Return normalised inputs, float32 mean and biased variance of each channel.

    Statistics are float32 whatever the inputs are. On a GPU bfloat16 goes through float32, as in
    Keras.

    Args:
        inputs: `(batch, height, width, channels)`.
        gamma: scale of each channel, a float32 variable.
        beta: offset of each channel, a float32 variable.
        epsilon: added to variances.
    """
    if inputs.shape.rank != 4:
        return None
    dtype = inputs.dtype
    if dtype == tf.bfloat16 and tf.config.get_visible_devices("GPU"):
        inputs = tf.cast(inputs, tf.float32)
    empty = tf.zeros([0])
    outputs, mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(gamma),
        offset=tf.convert_to_tensor(beta),
        mean=empty,
        variance=empty,
        epsilon=epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    variance = unbiased * (count - 1.0) / tf.maximum(count, 1.0)
    return tf.cast(outputs, dtype), mean, variance
