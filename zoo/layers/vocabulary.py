"""Embedding and output projection of a vocabulary in one layer, with one table if tied."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class VocabularyEmbedding(keras.layers.Layer):
    """Vectors of token ids, and with `reverse=True` the logits of all tokens from features.

    Tied, both use the same table, whose gradients add up: `logits = features @ table.T + bias`.

    Args:
        vocabulary_size: number of token ids; every id is a token, none is padding.
        embedding_dim: length of a vector, and of the features that logits are made from.
        tied: whether the output projection uses the embedding table, or one of its own (of
            `output_dim`).
        embedding_range: tables start uniform in [-range, range]; the bias starts at 0.
        initial_std: tables start normal with this standard deviation, cut at twice it, instead;
            None is uniform.
        scale: what vectors are multiplied by; the output projection is not.
        embedding_dropout: fraction of the words dropped in training, in [0, 1): a word that is
            dropped has the zero vector wherever it occurs in the batch, the others are scaled up.
            The output projection has no dropout.
        output_dim: length of the features that are projected; None is `embedding_dim`.
        seed: of the masks; None takes one from `keras.utils.set_random_seed`.

    Raises:
        ValueError: tied, with an `output_dim` that is not `embedding_dim`.

    Source: Press and Wolf 2017, https://arxiv.org/abs/1608.05859, and Inan 2017,
        https://arxiv.org/abs/1611.01462 (tying); Gal and Ghahramani 2016,
        https://arxiv.org/abs/1512.05287 (dropout of words).
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        *,
        tied: bool = True,
        embedding_range: float = 0.1,
        initial_std: float | None = None,
        scale: float = 1.0,
        embedding_dropout: float = 0.0,
        output_dim: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.tied = tied
        self.embedding_range = embedding_range
        self.initial_std = initial_std
        self.scale = scale
        self.embedding_dropout = embedding_dropout
        self.output_dim = embedding_dim if output_dim is None else output_dim
        self.seed = seed
        if tied and self.output_dim != embedding_dim:
            raise ValueError(
                f"tied, `output_dim` must be embedding_dim. Received: {output_dim}, {embedding_dim}"
            )
        if embedding_dropout:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any = None) -> None:
        """Create the table or tables, `(vocabulary, features)`, and the bias of the logits."""
        limit = self.embedding_range

        def table(features: int, name: str) -> Any:
            if self.initial_std is None:
                start: Any = keras.initializers.RandomUniform(-limit, limit)
            else:
                start = keras.initializers.TruncatedNormal(stddev=self.initial_std)
            shape = (self.vocabulary_size, features)
            return self.add_weight(shape=shape, initializer=start, name=name)

        self.embeddings = table(self.embedding_dim, "embeddings")
        self.output_embeddings = (
            self.embeddings if self.tied else table(self.output_dim, "output_embeddings")
        )
        self.bias = self.add_weight(shape=(self.vocabulary_size,), initializer="zeros", name="bias")

    def call(self, inputs: Any, reverse: bool = False, training: bool = False) -> Any:
        """Return vectors of ids, or logits of features.

        Args:
            inputs: int ids of any shape, or features `(..., output_dim)`.
            reverse: whether inputs are features.
            training: whether words are dropped.

        Returns:
            `(..., embedding_dim)` vectors, or float32 `(..., vocabulary_size)` logits.
        """
        if reverse:
            table = ops.cast(self.output_embeddings, self.compute_dtype)
            logits = ops.matmul(ops.cast(inputs, self.compute_dtype), ops.transpose(table))
            return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")
        vectors = ops.cast(ops.take(self.embeddings, inputs, axis=0), self.compute_dtype)
        if self.scale != 1.0:
            vectors = vectors * self.scale
        if not training or not self.embedding_dropout:
            return vectors
        uniforms = keras.random.uniform((self.vocabulary_size,), seed=self.seed_generator)
        kept = ops.cast(uniforms >= self.embedding_dropout, "float32") / (
            1 - self.embedding_dropout
        )
        mask = ops.cast(ops.take(kept, inputs, axis=0), self.compute_dtype)
        return vectors * ops.expand_dims(mask, -1)

    def compute_output_spec(
        self, inputs: Any, reverse: bool = False, training: bool = False
    ) -> Any:
        """Return the shape of vectors or logits."""
        if reverse:
            return keras.KerasTensor((*inputs.shape[:-1], self.vocabulary_size), "float32")
        return keras.KerasTensor((*inputs.shape, self.embedding_dim), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "tied": self.tied,
            "embedding_range": self.embedding_range,
            "initial_std": self.initial_std,
            "scale": self.scale,
            "embedding_dropout": self.embedding_dropout,
            "output_dim": self.output_dim,
            "seed": self.seed,
        }
