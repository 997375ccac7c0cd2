"""The settings of language models: the blocks of their presets."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from zoo.preset.block import Activation, Architecture, DataBlock, Fraction, Positive
from zoo.preset.recipe import Adam, Clip, Optimizer
from zoo.preset.recipe import Recipe as CommonRecipe
from zoo.preset.task_info import TaskInfo


class CorpusData(DataBlock):
    """How a corpus becomes windows of tokens.

    Args:
        tokenizer: `words` (split at blanks, `<unk>` for the rare), `sentencepiece` or `characters`;
            learned from the training part. The end of a line is `<eos>`.
        lowercase: whether case is folded.
        window: tokens of a window.
        batch_size: windows side by side, over all devices together.
        validation_fraction: share at the end of the training file set aside when no validation
            file is given.
    """

    tokenizer: Literal["sentencepiece", "words", "characters"] = "words"
    lowercase: bool = False
    window: Annotated[int, Field(ge=2, le=4096)] = 35
    batch_size: Positive = 64
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05

    def rough_step(self, architecture: Any) -> int:
        """Return the tokens of a batch times their window."""
        return self.batch_size * self.window**2


class CarriedWindows(CorpusData):
    """Windows that follow one another: gradients do not flow from one to the next, states do.

    Args:
        random_window: whether lengths of training windows are drawn around `window`, with the
            learning rate in proportion (AWD-LSTM).
    """

    random_window: bool = False


class SeparateWindows(CorpusData):
    """Windows that stand by themselves: no token sees what is before the first of its window.

    Training takes them in random order. Scoring takes windows that overlap, and of each but the
    first the last `scoring_stride` tokens alone: every token is scored once, with `window -
    scoring_stride` tokens before it at the least, or all that there are.

    Args:
        scoring_stride: tokens from one window of scoring to the next: fewer are nearer to the
            exact perplexity, and take as much longer.
    """

    scoring_stride: Annotated[int, Field(ge=1, le=4096)] = 32

    @model_validator(mode="after")
    def _every_token_is_scored(self) -> SeparateWindows:
        if self.scoring_stride > self.window:
            raise ValueError(
                f"scoring_stride must be at most window, or tokens between two windows would not "
                f"be scored; it is {self.scoring_stride} of {self.window}"
            )
        return self


class LanguageArchitecture(Architecture):
    """What every language model has.

    Args:
        vocabulary_size: number of token ids; a preset's is an upper bound, the corpus decides it.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, time, vocabulary_size)` logits of the token after each. Its `fit` applies the
        preset's recipe; `zoo.tasks.language_modeling.model.LanguageModel` says what a batch is.
    """

    task = "language-modeling"
    table_start: ClassVar[str]  # name of the field that says how large the tables start

    vocabulary_size: Annotated[int, Field(ge=4)] = 10_000

    def largest_part(self, data: Any) -> str:
        """Return the vocabulary."""
        return f"a vocabulary of {self.vocabulary_size:,}"


class LSTMLMArchitecture(LanguageArchitecture):
    """LSTM language model with tied embeddings and the dropouts of the AWD-LSTM.

    Args:
        embedding_dim: features of a token.
        num_layers: number of stacked LSTMs.
        hidden_dim: units of an LSTM; tied and without a projection, the last has `embedding_dim`.
        tied: whether the output projection is the embedding table, transposed.
        projection_l2: L2 factor (Keras': times the sum of squares) of a linear layer between the
            last LSTM and the output projection; a preset's null is no such layer.
        embedding_range: tables start uniform in [-range, range].
        kernel_range: kernels start uniform in [-range, range]; a preset's null is
            `1 / sqrt(hidden_dim)`.
        forget_bias: start of the forget gates' biases.
        embedding_dropout: fraction of the vocabulary's words dropped, all their features, in
            [0, 1).
        input_dropout: fraction of features dropped before the first LSTM, in [0, 1).
        hidden_dropout: fraction dropped between LSTMs, in [0, 1).
        output_dropout: fraction dropped after the last, in [0, 1).
        weight_dropout: fraction of the recurrent kernels' weights dropped, in [0, 1).
        locked_dropout: whether a mask is the same at all steps of a window, or drawn at each.
        dropout_scale: factor of the five rates.
        activation_penalty: factor of the last output's mean square in the loss (AR).
        temporal_activation_penalty: factor of the mean square of its change in time in the loss
            (TAR).

    Example:
        >>> zoo.lstm_lm(vocabulary_size=50)(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 16, 50])

    Source: Zaremba 2014, https://arxiv.org/abs/1409.2329; Press and Wolf 2017,
        https://arxiv.org/abs/1608.05859; Merity 2017, https://arxiv.org/abs/1708.02182.
    """

    model = "lstm_lm"
    table_start = "embedding_range"

    embedding_dim: Positive = 400
    num_layers: Annotated[int, Field(ge=1, le=16)] = 1
    hidden_dim: Annotated[int, Field(ge=1, le=10_000)] = 650
    tied: bool = True
    projection_l2: Annotated[float, Field(ge=0.0, lt=0.1)] | None = 1e-4
    embedding_range: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    kernel_range: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    forget_bias: Annotated[float, Field(ge=-5.0, le=5.0)] = 1.0
    embedding_dropout: Fraction = 0.0
    input_dropout: Fraction = 0.35
    hidden_dropout: Fraction = 0.35
    output_dropout: Fraction = 0.45
    weight_dropout: Fraction = 0.15
    locked_dropout: bool = True
    dropout_scale: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    activation_penalty: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    temporal_activation_penalty: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0

    def values_a_token(self, window: int) -> int:
        """Return how many gates, states and gradients of them a step keeps of a token."""
        return 12 * self.num_layers * self.hidden_dim + 4 * self.embedding_dim

    def rough_weights(self) -> int:
        """Return the weights of the table and of the LSTMs."""
        table = 2 * self.vocabulary_size * self.embedding_dim
        return table + 8 * self.num_layers * self.hidden_dim**2

    @model_validator(mode="after")
    def _some_dropout_is_left(self) -> LSTMLMArchitecture:
        for name in ("embedding", "input", "hidden", "output", "weight"):
            rate = getattr(self, f"{name}_dropout") * self.dropout_scale
            if rate >= 1.0:
                raise ValueError(
                    f"dropout_scale times {name}_dropout must be below 1, and is {rate:.3g}"
                )
        return self


class TransformerLMArchitecture(LanguageArchitecture):
    """Causal Transformer language model: learned positions, norms before attention, tied tables.

    Args:
        hidden_dim: features of a token; a multiple of `num_heads`.
        num_layers: number of layers, each attention and a feed-forward network.
        num_heads: heads of an attention, which share the features.
        feed_forward_dim: features between the two dense layers of a feed-forward network.
        max_positions: rows of the table of positions, the longest window.
        tied: whether the output projection is the embedding table, transposed.
        scale_embedding: whether the tables start with a standard deviation of `hidden_dim**-0.5`
            and vectors are multiplied by `hidden_dim**0.5`, as in Vaswani 2017.
        norm_epsilon: added to the variance in layer norms.
        activation: of the feed-forward network; `gelu` is the exact one.
        dropout: fraction of features dropped: of the embeddings, and of what each attention and
            feed-forward network gives; in [0, 1).
        attention_dropout: fraction of attention weights dropped, in [0, 1).
        initial_std: standard deviation of the normal, cut at twice it, that tables and kernels
            start from; of kernels before a shortcut it is smaller by `sqrt(2 * num_layers)`.

    Example:
        >>> zoo.transformer_lm(vocabulary_size=50)(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 16, 50])

    Source: Radford 2019, "Language Models are Unsupervised Multitask Learners"; Vaswani 2017,
        https://arxiv.org/abs/1706.03762; Press and Wolf 2017, https://arxiv.org/abs/1608.05859.
    """

    model = "transformer_lm"
    data = SeparateWindows
    table_start = "initial_std"

    hidden_dim: Positive = 256
    num_layers: Annotated[int, Field(ge=1, le=96)] = 4
    num_heads: Positive = 4
    feed_forward_dim: Positive = 1024
    max_positions: Annotated[int, Field(ge=2, le=4096)] = 128
    tied: bool = True
    scale_embedding: bool = False
    norm_epsilon: Annotated[float, Field(gt=0.0, le=0.1)] = 1e-5
    activation: Activation = "gelu"
    dropout: Fraction = 0.3
    attention_dropout: Fraction = 0.1
    initial_std: Annotated[float, Field(gt=0.0, le=1.0)] = 0.02

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerLMArchitecture:
        if self.hidden_dim % self.num_heads:
            raise ValueError("num_heads must divide hidden_dim")
        return self

    def values_a_token(self, window: int) -> int:
        """Return how many features and attention weights a step keeps of a token."""
        layer = 12 * self.hidden_dim + 3 * self.feed_forward_dim + 4 * self.num_heads * window
        return self.num_layers * layer + 6 * self.hidden_dim

    def rough_weights(self) -> int:
        """Return the weights of tables and layers."""
        tables = (1 if self.tied else 2) * self.vocabulary_size + self.max_positions
        layer = 4 * self.hidden_dim + 2 * self.feed_forward_dim
        return self.hidden_dim * (tables + self.num_layers * layer)


class LanguageRecipe(CommonRecipe):
    """How to train a language model.

    Args:
        allow_unclipped: whether training without `global_clipnorm` is meant: a recurrent network
            that is not clipped ends in NaN sooner or later (A02), so it has to be said twice.
        prior_bias: whether the bias of the logits starts at the log of each token's share of the
            training text, or at 0.
    """

    task = "language-modeling"

    optimizer: Optimizer = Adam(learning_rate=5e-3, beta_2=0.99)
    global_clipnorm: Clip = 1.0
    monitor: Literal["loss"] = "loss"
    allow_unclipped: bool = False
    prior_bias: bool = False

    @model_validator(mode="after")
    def _clipped(self) -> LanguageRecipe:
        if self.global_clipnorm is None and not self.allow_unclipped:
            raise ValueError(
                "global_clipnorm null: a recurrent network that is not clipped ends in NaN sooner "
                "or later (A02). If that is meant, set recipe.allow_unclipped to true as well"
            )
        return self


Data = CarriedWindows
Recipe = LanguageRecipe
INFO = TaskInfo(
    noun="language model",
    default_model="lstm_lm",
    metrics={"loss": ".4f", "perplexity": ".2f"},
    primary_metric="perplexity",
    baseline="bigrams",
    unit="tokens",
    items="texts",
    verbs=("generate", "score", "evaluate", "features"),
    next_command="generate {run} PROMPT",
    serves="takes token ids and the state, and gives logits and the state after them",
)
