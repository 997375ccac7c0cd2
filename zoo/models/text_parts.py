"""What the text classifiers share: token input, embedding and classification head."""

from __future__ import annotations

from typing import Any, Literal

import keras

from zoo.layers import TokenEmbedding, WordDropout

EmbeddingMode = Literal["non-static", "static", "multichannel"]


def token_input() -> Any:
    """Return the input of every text classifier: int32 `(batch, time)` token ids, 0 is padding."""
    return keras.Input((None,), dtype="int32", name="tokens")


def embed_tokens(
    tokens: Any,
    *,
    vocabulary_size: int,
    embedding_dim: int,
    embedding: EmbeddingMode,
    embedding_range: float,
    embedding_dropout: float,
    word_dropout: float,
) -> Any:
    """Embed token ids; padding has the zero vector.

    `multichannel` adds up the vectors of a trained and of a static table (Kim 2014, section 2.1,
    adds the responses of a filter to either; a filter is linear, so the vectors may be added
    first). Both start equal. `embedding_dropout` has one mask a text (Gal & Ghahramani 2016).

    Args:
        tokens: int32 `(batch, time)` token ids.
        vocabulary_size: number of token ids.
        embedding_dim: features of a token.
        embedding: `non-static` trains the table, `static` does not, `multichannel` has both.
        embedding_range: tables start uniform in [-range, range].
        embedding_dropout: fraction of the features dropped, in [0, 1).
        word_dropout: fraction of tokens replaced by the unknown token, in [0, 1).

    Returns:
        `(batch, time, embedding_dim)`.
    """
    words = WordDropout(word_dropout, name="word_dropout")(tokens) if word_dropout else tokens
    # One initializer called twice gives the same values twice: the two tables start equal.
    uniform = keras.initializers.RandomUniform(-embedding_range, embedding_range)
    vectors = TokenEmbedding(
        vocabulary_size,
        embedding_dim,
        embeddings_initializer=uniform,
        trainable=embedding != "static",
        name="embedding",
    )(words)
    if embedding == "multichannel":
        static = TokenEmbedding(
            vocabulary_size,
            embedding_dim,
            embeddings_initializer=uniform,
            trainable=False,
            name="embedding_static",
        )(words)
        vectors = keras.layers.Add(name="channels")([vectors, static])
    if embedding_dropout:
        vectors = keras.layers.SpatialDropout1D(embedding_dropout, name="embedding_dropout")(
            vectors
        )
    return vectors


def classification_head(
    features: Any,
    num_classes: int,
    dropout: float,
    *,
    max_norm: float | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = "glorot_uniform",
) -> Any:
    """Classify by a linear layer after dropout.

    Args:
        features: `(batch, features)` of the text.
        num_classes: number of logits.
        dropout: fraction of the features dropped in training, in [0, 1).
        max_norm: largest norm of a class's column of the kernel; None is no limit.
        use_bias: whether each class has a bias.
        kernel_initializer: of the weights; the biases start at zero.

    Returns:
        float32 `(batch, num_classes)` logits.
    """
    if dropout:
        features = keras.layers.Dropout(dropout, name="dropout")(features)
    return keras.layers.Dense(
        num_classes,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        kernel_constraint=keras.constraints.MaxNorm(max_norm, axis=0) if max_norm else None,
        dtype="float32",  # the loss wants full precision under a mixed policy too
        name="logits",
    )(features)
