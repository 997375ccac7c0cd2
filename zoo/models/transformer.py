"""Transformer text classifier (Vaswani 2017, Devlin 2019)."""

from __future__ import annotations

from typing import Literal

import keras
from keras import ops

from zoo.layers import MaskedMean, TokenEmbedding
from zoo.models.encoder import encoder, truncated_normal
from zoo.models.text_parts import classification_head, token_input


def transformer(
    *,
    vocabulary_size: int,
    num_classes: int,
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
    pooling: Literal["mean", "first"],
    head_dim: int,
    dropout: float,
    attention_dropout: float,
    initial_std: float,
) -> keras.Model:
    """Build the network: Transformer layers over the tokens, pooled over time, linear classifier.

    The arguments are those of `zoo.transformer`, which describes them. Layers and variables are
    named for what they are, such as `layer_0/attention/qkv/kernel`, `(features, 3 * features)`
    with query, key and value side by side: pretrained weights are read into them by these names.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Source: Devlin 2019, https://arxiv.org/abs/1810.04805, for norm `post`; Xiong 2020,
        https://arxiv.org/abs/2002.04745, for norm `pre`.
    """
    tokens = token_input()
    embedding = TokenEmbedding(
        vocabulary_size,
        hidden_dim,
        embeddings_initializer=truncated_normal(initial_std),
        name="embedding",
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
    present = ops.not_equal(tokens, 0)
    features = x[:, 0] if pooling == "first" else MaskedMean(name="pooling")(x, mask=present)
    if head_dim:
        if dropout:
            features = keras.layers.Dropout(dropout, name="head_dropout")(features)
        features = keras.layers.Dense(
            head_dim,
            activation="tanh",
            kernel_initializer=truncated_normal(initial_std),
            name="head",
        )(features)
    logits = classification_head(
        features, num_classes, dropout, kernel_initializer=truncated_normal(initial_std)
    )
    return keras.Model(tokens, logits, name="transformer")
