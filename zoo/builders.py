"""The public builders: a preset's name in, a compiled `keras.Model` out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.compilation import compile_model
from zoo.memory import check_fits
from zoo.models import MODELS
from zoo.preset.keywords import explained
from zoo.preset.loading import Preset, load_preset
from zoo.training.model import TrainingModel
from zoo.training.precision import dtype_policy


def build(preset: Preset) -> TrainingModel:
    """Return the compiled model of a preset: network, optimizer, schedule and loss.

    Raises:
        ZooError: the values do not fit together, or the weights not into the memory.
    """
    check_fits(preset, training=False)
    with dtype_policy(preset.recipe.dtype_policy, preset.task):
        network = MODELS[preset.model](**dict(preset.architecture))
        return compile_model(network, preset)


@explained
def textcnn(
    preset: str | Path = "default",
    *,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: str | None = None,
    embedding_range: float | None = None,
    embedding_dropout: float | None = None,
    word_dropout: float | None = None,
    dropout: float | None = None,
    kernel_sizes: Sequence[int] | None = None,
    filters: int | None = None,
    activation: str | None = None,
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
        preset: name of a textcnn preset, or path of a preset file. The arguments below override
            its `architecture:` block; None keeps the preset's value.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token.
        embedding: `non-static` (trained), `static` (kept) or `multichannel` (one table of each).
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of embedding values dropped, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of pooled features dropped, in [0, 1).
        kernel_sizes: n-gram widths in tokens, one convolution each.
        filters: features of each convolution.
        activation: of the convolutions.
        kernel_range: convolutions start uniform in [-range, range]; a preset's null is
            Glorot uniform.
        max_norm: largest norm of each class's output weights; a preset's null is no limit.
        ngram_sizes: n-gram widths of the linear path beside the convolutions, () for none.
        ngram_buckets: rows of its hash table, 0 for none.
        ngram_dropout: fraction of n-grams dropped, in [0, 1).
        ngram_share: share of the linear path in the sum of logits, in [0, 1].
        path_dropout: fraction of training examples that see the filters alone, and as many the
            n-grams alone, in [0, 0.5).

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, or a value is not accepted.

    Example:
        >>> zoo.textcnn(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Kim 2014, https://arxiv.org/abs/1408.5882.
    """
    return _built("textcnn", preset, locals())


@explained
def rcnn(
    preset: str | Path = "default",
    *,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: str | None = None,
    embedding_range: float | None = None,
    embedding_dropout: float | None = None,
    word_dropout: float | None = None,
    dropout: float | None = None,
    cell: str | None = None,
    context_dim: int | None = None,
    hidden_dim: int | None = None,
    activation: str | None = None,
) -> TrainingModel:
    """Recurrent convolutional classifier: left context, word, right context, maximum over time.

    Args:
        preset: name of an rcnn preset, or path of a preset file. The arguments below override
            its `architecture:` block; None keeps the preset's value.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token.
        embedding: `non-static` (trained), `static` (kept) or `multichannel` (one table of each).
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of embedding values dropped, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of pooled features dropped, in [0, 1).
        cell: `simple` (as in the paper), `lstm` or `gru`.
        context_dim: features of the left and of the right context.
        hidden_dim: features of the latent semantic vector of a token.
        activation: of that vector.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, or a value is not accepted.

    Example:
        >>> zoo.rcnn(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Lai 2015, https://ojs.aaai.org/index.php/AAAI/article/view/9513.
    """
    return _built("rcnn", preset, locals())


@explained
def textrnn(
    preset: str | Path = "default",
    *,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: str | None = None,
    embedding_range: float | None = None,
    embedding_dropout: float | None = None,
    word_dropout: float | None = None,
    dropout: float | None = None,
    num_layers: int | None = None,
    hidden_dim: int | None = None,
    pooling: str | None = None,
    head_dim: int | None = None,
) -> TrainingModel:
    """Bidirectional LSTM classifier with maximum, last-state or attention pooling.

    Args:
        preset: name of a textrnn preset, or path of a preset file. The arguments below override
            its `architecture:` block; None keeps the preset's value.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token.
        embedding: `non-static` (trained), `static` (kept) or `multichannel` (one table of each).
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of embedding values dropped, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of pooled features dropped, in [0, 1).
        num_layers: bidirectional layers.
        hidden_dim: units of each direction.
        pooling: `max` over time, `last` state of each direction, or `attention` (Zhou 2016).
        head_dim: units of a ReLU layer before the logits, 0 for none.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, or a value is not accepted.

    Example:
        >>> zoo.textrnn(preset="attention")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Zhou 2016, https://aclanthology.org/P16-2034, for the attention.
    """
    return _built("textrnn", preset, locals())


