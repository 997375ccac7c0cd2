"""Two paths to the same logits, mixed so that neither comes to rely on the other."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class PathMix(keras.layers.Layer):
    """Weighted sum of the logits of two paths, plus a bias.

    Two float32 `(batch, classes)` to one: `2 (1 - share) first + 2 share second + bias`. In
    training a fraction `dropout` of the examples sees the first path alone, and as many the second:
    a network that learns faster than the linear model beside it would otherwise leave no error for
    the linear model to learn from.

    Args:
        share: share of the second path, in [0, 1]; one half is a plain sum.
        dropout: fraction of examples that see one path alone, for each path, in [0, 0.5).

    Source: Cheng 2016, https://arxiv.org/abs/1606.07792, for the two paths; Neverova 2015,
        https://arxiv.org/abs/1501.00102, for dropping one of them (ModDrop).
    """

    def __init__(self, share: float, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share
        self.dropout = dropout
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: Any) -> None:
        """Create the bias, one number a class."""
        self.bias = self.add_weight(shape=(input_shape[0][-1],), initializer="zeros", name="bias")

    def call(self, inputs: list[Any], training: bool = False) -> Any:
        """Return the mixed logits."""
        first, second = inputs
        mixed = 2 * (1 - self.share) * first + 2 * self.share * second
        if training and self.dropout:
            shape = (ops.shape(first)[0], 1)
            uniforms = keras.random.uniform(shape, seed=self.seed_generator, dtype="float32")
            mixed = ops.where(uniforms < 2 * self.dropout, second, mixed)
            mixed = ops.where(uniforms < self.dropout, first, mixed)
        return mixed + self.bias

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "share": self.share, "dropout": self.dropout}
