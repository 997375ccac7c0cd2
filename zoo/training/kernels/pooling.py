"""The maximum over windows of a feature map, as XLA takes it and its gradient in one pass each."""

from __future__ import annotations

import itertools
from typing import Any

import tensorflow as tf


def max_pool_in_xla(inputs: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """Return the maximum over each window that lies inside of the map.

    XLA's own gradient looks for the maximum anew, and adds to single pixels in any order. Here the
    forward pass notes which pixel of a window was the largest, the first of equal ones as in
    TensorFlow, and a pixel's gradient is a sum over the few windows that it lies in.

    Args:
        inputs: `(batch, height, width, channels)`, of known height and width.
        size: height and width of a window in pixels.
        stride: from one window to the next in pixels, at most `size`.
    """
    height, width = inputs.shape[1:3]
    rows, columns = ((side - size) // stride + 1 for side in (height, width))
    offsets = list(itertools.product(range(size), repeat=2))

    def largest(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        maximum: Any = None
        for number, (above, left) in enumerate(offsets):
            below, right = above + stride * (rows - 1) + 1, left + stride * (columns - 1) + 1
            pixels = inputs[:, above:below:stride, left:right:stride]
            if maximum is None:
                maximum, chosen = pixels, tf.zeros_like(pixels, tf.int8)
                continue
            chosen = tf.where(pixels > maximum, tf.constant(number, tf.int8), chosen)
            maximum = tf.maximum(maximum, pixels)
        return maximum, chosen

    def gradient(chosen: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        # Pixels by the remainder of their row and column: each has its windows at the same offsets.
        tall, wide = -(-height // stride), -(-width // stride)
        sums: dict[tuple[int, int], Any] = {}
        for number, (above, left) in enumerate(offsets):
            part = tf.where(chosen == number, upstream, tf.zeros_like(upstream))
            down, across = above // stride, left // stride
            margins = [[down, tall - rows - down], [across, wide - columns - across]]
            part = tf.pad(part, [[0, 0], *margins, [0, 0]])
            remainder = above % stride, left % stride
            sums[remainder] = sums[remainder] + part if remainder in sums else part
        lines = [
            tf.stack([sums[row, column] for column in range(stride)], axis=3)
            for row in range(stride)
        ]
        pixels = tf.stack(lines, axis=2)  # (batch, tall, row, wide, column, channels)
        shape = [-1, tall * stride, wide * stride, inputs.shape[-1]]
        return tf.reshape(pixels, shape)[:, :height, :width]

    @tf.custom_gradient
    def pooled(inputs: tf.Tensor) -> Any:
        maximum, chosen = largest(inputs)
        return maximum, lambda upstream: gradient(chosen, upstream)

    outputs: tf.Tensor = pooled(inputs)
    return outputs
