"""Pooling over time: from a vector a position to one a text; padding does not count."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Below any feature, and within float16.
LOWEST = -3.0e4


class _Pooling(keras.layers.Layer):
    """A layer that takes Keras' `mask` and passes none on, because no time axis is left."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None


@keras.saving.register_keras_serializable(package="zoo")
class MaskedMax(_Pooling):
    """Maximum over the positions of the text.

    `(batch, time, features)` and bool `(batch, time)`, true at the text, to `(batch, features)`. Of
    a text without a token it is 0.
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the maximum of every feature."""
        lowest = ops.cast(LOWEST, inputs.dtype)
        largest = ops.max(ops.where(ops.expand_dims(mask, -1), inputs, lowest), axis=1)
        return ops.where(ops.any(mask, axis=1, keepdims=True), largest, ops.zeros_like(largest))


@keras.saving.register_keras_serializable(package="zoo")
class AttentionPooling(_Pooling):
    """Weighted sum over the positions of the text: `tanh(sum_i softmax(w . tanh(h_i)) h_i)`.

    `(batch, time, features)` and bool `(batch, time)`, true at the text, to `(batch, features)`.

    Source: Zhou 2016, equations 9 to 12, https://aclanthology.org/P16-2034.
    """

    def build(self, input_shape: Any) -> None:
        """Create the query vector `w`, one number a feature."""
        self.query = self.add_weight(
            shape=(input_shape[-1],), initializer=keras.initializers.RandomNormal(), name="query"
        )

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the weighted sum of the positions."""
        scores = ops.sum(ops.cast(ops.tanh(inputs) * self.query, "float32"), axis=-1)
        scores = ops.where(mask, scores, LOWEST)
        # Not ops.softmax: it warns of a text of one word, whose weight of 1 is right here.
        weights = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))
        weights = weights / ops.sum(weights, axis=1, keepdims=True)
        weights = ops.expand_dims(ops.cast(weights, inputs.dtype), -1)
        return ops.tanh(ops.sum(weights * inputs, axis=1))


@keras.saving.register_keras_serializable(package="zoo")
class ScaledSum(_Pooling):
    """Sum of vectors over `count ** power`, where `count` is the number of ids that are not 0.

    Lists of `(batch, time, features)`, zero where there is no token, and of their int32
    `(batch, time)` ids; to `(batch, features)`.

    Args:
        power: 1 gives the mean; 0.5 keeps the variance of a sum of independent terms.
    """

    def __init__(self, power: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.power = power

    def call(self, inputs: list[Any], ids: list[Any]) -> Any:
        """Return the scaled sum over all lists and positions."""
        total = sum(ops.sum(vectors, axis=1) for vectors in inputs)
        count = sum(
            ops.sum(ops.cast(ops.not_equal(group, 0), "float32"), axis=1, keepdims=True)
            for group in ids
        )
        scale = ops.maximum(count, 1.0) ** self.power
        return total / ops.cast(scale, total.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "power": self.power}


@keras.saving.register_keras_serializable(package="zoo")
class MaskedMean(_Pooling):
    """Mean over the positions of the text; of a text without any, zeros.

    `(batch, time, features)` and bool `(batch, time)`, true at the text, to `(batch, features)`.
    """

    def call(self, inputs: Any, mask: Any) -> Any:
        """Return the mean of every feature."""
        shares = ops.cast(mask, "float32")
        shares = shares / ops.maximum(ops.sum(shares, axis=1, keepdims=True), 1.0)
        # One pass over the inputs, where a masked sum would take two.
        shares = ops.expand_dims(ops.cast(shares, inputs.dtype), 1)
        return ops.squeeze(ops.matmul(shares, inputs), 1)