@explained
def fasttext(
    preset: str | Path = "default",
    *,
    vocabulary_size: int | None = None,
    num_classes: int | None = None,
    embedding_dim: int | None = None,
    embedding: str | None = None,
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
        preset: name of a fasttext preset, or path of a preset file. The arguments below override
            its `architecture:` block; None keeps the preset's value.
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown token.
        num_classes: number of classes, at least 2.
        embedding_dim: features of a token and of an n-gram.
        embedding: `non-static` (trained), `static` (kept) or `multichannel` (one table of each).
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of embedding values dropped, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).
        dropout: fraction of the features before the logits dropped, in [0, 1).
        ngram_sizes: widths of the hashed n-grams, such as (2, 3); () for none.
        ngram_buckets: rows of their hash table, 0 for none.
        hidden_dim: units of a ReLU layer before the logits, 0 for none.

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, num_classes)` logits. Its `fit` applies the preset's recipe.

    Raises:
        ZooError: the preset does not exist, or a value is not accepted.

    Example:
        >>> zoo.fasttext(preset="default")(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 2])

    Source: Joulin 2016, https://arxiv.org/abs/1607.01759.
    """
    return _built("fasttext", preset, locals())


@explained
def lstm_lm(
    preset: str | Path = "default",
    *,
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
    change_penalty: float | None = None,
) -> TrainingModel:
    """LSTM language model with tied embeddings and the dropouts of the AWD-LSTM.

    Args:
        preset: name of an lstm_lm preset, or path of a preset file. The arguments below override
            its `architecture:` block; None keeps the preset's value.
        vocabulary_size: number of token ids.
        embedding_dim: features of a token.
        num_layers: LSTMs, one on the other.
        hidden_dim: units of an LSTM; tied and without a projection, the last has `embedding_dim`.
        tied: whether the logits use the table of the embedding.
        projection_l2: L2 factor of a linear layer before the logits; a preset's null is no layer.
        embedding_range: tables start uniform in [-range, range].
        kernel_range: kernels start uniform in [-range, range]; a preset's null is
            `1 / sqrt(hidden_dim)`.
        forget_bias: start of the forget gates' biases.
        embedding_dropout: fraction of the words of the vocabulary dropped whole, in [0, 1).
        input_dropout: fraction of features dropped before the first LSTM, in [0, 1).
        hidden_dropout: fraction dropped between LSTMs, in [0, 1).
        output_dropout: fraction dropped after the last, in [0, 1).
        weight_dropout: fraction of the recurrent kernels' weights dropped, in [0, 1).
        locked_dropout: whether a feature is dropped for a whole window, or anew at every step.
        dropout_scale: factor of the five rates.
        activation_penalty: factor of the last output's mean square in the loss (AR).
        change_penalty: factor of the mean square of its change in time in the loss (TAR).

    Returns:
        A compiled `keras.Model`: int32 `(batch, time)` token ids to float32
        `(batch, time, vocabulary)` logits of the token after each. Its `fit` applies the preset's
        recipe; `LanguageModel` in `zoo.tasks.language_modeling.model` says how a batch carries its
        state.

    Raises:
        ZooError: the preset does not exist, or a value is not accepted.

    Example:
        >>> zoo.lstm_lm(vocabulary_size=50)(keras.ops.ones((4, 16), "int32")).shape
        TensorShape([4, 16, 50])

    Source: Merity 2017, https://arxiv.org/abs/1708.02182; Press and Wolf 2017,
        https://arxiv.org/abs/1608.05859.
    """
    return _built("lstm_lm", preset, locals())


@explained
def resnet(
    preset: str | Path = "default",
    *,
    image_size: int | None = None,
    num_classes: int | None = None,
    pixel_mean: Sequence[float] | None = None,
    pixel_std: Sequence[float] | None = None,
    depth: int | None = None,
    filters: Sequence[int] | None = None,
    variant: str | None = None,
    stem: str | None = None,
    shortcut: str | None = None,
    norm: str | None = None,
    norm_momentum: float | None = None,
    norm_epsilon: float | None = None,
    activation: str | None = None,
    zero_gamma: bool | None = None,
    squeeze_excitation: float | None = None,
    stochastic_depth: float | None = None,
    dropout: float | None = None,
    pooling: str | None = None,
    head_std: float | None = None,
    logit_scale: float | None = None,
    flip_average: bool | None = None,
) -> TrainingModel:
    """Residual network for images: ImageNet's, CIFAR's, and the fast ones.

    Args:
        preset: name of a resnet preset, or path of a preset file. The arguments below override
            its `architecture:` block; None keeps the preset's value.
        image_size: height and width of the images it is for, in pixels; it takes others, too.
        num_classes: number of classes, at least 2.
        pixel_mean: of red, green and blue, in [0, 255].
        pixel_std: their standard deviations.
        depth: 18, 34, 50, 101 or 152 of ImageNet; 20, 32, 44, 56 or 110 of CIFAR; 8 (airbench) or
            9 (ResNet-9), the fast ones.
        filters: of each stage; a preset's null is what the depth has in its paper.
        variant: `b` (v1.5), `c` (and a stem of three 3 x 3) or `d` (and pooling in the shortcuts).
        stem: `imagenet`, `cifar` or `whitening`; `auto` goes by `image_size`.
        shortcut: `projection`, or `padding` with zeros, where a block changes the shape.
        norm: `batch`, `group`, `layer` or `none`.
        norm_momentum: share of the old moving statistics of batch norm that a step keeps.
        norm_epsilon: added to variances.
        activation: `relu`, `prelu`, `swish` or `gelu`.
        zero_gamma: whether each residual block starts as the identity.
        squeeze_excitation: width of the excitation as a share of the filters; 0 is none.
        stochastic_depth: fraction of examples that the last block is dropped in; 0 is none.
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
        ZooError: the preset does not exist, or a value is not accepted.

    Example:
        >>> zoo.resnet(preset="cifar-he2015")(keras.ops.ones((4, 32, 32, 3))).shape
        TensorShape([4, 10])

    Source: He 2015, https://arxiv.org/abs/1512.03385.
    """
    return _built("resnet", preset, locals())


def _built(model: str, preset: str | Path, arguments: dict[str, Any]) -> TrainingModel:
    changes = {
        f"architecture.{key}": value
        for key, value in arguments.items()
        if key != "preset" and value is not None
    }
    return build(load_preset(model, preset, changes))
