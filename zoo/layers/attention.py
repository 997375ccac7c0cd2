"""Attention between the positions of a text, and the vectors of positions and segments."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Added to the score of a position that is not attended to. Finite: where all of them are, the
# weights are equal and not NaN.
ABSENT = -1.0e9


def positions_after(before: Any, time: Any) -> Any:
    """Return the positions of tokens in their rows, int32 `(batch, time)`.

    Args:
        before: int32 `(batch,)`, how many tokens of each row stand before these.
        time: how many tokens there are.
    """
    return ops.expand_dims(before, 1) + ops.expand_dims(ops.arange(time, dtype="int32"), 0)


@keras.saving.register_keras_serializable(package="zoo")
class PositionEmbedding(keras.layers.Embedding):
    """The vectors of the positions of a batch, one a position, the same for every row.

    int32 `(batch, time)` token ids, of which only the length counts, to `(1, time, features)`.
    Given how many tokens stand before, int32 `(batch,)`, to `(batch, time, features)`.

    Args:
        input_dim: rows of the table.
        output_dim: features of a position.
        offset: row of the first position; RoBERTa leaves two rows unused.
        **kwargs: as for `keras.layers.Embedding`.
    """

    def __init__(self, input_dim: int, output_dim: int, *, offset: int = 0, **kwargs: Any) -> None:
        super().__init__(input_dim, output_dim, **kwargs)
        self.offset = offset

    def call(self, inputs: Any, before: Any = None) -> Any:
        """Return the first rows of the table after the offset.

        Args:
            inputs: int32 `(batch, time)`.
            before: int32 `(batch,)`, how many tokens of each row stand before these; None is none.

        Raises:
            ValueError: the rows are longer than the table, where their length is known.
        """
        time, known, most = ops.shape(inputs)[1], inputs.shape[1], self.input_dim - self.offset
        if isinstance(known, int) and known > most:
            raise ValueError(f"{known} tokens, but there are vectors of {most} positions alone.")
        table = ops.cast(self.embeddings, self.compute_dtype)
        if before is not None:
            return ops.take(table, self.offset + positions_after(before, time), axis=0)
        return ops.expand_dims(table[self.offset : self.offset + time], 0)

    def compute_output_spec(self, inputs: Any, before: Any = None) -> Any:
        """Return `(1, time, features)`, or a row's own vectors where tokens stand before."""
        rows = 1 if before is None else inputs.shape[0]
        return keras.KerasTensor((rows, inputs.shape[1], self.output_dim), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "offset": self.offset}


