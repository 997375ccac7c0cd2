"""The settings of image classifiers: the blocks of their presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from zoo.preset.block import Architecture, Balance, Block, Fraction, Positive
from zoo.preset.labels import LabelledData
from zoo.preset.linear_probe import ONLY, NoLinearProbe, Probe
from zoo.preset.recipe import SGD, Average, CrossEntropy, Loss, Optimizer, Score
from zoo.preset.recipe import Recipe as CommonRecipe
from zoo.preset.task_info import CLASSIFICATION_METRICS, MULTILABEL, TaskInfo

Pixel = Annotated[float, Field(ge=0.0, le=255.0)]
Colour = tuple[Pixel, Pixel, Pixel]


def _above_zero(colour: Colour) -> Colour:
    if min(colour) <= 0.0:
        raise ValueError("standard deviations must be above 0")
    return colour


class ImageArchitecture(Architecture):
    """What every image classifier has.

    Args:
        image_size: height and width of the images it is for, in pixels; it takes others, too. A
            run takes at most the preset's.
        num_classes: number of classes, at least 2; a run takes those of its data.
        pixel_mean: mean of red, green and blue over the training images, in [0, 255].
        pixel_std: their standard deviations.

    Returns:
        A compiled `keras.Model`: `(batch, height, width, 3)` pixels in [0, 255] to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.
    """

    task = "image-classification"

    image_size: Annotated[int, Field(ge=8, le=1024)] = 128
    num_classes: Annotated[int, Field(ge=2)] = 10
    pixel_mean: Colour = (123.675, 116.28, 103.53)
    pixel_std: Annotated[Colour, AfterValidator(_above_zero)] = (58.395, 57.12, 57.375)

    def largest_part(self, data: Any) -> str:
        """Return size and number of the images of a step."""
        return f"images of {self.image_size} pixels, {data.batch_size:,} at a time"


class ResNetArchitecture(ImageArchitecture):
    """Residual network for images: ImageNet's, CIFAR's, and the fast ones.

    Args:
        depth: 18, 26, 34, 50, 101 or 152 of ImageNet; 20, 32, 44, 56 or 110 of CIFAR; 8 (airbench)
            or 9 (ResNet-9), the fast ones.
        filters: of each stage; a preset's null is what the depth has in its paper.
        variant: `a` (of the paper: a bottleneck's stride is in its first 1 x 1), `b` (v1.5: in its
            3 x 3), `c` (and a stem of three 3 x 3) or `d` (and average pooling in the shortcuts).
        bottleneck_width: filters of a bottleneck's 3 x 3, as a multiple of the stage's; 2 is Wide
            ResNet-50-2.
        stem: `imagenet` quarters height and width, `cifar` keeps them, `whitening` is a 2 x 2
            convolution of fixed weights; `auto` is `cifar` below 64 pixels, else `imagenet`.
        shortcut: where a block changes the shape, a 1 x 1 `projection`, or `padding` with zeros.
        norm: `batch`, `sync-batch` (over the examples of all devices), `group` (of 32 channels),
            `layer` or `none`.
        norm_momentum: share of the old moving statistics of batch norm that a step keeps.
        norm_epsilon: added to variances.
        activation: of all layers but the last.
        zero_gamma: whether each residual block starts as the identity (Goyal 2017).
        squeeze_excitation: width of the excitation as a share of the filters; 0 is none.
        stochastic_depth: fraction of examples that the last block is dropped in, in [0, 1).
        dropout: fraction of the pooled features dropped, in [0, 1).
        pooling: `average` or `max` over the last map.
        head_std: the classifier's weights start normal with this deviation.
        logit_scale: factor of the logits.
        flip_average: whether, outside of training, logits are the mean of those of the image and
            of its mirror image.

    Example:
        >>> zoo.resnet(preset="cifar-he2015")(keras.ops.ones((4, 32, 32, 3))).shape
        TensorShape([4, 10])

    Source: He 2015, https://arxiv.org/abs/1512.03385; He 2018, https://arxiv.org/abs/1812.01187
        (variants); Jordan 2024, https://arxiv.org/abs/2404.00498 (depth 8).
    """

    model = "resnet"

    depth: Literal[8, 9, 18, 20, 26, 32, 34, 44, 50, 56, 101, 110, 152] = 18
    filters: Annotated[tuple[Positive, ...], Field(min_length=3, max_length=4)] | None = None
    variant: Literal["a", "b", "c", "d"] = "d"
    bottleneck_width: Annotated[float, Field(gt=0.0, le=8.0)] = 1.0
    stem: Literal["auto", "imagenet", "cifar", "whitening"] = "auto"
    shortcut: Literal["projection", "padding"] = "projection"
    norm: Literal["batch", "sync-batch", "group", "layer", "none"] = "batch"
    norm_momentum: Fraction = 0.9
    norm_epsilon: Annotated[float, Field(gt=0.0, le=0.1)] = 1e-5
    activation: Literal["relu", "prelu", "swish", "gelu"] = "relu"
    zero_gamma: bool = True
    squeeze_excitation: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    stochastic_depth: Fraction = 0.0
    dropout: Fraction = 0.0
    pooling: Literal["average", "max"] = "average"
    head_std: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    logit_scale: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    flip_average: bool = False

    def rough_weights(self) -> int:
        """Return the weights of as many 3 x 3 convolutions as layers, all of the widest."""
        return 9 * int(self.depth * max(self.filters or (512,)) ** 2)


class EfficientNetArchitecture(ImageArchitecture):
    """EfficientNet for images: networks of depthwise convolutions, B0 to B7, V2-S, Lite0 to Lite4.

    Args:
        variant: `b0` to `b7`; `v2-s`, whose first stages have whole convolutions; or `lite0` to
            `lite4`, without gates and with ReLU6, for integers and small devices.
        width_factor: by which channels are more than B0's; a preset's null is the variant's.
        depth_factor: by which blocks are more than B0's; a preset's null is the variant's.
        stem: `imagenet` halves height and width, `cifar` keeps them, and so does the stage after
            the first; `auto` is `cifar` below 64 pixels, else `imagenet`.
        padding: where a convolution halves the map: `symmetric`, as many zeros on each side, as in
            PyTorch, or `same`, fewer at the top and the left, as in TensorFlow. Weights want their
            own.
        norm: `batch`, `sync-batch` (over the examples of all devices), `group` (of 32 channels),
            `layer` or `none`.
        norm_momentum: share of the old moving statistics of batch norm that a step keeps.
        norm_epsilon: added to variances.
        stochastic_depth: fraction of examples that a block beyond the last would be dropped in, in
            [0, 1); it rises linearly from 0 at the first, and spares blocks without a shortcut.
        dropout: fraction of the pooled features dropped, in [0, 1).
        head_std: the classifier's weights start normal with this deviation; a preset's null is the
            paper's, uniform within one over the root of the number of classes.
        flip_average: whether, outside of training, logits are the mean of those of the image and
            of its mirror image.

    Example:
        >>> zoo.efficientnet(preset="cifar")(keras.ops.ones((4, 32, 32, 3))).shape
        TensorShape([4, 10])

    Source: Tan 2019, https://arxiv.org/abs/1905.11946; Tan 2021, https://arxiv.org/abs/2104.00298
        (V2); https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
        (Lite).
    """

    model = "efficientnet"

    variant: Literal[
        "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "v2-s",
        "lite0", "lite1", "lite2", "lite3", "lite4",
    ] = "b0"  # fmt: skip
    width_factor: Annotated[float, Field(gt=0.0, le=10.0)] | None = None
    depth_factor: Annotated[float, Field(gt=0.0, le=10.0)] | None = None
    stem: Literal["auto", "imagenet", "cifar"] = "auto"
    padding: Literal["same", "symmetric"] = "same"
    norm: Literal["batch", "sync-batch", "group", "layer", "none"] = "batch"
    norm_momentum: Fraction = 0.9
    norm_epsilon: Annotated[float, Field(gt=0.0, le=0.1)] = 1e-3
    stochastic_depth: Fraction = 0.1
    dropout: Fraction = 0.2
    head_std: Annotated[float, Field(ge=0.0, le=1.0)] | None = 0.01
    flip_average: bool = False

    def rough_weights(self) -> int:
        """Return as many weights as the largest of the smaller variants has, and those of B7."""
        largest = 67e6 if self.variant in ("b6", "b7") else 31e6
        width, depth = (max(f or 1.0, 1.0) for f in (self.width_factor, self.depth_factor))
        return int(largest * width**2 * depth)


class CropCenter(Block):
    """Training sees the center of an image, as scoring does."""

    name: Literal["center"] = "center"


class CropPadded(Block):
    """A random crop of the padded center (He 2015).

    Args:
        padding: pixels added on each side before the crop.
        fill: what they are: `reflect` the image, or the `mean` colour.
    """

    name: Literal["pad"] = "pad"
    padding: Annotated[int, Field(ge=0, le=64)] = 4
    fill: Literal["reflect", "mean"] = "mean"


class CropResized(Block):
    """A random part of any shape, resized (Szegedy 2014).

    Args:
        smallest_area: smallest share of the image's area that is taken, in (0, 1].
    """

    name: Literal["resized"] = "resized"
    smallest_area: Annotated[float, Field(gt=0.0, le=1.0)] = 0.35


Crop = Annotated[CropCenter | CropPadded | CropResized, Field(discriminator="name")]


class ConstantSize(Block):
    """Every epoch sees images of one size, augmented alike."""

    name: Literal["constant"] = "constant"


class ProgressiveSize(Block):
    """Images and augmentation that grow over the run, linearly from stage to stage (Tan 2021).

    The last stage has `architecture.image_size` and what the data block says of augmentation.

    Args:
        stages: equal shares of the epochs.
        first_size: height and width of the images of the first stage, in pixels.
        first_magnitude: of RandAugment in it, in [0, 1].
        first_mixup: alpha of mixup in it; 0 is none.
        first_cutmix: the same of cutmix.
    """

    name: Literal["progressive"] = "progressive"
    stages: Annotated[int, Field(ge=2, le=16)] = 4
    first_size: Annotated[int, Field(ge=8, le=1024)] = 96
    first_magnitude: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    first_mixup: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    first_cutmix: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


Resizing = Annotated[ConstantSize | ProgressiveSize, Field(discriminator="name")]


class ImageData(LabelledData):
    """How images become batches.

    All images are turned upright, converted to red, green and blue, and brought to
    `architecture.image_size`. Cropping and flipping are drawn anew every epoch.

    Args:
        batch_size: images a step, over all devices together.
        validation_fraction: share of the training part set aside when no validation part is given.
        evaluation_size: height and width at which images are scored, in pixels; null is
            `architecture.image_size` (Touvron 2019: training may see smaller ones).
        resizing: whether training sees images of one size, `constant`, or small ones first, at
            little cost, that grow, `progressive`.
        crop: what training sees of an image: its `center`, a random crop of it `pad`ded, or a
            random part `resized`.
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

    batch_size: Positive = 64
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    evaluation_size: Annotated[int, Field(ge=8, le=1024)] | None = None
    resizing: Resizing = ConstantSize()
    crop: Crop = CropResized()
    center_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.875
    flip: Literal["none", "random", "alternating"] = "random"
    color_jitter: Annotated[float, Field(ge=0.0, le=1.0)] = 0.2
    randaugment_ops: Annotated[int, Field(ge=0, le=8)] = 0
    randaugment_magnitude: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    erasing: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    mixup: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    cutmix: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    balance: Balance = "none"

    def rough_step(self, architecture: Any) -> int:
        """Return the pixels of a batch."""
        return int(self.batch_size * architecture.image_size**2)

    @property
    def blends(self) -> bool:
        """Whether a training image may have two labels."""
        alphas = [self.mixup, self.cutmix]
        if self.resizing.name == "progressive":
            alphas += [self.resizing.first_mixup, self.resizing.first_cutmix]
        return max(alphas) > 0

    @model_validator(mode="after")
    def _one_weight_an_image(self) -> ImageData:
        if self.blends and self.balance == "class-weights":
            raise ValueError(
                "balance class-weights has no weight for a blend of two classes: use oversample or "
                "batches, or set mixup and cutmix to 0"
            )
        return self


