"""Masked language model on a Transformer encoder (Devlin 2019)."""

from __future__ import annotations

from typing import Literal

import keras

from zoo.layers import VocabularyEmbedding
from zoo.layers.transformer import activation_of
from zoo.models.encoder import encoder, truncated_normal
from zoo.models.text_parts import token_input


def transformer_mlm(
    *,
    vocabulary_size: int,
    hidden_dim: int,
    num_layers: int,
    num_heads: int,
    feed_forward_dim: int,
    max_positions: int,
    position_offset: int,
    relative_buckets: int,
    num_segments: int,
    separator_id: int,
    norm: Literal["pre", "post"],
    norm_epsilon: float,
    activation: str,
    dropout: float,
    attention_dropout: float,
    initial_std: float,
) -> keras.Model:
    """Build the network: the encoder of `zoo.transformer`, a dense layer, and the tied table.

    The arguments are those of `zoo.transformer_mlm`, which describes them. Layers and variables of
    the encoder have the names that they have in `zoo.transformer`, which can start from them.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, time, vocabulary)` logits.

    Source: Devlin 2019, https://arxiv.org/abs/1810.04805, and its code for the dense layer with a
        norm (modeling.py, run_pretraining.py).
    """
    tokens = token_input()
    embedding = VocabularyEmbedding(
        vocabulary_size, hidden_dim, initial_std=initial_std, name="embedding"
    )
    encode = encoder(
        num_layers=num_layers,
        num_heads=num_heads,
        feed_forward_dim=feed_forward_dim,
        max_positions=max_positions,
        position_offset=position_offset,
        relative_buckets=relative_buckets,
        num_segments=num_segments,
        separator_id=separator_id,
        norm=norm,
        norm_epsilon=norm_epsilon,
        activation=activation,
        dropout=dropout,
        attention_dropout=attention_dropout,
        initial_std=initial_std,
    )
    x = encode(tokens, embedding(tokens))
    x = keras.layers.Dense(
        hidden_dim,
        activation=activation_of(activation),
        kernel_initializer=truncated_normal(initial_std),
        name="transform",
    )(x)
    x = keras.layers.LayerNormalization(epsilon=norm_epsilon, name="transform_norm")(x)
    return keras.Model(tokens, embedding(x, reverse=True), name="transformer_mlm")
