"""The data block of a preset, one schema a task: how files become batches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoo.settings.architecture import Block, Positive

Balance = Literal["none", "oversample", "batches", "class-weights"]


class TextData(Block):
    """How texts become batches.

    Args:
        tokenizer: `sentencepiece`, `words` or `characters`; learned from the training part.
        lowercase: whether texts are lower-cased (Unicode NFKC is always applied).
        max_length: tokens of a text that are read; longer texts are cut.
        batch_size: examples a step, over all devices together.
        validation_fraction: share of the training file set aside when no validation file is given.
        balance: `none`, `oversample` (copies of rare classes, A50), `batches` (each class as often
            in every batch, A51) or `class-weights` (loss weighted by inverse frequency).
        vectors: path of a word2vec, GloVe or fastText text file to start from, or null.
    """

    tokenizer: Literal["sentencepiece", "words", "characters"]
    lowercase: bool
    max_length: Annotated[int, Field(ge=1, le=65_536)]
    batch_size: Positive
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)]
    balance: Balance = "none"
    vectors: str | None = None


class CorpusData(Block):
    """How a corpus becomes windows of tokens.

    Args:
        tokenizer: `words` (split at blanks, `<unk>` for the rare), `sentencepiece` or `characters`;
            learned from the training part. The end of a line is `<eos>`.
        lowercase: whether case is folded.
        window: tokens of a window; gradients do not flow from one to the next, states do.
        random_window: whether lengths of training windows are drawn around `window`, with the
            learning rate in proportion (AWD-LSTM).
        batch_size: streams side by side, over all devices together.
        validation_fraction: share at the end of the training file set aside when no validation
            file is given.
    """

    tokenizer: Literal["sentencepiece", "words", "characters"]
    lowercase: bool
    window: Annotated[int, Field(ge=2, le=4096)]
    random_window: bool
    batch_size: Positive
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)]


class ImageData(Block):
    """How pictures become batches.

    All pictures are turned upright, converted to red, green and blue, and brought to
    `architecture.image_size`. Cropping and flipping are drawn anew every epoch.

    Args:
        batch_size: pictures a step, over all devices together.
        validation_fraction: share of the training part set aside when no validation part is given.
        evaluation_size: height and width at which pictures are scored, in pixels; null is
            `architecture.image_size` (Touvron 2019: training may see smaller ones).
        crop: what training sees of a picture: its `center`, as scoring does; a random `pad`ded
            crop of it (He 2015); or a random part of any shape, `resized` (Szegedy 2014).
        crop_padding: pixels added on each side before the random crop of `pad`.
        padding: what those pixels are: `reflect` the picture, or the `mean` colour.
        crop_area: smallest share of the area that `resized` takes, in (0, 1].
        center_fraction: share of the shorter side that the center crop takes, in (0, 1].
        flip: whether training mirrors pictures left to right: `none`, `random`, or `alternating`
            (every picture in every second epoch, Jordan 2024).
        color_jitter: strength of random brightness, contrast and saturation, in [0, 1].
        randaugment_ops: operations of RandAugment (Cubuk 2019) on each picture; 0 is none.
        randaugment_magnitude: their strength, in [0, 1].
        erasing: fraction of pictures with a random rectangle erased (Zhong 2017), in [0, 1].
        mixup: alpha of the Beta distribution by which two pictures are blended (Zhang 2017); 0 is
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
        """Whether a training picture may have two labels."""
        return self.mixup > 0 or self.cutmix > 0

    @model_validator(mode="after")
    def _one_weight_a_picture(self) -> ImageData:
        if self.blends and self.balance == "class-weights":
            raise ValueError(
                "balance class-weights has no weight for a blend of two classes: use oversample or "
                "batches, or set mixup and cutmix to 0"
            )
        return self
