"""The parts of residual networks: convolution, norm and activation, and the blocks made of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import ops

from zoo.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    PaddedShortcut,
    PartialIdentity,
    PooledConv2D,
    SqueezeExcitation,
)

Norm = Literal["batch", "sync-batch", "group", "layer", "none"]
Variant = Literal["a", "b", "c", "d"]
GROUPS = 32  # Wu and He 2018, https://arxiv.org/abs/1803.08494


@dataclasses.dataclass(frozen=True)
class BlockConfig:
    """Norm, activation, shortcuts and squeeze-and-excitation of a network's blocks.

    Args:
        norm, norm_momentum, norm_epsilon, activation: as for `zoo.resnet`, which describes them.
        variant, bottleneck_width, shortcut, zero_gamma, squeeze_excitation: as well.
        padding: as for `zoo.efficientnet`.
        initializer: of the kernels of convolutions: a name, or a function that makes one.
    """

    norm: Norm
    norm_momentum: float
    norm_epsilon: float
    activation: str
    variant: Variant = "b"
    bottleneck_width: float = 1.0
    shortcut: Literal["projection", "padding"] = "projection"
    zero_gamma: bool = False
    squeeze_excitation: float = 0.0
    padding: Literal["symmetric", "same"] = "symmetric"
    initializer: Any = "he_normal"

    def kernel_initializer(self) -> Any:
        """Return the initializer of a convolution's kernel, one of its own."""
        return self.initializer() if callable(self.initializer) else self.initializer

    def pad(self, x: Any, size: int, stride: int, name: str) -> tuple[Any, str]:
        """Return the input of a convolution with its border, and the padding that is left to it.

        Args:
            x: `(batch, height, width, channels)`.
            size: height and width of the kernel, in pixels.
            stride: of the kernel, in pixels.
            name: of the convolution.
        """
        if self.padding == "same" or stride == 1 or size == 1:
            return x, "same"
        return keras.layers.ZeroPadding2D(size // 2, name=f"{name}_border")(x), "valid"

    def convolve(
        self,
        x: Any,
        filters: int,
        size: int,
        name: str,
        stride: int = 1,
        initializer: Any = None,
        pooled: bool = False,
    ) -> Any:
        """Convolve a map with a border of zeros.

        With symmetric padding there are `size // 2` on each side, whatever the stride, as in
        PyTorch; with `same` at least as many at the bottom and the right, as in TensorFlow.

        Args:
            x: `(batch, height, width, channels)`.
            filters: channels of the output.
            size: height and width of the kernel, in pixels.
            name: of the layer.
            stride: of the kernel, in pixels.
            initializer: of the kernel; None is the network's.
            pooled: whether 2 x 2 max pooling follows.

        Returns:
            `(batch, height, width, filters)`, smaller by the stride, and by 2 if pooled.
        """
        x, padding = self.pad(x, size, stride, name)
        kind = PooledConv2D if pooled else Conv2D
        return kind(
            filters,
            size,
            strides=stride,
            padding=padding,
            use_bias=self.norm == "none",
            kernel_initializer=initializer or self.kernel_initializer(),
            name=name,
        )(x)

    def normalise(self, x: Any, name: str, zero: bool = False) -> Any:
        """Normalise.

        Args:
            x: `(batch, height, width, channels)`.
            name: of the layer.
            zero: whether the scale starts at zero instead of one.
        """
        gamma = "zeros" if zero else "ones"
        if self.norm == "none":
            return x
        if self.norm in ("batch", "sync-batch"):
            return BatchNorm(
                momentum=self.norm_momentum,
                epsilon=self.norm_epsilon,
                synchronized=self.norm == "sync-batch",
                gamma_initializer=gamma,
                name=name,
            )(x)
        groups = math.gcd(GROUPS, x.shape[-1]) if self.norm == "group" else 1
        return keras.layers.GroupNormalization(
            groups, epsilon=self.norm_epsilon, gamma_initializer=gamma, name=name
        )(x)

    def activate(self, x: Any, name: str) -> Any:
        """Apply the activation."""
        if self.activation == "prelu":
            return keras.layers.PReLU(
                alpha_initializer=keras.initializers.Constant(0.25),
                shared_axes=[1, 2],
                name=name,
            )(x)
        return Activation(self.activation, name=name)(x)

    def conv_norm_act(self, x: Any, filters: int, size: int, name: str, stride: int = 1) -> Any:
        """Convolve, normalise, activate (A131); the arguments are those of `convolve`."""
        x = self.convolve(x, filters, size, f"{name}_conv", stride)
        return self.activate(self.normalise(x, f"{name}_norm"), f"{name}_{self.activation}")

    def conv_norm(self, x: Any, filters: int, size: int, name: str) -> Any:
        """Convolve and normalise, a branch's last layers; the arguments are those of `convolve`.

        They start at zero if a block starts as the identity (A115).
        """
        unscaled = self.zero_gamma and self.norm == "none"
        initializer = "zeros" if unscaled else None
        x = self.convolve(x, filters, size, f"{name}_conv", initializer=initializer)
        return self.normalise(x, f"{name}_norm", zero=self.zero_gamma)

    def project_shortcut(self, x: Any, filters: int, stride: int, name: str) -> Any:
        """Bring a block's input to the shape of its output, by a projection or by padding.

        Args:
            x: `(batch, height, width, channels)`.
            filters: channels of the block's output.
            stride: of the block.
            name: of the block.

        Returns:
            `(batch, height / stride, width / stride, filters)`.
        """
        if stride == 1 and x.shape[-1] == filters:
            return x
        if self.shortcut == "padding" and x.shape[-1] <= filters:
            return PaddedShortcut(filters, stride, name=f"{name}_shortcut")(x)
        if self.variant == "d" and stride > 1:
            x = keras.layers.AveragePooling2D(stride, padding="same", name=f"{name}_pool")(x)
            stride = 1
        x = self.convolve(x, filters, 1, f"{name}_shortcut_conv", stride)
        return self.normalise(x, f"{name}_shortcut_norm")

    def excite(self, x: Any, name: str) -> Any:
        """Scale channels by a gate on their means (Hu 2018, https://arxiv.org/abs/1709.01507)."""
        if not self.squeeze_excitation:
            return x
        units = max(1, round(x.shape[-1] * self.squeeze_excitation))
        return SqueezeExcitation(units, name=f"{name}_se")(x)


def basic_block(
    x: Any, config: BlockConfig, filters: int, stride: int, drop_rate: float, name: str
) -> Any:
    """Two 3 x 3 convolutions beside a shortcut (He 2015).

    Args:
        x: `(batch, height, width, channels)`.
        config: of the block's layers.
        filters: of its 3 x 3 convolutions.
        stride: of the first of them.
        drop_rate: fraction of examples that the branch is dropped in, in [0, 1).
        name: of the block.

    Returns:
        `(batch, height / stride, width / stride, filters)`.
    """
    y = config.conv_norm_act(x, filters, 3, f"{name}_1", stride)
    y = config.conv_norm(y, filters, 3, f"{name}_2")
    return _add_shortcut(x, y, config, stride, drop_rate, name)


def bottleneck_block(
    x: Any, config: BlockConfig, filters: int, stride: int, drop_rate: float, name: str
) -> Any:
    """1 x 1, 3 x 3 with the stride (of variant A the 1 x 1 has it), 1 x 1 to four times as wide.

    The arguments are those of `basic_block`.
    """
    first, second = (stride, 1) if config.variant == "a" else (1, stride)
    inner = round(filters * config.bottleneck_width)
    y = config.conv_norm_act(x, inner, 1, f"{name}_1", first)
    y = config.conv_norm_act(y, inner, 3, f"{name}_2", second)
    y = config.conv_norm(y, 4 * filters, 1, f"{name}_3")
    return _add_shortcut(x, y, config, stride, drop_rate, name)


def _add_shortcut(
    x: Any, y: Any, config: BlockConfig, stride: int, drop_rate: float, name: str
) -> Any:
    """Add a block's branch `y`, dropped in a fraction of the examples, to the shortcut of `x`."""
    y = config.excite(y, name)
    if drop_rate:  # stochastic depth (Huang 2016, https://arxiv.org/abs/1603.09382)
        y = keras.layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    shortcut = config.project_shortcut(x, y.shape[-1], stride, name)
    return config.activate(keras.layers.Add(name=f"{name}_add")([shortcut, y]), f"{name}_out")


def residual_stages(
    x: Any,
    config: BlockConfig,
    blocks: Sequence[int],
    filters: Sequence[int],
    block: Callable[..., Any],
    stochastic_depth: float,
) -> Any:
    """Stack the stages of a residual network; each but the first halves the map.

    Args:
        x: output of the stem, `(batch, height, width, channels)`.
        config: of the blocks.
        blocks: number of blocks of each stage.
        filters: of each stage.
        block: `basic_block` or `bottleneck_block`.
        stochastic_depth: fraction of examples that the last block is dropped in, in [0, 1); it
            rises linearly from 0 at the first.

    Returns:
        The last map.
    """
    depth, done = sum(blocks), 0
    for stage, (count, width) in enumerate(zip(blocks, filters, strict=True), start=1):
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            drop_rate = stochastic_depth * done / max(depth - 1, 1)
            x = block(x, config, width, stride, drop_rate, f"stage{stage}_block{number}")
            done += 1
    return x


def fast_stages(x: Any, config: BlockConfig, filters: Sequence[int], residual: bool) -> Any:
    """Stack the stages of the fast networks: convolve, pool, normalise, activate, then once more.

    Args:
        x: output of the stem, `(batch, height, width, channels)`.
        config: of the layers.
        filters: of each stage.
        residual: whether the first and the last stage end with a residual block of two
            convolutions and the others with nothing (ResNet-9), or each with one convolution
            (airbench), whose kernels start as a partial identity.

    Returns:
        The last map.
    """
    for stage, width in enumerate(filters, start=1):
        name = f"stage{stage}"
        initializer = "he_normal" if residual else PartialIdentity()
        x = config.convolve(x, width, 3, f"{name}_1_conv", initializer=initializer, pooled=True)
        x = config.activate(config.normalise(x, f"{name}_1_norm"), f"{name}_1_{config.activation}")
        if not residual:
            x = config.convolve(x, width, 3, f"{name}_2_conv", initializer=PartialIdentity())
            x = config.activate(config.normalise(x, f"{name}_2_norm"), f"{name}_out")
        elif stage in (1, len(filters)):
            y = config.conv_norm_act(
                config.conv_norm_act(x, width, 3, f"{name}_2"), width, 3, f"{name}_3"
            )
            x = ops.add(x, y)
    return x
