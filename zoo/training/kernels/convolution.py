"""Batch norm and convolution that train faster on a CPU than Keras'."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Where a gradient of kernels is faster as matrix products (2 cores, TensorFlow 2.21, oneDNN):
MANY = 256  # channels and filters at the least
LARGEST = {tf.bfloat16: 10, tf.float32: 4}  # height and width at the most
# Where a row and a column less is faster, though the map has to be copied; at 31 pixels it is not.
LARGEST_CUT = 15


def fused_batch_norm(
    inputs: Any, gamma: Any, beta: Any, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor] | None:
    """Return normalised inputs, float32 mean and biased variance of each channel.

    Statistics are float32 whatever the inputs are; cuDNN reads bfloat16 as it is.

    Args:
        inputs: `(batch, height, width, channels)`.
        gamma: scale of each channel, a float32 variable.
        beta: offset of each channel, a float32 variable.
        epsilon: added to variances.
    """
    if inputs.shape.rank != 4:
        return None
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
    return outputs, mean, variance


def batch_norm_in_xla(
    inputs: tf.Tensor, gamma: Any, beta: Any, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return what `fused_batch_norm` does, by sums that XLA takes in one pass over the inputs.

    Keras' variance is a sum of squared differences from the mean, and so another pass after it. No
    pass makes a float32 copy of bfloat16.

    Args:
        inputs: `(..., channels)`.
        gamma: scale of each channel, a float32 variable.
        beta: offset of each channel, a float32 variable.
        epsilon: added to variances.
    """
    axes = [*range(inputs.shape.rank - 1)]

    @tf.custom_gradient
    def normalised(inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Any:
        wide = tf.cast(inputs, tf.float32)
        mean = tf.reduce_mean(wide, axes)
        # Of a channel of one value rounding could make it negative.
        variance = tf.maximum(tf.reduce_mean(tf.square(wide), axes) - tf.square(mean), 0.0)
        inverse = tf.math.rsqrt(variance + epsilon)

        def gradients(upstream: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, ...]:
            # Two sums in one pass and the inputs' gradient in another; none flows through the
            # statistics that are given back.
            grads, centred = tf.cast(upstream, tf.float32), tf.cast(inputs, tf.float32) - mean
            of_beta = tf.reduce_sum(grads, axes)
            of_gamma = tf.reduce_sum(grads * centred, axes) * inverse
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
            rest = of_beta / count + centred * (inverse * of_gamma / count)
            return tf.cast((grads - rest) * (inverse * gamma), inputs.dtype), of_gamma, of_beta

        outputs = (wide - mean) * (inverse * gamma) + beta
        return (tf.cast(outputs, inputs.dtype), mean, variance), gradients

    results: tuple[tf.Tensor, tf.Tensor, tf.Tensor] = normalised(
        inputs, tf.cast(gamma, tf.float32), tf.cast(beta, tf.float32)
    )
    return results


def convolve(inputs: tf.Tensor, kernel: Any, even: bool = False) -> tf.Tensor | None:
    """Return a convolution where TensorFlow 2.21's own does more than it has to on a CPU.

    Of small maps of many channels it computes the gradient of the kernel at a fraction of the
    forward pass's speed, most of all in bfloat16. Here that is one product of matrices for each
    position in the kernel, over the pixels that it meets. None for other maps, for kernels of one
    position, and on a GPU.

    Args:
        inputs: `(batch, height, width, channels)`.
        kernel: `(height, width, channels, filters)`, the first two odd and above 1.
        even: whether the last row and column of a map of odd sides may be left out. In small maps
            of any channels they are.
    """
    kernel = tf.convert_to_tensor(kernel, inputs.dtype)
    height, width = inputs.shape[1:3]
    odd = kernel.shape[0] % 2 == kernel.shape[1] % 2 == 1 < min(kernel.shape[:2])
    if height is None or width is None or not odd or tf.config.get_visible_devices("GPU"):
        return None
    less = even and height % 2 == width % 2 == 1 < max(height, width) <= LARGEST_CUT
    many = min(kernel.shape[2:]) >= MANY
    products = many and max(height, width) <= LARGEST.get(inputs.dtype, 0)
    if less:
        above, left = (side // 2 for side in kernel.shape[:2])
        inputs = tf.pad(inputs, [[0, 0], [above, above - 1], [left, left - 1], [0, 0]])
    padding = "VALID" if less else "SAME"
    if products:
        return _convolved(inputs, kernel, padding)
    return tf.nn.conv2d(inputs, kernel, 1, padding) if less else None


def _convolved(inputs: tf.Tensor, kernel: tf.Tensor, padding: str) -> tf.Tensor:
    @tf.custom_gradient
    def convolved(inputs: tf.Tensor, kernel: tf.Tensor) -> Any:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            grad_inputs = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(inputs),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding=padding,
            )
            return grad_inputs, _kernel_gradient(inputs, upstream, kernel.shape, padding)

        return tf.nn.conv2d(inputs, kernel, 1, padding), gradients

    outputs: tf.Tensor = convolved(inputs, kernel)
    return outputs


def _kernel_gradient(inputs: tf.Tensor, upstream: tf.Tensor, shape: Any, padding: str) -> tf.Tensor:
    height, width, channels, filters = shape
    top, start = (height // 2, width // 2) if padding == "SAME" else (0, 0)
    products = []
    for row in range(height):
        above, below = _meeting(inputs.shape[1], upstream.shape[1], row - top)
        for column in range(width):
            left, right = _meeting(inputs.shape[2], upstream.shape[2], column - start)
            seen = tf.reshape(inputs[:, above, left], [-1, channels])
            caused = tf.reshape(upstream[:, below, right], [-1, filters])
            products.append(tf.matmul(seen, caused, transpose_a=True))
    return tf.reshape(tf.stack(products), shape)


def _meeting(size: int, outputs: int, offset: int) -> tuple[slice, slice]:
    """Return the pixels of the inputs and of the outputs that meet at an offset, in one axis."""
    first = max(-offset, 0)
    last = max(min(outputs, size - offset), first)
    return slice(first + offset, last + offset), slice(first, last)
