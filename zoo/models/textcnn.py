"""Convolutional text classifier (Kim 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers import NgramHash, NgramWeights, PathMix, ScaledSum, WordFilters
from zoo.models.text_parts import EmbeddingMode, classification_head, embed_tokens, token_input


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

    The arguments are those of `zoo.textcnn`, which describes them.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Source: Kim 2014, https://arxiv.org/abs/1408.5882. Differs: the optional n-grams, whose weight
        sums follow Wang & Manning 2012, https://aclanthology.org/P12-2018.
    """
    tokens = token_input()
    # Kim's border of zeros, on the ids: that is cheaper than on the vectors.
    border = max(kernel_sizes) - 1
    vectors = embed_tokens(
        ops.pad(tokens, [[0, 0], [border, border]]),
        vocabulary_size=vocabulary_size,
        embedding_dim=embedding_dim,
        embedding=embedding,
        embedding_range=embedding_range,
        embedding_dropout=embedding_dropout,
        word_dropout=word_dropout,
    )
    uniform = (
        keras.initializers.RandomUniform(-kernel_range, kernel_range) if kernel_range else None
    )
    features = WordFilters(
        filters,
        kernel_sizes,
        activation=activation,
        kernel_initializer=uniform or "glorot_uniform",
        name="filters",
    )(vectors)
    logits = classification_head(
        features, num_classes, dropout, max_norm=max_norm, use_bias=not ngram_sizes
    )
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