class ImageRecipe(CommonRecipe):
    """How to train an image classifier.

    Args:
        linear_probe: `none` trains the head with all else; `only` fits it to the features of frozen
            weights, by logistic regression; `first` does that and then trains; `auto` goes by the
            number of images a class.
    """

    task = "image-classification"

    epochs: Positive = 30
    optimizer: Optimizer = SGD(learning_rate=0.025, momentum=0.9, nesterov=True, weight_decay=5e-3)
    loss: Loss = CrossEntropy(label_smoothing=0.1)
    ema: Average = 0.99
    monitor: Score = "accuracy"
    linear_probe: Probe = NoLinearProbe()

    def total_epochs(self, steps_per_epoch: int) -> int:
        """Return the epochs to train; none where the head alone is fitted."""
        return 0 if self.linear_probe.name == ONLY else super().total_epochs(steps_per_epoch)


Data = ImageData
Recipe = ImageRecipe
INFO = TaskInfo(
    noun="classifier",
    default_model="resnet",
    metrics=CLASSIFICATION_METRICS,
    primary_metric="accuracy",
    several_labels=MULTILABEL,
    baseline="linear",
    unit="examples",
    items="images",
    verbs=("predict", "evaluate", "features"),
    next_command="predict {run} FILE",
    serves="takes the bytes of image files, its `classify` pixels in [0, 255]",
    has_sheet=True,
)
