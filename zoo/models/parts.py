"""What the text classifiers share: the way in (ids to vectors) and the way out (logits)."""

from __future__ import annotations

from typing import Any, Literal

import keras

from zoo.layers import TokenEmbedding, WordDropout

EmbeddingMode = Literal["non-static", "static", "multichannel"]


def token_input() -> Any:
    """Return the input of every text classifier: int32 `(batch, time)` token ids, 0 is padding."""
    return keras.Input((None,), dtype="int32", name="tokens")


def embed(
    tokens: Any,
    *,
    vocabulary_size: int,
    embedding_dim: int,
    embedding: EmbeddingMode,
    embedding_range: float,
    embedding_dropout: float,
    word_dropout: float,
) -> Any:
    """Turn int32 `(batch, time)` ids into `(batch, time, embedding_dim)` vectors, zero at padding.

    `multichannel` adds up the vectors of a trained table and of one that stays (Kim 2014, section
    2.1, adds what a filter finds in either; a filter is linear, so the vectors may be added first).
    Both start equal. `embedding_dropout` drops features of the whole text, one draw a text (Gal &
    Ghahramani 2016).
    """
    words = WordDropout(word_dropout, name="word_dropout")(tokens) if word_dropout else tokens
    # One initializer called twice draws the same numbers twice: the two tables start equal.
    start = keras.initializers.RandomUniform(-embedding_range, embedding_range)
    vectors = TokenEmbedding(
        vocabulary_size,
        embedding_dim,
        embeddings_initializer=start,
        trainable=embedding != "static",
        name="embedding",
    )(words)
    if embedding == "multichannel":
        kept = TokenEmbedding(
            vocabulary_size,
            embedding_dim,
            embeddings_initializer=start,
            trainable=False,
            name="embedding_static",
        )(words)
        vectors = keras.layers.Add(name="channels")([vectors, kept])
    if embedding_dropout:
        vectors = keras.layers.SpatialDropout1D(embedding_dropout, name="embedding_dropout")(
            vectors
        )
    return vectors


def to_logits(
    features: Any,
    num_classes: int,
    dropout: float,
    *,
    max_norm: float | None = None,
    use_bias: bool = True,
) -> Any:
    """Turn `(batch, features)` into float32 `(batch, num_classes)` logits.

    Args:
        features: what the network found in the text.
        num_classes: number of logits.
        dropout: fraction of the features dropped in training, in [0, 1).
        max_norm: longest a class's column of the kernel may become; None leaves it free.
        use_bias: whether each class has a bias.
    """
    if dropout:
        features = keras.layers.Dropout(dropout, name="dropout")(features)
    return keras.layers.Dense(
        num_classes,
        use_bias=use_bias,
        kernel_constraint=keras.constraints.MaxNorm(max_norm, axis=0) if max_norm else None,
        dtype="float32",  # the loss wants full precision under a mixed policy too
        name="logits",
    )(features)
