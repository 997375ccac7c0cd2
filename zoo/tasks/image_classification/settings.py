"""The settings of image classifiers: the blocks of their presets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from zoo.preset.block import Architecture, Balance, Block, Fraction, Positive
from zoo.preset.recipe import Recipe as Recipe

Pixel = Annotated[float, Field(ge=0.0, le=255.0)]
Colour = tuple[Pixel, Pixel, Pixel]


def _above_zero(colour: Colour) -> Colour:
    if min(colour) <= 0.0:
        raise ValueError("standard deviations must be above 0")
    return colour


class ResNetArchitecture(Architecture):
    """Residual network for images (He 2015), and the fast ones (depth 8 and 9).

    `image_size` is an upper bound for a preset, and `num_classes`, `pixel_mean` and `pixel_std`
    are what the data decide. `filters` null are those of the depth's paper.
    """

    model = "resnet"
    task = "image-classification"

    image_size: Annotated[int, Field(ge=8, le=1024)]
    num_classes: Annotated[int, Field(ge=2)]
    pixel_mean: Colour
    pixel_std: Annotated[Colour, AfterValidator(_above_zero)]
    depth: Literal[8, 9, 18, 20, 32, 34, 44, 50, 56, 101, 110, 152]
    filters: Annotated[tuple[Positive, ...], Field(min_length=3, max_length=4)] | None
    variant: Literal["b", "c", "d"]
    stem: Literal["auto", "imagenet", "cifar", "whitening"]
    shortcut: Literal["projection", "padding"]
    norm: Literal["batch", "group", "layer", "none"]
    norm_momentum: Fraction
    norm_epsilon: Annotated[float, Field(gt=0.0, le=0.1)]
    activation: Literal["relu", "prelu", "swish", "gelu"]
    zero_gamma: bool
    squeeze_excitation: Annotated[float, Field(ge=0.0, le=1.0)]
    stochastic_depth: Fraction
    dropout: Fraction
    pooling: Literal["average", "max"]
    head_std: Annotated[float, Field(ge=0.0, le=1.0)]
    logit_scale: Annotated[float, Field(gt=0.0, le=10.0)]
    flip_average: bool


class ImageData(Block):
    """How images become batches.

    All images are turned upright, converted to red, green and blue, and brought to
    `architecture.image_size`. Cropping and flipping are drawn anew every epoch.

    Args:
        batch_size: images a step, over all devices together.
        validation_fraction: share of the training part set aside when no validation part is given.
        evaluation_size: height and width at which images are scored, in pixels; null is
            `architecture.image_size` (Touvron 2019: training may see smaller ones).
        crop: what training sees of an image: its `center`, as scoring does; a random `pad`ded
            crop of it (He 2015); or a random part of any shape, `resized` (Szegedy 2014).
        crop_padding: pixels added on each side before the random crop of `pad`.
        padding: what those pixels are: `reflect` the image, or the `mean` colour.
        crop_area: smallest share of the area that `resized` takes, in (0, 1].
        center_fraction: share of the shorter side that the center crop takes, in (0, 1].
        flip: whether training mirrors images left to right: `none`, `random`, or `alternating`
            (every image in every second epoch, Jordan 2024).
        color_jitter: strength of random brightness, contrast and saturation, in [0, 1].
        randaugment_ops: operations of RandAugment (Cubuk 2019) on each image; 0 is none.
        randaugment_magnitude: their strength, in [0, 1].
        erasing: fraction of images with a random rectangle erased (Zhong 2017), in [0, 1].
        mixup: alpha of the Beta distribution by which two images are blended (Zhang 2017); 0 is
            none.
        cutmix: the same for pasting a rectangle (Yun 2019). With both, each batch gets one of them.
        balance: as for texts: `none`, `oversample`, `batches` or `class-weights`.
    """

    batch_size: Positive
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)]
    evaluation_size: Annotated[int, Field(ge=8, le=1024)] | None
    crop: Literal["center", "pad", "resized"]
    crop_padding: Annotated[int, Field(ge=0, le=64)]
    padding: Literal["reflect", "mean"]
    crop_area: Annotated[float, Field(gt=0.0, le=1.0)]
    center_fraction: Annotated[float, Field(gt=0.0, le=1.0)]
    flip: Literal["none", "random", "alternating"]
    color_jitter: Annotated[float, Field(ge=0.0, le=1.0)]
    randaugment_ops: Annotated[int, Field(ge=0, le=8)]
    randaugment_magnitude: Annotated[float, Field(ge=0.0, le=1.0)]
    erasing: Annotated[float, Field(ge=0.0, le=1.0)]
    mixup: Annotated[float, Field(ge=0.0, le=10.0)]
    cutmix: Annotated[float, Field(ge=0.0, le=1.0)]
    balance: Balance

    @property
    def blends(self) -> bool:
        """Whether a training image may have two labels."""
        return self.mixup > 0 or self.cutmix > 0

    @model_validator(mode="after")
    def _one_weight_an_image(self) -> ImageData:
        if self.blends and self.balance == "class-weights":
            raise ValueError(
                "balance class-weights has no weight for a blend of two classes: use oversample or "
                "batches, or set mixup and cutmix to 0"
            )
        return self


Data = ImageData
