"""The settings of masked language models: the blocks of their presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from zoo.preset.block import Architecture, DataBlock, Fraction, Positive
from zoo.preset.recipe import AdamW, Optimizer
from zoo.preset.recipe import Recipe as CommonRecipe
from zoo.preset.task_info import TaskInfo


class MaskedData(DataBlock):
    """How texts without labels become rows of tokens, some of which are hidden.

    Args:
        tokenizer: `sentencepiece`, `words` or `characters`, learned from the training part; or what
            comes with the weights of `recipe.init`, `wordpiece` and `byte-pairs` among them.
        lowercase: whether texts are lower-cased (Unicode NFKC is always applied).
        max_length: tokens of a row, which whole texts are put into one after the other.
        batch_size: rows a step, over all devices together.
        validation_fraction: share at the end of the training text set aside when no validation file
            is given.
        mask_fraction: share of the tokens that are to be told; of these 80 % are hidden, 10 %
            become any other one, 10 % stay.
    """

    tokenizer: Literal["sentencepiece", "words", "characters", "wordpiece", "byte-pairs"] = (
        "sentencepiece"
    )
    lowercase: bool = True
    max_length: Annotated[int, Field(ge=8, le=4096)] = 128
    batch_size: Positive = 32
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    mask_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15

    def rough_step(self, architecture: Any) -> int:
        """Return the tokens of a batch times the length of a row."""
        return self.batch_size * self.max_length**2


class TransformerMLMArchitecture(Architecture):
    """Masked language model: the encoder of `zoo.transformer`, and logits of every token.

    Args:
        vocabulary_size: number of token ids; id 0 is padding. A preset's is an upper bound: the
            texts, or the weights that it starts from, decide it.
        hidden_dim: features of a token, in every layer.
        num_layers: stacked layers of attention and feed-forward network.
        num_heads: heads of the attention, a divisor of `hidden_dim`.
        feed_forward_dim: features inside the feed-forward networks.
        max_positions: rows of the table of positions.
        position_offset: row of the first token.
        relative_buckets: buckets of the distance between two tokens, as in MPNet; 0 for none.
        num_segments: segments that tokens are told to be in, 0 for none.
        separator_id: token id that ends a segment, where there are segments; else 0.
        norm: `pre` or `post`, as in `zoo.transformer`.
        norm_epsilon: added to the variance in norms.
        activation: of the feed-forward networks, and of the layer before the logits.
        dropout: fraction of features dropped, in [0, 1).
        attention_dropout: fraction of attention weights dropped, in [0, 1).
        initial_std: standard deviation of the normal, cut at twice it, that tables and kernels
            start from.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, time, vocabulary_size)` logits of every token.

    Example:
        >>> zoo.transformer_mlm(vocabulary_size=50)(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 16, 50])

    Source: Devlin 2019, https://arxiv.org/abs/1810.04805; Liu 2019,
        https://arxiv.org/abs/1907.11692, for how texts are put into rows, and hidden anew each
        epoch.
    """

    model = "transformer_mlm"
    task = "masked-language-modeling"

    vocabulary_size: Annotated[int, Field(ge=4)] = 8_000
    hidden_dim: Positive = 128
    num_layers: Annotated[int, Field(ge=1, le=96)] = 2
    num_heads: Positive = 4
    feed_forward_dim: Positive = 512
    max_positions: Annotated[int, Field(ge=1, le=65_536)] = 512
    position_offset: Annotated[int, Field(ge=0, le=64)] = 0
    relative_buckets: Annotated[int, Field(ge=0, le=256, multiple_of=4)] = 0
    num_segments: Annotated[int, Field(ge=0, le=64)] = 0
    separator_id: Annotated[int, Field(ge=0)] = 0
    norm: Literal["pre", "post"] = "pre"
    norm_epsilon: Annotated[float, Field(gt=0.0, le=0.1)] = 1e-6
    activation: Literal["relu", "tanh", "gelu", "gelu_tanh", "silu", "linear"] = "gelu"
    dropout: Fraction = 0.1
    attention_dropout: Fraction = 0.1
    initial_std: Annotated[float, Field(gt=0.0, le=1.0)] = 0.02

    @model_validator(mode="after")
    def _fits_together(self) -> TransformerMLMArchitecture:
        if self.hidden_dim % self.num_heads:
            raise ValueError("num_heads must divide hidden_dim")
        if bool(self.num_segments) != bool(self.separator_id):
            raise ValueError("num_segments and separator_id go together: both, or both 0")
        if self.position_offset >= self.max_positions:
            raise ValueError("position_offset must be below max_positions")
        return self

    def largest_part(self, data: Any) -> str:
        """Return the vocabulary."""
        return f"a vocabulary of {self.vocabulary_size:,}"

    def values_a_token(self, length: int) -> int:
        """Return how many features and attention weights a step keeps of a token."""
        layer = 12 * self.hidden_dim + 3 * self.feed_forward_dim + 4 * self.num_heads * length
        return self.num_layers * layer + 6 * self.hidden_dim

    def rough_weights(self) -> int:
        """Return the weights of tables and layers."""
        tables = self.vocabulary_size + self.max_positions + self.num_segments
        layer = 4 * self.hidden_dim + 2 * self.feed_forward_dim
        return self.hidden_dim * (tables + self.num_layers * layer)


class MaskedRecipe(CommonRecipe):
    """How to train a masked language model."""

    task = "masked-language-modeling"

    optimizer: Optimizer = AdamW()
    monitor: Literal["loss", "accuracy", "last"] = "loss"


Data = MaskedData
Recipe = MaskedRecipe
INFO = TaskInfo(
    noun="masked language model",
    default_model="transformer_mlm",
    metrics={"loss": ".4f", "accuracy": ".2%"},
    primary_metric="loss",
    baseline="unigrams",
    unit="tokens",
    items="texts",
    verbs=("evaluate", "features"),
    next_command="embed {run} FILE",
    serves="takes strings, and gives the mean of their tokens' features. "
    "Load it after import tensorflow_text",
)
