"""Residual networks for images: ImageNet's, CIFAR's, and the fast ones (He 2015, v1.5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from zoo.errors import ZooError
from zoo.layers import MaxPooling2D, MeanOfViews, WhiteningConv2D
from zoo.models.image_parts import SMALL, classify, image_input
from zoo.models.residual import (
    BlockConfig,
    Norm,
    Variant,
    basic_block,
    bottleneck_block,
    fast_stages,
    residual_stages,
)

SMALLEST_FAST = 16  # pixels; the maps of the fast networks are halved three times


@dataclasses.dataclass(frozen=True)
class DepthConfig:
    """What a depth stands for.

    Args:
        blocks: number of blocks of each stage.
        filters: of each stage.
        block: function that builds a block; None for the fast networks, which have none.
    """

    blocks: tuple[int, ...]
    filters: tuple[int, ...]
    block: Callable[..., Any] | None

    @property
    def stem_filters(self) -> int:
        """Filters of the first stage; half of them before the fast networks."""
        return self.filters[0] if self.block is not None else max(self.filters[0] // 2, 1)


DEPTHS = {
    8: DepthConfig((), (64, 256, 256), None),
    9: DepthConfig((), (128, 256, 512), None),
    18: DepthConfig((2, 2, 2, 2), (64, 128, 256, 512), basic_block),
    26: DepthConfig((2, 2, 2, 2), (64, 128, 256, 512), bottleneck_block),
    34: DepthConfig((3, 4, 6, 3), (64, 128, 256, 512), basic_block),
    50: DepthConfig((3, 4, 6, 3), (64, 128, 256, 512), bottleneck_block),
    101: DepthConfig((3, 4, 23, 3), (64, 128, 256, 512), bottleneck_block),
    152: DepthConfig((3, 8, 36, 3), (64, 128, 256, 512), bottleneck_block),
    **{6 * n + 2: DepthConfig((n, n, n), (16, 32, 64), basic_block) for n in (3, 5, 7, 9, 18)},
}


def resnet(
    *,
    image_size: int,
    num_classes: int,
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    depth: int,
    filters: Sequence[int] | None,
    variant: Variant,
    bottleneck_width: float,
    stem: Literal["auto", "imagenet", "cifar", "whitening"],
    shortcut: Literal["projection", "padding"],
    norm: Norm,
    norm_momentum: float,
    norm_epsilon: float,
    activation: str,
    zero_gamma: bool,
    squeeze_excitation: float,
    stochastic_depth: float,
    dropout: float,
    pooling: Literal["average", "max"],
    head_std: float,
    logit_scale: float,
    flip_average: bool,
) -> keras.Model:
    """Build the network: stem, stages of convolutions, pooling over the map, linear classifier.

    The arguments are those of `zoo.resnet`, which describes them.

    Returns:
        `(batch, height, width, 3)` pixels in [0, 255] of any dtype to float32
        `(batch, num_classes)` logits.

    Raises:
        ZooError: there is no such depth, not as many filters as stages, or no pixel is left of
            the images in the last stage.

    Source: He 2015, https://arxiv.org/abs/1512.03385; He 2018, https://arxiv.org/abs/1812.01187
        (variants); Jordan 2024, https://arxiv.org/abs/2404.00498 (depth 8).
    """
    depth_config = _depth_config(depth, filters)
    if depth_config.block is None and image_size < SMALLEST_FAST:
        raise ZooError(
            f"resnet: images of {image_size} pixels are too small for depth {depth}, which needs "
            f"at least {SMALLEST_FAST}. Use depth 20, or enlarge them."
        )
    block_config = BlockConfig(
        norm, norm_momentum, norm_epsilon, activation, variant, bottleneck_width, shortcut,
        zero_gamma, squeeze_excitation,
    )  # fmt: skip
    images, x = image_input(pixel_mean, pixel_std, flip_average)
    x = _stem(x, block_config, _stem_name(stem, image_size), depth_config.stem_filters)
    if depth_config.block is None:
        x = fast_stages(x, block_config, depth_config.filters, residual=depth == 9)
    else:
        x = residual_stages(
            x,
            block_config,
            depth_config.blocks,
            depth_config.filters,
            depth_config.block,
            stochastic_depth,
        )
    logits = classify(x, num_classes, pooling, dropout, head_std)
    if logit_scale != 1.0:
        logits = keras.layers.Rescaling(logit_scale, dtype="float32", name="scaled_logits")(logits)
    if flip_average:
        logits = MeanOfViews(dtype="float32", name="mean_of_views")(logits)
    return keras.Model(images, logits, name="resnet")


def _depth_config(depth: int, filters: Sequence[int] | None) -> DepthConfig:
    if depth not in DEPTHS:
        accepted = ", ".join(map(str, sorted(DEPTHS)))
        raise ZooError(f"resnet: there is no depth {depth}. Accepted: {accepted}.")
    config = DEPTHS[depth]
    if filters is None:
        return config
    if len(filters) != len(config.filters):
        raise ZooError(
            f"resnet: depth {depth} has {len(config.filters)} stages. Received: filters of "
            f"{len(filters)}."
        )
    return dataclasses.replace(config, filters=tuple(filters))


def _stem_name(stem: str, image_size: int) -> str:
    if stem != "auto":
        return stem
    return "cifar" if image_size < SMALL else "imagenet"


def _stem(x: Any, config: BlockConfig, name: str, filters: int) -> Any:
    if name == "whitening":
        x = WhiteningConv2D(2, 3, name="whitening")(x)
        return config.activate(x, f"stem_{config.activation}")
    if name == "cifar":
        return config.conv_norm_act(x, filters, 3, "stem")
    if config.variant in ("a", "b"):
        x = config.conv_norm_act(x, filters, 7, "stem", 2)
    else:
        x = config.conv_norm_act(x, filters // 2, 3, "stem_1", 2)
        x = config.conv_norm_act(x, filters // 2, 3, "stem_2")
        x = config.conv_norm_act(x, filters, 3, "stem_3")
    # Zeros, which no activation here is far below, on each side as in PyTorch.
    x = keras.layers.ZeroPadding2D(1, name="stem_border")(x)
    return MaxPooling2D(3, 2, name="stem_pool")(x)
