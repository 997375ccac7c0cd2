"""The blocks of mobile networks: inverted bottlenecks, depthwise or fused."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from zoo.layers import DepthwiseConv2D, SqueezeExcitation
from zoo.models.residual import BlockConfig


@dataclasses.dataclass(frozen=True)
class MobileStage:
    """Blocks of one shape, one after the other.

    Args:
        repeats: number of blocks.
        size: height and width of their kernels, in pixels.
        stride: of the first block.
        expansion: channels within a block, as a multiple of those of its input.
        filters: channels of a block's output.
        fused: whether one convolution takes the place of the expansion and the depthwise one.
        squeeze_excitation: units of the gates, as a share of the block's input channels; 0 is none.
    """

    repeats: int
    size: int
    stride: int
    expansion: int
    filters: int
    fused: bool = False
    squeeze_excitation: float = 0.0


def paper_initializer() -> Any:
    """Return the initializer of convolutions: normal, of variance 2 / (height width filters)."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def mobile_block(
    x: Any, config: BlockConfig, stage: MobileStage, stride: int, drop_rate: float, name: str
) -> Any:
    """Expand, convolve each channel, gate the channels, and project (MBConv, Sandler 2018).

    Args:
        x: `(batch, height, width, channels)`.
        config: of the block's layers.
        stage: that the block is of.
        stride: of the depthwise convolution.
        drop_rate: fraction of examples that the branch is dropped in, in [0, 1), where there is a
            shortcut beside it.
        name: of the block.

    Returns:
        `(batch, height / stride, width / stride, filters)`.

    Source: Sandler 2018, https://arxiv.org/abs/1801.04381; Tan 2019,
        https://arxiv.org/abs/1905.11946 (gates).
    """
    channels, y = x.shape[-1], x
    if stage.expansion > 1:
        y = config.conv_norm_act(y, channels * stage.expansion, 1, f"{name}_expand")
    y = _depthwise(y, config, stage.size, stride, f"{name}_depthwise")
    if stage.squeeze_excitation:
        units = max(1, int(channels * stage.squeeze_excitation))
        y = SqueezeExcitation(
            units, config.activation, config.kernel_initializer(), name=f"{name}_se"
        )(y)
    y = config.conv_norm(y, stage.filters, 1, f"{name}_project")
    return _add(x, y, stride, drop_rate, name)


def fused_block(
    x: Any, config: BlockConfig, stage: MobileStage, stride: int, drop_rate: float, name: str
) -> Any:
    """Expand by a whole convolution, and project; without expansion that convolution is all.

    The arguments are those of `mobile_block`.

    Source: Tan 2021, https://arxiv.org/abs/2104.00298 (Fused-MBConv).
    """
    if stage.expansion > 1:
        expanded = x.shape[-1] * stage.expansion
        y = config.conv_norm_act(x, expanded, stage.size, f"{name}_expand", stride)
        y = config.conv_norm(y, stage.filters, 1, f"{name}_project")
    else:
        y = config.conv_norm_act(x, stage.filters, stage.size, f"{name}_project", stride)
    return _add(x, y, stride, drop_rate, name)


def _depthwise(x: Any, config: BlockConfig, size: int, stride: int, name: str) -> Any:
    """Convolve each channel by a kernel of its own, normalise, activate."""
    x, padding = config.pad(x, size, stride, f"{name}_conv")
    x = DepthwiseConv2D(
        size,
        strides=stride,
        padding=padding,
        use_bias=config.norm == "none",
        depthwise_initializer=config.kernel_initializer(),
        name=f"{name}_conv",
    )(x)
    return config.activate(config.normalise(x, f"{name}_norm"), f"{name}_{config.activation}")


def _add(x: Any, y: Any, stride: int, drop_rate: float, name: str) -> Any:
    """Add a branch to its input where both have one shape."""
    if stride > 1 or x.shape[-1] != y.shape[-1]:
        return y
    if drop_rate:  # stochastic depth (Huang 2016, https://arxiv.org/abs/1603.09382)
        y = keras.layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    return keras.layers.Add(name=f"{name}_add")([x, y])
