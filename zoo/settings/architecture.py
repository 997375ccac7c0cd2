"""The architecture block of a preset, one schema a model: names, ranges and meanings.

The keys are the keyword arguments of the builder of the same name (a test holds them together).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Pixel = Annotated[float, Field(ge=0.0, le=255.0)]
Ngrams = tuple[Annotated[int, Field(ge=1, le=5)], ...]
Colour = tuple[Pixel, Pixel, Pixel]
Activation = Literal["relu", "tanh", "gelu", "silu", "linear"]


class Block(BaseModel):
    """A frozen block of a preset; unknown keys and values of the wrong type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _above_zero(colour: Colour) -> Colour:
    if min(colour) <= 0.0:
        raise ValueError("standard deviations must be above 0")
    return colour


class TextArchitecture(Block):
    """What every text classifier has.

    `vocabulary_size` and `num_classes` are upper bounds for a preset: the data decides them.
    `embedding` says what training does with the word vectors (Kim 2014, section 3):
    `non-static` trains them, `static` leaves them, `multichannel` has one table of each kind.
    """

    vocabulary_size: Annotated[int, Field(ge=3)]
    num_classes: Annotated[int, Field(ge=2)]
    embedding_dim: Positive
    embedding: Literal["non-static", "static", "multichannel"]
    embedding_range: Annotated[float, Field(gt=0.0, le=1.0)]
    embedding_dropout: Fraction
    word_dropout: Fraction
    dropout: Fraction


class TextCNNArchitecture(TextArchitecture):
    """Convolutional classifier (Kim 2014), with an optional linear path over hashed n-grams.

    `ngram_share` is the linear path's share of the sum of logits, `path_dropout` the fraction of
    examples that, in training, see the filters alone, and as many the n-grams alone.
    """

    kernel_sizes: Annotated[tuple[Annotated[int, Field(ge=1, le=32)], ...], Field(min_length=1)]
    filters: Positive
    activation: Activation
    kernel_range: Annotated[float, Field(gt=0.0, le=1.0)] | None
    max_norm: Annotated[float, Field(gt=0.0)] | None
    ngram_sizes: Ngrams
    ngram_buckets: Annotated[int, Field(ge=0, le=50_000_000)]
    ngram_dropout: Fraction
    ngram_share: Annotated[float, Field(ge=0.0, le=1.0)]
    path_dropout: Annotated[float, Field(ge=0.0, lt=0.5)]

    @model_validator(mode="after")
    def _both_or_none(self) -> TextCNNArchitecture:
        if bool(self.ngram_sizes) != bool(self.ngram_buckets):
            raise ValueError("ngram_sizes and ngram_buckets go together: both, or () and 0")
        return self


class RCNNArchitecture(TextArchitecture):
    """Recurrent convolutional classifier (Lai 2015)."""

    cell: Literal["simple", "lstm", "gru"]
    context_dim: Positive
    hidden_dim: Positive
    activation: Activation


class TextRNNArchitecture(TextArchitecture):
    """Bidirectional LSTM classifier."""

    num_layers: Annotated[int, Field(ge=1, le=8)]
    hidden_dim: Positive
    pooling: Literal["max", "last", "attention"]
    head_dim: Annotated[int, Field(ge=0)]


class FastTextArchitecture(TextArchitecture):
    """Mean of hashed n-gram vectors (Joulin 2016)."""

    ngram_sizes: Ngrams
    ngram_buckets: Annotated[int, Field(ge=0, le=50_000_000)]
    hidden_dim: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _both_or_none(self) -> FastTextArchitecture:
        if bool(self.ngram_sizes) != bool(self.ngram_buckets):
            raise ValueError("ngram_sizes and ngram_buckets go together: both, or () and 0")
        return self


class LSTMLMArchitecture(Block):
    """LSTM language model (Zaremba 2014, Press and Wolf 2017, Merity 2017).

    `vocabulary_size` is an upper bound for a preset: the corpus decides it. `projection_l2` null is
    no layer between the last LSTM and the logits; `kernel_range` null is `1 / sqrt(hidden_dim)`;
    `dropout_scale` multiplies the five dropouts.
    """

    vocabulary_size: Annotated[int, Field(ge=4)]
    embedding_dim: Positive
    num_layers: Annotated[int, Field(ge=1, le=16)]
    hidden_dim: Annotated[int, Field(ge=1, le=10_000)]
    tied: bool
    projection_l2: Annotated[float, Field(ge=0.0, lt=0.1)] | None
    embedding_range: Annotated[float, Field(gt=0.0, le=1.0)]
    kernel_range: Annotated[float, Field(gt=0.0, le=1.0)] | None
    forget_bias: Annotated[float, Field(ge=-5.0, le=5.0)]
    embedding_dropout: Fraction
    input_dropout: Fraction
    hidden_dropout: Fraction
    output_dropout: Fraction
    weight_dropout: Fraction
    locked_dropout: bool
    dropout_scale: Annotated[float, Field(ge=0.0, le=10.0)]
    activation_penalty: Annotated[float, Field(ge=0.0, le=100.0)]
    change_penalty: Annotated[float, Field(ge=0.0, le=100.0)]

    @model_validator(mode="after")
    def _some_dropout_is_left(self) -> LSTMLMArchitecture:
        for name in ("embedding", "input", "hidden", "output", "weight"):
            rate = getattr(self, f"{name}_dropout") * self.dropout_scale
            if rate >= 1.0:
                raise ValueError(
                    f"dropout_scale times {name}_dropout must be below 1, and is {rate:.3g}"
                )
        return self


class ResNetArchitecture(Block):
    """Residual network for pictures (He 2015), and the fast ones (depth 8 and 9).

    `image_size` is an upper bound for a preset, and `num_classes`, `pixel_mean` and `pixel_std`
    are what the data decide. `filters` null are those of the depth's paper.
    """

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


ARCHITECTURES: dict[str, type[Block]] = {
    "textcnn": TextCNNArchitecture,
    "rcnn": RCNNArchitecture,
    "textrnn": TextRNNArchitecture,
    "fasttext": FastTextArchitecture,
    "lstm_lm": LSTMLMArchitecture,
    "resnet": ResNetArchitecture,
}
TASK_OF = dict.fromkeys(ARCHITECTURES, "text-classification") | {
    "lstm_lm": "language-modeling",
    "resnet": "image-classification",
}
