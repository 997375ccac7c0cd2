"""A Transformer encoder: what classifiers and masked language models are made on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

from zoo.layers import PositionEmbedding, RelativePositionBias, SegmentEmbedding, TransformerLayer


def truncated_normal(std: float) -> keras.initializers.Initializer:
    """Return BERT's start of a table or kernel, with a seed of its own."""
    return keras.initializers.TruncatedNormal(stddev=std)


def encoder(
    *,
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
) -> Callable[[Any, Any], Any]:
    """Return what makes features, `(batch, time, features)`, of token ids and their vectors.

    The arguments are those of `zoo.transformer`, which describes them. Ids are int32 `(batch,
    time)`, 0 is padding; vectors are `(batch, time, features)`.
    """

    def norm_layer(name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(epsilon=norm_epsilon, name=name)

    def embedded(tokens: Any, vectors: Any) -> Any:
        """Return vectors with those of positions and segments."""
        hidden_dim = vectors.shape[-1]
        x = vectors + PositionEmbedding(
            max_positions,
            hidden_dim,
            offset=position_offset,
            embeddings_initializer=truncated_normal(initial_std),
            name="position_embedding",
        )(tokens)
        if num_segments:
            x = x + SegmentEmbedding(
                num_segments,
                hidden_dim,
                separator_id=separator_id,
                embeddings_initializer=truncated_normal(initial_std),
                name="segment_embedding",
            )(tokens)
        if norm == "post":
            x = norm_layer("embedding_norm")(x)
        return keras.layers.Dropout(dropout, name="embedding_dropout")(x) if dropout else x

    def encode(tokens: Any, vectors: Any) -> Any:
        present = ops.not_equal(tokens, 0)
        x, bias = embedded(tokens, vectors), None
        if relative_buckets:
            bias = RelativePositionBias(
                relative_buckets,
                num_heads,
                embeddings_initializer=truncated_normal(initial_std),
                name="relative_bias",
            )(tokens)
        for i in range(num_layers):
            x = TransformerLayer(
                num_heads,
                feed_forward_dim,
                norm=norm,
                norm_epsilon=norm_epsilon,
                activation=activation,
                dropout=dropout,
                attention_dropout=attention_dropout,
                initial_std=initial_std,
                name=f"layer_{i}",
            )(x, present=present, bias=bias)
        return norm_layer("final_norm")(x) if norm == "pre" else x

    return encode
