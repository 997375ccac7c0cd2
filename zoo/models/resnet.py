"""Residual networks for images: ImageNet's, CIFAR's, and the fast ones (He 2015, v1.5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from zoo.errors import ZooError
from zoo.layers import MeanOfViews, MirroredViews, WhiteningConv2D
from zoo.models.residual import (
    BlockConfig,
    Norm,
    basic_block,
    bottleneck_block,
    fast_stages,
    residual_stages,
)

SMALL = 64  # pixels; smaller images get the CIFAR stem, which keeps their resolution
SMALLEST_FAST = 16  # pixels; the maps of the fast networks are halved three times


@dataclasses.dataclass(frozen=True)
class DepthConfig:
    """What a depth stands for: blocks and filters of each stage, and the block; None is fast."""

    blocks: tuple[int, ...]
    filters: tuple[int, ...]
    block: Callable[..., Any] | None


PLANS = {
    8: DepthConfig((), (64, 256, 256), None),
    9: DepthConfig((), (128, 256, 512), None),
    18: DepthConfig((2, 2, 2, 2), (64, 128, 256, 512), basic_block),
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
    variant: Literal["b", "c", "d"],
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

    Args:
        image_size: height and width of the images it is for, in pixels; it takes others, too.
        num_classes: number of logits.
        pixel_mean: of red, green and blue over the training images, in [0, 255].
        pixel_std: their standard deviations.
        depth: 18, 34, 50, 101 or 152 of ImageNet; 20, 32, 44, 56 or 110 of CIFAR; 8 (airbench) or
            9 (ResNet-9), the fast ones.
        filters: of each stage; None is what the depth has in its paper.
        variant: `b` (v1.5: a bottleneck's stride is in its 3 x 3), `c` (and a stem of three 3 x 3)
            or `d` (and average pooling in the shortcuts).
        stem: `imagenet` quarters height and width, `cifar` keeps them, `whitening` is a 2 x 2
            convolution of fixed weights; `auto` is `cifar` below 64 pixels, else `imagenet`.
        shortcut: where a block changes the shape, a 1 x 1 `projection`, or `padding` with zeros.
        norm: `batch`, `group` (of 32 channels), `layer` or `none`.
        norm_momentum: share of the old moving statistics of batch norm that a step keeps.
        norm_epsilon: added to variances.
        activation: `relu`, `prelu`, `swish` or `gelu`.
        zero_gamma: whether each residual block starts as the identity (Goyal 2017).
        squeeze_excitation: width of the excitation as a share of the filters; 0 is none.
        stochastic_depth: fraction of examples that the last block is dropped in; 0 is none.
        dropout: fraction of the pooled features dropped.
        pooling: `average` or `max` over the last map.
        head_std: the classifier's weights start normal with this deviation.
        logit_scale: factor of the logits.
        flip_average: whether, outside of training, logits are the mean of those of the image and
            of its mirror image.

    Returns:
        `(batch, height, width, 3)` pixels in [0, 255] of any dtype to float32
        `(batch, num_classes)` logits.

    Raises:
        ZooError: there is no such depth, not as many filters as stages, or no pixel is left of
            the images in the last stage.

    Source: He 2015, https://arxiv.org/abs/1512.03385; He 2018, https://arxiv.org/abs/1812.01187
        (variants); Jordan 2024, https://arxiv.org/abs/2404.00498 (depth 8).
    """
    plan = _plan(depth, filters)
    if plan.block is None and image_size < SMALLEST_FAST:
        raise ZooError(
            f"resnet: images of {image_size} pixels are too small for depth {depth}, which needs "
            f"at least {SMALLEST_FAST}. Use depth 20, or enlarge them."
        )
    style = BlockConfig(
        norm, norm_momentum, norm_epsilon, activation, variant, shortcut, zero_gamma,
        squeeze_excitation,
    )  # fmt: skip
    images = keras.Input((None, None, 3), dtype="float32", name="images")
    x = MirroredViews(name="views")(images) if flip_average else images
    x = keras.layers.Rescaling(
        [1 / std for std in pixel_std],
        [-mean / std for mean, std in zip(pixel_mean, pixel_std, strict=True)],
        dtype="float32",
        name="normalised_pixels",
    )(x)
    x = _stem(x, style, _stem_name(stem, image_size), _stem_filters(plan))
    if plan.block is None:
        x = fast_stages(x, style, plan.filters, residual=depth == 9)
    else:
        x = residual_stages(x, style, plan.blocks, plan.filters, plan.block, stochastic_depth)
    logits = _head(x, num_classes, pooling, dropout, head_std, logit_scale)
    if flip_average:
        logits = MeanOfViews(dtype="float32", name="mean_of_views")(logits)
    return keras.Model(images, logits, name="resnet")


def _plan(depth: int, filters: Sequence[int] | None) -> DepthConfig:
    if depth not in PLANS:
        accepted = ", ".join(str(each) for each in sorted(PLANS))
        raise ZooError(f"resnet: there is no depth {depth}. Accepted: {accepted}.")
    plan = PLANS[depth]
    if filters is None:
        return plan
    if len(filters) != len(plan.filters):
        raise ZooError(
            f"resnet: depth {depth} has {len(plan.filters)} stages. Received: filters of "
            f"{len(filters)}."
        )
    return dataclasses.replace(plan, filters=tuple(filters))


def _stem_name(stem: str, image_size: int) -> str:
    if stem != "auto":
        return stem
    return "cifar" if image_size < SMALL else "imagenet"


def _stem_filters(plan: DepthConfig) -> int:
    """Return those of the first stage, before a fast network half of them."""
    return plan.filters[0] if plan.block is not None else max(plan.filters[0] // 2, 1)


def _stem(x: Any, style: BlockConfig, name: str, filters: int) -> Any:
    if name == "whitening":
        x = WhiteningConv2D(2, 3, name="whitening")(x)
        return style.activate(x, f"stem_{style.activation}")
    if name == "cifar":
        return style.unit(x, filters, 3, "stem")
    if style.variant == "b":
        x = style.unit(x, filters, 7, "stem", 2)
    else:
        x = style.unit(x, filters // 2, 3, "stem_1", 2)
        x = style.unit(x, filters // 2, 3, "stem_2")
        x = style.unit(x, filters, 3, "stem_3")
    # Zeros, which no activation here is far below, on each side as in PyTorch.
    x = keras.layers.ZeroPadding2D(1, name="stem_border")(x)
    return keras.layers.MaxPooling2D(3, 2, name="stem_pool")(x)


def _head(
    x: Any, num_classes: int, pooling: str, dropout: float, head_std: float, logit_scale: float
) -> Any:
    """Pool `(batch, height, width, features)`, then a linear layer, both in full precision."""
    pool = (
        keras.layers.GlobalAveragePooling2D
        if pooling == "average"
        else keras.layers.GlobalMaxPooling2D
    )
    x = pool(dtype="float32", name="features")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, dtype="float32", name="dropout")(x)
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=head_std),
        dtype="float32",
        name="logits",
    )(x)
    if logit_scale == 1.0:
        return logits
    return keras.layers.Rescaling(logit_scale, dtype="float32", name="scaled_logits")(logits)