@keras.saving.register_keras_serializable(package="zoo")
class SegmentEmbedding(keras.layers.Embedding):
    """The vectors of segments: how many separators stand before a token tells which it is in.

    int32 `(batch, time)` token ids to `(batch, time, features)`. A separator belongs to the segment
    that it ends; after as many as there are segments the last one goes on.

    Args:
        input_dim: number of segments.
        output_dim: features of a segment.
        separator_id: token id of the separator.
        **kwargs: as for `keras.layers.Embedding`.
    """

    def __init__(self, input_dim: int, output_dim: int, *, separator_id: int, **kwargs: Any):
        super().__init__(input_dim, output_dim, **kwargs)
        self.separator_id = separator_id

    def call(self, inputs: Any) -> Any:
        """Return the vector of every token's segment."""
        separators = ops.cast(ops.equal(inputs, self.separator_id), "int32")
        before = ops.minimum(ops.cumsum(separators, axis=1) - separators, self.input_dim - 1)
        # A product, since the gradient of a gather would be summed over all tokens row by row.
        shares = ops.one_hot(before, self.input_dim, dtype=self.compute_dtype)
        return ops.matmul(shares, ops.cast(self.embeddings, self.compute_dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "separator_id": self.separator_id}


@keras.saving.register_keras_serializable(package="zoo")
class SelfAttention(keras.layers.Layer):
    """Attention of every position to all of its row, in several heads (Vaswani 2017).

    `(batch, time, features)` and bool `(batch, time)`, true at the tokens, to
    `(batch, time, features)`. Query, key and value come from one product; the scores of all heads
    are one `(batch, heads, time, time)` tensor, whose softmax is taken in float32. A row without
    any token gets the mean of its values: finite, and of no use.

    A text that comes some tokens at a time is attended to through a cache of fixed size, `(batch,
    positions, 2 * features)` with the keys and values of all positions side by side.

    Args:
        num_heads: number of heads, which share the features.
        dropout: fraction of the attention weights dropped in training, in [0, 1).
        causal: whether a position sees itself and those before it alone.
        initial_std: standard deviation of the kernels at the start.
        output_std: that of the last kernel, whose products are added to a shortcut; None is
            `initial_std`.

    Source: Vaswani 2017, https://arxiv.org/abs/1706.03762, section 3.2.
    """

    def __init__(
        self,
        num_heads: int,
        *,
        dropout: float = 0.0,
        causal: bool = False,
        initial_std: float = 0.02,
        output_std: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self.causal = causal
        self.initial_std = initial_std
        self.output_std = output_std

    def build(self, input_shape: Any) -> None:
        """Create the projections `qkv`, `(features, 3 * features)`, and `output`."""
        features = input_shape[-1]
        if features % self.num_heads:
            raise ValueError(f"{features} features do not divide into {self.num_heads} heads.")

        def dense(units: int, name: str, std: float) -> keras.layers.Dense:
            # BERT's start: Keras cuts the normal at twice the deviation, too.
            start = keras.initializers.TruncatedNormal(stddev=std)
            layer = keras.layers.Dense(
                units, kernel_initializer=start, dtype=self.dtype_policy, name=name
            )
            layer.build(input_shape)
            return layer

        output_std = self.initial_std if self.output_std is None else self.output_std
        self.qkv = dense(3 * features, "qkv", self.initial_std)
        self.projection = dense(features, "output", output_std)
        self.weights_dropout = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="dropout"
        )

    def call(
        self,
        inputs: Any,
        present: Any = None,
        cache: Any = None,
        before: Any = None,
        bias: Any = None,
        training: bool = False,
    ) -> Any:
        """Return the projected sums of values, and the cache with these positions, given one.

        Args:
            inputs: `(batch, time, features)`.
            present: bool `(batch, time)`, true at the positions that may be attended to; None is
                all of them.
            cache: keys and values of all positions, those at and after `before` not yet written;
                attention is then causal, and `present` is not read.
            before: int32 `(batch,)`, how many positions of each row are in the cache.
            bias: what is added to the scores, float32 `(1, heads, time, time)`; not with a cache.
            training: whether attention weights are dropped.
        """
        time = ops.shape(inputs)[1]
        qkv = self.qkv(inputs)
        if cache is not None:
            features = inputs.shape[-1]
            positions = positions_after(before, time)
            cache = _written(cache, qkv[:, :, features:], positions)
            query = ops.transpose(self._heads(qkv[:, :, :features], 1), (2, 0, 3, 1, 4))[0]
            key, value = ops.unstack(ops.transpose(self._heads(cache, 2), (2, 0, 3, 1, 4)), 2)
            known = ops.arange(cache.shape[1], dtype="int32") <= ops.expand_dims(positions, -1)
            mask = ops.where(ops.expand_dims(known, 1), 0.0, ABSENT)
            return self._mixed(query, key, value, mask, training), cache
        query, key, value = ops.unstack(ops.transpose(self._heads(qkv, 3), (2, 0, 3, 1, 4)), 3)
        mask = self._mask(present, time)
        if bias is not None:
            bias = ops.cast(bias, "float32")  # Keras casts arguments to the dtype of the layer
            mask = bias if mask is None else bias + mask
        return self._mixed(query, key, value, mask, training)

    def _heads(self, x: Any, parts: int) -> Any:
        """Return `(batch, time, parts, heads, size)` of the same values."""
        batch, time = ops.shape(x)[:2]
        size = x.shape[-1] // parts // self.num_heads
        return ops.reshape(x, (batch, time, parts, self.num_heads, size))

    def _mixed(self, query: Any, key: Any, value: Any, mask: Any, training: bool) -> Any:
        """Return the projected sums of values.

        Args:
            query: `(batch, heads, time, size)`.
            key: `(batch, heads, positions, size)`.
            value: as `key`.
            mask: what is added to the scores; None is nothing.
            training: whether attention weights are dropped.
        """
        batch, _, time, _ = ops.shape(query)
        query = query * query.shape[-1] ** -0.5
        scores = ops.cast(ops.matmul(query, ops.swapaxes(key, -1, -2)), "float32")
        if mask is not None:
            scores = scores + mask
        # Keras warns of a softmax over one position, whose weight of 1 is right here.
        weights = ops.ones_like(scores) if scores.shape[-1] == 1 else ops.softmax(scores)
        weights = self.weights_dropout(ops.cast(weights, value.dtype), training=training)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        features = self.num_heads * query.shape[-1]
        return self.projection(ops.reshape(mixed, (batch, time, features)))

    def _mask(self, present: Any, time: Any) -> Any:
        """Return what is added to scores, float32 and broadcast to them; None is nothing."""
        allowed = None
        if present is not None:
            allowed = ops.expand_dims(present, (1, 2))
        if self.causal:
            position = ops.arange(time)
            before = ops.expand_dims(position, 1) >= ops.expand_dims(position, 0)
            allowed = before if allowed is None else ops.logical_and(allowed, before)
        return None if allowed is None else ops.where(allowed, 0.0, ABSENT)

    def compute_output_spec(
        self,
        inputs: Any,
        present: Any = None,
        cache: Any = None,
        before: Any = None,
        bias: Any = None,
        training: bool = False,
    ) -> Any:
        """Return the inputs' shape, and the cache's."""
        return spec_with_cache(self, inputs, cache)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "causal": self.causal,
            "initial_std": self.initial_std,
            "output_std": self.output_std,
        }


def spec_with_cache(layer: keras.layers.Layer, inputs: Any, cache: Any) -> Any:
    """Return what a layer gives that keeps the inputs' shape, beside its cache where it has one.

    Args:
        layer: whose dtype the outputs have.
        inputs: of any shape.
        cache: None for none.
    """
    outputs = keras.KerasTensor(inputs.shape, layer.compute_dtype)
    return outputs if cache is None else (outputs, keras.KerasTensor(cache.shape, cache.dtype))


def _written(cache: Any, keys_values: Any, positions: Any) -> Any:
    """Return a cache with the keys and values of some positions of each row.

    Args:
        cache: `(batch, positions, 2 * features)`.
        keys_values: `(batch, time, 2 * features)`.
        positions: int32 `(batch, time)`.
    """
    rows = ops.zeros_like(positions) + ops.expand_dims(ops.arange(ops.shape(cache)[0]), 1)
    indices = ops.reshape(ops.stack([rows, positions], axis=-1), (-1, 2))
    updates = ops.reshape(ops.cast(keys_values, cache.dtype), (-1, cache.shape[-1]))
    return ops.scatter_update(cache, indices, updates)
