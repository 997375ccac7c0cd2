"""Causal Transformer language model (Vaswani 2017, Radford 2019)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.layers import CachedLayer, PositionEmbedding, TransformerLayer, VocabularyEmbedding
from zoo.models.text_parts import token_input


def transformer_lm(
    *,
    vocabulary_size: int,
    hidden_dim: int,
    num_layers: int,
    num_heads: int,
    feed_forward_dim: int,
    max_positions: int,
    tied: bool,
    scale_embedding: bool,
    norm_epsilon: float,
    activation: str,
    dropout: float,
    attention_dropout: float,
    initial_std: float,
) -> keras.Model:
    """Build the network: causal Transformer layers, and logits of the next token at every position.

    The arguments are those of `zoo.transformer_lm`, which describes them. Kernels whose products
    are added to a shortcut start smaller by `sqrt(2 * num_layers)`, as many as are added up.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, time, vocabulary)` logits, each text
        from its first token.

    Source: Radford 2019, section 2.3; Xiong 2020, https://arxiv.org/abs/2002.04745 (the norm comes
        first).
    """
    tokens = token_input()
    embedding = VocabularyEmbedding(
        vocabulary_size,
        hidden_dim,
        tied=tied,
        initial_std=hidden_dim**-0.5 if scale_embedding else initial_std,
        scale=hidden_dim**0.5 if scale_embedding else 1.0,
        name="embedding",
    )
    x = embedding(tokens) + PositionEmbedding(
        max_positions,
        hidden_dim,
        embeddings_initializer=keras.initializers.TruncatedNormal(stddev=initial_std),
        name="position_embedding",
    )(tokens)
    if dropout:
        x = keras.layers.Dropout(dropout, name="embedding_dropout")(x)
    for i in range(num_layers):
        x = TransformerLayer(
            num_heads,
            feed_forward_dim,
            norm="pre",
            norm_epsilon=norm_epsilon,
            activation=activation,
            dropout=dropout,
            attention_dropout=attention_dropout,
            causal=True,
            initial_std=initial_std,
            output_std=initial_std * (2 * num_layers) ** -0.5,
            name=f"layer_{i}",
        )(x)
    x = keras.layers.LayerNormalization(epsilon=norm_epsilon, name="final_norm")(x)
    return keras.Model(tokens, embedding(x, reverse=True), name="transformer_lm")


def with_states(network: keras.Model) -> keras.Model:
    """Return the same network without its logits: no window carries anything to the next.

    Args:
        network: made by `transformer_lm`, or loaded from a file.

    Returns:
        `[tokens]` to `[features]`: int32 `(batch, time)` ids; features `(time, batch, features)`,
        time first, of which `embedding(features, reverse=True)` makes logits.
    """
    features = network.get_layer("final_norm").output
    return keras.Model(
        [network.input], [ops.transpose(features, (1, 0, 2))], name=f"{network.name}_with_states"
    )


def with_cache(network: keras.Model) -> keras.Model:
    """Return the same network for a text that comes some tokens at a time.

    Args:
        network: made by `transformer_lm`, or loaded from a file.

    Returns:
        `[tokens, before, *caches]` to `[features, before, *caches]`: int32 `(batch, time)` ids, how
        many tokens of each row came before, int32 `(batch,)`, and the keys and values of each
        layer, `(batch, max_positions, 2 * hidden_dim)`, zeros at first; features as of
        `with_states`. There may be `max_positions` tokens in all.
    """
    embedding, position = network.get_layer("embedding"), network.get_layer("position_embedding")
    layers = [layer for layer in network.layers if isinstance(layer, TransformerLayer)]
    tokens = token_input()
    before = keras.Input((), dtype="int32", name="before")
    shape = (position.input_dim, 2 * position.output_dim)
    caches = [
        keras.Input(shape, dtype=layer.compute_dtype, name=f"cache_{i}")
        for i, layer in enumerate(layers)
    ]
    x = embedding(tokens) + position(tokens, before=before)
    written: list[Any] = []
    for layer, cache in zip(layers, caches, strict=True):
        x, cache = CachedLayer(layer)(x, cache, before)
        written.append(cache)
    features = ops.transpose(network.get_layer("final_norm")(x), (1, 0, 2))
    return keras.Model(
        [tokens, before, *caches],
        [features, before + ops.sum(ops.ones_like(tokens), axis=1), *written],
        name=f"{network.name}_with_cache",
    )
