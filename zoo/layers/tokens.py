"""Layers on token ids: id 0 is padding, id 1 is the unknown word."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PADDING = 0
UNKNOWN = 1


@keras.saving.register_keras_serializable(package="zoo")
class TokenEmbedding(keras.layers.Embedding):
    """An embedding table whose padding is the zero vector, whatever its row 0 holds.

    int32 `(batch, time)` token ids to `(batch, time, features)`. The mask also keeps the gradient
    of row 0 at zero, so the row never moves.
    """

    def call(self, inputs: Any) -> Any:
        """Return the vectors of the ids, zero where the id is 0."""
        table = self.embeddings.value
        # A TensorFlow variable: after an update of some rows a dense read copies all of them.
        # `values` are its copies on several devices, which together have no sparse read.
        copies = getattr(table, "values", None)
        if isinstance(copies, tuple) and len(copies) == 1:
            table = copies[0]
        if hasattr(table, "sparse_read") and not hasattr(table, "values"):
            vectors = ops.cast(table.sparse_read(inputs), self.compute_dtype)
        else:
            vectors = super().call(inputs)
        mask = ops.cast(ops.not_equal(inputs, PADDING), vectors.dtype)
        return vectors * ops.expand_dims(mask, -1)


@keras.saving.register_keras_serializable(package="zoo")
class NgramWeights(TokenEmbedding):
    """A table of one weight a class for each n-gram: the rows of a linear model.

    A class of its own, so that an optimizer can tell it from word vectors.
    """


@keras.saving.register_keras_serializable(package="zoo")
class WordDropout(keras.layers.Layer):
    """Replace tokens by the unknown word in training; padding stays padding.

    int32 `(batch, time)` to int32 `(batch, time)`. It trains the vector of the unknown word, which
    hardly occurs in the training part that the vocabulary was learned from.

    Args:
        rate: probability that a token is replaced, in [0, 1).
        seed: of the masks; None takes one from `keras.utils.set_random_seed`.
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the ids, in training with some of them replaced by 1."""
        if not training or self.rate == 0.0:
            return inputs
        uniforms = keras.random.uniform(
            ops.shape(inputs), seed=self.seed_generator, dtype="float32"
        )
        replaced = ops.logical_and(uniforms < self.rate, ops.not_equal(inputs, PADDING))
        return ops.where(replaced, ops.full_like(inputs, UNKNOWN), inputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
