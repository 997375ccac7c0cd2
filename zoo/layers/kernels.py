"""Fast kernels that a training step may bring along, and the layers of Keras that use them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import keras
from keras import ops

# From `(batch, height, width, channels)`, scale and offset of each channel, and epsilon to outputs
# of the inputs' dtype, float32 mean and biased variance of each channel; None if it is unable.
FusedBatchNorm = Callable[[Any, Any, Any, float], tuple[Any, Any, Any] | None]
# From `(batch, height, width, channels)`, a kernel `(height, width, channels, filters)`, and
# whether the last row and column may be left out where their number is odd, to the convolution with
# as many zeros around as keep height and width; None if it is unable.
Convolution = Callable[[Any, Any, bool], Any]
# From `(batch, height, width, channels)`, a kernel `(height, width, channels, 1)`, the step to the
# next window in pixels, and `same` or `valid` to the convolution of each channel; None if unable.
DepthwiseConvolution = Callable[[Any, Any, int, str], Any]
# From a tensor to another of the same shape and dtype; None if it is unable.
Elementwise = Callable[[Any], Any]
# From `(batch, height, width, channels)`, the size of a window and the step to the next one in
# pixels to the maximum over each window.
MaxPool = Callable[[Any, int, int], Any]


class SparseMatmul(Protocol):
    """The product of a sparse matrix, or of its transpose, with a dense one."""

    def __call__(
        self,
        rows: Any,
        columns: Any,
        values: Any,
        shape: tuple[Any, Any],
        dense: Any,
        transpose: bool = False,
    ) -> Any:
        """Multiply; the positions `(rows, columns)` come in order, none of them twice."""


@dataclasses.dataclass(frozen=True)
class Recurrence:
    """How XLA runs a loop over time.

    Args:
        compiled: from a function of tensors to one of the same results, which XLA compiles.
        scan: what `keras.ops.scan` does over the numbers of the steps.
    """

    compiled: Callable[[Callable[..., Any]], Callable[..., Any]]
    scan: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Kernels:
    """Faster implementations of what Keras computes; None leaves an operation to Keras.

    Args:
        batch_norm: normalises by the statistics of the batch.
        convolve: convolves with a stride of one pixel.
        depthwise: convolves each channel by a kernel of its own.
        max_pool: takes the maximum over windows of maps of a known size.
        sparse_matmul: multiplies a sparse with a dense matrix.
        recurrence: runs the loops of `zoo.layers.recurrence`, and these the recurrent layers of
            Keras, too; None leaves the latter to Keras.
        gelu: the exact GELU.
        swish: of feature maps.
    """

    batch_norm: FusedBatchNorm | None = None
    convolve: Convolution | None = None
    depthwise: DepthwiseConvolution | None = None
    max_pool: MaxPool | None = None
    sparse_matmul: SparseMatmul | None = None
    recurrence: Recurrence | None = None
    gelu: Elementwise | None = None
    swish: Elementwise | None = None


_IN_USE: ContextVar[Kernels] = ContextVar("kernels_in_use", default=Kernels())  # noqa: B039


@contextmanager
def use_kernels(kernels: Kernels) -> Iterator[None]:
    """Let the layers called in the block, and their gradients, use fast kernels."""
    token = _IN_USE.set(kernels)
    try:
        yield
    finally:
        _IN_USE.reset(token)


def kernels_in_use() -> Kernels:
    """Return the fast kernels of the block around; all None outside of `use_kernels`."""
    return _IN_USE.get()


@keras.saving.register_keras_serializable(package="zoo")
class BatchNorm(keras.layers.BatchNormalization):
    """Keras' batch norm over the last axis; in training by the fast kernel where there is one.

    Keras 3.15.1 computes mean, variance and product in one pass over the feature map each, in
    float32 whatever the policy. The statistics, and all that is saved, are Keras' own.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise by the batch in training, else by the moving statistics."""
        fused = kernels_in_use().batch_norm
        plain = training and self.trainable and mask is None and self.scale and self.center
        plain = plain and not self.synchronized
        results = fused(inputs, self.gamma, self.beta, self.epsilon) if fused and plain else None
        if results is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = results
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = ops.cast(moving, value.dtype)
            moving.assign(old * self.momentum + value * (1.0 - self.momentum))
        return outputs


