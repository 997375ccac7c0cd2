"""EfficientNets: mobile blocks, scaled in width, depth and image size together (Tan 2019, 2021)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import keras

from zoo.errors import ZooError, unknown
from zoo.layers import MeanOfViews
from zoo.models.image_parts import SMALL, classify, image_input
from zoo.models.mobile_blocks import MobileStage, fused_block, mobile_block, paper_initializer
from zoo.models.residual import BlockConfig, Norm

DIVISOR = 8  # numbers of channels are multiples of it
TOP = 1280  # filters of the last convolution, before they are scaled
GATES = 0.25  # squeeze-and-excitation


@dataclasses.dataclass(frozen=True)
class Variant:
    """What the name of a variant stands for.

    Args:
        stages: at width and depth 1.
        width: factor on the channels.
        depth: factor on the number of blocks of a stage.
        stem: filters of the first convolution.
        activation: of all layers but gates and logits.
        fixed_ends: whether stem, last convolution, and the number of blocks of the first and the
            last stage are not scaled.
    """

    stages: tuple[MobileStage, ...]
    width: float = 1.0
    depth: float = 1.0
    stem: int = 32
    activation: str = "swish"
    fixed_ends: bool = False

    def channels(self, filters: int) -> int:
        """Return the scaled number, a multiple of eight that is at most a tenth too low."""
        scaled = filters * self.width
        rounded = max(DIVISOR, int(scaled + DIVISOR / 2) // DIVISOR * DIVISOR)
        return rounded if rounded >= 0.9 * scaled else rounded + DIVISOR

    def scaled_stages(self) -> list[MobileStage]:
        """Return the stages with their numbers of blocks and filters."""
        ends = {0, len(self.stages) - 1} if self.fixed_ends else set()
        return [
            dataclasses.replace(
                stage,
                repeats=stage.repeats if i in ends else math.ceil(self.depth * stage.repeats),
                filters=self.channels(stage.filters),
            )
            for i, stage in enumerate(self.stages)
        ]


B0 = tuple(
    MobileStage(*values, squeeze_excitation=GATES)
    for values in (
        # repeats, kernel, stride, expansion, filters
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    )
)
LITE0 = tuple(dataclasses.replace(stage, squeeze_excitation=0.0) for stage in B0)
V2_S = (
    MobileStage(2, 3, 1, 1, 24, fused=True),
    MobileStage(4, 3, 2, 4, 48, fused=True),
    MobileStage(4, 3, 2, 4, 64, fused=True),
    MobileStage(6, 3, 2, 4, 128, squeeze_excitation=GATES),
    MobileStage(9, 3, 1, 6, 160, squeeze_excitation=GATES),
    MobileStage(15, 3, 2, 6, 256, squeeze_excitation=GATES),
)
# Width and depth of the papers' networks.
SCALES = {
    "b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8),
    "b5": (1.6, 2.2), "b6": (1.8, 2.6), "b7": (2.0, 3.1),
}  # fmt: skip
VARIANTS = {
    **{name: Variant(B0, *scale) for name, scale in SCALES.items()},
    "v2-s": Variant(V2_S, stem=24),
    **{
        f"lite{number}": Variant(LITE0, *SCALES[f"b{number}"], activation="relu6", fixed_ends=True)
        for number in range(5)
    },
}


def efficientnet(
    *,
    image_size: int,
    num_classes: int,
    pixel_mean: Sequence[float],
    pixel_std: Sequence[float],
    variant: str,
    width_factor: float | None,
    depth_factor: float | None,
    stem: Literal["auto", "imagenet", "cifar"],
    padding: Literal["same", "symmetric"],
    norm: Norm,
    norm_momentum: float,
    norm_epsilon: float,
    stochastic_depth: float,
    dropout: float,
    head_std: float | None,
    flip_average: bool,
) -> keras.Model:
    """Build the network: stem, stages of mobile blocks, a 1 x 1 convolution, pooling, classifier.

    The arguments are those of `zoo.efficientnet`, which describes them.

    Returns:
        `(batch, height, width, 3)` pixels in [0, 255] of any dtype to float32
        `(batch, num_classes)` logits.

    Raises:
        ZooError: there is no such variant, or images are smaller than the steps of the last map.

    Source: Tan 2019, https://arxiv.org/abs/1905.11946; Tan 2021, https://arxiv.org/abs/2104.00298
        (v2-s); https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
    """
    if variant not in VARIANTS:
        raise unknown("variant of efficientnet", variant, VARIANTS)
    scaled = _scaled(VARIANTS[variant], width_factor, depth_factor)
    config = BlockConfig(
        norm, norm_momentum, norm_epsilon, scaled.activation, padding=padding,
        initializer=paper_initializer,
    )  # fmt: skip
    stages = scaled.scaled_stages()
    whole = stem == "cifar" or (stem == "auto" and image_size < SMALL)
    strides = [1 if whole else 2, *_strides(stages, whole)]
    _check_size(image_size, strides)
    images, x = image_input(pixel_mean, pixel_std, flip_average)
    filters = scaled.stem if scaled.fixed_ends else scaled.channels(scaled.stem)
    x = config.conv_norm_act(x, filters, 3, "stem", strides[0])
    x = _stages(x, config, stages, strides[1:], stochastic_depth)
    filters = TOP if scaled.fixed_ends else scaled.channels(TOP)
    x = config.conv_norm_act(x, filters, 1, "top")
    logits = classify(x, num_classes, "average", dropout, head_std)
    if flip_average:
        logits = MeanOfViews(dtype="float32", name="mean_of_views")(logits)
    return keras.Model(images, logits, name="efficientnet")


def _scaled(variant: Variant, width: float | None, depth: float | None) -> Variant:
    """Return a variant with another width or depth."""
    return dataclasses.replace(
        variant,
        width=variant.width if width is None else width,
        depth=variant.depth if depth is None else depth,
    )


def _strides(stages: Sequence[MobileStage], whole: bool) -> list[int]:
    """Return the stride of each stage; of small images the first that halves the map does not."""
    strides = [stage.stride for stage in stages]
    if whole:
        strides[next(i for i, stride in enumerate(strides) if stride > 1)] = 1
    return strides


def _check_size(image_size: int, strides: Sequence[int]) -> None:
    smallest = math.prod(strides)
    if image_size < smallest:
        raise ZooError(
            f"efficientnet: images of {image_size} pixels are too small for the stem of ImageNet, "
            f"whose last map has one feature in {smallest} pixels. Set architecture.stem to cifar "
            f"or auto, or enlarge them."
        )


def _stages(
    x: Any,
    config: BlockConfig,
    stages: Sequence[MobileStage],
    strides: Sequence[int],
    stochastic_depth: float,
) -> Any:
    """Stack the stages; the drop rate rises from 0 at the first block."""
    count, done = sum(stage.repeats for stage in stages), 0
    for number, (stage, stride) in enumerate(zip(stages, strides, strict=True), start=1):
        block = fused_block if stage.fused else mobile_block
        for repeat in range(1, stage.repeats + 1):
            name = f"stage{number}_block{repeat}"
            drop_rate = stochastic_depth * done / count
            x = block(x, config, stage, stride if repeat == 1 else 1, drop_rate, name)
            done += 1
    return x
