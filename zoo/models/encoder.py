"""A Transformer encoder: what classifiers and masked language models are made on."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import keras
from keras import ops

from zoo.layers import PositionEmbedding, RelativePositionBias, SegmentEmbedding, TransformerLayer


def truncated_normal(std: float) -> keras.initializers.Initializer:
    """Return BERT's start of a table or kernel, with a seed of its own."""
    return keras.initializers.TruncatedNormal(stddev=std)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoder:
    """What makes features, `(batch, time, features)`, of token ids and their vectors.

    The arguments are those of `zoo.transformer`, which describes them.
    """

    num_layers: int
    num_heads: int
    feed_forward_dim: int
    max_positions: int
    position_offset: int
    relative_buckets: int
    num_segments: int
    separator_id: int
    norm: Literal["pre", "post"]
    norm_epsilon: float
    activation: str
    dropout: float
    attention_dropout: float
    initial_std: float

    def __call__(self, tokens: Any, vectors: Any) -> Any:
        """Return the features of ids, int32 `(batch, time)`, 0 for padding, and their vectors.

        Args:
            tokens: the ids.
            vectors: `(batch, time, features)`.
        """
        present = ops.not_equal(tokens, 0)
        x, bias = self._embedded(tokens, vectors), None
        if self.relative_buckets:
            bias = RelativePositionBias(
                self.relative_buckets,
                self.num_heads,
                embeddings_initializer=truncated_normal(self.initial_std),
                name="relative_bias",
            )(tokens)
        for i in range(self.num_layers):
            x = TransformerLayer(
                self.num_heads,
                self.feed_forward_dim,
                norm=self.norm,
                norm_epsilon=self.norm_epsilon,
                activation=self.activation,
                dropout=self.dropout,
                attention_dropout=self.attention_dropout,
                initial_std=self.initial_std,
                name=f"layer_{i}",
            )(x, present=present, bias=bias)
        return self._norm("final_norm")(x) if self.norm == "pre" else x

    def _embedded(self, tokens: Any, vectors: Any) -> Any:
        """Return vectors with those of positions and segments."""
        hidden_dim = vectors.shape[-1]
        x = vectors + PositionEmbedding(
            self.max_positions,
            hidden_dim,
            offset=self.position_offset,
            embeddings_initializer=truncated_normal(self.initial_std),
            name="position_embedding",
        )(tokens)
        if self.num_segments:
            x = x + SegmentEmbedding(
                self.num_segments,
                hidden_dim,
                separator_id=self.separator_id,
                embeddings_initializer=truncated_normal(self.initial_std),
                name="segment_embedding",
            )(tokens)
        if self.norm == "post":
            x = self._norm("embedding_norm")(x)
        if self.dropout:
            x = keras.layers.Dropout(self.dropout, name="embedding_dropout")(x)
        return x

    def _norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(epsilon=self.norm_epsilon, name=name)
