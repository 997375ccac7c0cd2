"""The parts of residual networks: convolution, norm and activation, and the blocks made of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import ops

from zoo.layers import BatchNorm, Conv2D, PaddedShortcut, PartialIdentity, PooledConv2D

Norm = Literal["batch", "group", "layer", "none"]
GROUPS = 32  # Wu and He 2018, https://arxiv.org/abs/1803.08494


@dataclasses.dataclass(frozen=True)
class BlockConfig:
    """How the convolutions of a network are normalised, activated, cut short and scaled.

    The arguments are those of `zoo.models.resnet.resnet`.
    """

    norm: Norm
    norm_momentum: float
    norm_epsilon: float
    activation: str
    variant: Literal["b", "c", "d"]
    shortcut: Literal["projection", "padding"]
    zero_gamma: bool
    squeeze_excitation: float

    def convolve(
        self,
        x: Any,
        filters: int,
        size: int,
        name: str,
        stride: int = 1,
        initializer: Any = "he_normal",
        pooled: bool = False,
    ) -> Any:
        """Convolve with `size // 2` zeros on each side, whatever the stride, as PyTorch does.

        `pooled` takes the maximum over each two by two pixels afterwards.
        """
        padding = "same"
        if stride > 1 and size > 1:
            x = keras.layers.ZeroPadding2D(size // 2, name=f"{name}_border")(x)
            padding = "valid"
        kind = PooledConv2D if pooled else Conv2D
        return kind(
            filters,
            size,
            strides=stride,
            padding=padding,
            use_bias=self.norm == "none",
            kernel_initializer=initializer,
            name=name,
        )(x)

    def normalise(self, x: Any, name: str, zero: bool = False) -> Any:
        """Normalise; `zero` starts the scale at zero."""
        gamma = "zeros" if zero else "ones"
        if self.norm == "none":
            return x
        if self.norm == "batch":
            return BatchNorm(
                momentum=self.norm_momentum,
                epsilon=self.norm_epsilon,
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
        return keras.layers.Activation(self.activation, name=name)(x)

    def unit(self, x: Any, filters: int, size: int, name: str, stride: int = 1) -> Any:
        """Convolve, normalise, activate (A131)."""
        x = self.convolve(x, filters, size, f"{name}_conv", stride)
        return self.activate(self.normalise(x, f"{name}_norm"), f"{name}_{self.activation}")

    def last(self, x: Any, filters: int, size: int, name: str) -> Any:
        """Convolve and normalise, at zero if the block starts as the identity (A115)."""
        unscaled = self.zero_gamma and self.norm == "none"
        start = "zeros" if unscaled else "he_normal"
        x = self.convolve(x, filters, size, f"{name}_conv", initializer=start)
        return self.normalise(x, f"{name}_norm", zero=self.zero_gamma)

    def cut_short(self, x: Any, filters: int, stride: int, name: str) -> Any:
        """Bring what a block began with to the shape it ends with."""
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
        """Weigh channels by what is in the whole map (Hu 2018, https://arxiv.org/abs/1709.01507)."""
        if not self.squeeze_excitation:
            return x
        filters = x.shape[-1]
        squeezed = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
        narrow = max(1, round(filters * self.squeeze_excitation))
        reduced = keras.layers.Dense(narrow, "relu", name=f"{name}_reduce")(squeezed)
        weights = keras.layers.Dense(filters, "sigmoid", name=f"{name}_expand")(reduced)
        return keras.layers.Multiply(name=f"{name}_excite")([x, weights])


def basic_block(
    x: Any, style: BlockConfig, filters: int, stride: int, dropped: float, name: str
) -> Any:
    """Two 3 x 3 convolutions beside a shortcut (He 2015)."""
    y = style.unit(x, filters, 3, f"{name}_1", stride)
    y = style.last(y, filters, 3, f"{name}_2")
    return joined(x, y, style, stride, dropped, name)


def bottleneck_block(
    x: Any, style: BlockConfig, filters: int, stride: int, dropped: float, name: str
) -> Any:
    """1 x 1, 3 x 3 with the stride (v1.5, variant B), 1 x 1 to four times the filters."""
    y = style.unit(x, filters, 1, f"{name}_1")
    y = style.unit(y, filters, 3, f"{name}_2", stride)
    y = style.last(y, 4 * filters, 1, f"{name}_3")
    return joined(x, y, style, stride, dropped, name)


def joined(x: Any, y: Any, style: BlockConfig, stride: int, dropped: float, name: str) -> Any:
    """Add a block's branch, dropped in a fraction of the examples, to its shortcut."""
    y = style.excite(y, name)
    if dropped:  # stochastic depth (Huang 2016, https://arxiv.org/abs/1603.09382)
        y = keras.layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    shortcut = style.cut_short(x, y.shape[-1], stride, name)
    return style.activate(keras.layers.Add(name=f"{name}_add")([shortcut, y]), f"{name}_out")


def residual_stages(
    x: Any,
    style: BlockConfig,
    blocks: Sequence[int],
    filters: Sequence[int],
    block: Callable[..., Any],
    stochastic_depth: float,
) -> Any:
    """Stack the stages of a residual network; each but the first halves the map.

    The share of examples that a block is dropped in rises from 0 to `stochastic_depth`.
    """
    depth, done = sum(blocks), 0
    for stage, (count, width) in enumerate(zip(blocks, filters, strict=True), start=1):
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            dropped = stochastic_depth * done / max(depth - 1, 1)
            x = block(x, style, width, stride, dropped, f"stage{stage}_block{number}")
            done += 1
    return x


def fast_stages(x: Any, style: BlockConfig, filters: Sequence[int], residual: bool) -> Any:
    """Stack the stages of the fast networks: convolve, pool, normalise, activate, then once more.

    Args:
        x: what the stem gives.
        style: of the parts.
        filters: of each stage.
        residual: whether the first and the last stage end with a residual block of two
            convolutions and the others with nothing (ResNet-9), or each with one convolution
            (airbench), whose kernels start as a partial identity.
    """
    for stage, width in enumerate(filters, start=1):
        name = f"stage{stage}"
        start = "he_normal" if residual else PartialIdentity()
        x = style.convolve(x, width, 3, f"{name}_1_conv", initializer=start, pooled=True)
        x = style.activate(style.normalise(x, f"{name}_1_norm"), f"{name}_1_{style.activation}")
        if not residual:
            x = style.convolve(x, width, 3, f"{name}_2_conv", initializer=PartialIdentity())
            x = style.activate(style.normalise(x, f"{name}_2_norm"), f"{name}_out")
        elif stage in (1, len(filters)):
            y = style.unit(style.unit(x, width, 3, f"{name}_2"), width, 3, f"{name}_3")
            x = ops.add(x, y)
    return x
