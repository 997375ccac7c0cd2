"""What attention scores gain from how far two positions are apart."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

FARTHEST = 128  # tokens; those farther apart share the last bucket of their side


def distance_buckets(num_buckets: int) -> np.ndarray:
    """Return the bucket of each distance from -128 to 128, int32 `(257,)`.

    Half of the buckets are of keys that stand after the query. Of either half the first half has a
    distance each, from 0 on; the others take distances that grow by the same factor, up to 128.

    Args:
        num_buckets: a multiple of 4.
    """
    half = num_buckets // 2
    exact = half // 2
    distance = np.arange(-FARTHEST, FARTHEST + 1)
    size = np.abs(distance)
    growth = np.log(np.maximum(size, 1) / exact) / math.log(FARTHEST / exact)
    far = np.minimum(exact + (growth * (half - exact)).astype(int), half - 1)
    return (np.where(size < exact, size, far) + half * (distance > 0)).astype(np.int32)


@keras.saving.register_keras_serializable(package="zoo")
class RelativePositionBias(keras.layers.Embedding):
    """A number a head for each distance between query and key, which is added to their score.

    int32 `(batch, time)` token ids, of which only the length counts, to float32 `(1, heads, time,
    time)`. Layers of attention may share it.

    Args:
        input_dim: buckets that distances fall into, a multiple of 4.
        output_dim: heads.
        **kwargs: as for `keras.layers.Embedding`.

    Source: Raffel 2020, https://arxiv.org/abs/1910.10683, section 2.1; Song 2020,
        https://arxiv.org/abs/2004.09297 (MPNet, where all layers share it).
    """

    def call(self, inputs: Any) -> Any:
        """Return what is added to the scores of every row."""
        position = ops.arange(ops.shape(inputs)[1], dtype="int32")
        distance = ops.expand_dims(position, 0) - ops.expand_dims(position, 1)
        distance = ops.clip(distance, -FARTHEST, FARTHEST) + FARTHEST
        buckets = ops.take(ops.convert_to_tensor(distance_buckets(self.input_dim)), distance)
        # A product, since the gradient of a gather would be summed over all pairs row by row.
        shares = ops.one_hot(buckets, self.input_dim, dtype=self.compute_dtype)
        bias = ops.matmul(shares, ops.cast(self.embeddings, self.compute_dtype))
        return ops.cast(ops.expand_dims(ops.transpose(bias, (2, 0, 1)), 0), "float32")

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return `(1, heads, time, time)`."""
        time = inputs.shape[1]
        return keras.KerasTensor((1, self.output_dim, time, time), "float32")
