"""Masked language model on a Transformer encoder (Devlin 2019)."""

from __future__ import annotations

from typing import Any

import keras

from zoo.layers import VocabularyEmbedding
from zoo.layers.transformer import activation_of
from zoo.models.encoder import Encoder, truncated_normal
from zoo.models.text_parts import token_input


def transformer_mlm(*, vocabulary_size: int, hidden_dim: int, **sizes: Any) -> keras.Model:
    """Build the network: the encoder of `zoo.transformer`, a dense layer, and the tied table.

    The arguments are those of `zoo.transformer_mlm`, which describes them; `sizes` are the
    encoder's. Its layers and variables have the names that they have in `zoo.transformer`, which
    can start from them.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, time, vocabulary)` logits.

    Source: Devlin 2019, https://arxiv.org/abs/1810.04805, and its code for the dense layer with a
        norm (modeling.py, run_pretraining.py).
    """
    encode = Encoder(**sizes)
    tokens = token_input()
    embedding = VocabularyEmbedding(
        vocabulary_size, hidden_dim, initial_std=encode.initial_std, name="embedding"
    )
    x = encode(tokens, embedding(tokens))
    x = keras.layers.Dense(
        hidden_dim,
        activation=activation_of(encode.activation),
        kernel_initializer=truncated_normal(encode.initial_std),
        name="transform",
    )(x)
    x = keras.layers.LayerNormalization(epsilon=encode.norm_epsilon, name="transform_norm")(x)
    return keras.Model(tokens, embedding(x, reverse=True), name="transformer_mlm")