# Channels below which TensorFlow 2.21 ends the process on a CPU: its oneDNN computes the gradient
# of a 1 x 1 kernel in steps of two pixels outside of its memory, of an odd number of rows. Seen
# with 2, 4, 8 and 12 channels, float32 and bfloat16; not with 16, 20, 24 and 64.
FEW = 16


@keras.saving.register_keras_serializable(package="zoo")
class Conv2D(keras.layers.Conv2D):
    """Keras' convolution; by the fast kernel where there is one that is able."""

    even_is_enough = False

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Return the convolution without the bias."""
        steps = max(self.strides)
        if steps > 1 and self.kernel_size == (1, 1) and inputs.shape[-1] < FEW:
            # The same function: what the steps leave out is left out before.
            inputs = inputs[:, :: self.strides[0], :: self.strides[1]]
            return ops.conv(inputs, kernel, padding="valid", data_format=self.data_format)
        convolve = kernels_in_use().convolve
        plain = self.padding == "same" and self.groups == 1
        outputs = None
        if convolve and plain and {*self.strides, *self.dilation_rate} == {1}:
            outputs = convolve(inputs, kernel, self.even_is_enough)
        return super().convolution_op(inputs, kernel) if outputs is None else outputs


@keras.saving.register_keras_serializable(package="zoo")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' convolution of each channel; by the fast kernel where there is one that is able."""

    def call(self, inputs: Any) -> Any:
        """Return the convolution."""
        depthwise = kernels_in_use().depthwise
        stride, *others = {*self.strides}
        plain = not others and {*self.dilation_rate} == {1} and self.depth_multiplier == 1
        plain = plain and self.activation is keras.activations.linear
        outputs = None
        if depthwise and plain and self.data_format == "channels_last":
            outputs = depthwise(inputs, self.kernel, stride, self.padding)
        if outputs is None:
            return super().call(inputs)
        return ops.add(outputs, self.bias) if self.use_bias else outputs


@keras.saving.register_keras_serializable(package="zoo")
class Activation(keras.layers.Activation):
    """Keras' activation; swish by the fast kernel where there is one that is able."""

    def call(self, inputs: Any) -> Any:
        """Return the activated inputs."""
        swish = kernels_in_use().swish
        outputs = None
        if swish and self.activation is keras.activations.silu and len(inputs.shape) == 4:
            outputs = swish(inputs)
        return super().call(inputs) if outputs is None else outputs


def _fast_max_pool(inputs: Any, size: int, stride: int, data_format: str) -> Any:
    """Return the maximum over each window inside of the map; None without a kernel that is able."""
    fast = kernels_in_use().max_pool
    able = fast and data_format == "channels_last" and None not in inputs.shape[1:3]
    return fast(inputs, size, stride) if fast and able else None


@keras.saving.register_keras_serializable(package="zoo")
class MaxPooling2D(keras.layers.MaxPooling2D):
    """Keras' maximum over windows; by the fast kernel where there is one that is able."""

    def call(self, inputs: Any) -> Any:
        """Return the largest pixel of every window."""
        (size, other_size), (stride, other_stride) = self.pool_size, self.strides
        square = size == other_size and stride == other_stride <= size
        outputs = None
        if square and self.padding == "valid":
            outputs = _fast_max_pool(inputs, size, stride, self.data_format)
        return super().call(inputs) if outputs is None else outputs


@keras.saving.register_keras_serializable(package="zoo")
class PooledConv2D(Conv2D):
    """A convolution and the maximum over each two by two pixels of it.

    `(batch, height, width, channels)` to `(batch, height // 2, width // 2, filters)`. The last row
    and column of an odd map are ignored, and the fast kernel does not compute them.
    """

    even_is_enough = True

    def call(self, inputs: Any) -> Any:
        """Return the largest of every four pixels."""
        convolved = super().call(inputs)
        outputs = _fast_max_pool(convolved, 2, 2, self.data_format)
        if outputs is None:
            return ops.max_pool(convolved, 2, data_format=self.data_format)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape."""
        batch, *sides, filters = super().compute_output_shape(input_shape)
        return (batch, *(side and side // 2 for side in sides), filters)
