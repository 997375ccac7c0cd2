"""Bidirectional LSTM text classifier."""

from __future__ import annotations

from typing import Literal

import keras
from keras import ops

from zoo.layers import LSTM, AttentionPooling, Bidirectional, MaskedMax
from zoo.models.text_parts import EmbeddingMode, classification_head, embed_tokens, token_input


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

    The arguments are those of `zoo.textrnn`, which describes them.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Source: Zhou 2016, https://aclanthology.org/P16-2034, for the attention. Differs: the two
        directions stay side by side instead of being added up.
    """
    tokens = token_input()
    sequence = embed_tokens(
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
        return_sequences = i + 1 < num_layers or pooling != "last"
        sequence = Bidirectional(
            LSTM(hidden_dim, return_sequences=return_sequences), name=f"lstm_{i}"
        )(sequence, mask=present)
    if pooling == "max":
        sequence = MaskedMax(name="pooling")(sequence, mask=present)
    elif pooling == "attention":
        sequence = AttentionPooling(name="pooling")(sequence, mask=present)
    if head_dim:
        sequence = keras.layers.Dense(head_dim, activation="relu", name="head")(sequence)
    return keras.Model(tokens, classification_head(sequence, num_classes, dropout), name="textrnn")
