"""Transformer text classifier (Vaswani 2017, Devlin 2019)."""

from __future__ import annotations

import functools
from typing import Any, Literal

import keras
from keras import ops

from zoo.layers import MaskedMean, TokenEmbedding
from zoo.models.encoder import Encoder, truncated_normal
from zoo.models.text_parts import classification_head, token_input


def transformer(
    *,
    vocabulary_size: int,
    num_classes: int,
    hidden_dim: int,
    pooling: Literal["mean", "first"],
    head_dim: int,
    **sizes: Any,
) -> keras.Model:
    """Build the network: Transformer layers over the tokens, pooled over time, linear classifier.

    The arguments are those of `zoo.transformer`, which describes them; `sizes` are the encoder's.
    Layers and variables are named for what they are, such as `layer_0/attention/qkv/kernel`,
    `(features, 3 * features)` with query, key and value side by side: pretrained weights are read
    into them by these names.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Source: Devlin 2019, https://arxiv.org/abs/1810.04805, for norm `post`; Xiong 2020,
        https://arxiv.org/abs/2002.04745, for norm `pre`.
    """
    encode = Encoder(**sizes)
    dropout, start = encode.dropout, functools.partial(truncated_normal, encode.initial_std)
    tokens = token_input()
    embedding = TokenEmbedding(
        vocabulary_size, hidden_dim, embeddings_initializer=start(), name="embedding"
    )
    x = encode(tokens, embedding(tokens))
    present = ops.not_equal(tokens, 0)
    features = x[:, 0] if pooling == "first" else MaskedMean(name="pooling")(x, mask=present)
    if head_dim:
        if dropout:
            features = keras.layers.Dropout(dropout, name="head_dropout")(features)
        features = keras.layers.Dense(
            head_dim, activation="tanh", kernel_initializer=start(), name="head"
        )(features)
    logits = classification_head(features, num_classes, dropout, kernel_initializer=start())
    return keras.Model(tokens, logits, name="transformer")
