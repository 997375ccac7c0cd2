"""Convolutional text classifier (Kim 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers import NgramHash, NgramWeights, PathMix, ScaledSum, WordFilters
from zoo.models.parts import EmbeddingMode, embed, to_logits, token_input


def textcnn(
    *,
    vocabulary_size: int,
    num_classes: int,
    embedding_dim: int,
    embedding: EmbeddingMode,
    embedding_range: float,
    embedding_dropout: float,
    word_dropout: float,
    dropout: float,
    kernel_sizes: Sequence[int],
    filters: int,
    activation: str,
    kernel_range: float | None,
    max_norm: float | None,
    ngram_sizes: Sequence[int],
    ngram_buckets: int,
    ngram_dropout: float,
    ngram_share: float,
    path_dropout: float,
) -> keras.Model:
    """Build the network: parallel n-gram filters, maximum over time, linear classifier.

    The text stands between `max(kernel_sizes) - 1` zeros on either side, as in Kim's code, so that
    one of a single word is long enough, and a window of zeros counts (`zoo.layers.WordFilters`).

    Args:
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown word.
        num_classes: number of logits.
        embedding_dim: length of a word vector.
        embedding: `non-static` trains the vectors, `static` leaves them, `multichannel` adds up
            one of each.
        embedding_range: vectors start uniform in [-range, range].
        embedding_dropout: fraction of the vector's features dropped, the same over a whole text.
        word_dropout: fraction of words replaced by the unknown word.
        dropout: fraction of pooled features dropped.
        kernel_sizes: widths of the filters in tokens.
        filters: number of filters of each width.
        activation: name of a Keras activation, applied to the pooled features.
        kernel_range: filters start uniform in [-range, range]; None is Glorot's uniform.
        max_norm: largest norm of a class's weights; None leaves them free.
        ngram_sizes: n-grams of a linear classifier whose logits are added; () for none.
        ngram_buckets: rows that hashed n-grams share; 0 for none.
        ngram_dropout: fraction of the n-grams dropped.
        ngram_share: weight of the n-grams' logits in the sum, in [0, 1]; one half is a plain sum.
        path_dropout: fraction of training examples that see the filters alone, and as many the
            n-grams alone.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Source: Kim 2014, https://arxiv.org/abs/1408.5882. Differs: the optional n-grams, whose weight
        sums follow Wang & Manning 2012, https://aclanthology.org/P12-2018.
    """
    tokens = token_input()
    # Kim's border of zeros, on the ids: that is cheaper than on the vectors.
    border = max(kernel_sizes) - 1
    vectors = embed(
        ops.pad(tokens, [[0, 0], [border, border]]),
        vocabulary_size=vocabulary_size,
        embedding_dim=embedding_dim,
        embedding=embedding,
        embedding_range=embedding_range,
        embedding_dropout=embedding_dropout,
        word_dropout=word_dropout,
    )
    start = keras.initializers.RandomUniform(-kernel_range, kernel_range) if kernel_range else None
    features = WordFilters(
        filters,
        kernel_sizes,
        activation=activation,
        kernel_initializer=start or "glorot_uniform",
        name="filters",
    )(vectors)
    logits = to_logits(features, num_classes, dropout, max_norm=max_norm, use_bias=not ngram_sizes)
    if ngram_sizes:
        linear = _ngram_logits(
            tokens, vocabulary_size, num_classes, ngram_sizes, ngram_buckets, ngram_dropout
        )
        mix = PathMix(ngram_share, path_dropout, dtype="float32", name="mixed_logits")
        logits = mix([logits, linear])
    return keras.Model(tokens, logits, name="textcnn")


def _ngram_logits(
    tokens: Any,
    vocabulary_size: int,
    num_classes: int,
    sizes: Sequence[int],
    buckets: int,
    dropout: float,
) -> Any:
    """Sum one weight a class for every n-gram present; float32 `(batch, num_classes)`."""
    hashing = NgramHash(sizes, buckets, vocabulary_size, unique=True, name="ngrams")
    grams = hashing(tokens)
    weights = NgramWeights(
        hashing.rows,
        num_classes,
        embeddings_initializer="zeros",
        dtype="float32",
        name="ngram_embedding",
    )(grams)
    if dropout:
        weights = keras.layers.Dropout(
            dropout, noise_shape=(None, None, 1), dtype="float32", name="ngram_dropout"
        )(weights)
    return ScaledSum(0.5, dtype="float32", name="ngram_logits")([weights], [grams])
