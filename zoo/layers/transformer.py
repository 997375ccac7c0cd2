"""A layer of a Transformer: attention, then two dense layers a position, each with a shortcut."""

from __future__ import annotations

from typing import Any, Literal

import keras

from zoo.layers.attention import SelfAttention, spec_with_cache
from zoo.layers.kernels import kernels_in_use

Norm = Literal["pre", "post"]


@keras.saving.register_keras_serializable(package="zoo")
def gelu_tanh(inputs: Any) -> Any:
    """Return GELU by its approximation with a tanh, which BERT's and GPT-2's own code has.

    Source: Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415.
    """
    return keras.activations.gelu(inputs, approximate=True)


def activation_of(activation: Any) -> Any:
    """Return the function of a name: Keras', or `gelu_tanh`."""
    return gelu_tanh if activation == "gelu_tanh" else keras.activations.get(activation)


def _gelu(inputs: Any) -> Any:
    """Return Keras' exact GELU; by the fast kernel where there is one that is able."""
    fast = kernels_in_use().gelu
    outputs = fast(inputs) if fast else None
    return keras.activations.gelu(inputs, approximate=False) if outputs is None else outputs


@keras.saving.register_keras_serializable(package="zoo")
class FeedForward(keras.layers.Layer):
    """Two dense layers, the same at every position.

    `(batch, time, features)` to the same.

    Args:
        units: features between the two.
        activation: name of the activation between them: `gelu_tanh`, or one of Keras, whose `gelu`
            is the exact one.
        initial_std: standard deviation of the kernels at the start.
        output_std: that of the second kernel; None is `initial_std`.
    """

    def __init__(
        self,
        units: int,
        *,
        activation: str = "gelu",
        initial_std: float = 0.02,
        output_std: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation_of(activation)
        self.initial_std = initial_std
        self.output_std = output_std

    def build(self, input_shape: Any) -> None:
        """Create the layers `inner` and `outer`."""

        def dense(units: int, name: str, std: float, activation: Any = None) -> keras.layers.Dense:
            start = keras.initializers.TruncatedNormal(stddev=std)
            return keras.layers.Dense(
                units, activation, kernel_initializer=start, dtype=self.dtype_policy, name=name
            )

        output_std = self.initial_std if self.output_std is None else self.output_std
        activation = _gelu if self.activation is keras.activations.gelu else self.activation
        self.inner = dense(self.units, "inner", self.initial_std, activation)
        self.outer = dense(input_shape[-1], "outer", output_std)
        self.inner.build(input_shape)
        self.outer.build((*input_shape[:-1], self.units))

    def call(self, inputs: Any) -> Any:
        """Return the outputs of the second layer."""
        return self.outer(self.inner(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the inputs' shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "initial_std": self.initial_std,
            "output_std": self.output_std,
        }


@keras.saving.register_keras_serializable(package="zoo")
class TransformerLayer(keras.layers.Layer):
    """Attention and a feed-forward network, each with dropout, a shortcut and a layer norm.

    `(batch, time, features)` and bool `(batch, time)`, true at the tokens, to
    `(batch, time, features)`.

    Args:
        num_heads: heads of the attention.
        feed_forward_dim: features between the two dense layers.
        norm: `pre` norms what enters attention and feed-forward network; `post`, as in BERT, the
            sums after them.
        norm_epsilon: added to the variance.
        activation: of the feed-forward network.
        dropout: fraction of what attention and feed-forward network give that is dropped, in
            [0, 1).
        attention_dropout: fraction of the attention weights dropped, in [0, 1).
        causal: whether a position sees itself and those before it alone.
        initial_std: standard deviation of the kernels at the start.
        output_std: that of the kernels whose products are added to a shortcut; None is
            `initial_std`.

    Source: Vaswani 2017, https://arxiv.org/abs/1706.03762, for `post`; Xiong 2020,
        https://arxiv.org/abs/2002.04745, for `pre`.
    """

    def __init__(
        self,
        num_heads: int,
        feed_forward_dim: int,
        *,
        norm: Norm = "pre",
        norm_epsilon: float = 1e-6,
        activation: str = "gelu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        causal: bool = False,
        initial_std: float = 0.02,
        output_std: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.feed_forward_dim = feed_forward_dim
        self.norm = norm
        self.norm_epsilon = norm_epsilon
        self.activation = activation_of(activation)
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.causal = causal
        self.initial_std = initial_std
        self.output_std = output_std

    def build(self, input_shape: Any) -> None:
        """Create `attention`, `feed_forward` and their norms."""
        policy = self.dtype_policy
        self.attention = SelfAttention(
            self.num_heads,
            dropout=self.attention_dropout,
            causal=self.causal,
            initial_std=self.initial_std,
            output_std=self.output_std,
            dtype=policy,
            name="attention",
        )
        self.feed_forward = FeedForward(
            self.feed_forward_dim,
            activation=self.activation,
            initial_std=self.initial_std,
            output_std=self.output_std,
            dtype=policy,
            name="feed_forward",
        )
        self.attention_norm, self.feed_forward_norm = (
            keras.layers.LayerNormalization(epsilon=self.norm_epsilon, dtype=policy, name=name)
            for name in ("attention_norm", "feed_forward_norm")
        )
        self.attention_drop, self.feed_forward_drop = (
            keras.layers.Dropout(self.dropout, dtype=policy, name=name)
            for name in ("attention_dropout", "feed_forward_dropout")
        )
        parts = (self.attention_norm, self.attention, self.feed_forward_norm, self.feed_forward)
        for layer in parts:
            layer.build(input_shape)

    def call(
        self,
        inputs: Any,
        present: Any = None,
        cache: Any = None,
        before: Any = None,
        bias: Any = None,
        training: bool = False,
    ) -> Any:
        """Return the layer's outputs, and its attention's cache where one is given.

        Args:
            inputs: `(batch, time, features)`.
            present: bool `(batch, time)`, true at the tokens; None is all of them.
            cache: of the attention, as `SelfAttention` describes it.
            before: int32 `(batch,)`, how many positions of each row are in the cache.
            bias: of the attention's scores, float32 `(1, heads, time, time)`.
            training: whether something is dropped.
        """
        written = None

        def attend(x: Any) -> Any:
            nonlocal written
            x = self.attention(
                x, present=present, cache=cache, before=before, bias=bias, training=training
            )
            if cache is not None:
                x, written = x
            return self.attention_drop(x, training=training)

        def feed(x: Any) -> Any:
            return self.feed_forward_drop(self.feed_forward(x), training=training)

        if self.norm == "pre":
            x = inputs + attend(self.attention_norm(inputs))
            x = x + feed(self.feed_forward_norm(x))
        else:
            x = self.attention_norm(inputs + attend(inputs))
            x = self.feed_forward_norm(x + feed(x))
        return x if written is None else (x, written)

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
            "feed_forward_dim": self.feed_forward_dim,
            "norm": self.norm,
            "norm_epsilon": self.norm_epsilon,
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "causal": self.causal,
            "initial_std": self.initial_std,
            "output_std": self.output_std,
        }


class CachedLayer(keras.layers.Layer):
    """A Transformer layer, with its weights, for a text that comes some tokens at a time.

    `(batch, time, features)`, the cache of its attention and how many positions are in it to the
    outputs and the cache with these positions. In Keras 3.15.1 a layer of a functional network has
    as many outputs in every call, so that `layer` itself cannot be called with a cache there.

    Args:
        layer: causal, and built.
    """

    def __init__(self, layer: TransformerLayer) -> None:
        super().__init__(name=f"{layer.name}_cached", dtype=layer.dtype_policy)
        self.layer = layer

    def call(self, inputs: Any, cache: Any, before: Any) -> tuple[Any, Any]:
        """Return the outputs and the cache; see `TransformerLayer.call`.

        Args:
            inputs: `(batch, time, features)`.
            cache: `(batch, positions, 2 * features)`.
            before: int32 `(batch,)`.
        """
        return self.layer(inputs, cache=cache, before=before)

    def compute_output_spec(self, inputs: Any, cache: Any, before: Any) -> Any:
        """Return the inputs' shape, and the cache's."""
        return spec_with_cache(self, inputs, cache)
