"""The settings of text classifiers: the blocks of their presets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoo.preset.block import Activation, Architecture, Balance, Block, Fraction, Positive
from zoo.preset.recipe import Recipe as Recipe

Ngrams = tuple[Annotated[int, Field(ge=1, le=5)], ...]


class TextArchitecture(Architecture):
    """What every text classifier has.

    `vocabulary_size` and `num_classes` are upper bounds for a preset: the data decides them.
    `embedding` says what training does with the word vectors (Kim 2014, section 3):
    `non-static` trains them, `static` leaves them, `multichannel` has one table of each kind.
    """

    task = "text-classification"

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

    model = "textcnn"

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

    model = "rcnn"

    cell: Literal["simple", "lstm", "gru"]
    context_dim: Positive
    hidden_dim: Positive
    activation: Activation


class TextRNNArchitecture(TextArchitecture):
    """Bidirectional LSTM classifier."""

    model = "textrnn"

    num_layers: Annotated[int, Field(ge=1, le=8)]
    hidden_dim: Positive
    pooling: Literal["max", "last", "attention"]
    head_dim: Annotated[int, Field(ge=0)]


class FastTextArchitecture(TextArchitecture):
    """Mean of hashed n-gram vectors (Joulin 2016)."""

    model = "fasttext"

    ngram_sizes: Ngrams
    ngram_buckets: Annotated[int, Field(ge=0, le=50_000_000)]
    hidden_dim: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _both_or_none(self) -> FastTextArchitecture:
        if bool(self.ngram_sizes) != bool(self.ngram_buckets):
            raise ValueError("ngram_sizes and ngram_buckets go together: both, or () and 0")
        return self


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


Data = TextData
