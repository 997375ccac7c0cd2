"""Filters over windows of words, maximum over time (Kim 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers.kernels import kernels_in_use


@keras.saving.register_keras_serializable(package="zoo")
class WordFilters(keras.layers.Layer):
    """The strongest answer of every filter anywhere in the text.

    `(batch, time, features)`, zero at padding, to `(batch, filters * len(kernel_sizes))`.

    Any text also has a window of zeros only, as in Kim's code, where zeros stand before and after
    it; an answer is therefore never below the one to that window, and more padding changes
    nothing. Windows that hang over the ends of the text are there if zeros are in the input.

    Bias and activation come after the maximum. For increasing activations (relu, tanh, linear)
    that is the same as before it, and spares passes over all positions.

    Args:
        filters: number of filters of each size.
        kernel_sizes: sizes of the windows in tokens; the input must be as long as the longest.
        activation: name of a Keras activation.
        kernel_initializer: start of the filters' weights; the biases start at zero.

    Source: Kim 2014, https://arxiv.org/abs/1408.5882, and conv_net_sentence.py of
        https://github.com/yoonkim/CNN_sentence.
    """

    def __init__(
        self,
        filters: int,
        kernel_sizes: Sequence[int],
        *,
        activation: str = "relu",
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_sizes = tuple(kernel_sizes)
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Any) -> None:
        """Create one kernel a size, `(size, features, filters)`, and the bias of all filters."""
        self.kernels = [
            self.add_weight(
                shape=(size, input_shape[-1], self.filters),
                # An initializer draws the same numbers each time it is called: a clone does not.
                initializer=self.kernel_initializer.clone(),
                name=f"kernel_{i}",
            )
            for i, size in enumerate(self.kernel_sizes)
        ]
        self.bias = self.add_weight(
            shape=(self.filters * len(self.kernel_sizes),), initializer="zeros", name="bias"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the activated maximum of every filter."""
        # Read here: where a function runs eagerly, its own gradient may not meet variables.
        kernels = [ops.cast(kernel, self.compute_dtype) for kernel in self.kernels]
        # Half precision would lose too much in the sums of the sparse gradient.
        sparse = kernels_in_use().sparse_matmul is not None and self.compute_dtype == "float32"
        if training and sparse:
            strongest = _strongest_alone(inputs, *kernels)
        else:
            strongest = _strongest(inputs, kernels)
        return self.activation(ops.maximum(strongest, 0) + self.bias)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return `(batch, filters * len(kernel_sizes))`; JAX cannot trace an unknown time."""
        return input_shape[0], self.filters * len(self.kernel_sizes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_sizes": self.kernel_sizes,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _strongest(vectors: Any, kernels: Sequence[Any]) -> Any:
    """Return the maximum over time of the convolutions, `(batch, filters of all kernels)`."""
    found = [ops.conv(vectors, kernel, padding="valid") for kernel in kernels]
    return ops.concatenate([ops.max(each, axis=1) for each in found], axis=-1)


@ops.custom_gradient
def _strongest_alone(vectors: Any, *kernels: Any) -> Any:
    """Do the same, with a gradient that visits only the window where a filter was strongest.

    Of equal windows the first gets the gradient; `_strongest` shares it out between them.
    """
    found = [ops.conv(vectors, kernel, padding="valid") for kernel in kernels]
    strongest = [ops.max(each, axis=1) for each in found]
    matmul: Any = kernels_in_use().sparse_matmul

    def gradient(*args: Any, upstream: Any = None) -> tuple[Any, ...]:
        if upstream is None:
            (upstream,) = args
        batch, time, features = ops.shape(vectors)
        flat = [ops.reshape(ops.transpose(each, (0, 2, 1)), (-1, features)) for each in kernels]
        shape = (sum(each.shape[0] for each in flat), batch * time)
        matrix = _winners(found, strongest, upstream, [each.shape[0] for each in kernels])
        to_vectors = matmul(*matrix, shape, ops.concatenate(flat), transpose=True)
        left = matmul(*matrix, shape, ops.reshape(vectors, (batch * time, features)))
        to_kernels = []
        for kernel in kernels:
            size, _, filters = kernel.shape
            mine, left = left[: size * filters], left[size * filters :]
            mine = ops.reshape(mine, (size, filters, features))
            to_kernels.append(ops.transpose(mine, (0, 2, 1)))
        return ops.reshape(to_vectors, (batch, time, features)), *to_kernels

    return ops.concatenate(strongest, axis=-1), gradient


def _winners(
    found: list[Any], strongest: list[Any], upstream: Any, sizes: list[int]
) -> tuple[Any, Any, Any]:
    """Return rows, columns and values of the gradient as a sparse matrix.

    A row for each weight vector of a filter, `(size, filters)` of one size after the other, a
    column for each position `(batch, time)`: in a text, a weight vector met one position.
    """
    columns, values, done, height = [], [], 0, 0
    batch = ops.shape(upstream)[0]
    for answers, best, size in zip(found, strongest, sizes, strict=True):
        filters = answers.shape[-1]
        # `ops.argmax` of floating-point numbers takes three more passes over them.
        start = ops.argmax(ops.equal(answers, ops.expand_dims(best, 1)), axis=1)
        time = ops.shape(answers)[1] + size - 1
        start = ops.transpose(ops.cast(start, "int32")) + ops.arange(batch, dtype="int32") * time
        columns.append(start + ops.reshape(ops.arange(size, dtype="int32"), (-1, 1, 1)))
        weight = ops.transpose(upstream[:, done : done + filters])
        values.append(ops.broadcast_to(weight, (size, filters, batch)))
        done, height = done + filters, height + size * filters
    rows = ops.reshape(ops.arange(height, dtype="int32"), (-1, 1))
    rows = ops.broadcast_to(rows, (height, batch))
    columns, values = (
        ops.concatenate([ops.reshape(each, (-1,)) for each in parts]) for parts in (columns, values)
    )
    return ops.reshape(rows, (-1,)), columns, values
