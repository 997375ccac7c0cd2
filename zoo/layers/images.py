"""Layers of convolutional networks beside Keras' own; all shapes are channels-last."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import ZooError

SMALLEST_VARIANCE = 5e-4  # added to that of every direction, as in airbench


@keras.saving.register_keras_serializable(package="zoo")
class PaddedShortcut(keras.layers.Layer):
    """A shortcut without weights: every `stride`-th pixel, padded with channels of zeros.

    `(batch, height, width, channels)` to `(batch, height / stride, width / stride, filters)`.

    Args:
        filters: channels of the output, at least as many as of the input.
        stride: step in both directions.

    Source: He 2015, https://arxiv.org/abs/1512.03385, option A.
    """

    def __init__(self, filters: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.stride = stride

    def call(self, inputs: Any) -> Any:
        """Return the strided pixels, padded."""
        added = self.filters - inputs.shape[-1]
        paddings = [[0, 0], [0, 0], [0, 0], [added // 2, added - added // 2]]
        # Pooling over one pixel: a slice in steps is slow in TensorFlow on a CPU.
        return ops.pad(ops.average_pool(inputs, 1, self.stride, "valid"), paddings)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output's shape."""
        batch, *lengths, _ = input_shape
        return (batch, *(n and -(-n // self.stride) for n in lengths), self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "filters": self.filters, "stride": self.stride}


@keras.saving.register_keras_serializable(package="zoo")
class WhiteningConv2D(keras.layers.Conv2D):
    """A first convolution that whitens patches; its kernel is not trained, its bias is.

    `2 * channels * kernel_size ** 2` filters without padding: the principal directions of the
    patches, scaled to unit variance, and their negatives. They start at random; `adapt` sets them.

    Args:
        kernel_size: height and width of a patch.
        channels: of the input.

    Source: Page 2019, https://myrtle.ai/how-to-train-your-resnet-8-bag-of-tricks; Jordan 2024,
        https://arxiv.org/abs/2404.00498.
    """

    def __init__(self, kernel_size: int = 2, channels: int = 3, **kwargs: Any) -> None:
        self.channels = channels
        super().__init__(2 * channels * kernel_size**2, kernel_size, padding="valid", **kwargs)

    def build(self, input_shape: Any) -> None:
        """Create the weights; the kernel is not trainable."""
        super().build(input_shape)
        self._kernel.trainable = False

    def adapt(self, images: Any) -> None:
        """Set the kernel from the patches of images.

        Args:
            images: `(count, height, width, channels)`, as the layer sees them.

        Raises:
            ZooError: a value is not finite.
        """
        images = np.asarray(images, np.float32)
        if not np.isfinite(images).all():
            raise ZooError("whitening: the images hold values that are not finite.")
        size = self.kernel_size[0]
        windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
        # (count, height, width, channels, size, size) -> patches x (size, size, channels)
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * images.shape[-1])
        covariance = patches.T.astype(np.float64) @ patches / len(patches)
        variances, directions = np.linalg.eigh(covariance)
        scaled = directions / np.sqrt(variances + SMALLEST_VARIANCE)
        kernel = np.concatenate([scaled, -scaled], axis=1)
        self._kernel.assign(kernel.reshape(self._kernel.shape))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        config = super().get_config()
        for name in ("filters", "padding"):
            config.pop(name)
        return {**config, "kernel_size": self.kernel_size[0], "channels": self.channels}


@keras.saving.register_keras_serializable(package="zoo")
class SqueezeExcitation(keras.layers.Layer):
    """Channels scaled by gates, which two dense layers make of the channels' means.

    `(batch, height, width, channels)` to the same shape.

    Args:
        units: of the first dense layer, `reduce`; the second is `expand`.
        activation: of the first one; the gates are sigmoids.
        kernel_initializer: of both.

    Source: Hu 2018, https://arxiv.org/abs/1709.01507.
    """

    def __init__(
        self,
        units: int,
        activation: str = "relu",
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Any) -> None:
        """Create the two layers."""
        channels = input_shape[-1]
        self.reduce = self._dense(self.units, self.activation, "reduce")
        self.reduce.build((None, channels))
        self.expand = self._dense(channels, "sigmoid", "expand")
        self.expand.build((None, self.units))

    def _dense(self, units: int, activation: str, name: str) -> Any:
        # An initializer called again gives the same values: a clone does not.
        return keras.layers.Dense(
            units,
            activation,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, inputs: Any) -> Any:
        """Return the scaled channels."""
        gates = self.expand(self.reduce(ops.mean(inputs, axis=(1, 2))))
        return inputs * ops.expand_dims(gates, (1, 2))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="zoo")
class MirroredViews(keras.layers.Layer):
    """Images in training; outside of it, images followed by their mirror images.

    `(batch, height, width, channels)` to the same, or to `(2 * batch, ...)`. `MeanOfViews` brings
    the logits back to one an image.
    """

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the views."""
        if training:
            return images
        return ops.concatenate([images, ops.flip(images, axis=2)], axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of one or two views."""
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="zoo")
class MeanOfViews(keras.layers.Layer):
    """Logits `(views, classes)` in training; outside of it, the mean of an image's two views."""

    def call(self, logits: Any, training: bool = False) -> Any:
        """Return `(batch, classes)`."""
        if training:
            return logits
        views = ops.reshape(logits, (2, -1, logits.shape[-1]))
        return ops.mean(views, axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the logits of images."""
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="zoo")
class PartialIdentity(keras.initializers.Initializer):
    """Kernels whose first filters pass their channel through; the others are uniform, as PyTorch's.

    Args:
        seed: of the other filters.

    Source: Zagoruyko and Komodakis 2017, https://arxiv.org/abs/1706.00388 (Dirac
        parameterization), as an initialization in airbench.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Return a kernel `(height, width, channels, filters)`."""
        height, width, channels, filters = shape
        kernel = ops.convert_to_numpy(self.uniform(shape, dtype="float32")).copy()
        passed = np.arange(min(channels, filters))
        kernel[..., passed] = 0.0
        kernel[height // 2, width // 2, passed, passed] = 1.0
        return ops.convert_to_tensor(kernel, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the initializer again."""
        return {"seed": self.uniform.get_config()["seed"]}
