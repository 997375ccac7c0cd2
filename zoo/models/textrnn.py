"""Bidirectional LSTM text classifier."""

from __future__ import annotations

from typing import Literal

import keras
from keras import ops

from zoo.layers import AttentionPooling, MaskedMax
from zoo.models.parts import EmbeddingMode, embed, to_logits, token_input


def textrnn(
    *,
    vocabulary_size: int,
    num_classes: int,
    embedding_dim: int,
    embedding: EmbeddingMode,
    embedding_range: float,
    embedding_dropout: float,
    word_dropout: float,
    dropout: float,
    num_layers: int,
    hidden_dim: int,
    pooling: Literal["max", "last", "attention"],
    head_dim: int,
) -> keras.Model:
    """Build the network: bidirectional LSTMs, pooled over time, linear classifier.

    Args:
        vocabulary_size: number of token ids; id 0 is padding, id 1 the unknown word.
        num_classes: number of logits.
        embedding_dim: length of a word vector.
        embedding: `non-static` trains the vectors, `static` leaves them, `multichannel` adds up
            one of each.
        embedding_range: vectors start uniform in [-range, range].
        embedding_dropout: fraction of the vector's features dropped, the same over a whole text.
        word_dropout: fraction of words replaced by the unknown word.
        dropout: fraction of features dropped, between the LSTMs and before the classifier.
        num_layers: number of bidirectional LSTMs.
        hidden_dim: units of an LSTM in one direction.
        pooling: `max` over the words; `last` state of either direction; `attention` (Zhou 2016).
        head_dim: units of a relu layer between pooling and logits; 0 for none.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Source: Zhou 2016, https://aclanthology.org/P16-2034, for the attention. Differs: the two
        directions stay side by side instead of being added up.
    """
    tokens = token_input()
    sequence = embed(
        tokens,
        vocabulary_size=vocabulary_size,
        embedding_dim=embedding_dim,
        embedding=embedding,
        embedding_range=embedding_range,
        embedding_dropout=embedding_dropout,
        word_dropout=word_dropout,
    )
    present = ops.not_equal(tokens, 0)
    for i in range(num_layers):
        if i and dropout:
            sequence = keras.layers.Dropout(dropout, name=f"dropout_{i}")(sequence)
        whole = i + 1 < num_layers or pooling != "last"
        sequence = keras.layers.Bidirectional(
            keras.layers.LSTM(hidden_dim, return_sequences=whole), name=f"lstm_{i}"
        )(sequence, mask=present)
    if pooling == "max":
        sequence = MaskedMax(name="pooling")(sequence, mask=present)
    elif pooling == "attention":
        sequence = AttentionPooling(name="pooling")(sequence, mask=present)
    if head_dim:
        sequence = keras.layers.Dense(head_dim, activation="relu", name="head")(sequence)
    return keras.Model(tokens, to_logits(sequence, num_classes, dropout), name="textrnn")
