"""Filters over windows of words, maximum over time (Kim 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers.kernels import kernels_in_use


@keras.saving.register_keras_serializable(package="zoo")
class WordFilters(keras.layers.Layer):
    """The maximum over time of every filter's response.

    `(batch, time, features)`, zero at padding, to `(batch, filters * len(kernel_sizes))`.

    Any text also has a window of zeros only, as in Kim's code, where zeros stand before and after
    it; a maximum is therefore never below the response to that window, and more padding changes
    nothing. Windows that reach beyond the ends of the text exist if zeros are in the input.

    Bias and activation come after the maximum. For increasing activations (relu, tanh, linear)
    that is the same as before it, and saves passes over all positions.

    Args:
        filters: number of filters of each size.
        kernel_sizes: sizes of the windows in tokens; the input must be as long as the longest.
        activation: name of a Keras activation.
        kernel_initializer: of the filters' weights; the biases start at zero.

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
                # An initializer called again gives the same values: a clone does not.
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
        # Tensors: run eagerly, a function with its own gradient may not meet variables.
        kernels = [ops.cast(kernel, self.compute_dtype) for kernel in self.kernels]
        # Half precision would lose too much in the sums of the sparse gradient.
        sparse = kernels_in_use().sparse_matmul is not None and self.compute_dtype == "float32"
        if training and sparse:
            maxima = _max_responses_sparse(inputs, *kernels)
        else:
            maxima = _max_responses(inputs, kernels)
        return self.activation(ops.maximum(maxima, 0) + self.bias)

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


def _max_responses(vectors: Any, kernels: Sequence[Any]) -> Any:
    """Return the maximum over time of the convolutions, `(batch, filters of all kernels)`."""
    responses = [ops.conv(vectors, kernel, padding="valid") for kernel in kernels]
    return ops.concatenate([ops.max(response, axis=1) for response in responses], axis=-1)


@ops.custom_gradient
def _max_responses_sparse(vectors: Any, *kernels: Any) -> Any:
    """Return `_max_responses`, with a gradient that visits only the windows of the maxima.

    Of equal windows the first gets the gradient; `_max_responses` shares it out between them.
    """
    responses = [ops.conv(vectors, kernel, padding="valid") for kernel in kernels]
    maxima = [ops.max(response, axis=1) for response in responses]
    matmul: Any = kernels_in_use().sparse_matmul

    def gradient(*args: Any, upstream: Any = None) -> tuple[Any, ...]:
        if upstream is None:
            (upstream,) = args
        batch, time, features = ops.shape(vectors)
        flat = [ops.reshape(ops.transpose(k, (0, 2, 1)), (-1, features)) for k in kernels]
        shape = (sum(rows.shape[0] for rows in flat), batch * time)
        matrix = _gradient_matrix(responses, maxima, upstream, [k.shape[0] for k in kernels])
        grad_vectors = matmul(*matrix, shape, ops.concatenate(flat), transpose=True)
        products = matmul(*matrix, shape, ops.reshape(vectors, (batch * time, features)))
        grad_kernels = []
        for kernel in kernels:
            size, _, filters = kernel.shape
            rows, products = products[: size * filters], products[size * filters :]
            rows = ops.reshape(rows, (size, filters, features))
            grad_kernels.append(ops.transpose(rows, (0, 2, 1)))
        return ops.reshape(grad_vectors, (batch, time, features)), *grad_kernels

    return ops.concatenate(maxima, axis=-1), gradient


def _gradient_matrix(
    responses: list[Any], maxima: list[Any], upstream: Any, sizes: list[int]
) -> tuple[Any, Any, Any]:
    """Return rows, columns and values of the gradient as a sparse matrix.

    A row for each weight vector of a filter, `(size, filters)` of one size after the other, a
    column for each position `(batch, time)`: in a text, a weight vector met one position.

    Args:
        responses: of the filters of each size, `(batch, windows, filters)`.
        maxima: their maxima over the windows, `(batch, filters)`.
        upstream: gradient of all maxima, `(batch, filters of all sizes)`.
        sizes: of the windows in tokens.
    """
    columns, values, done, height = [], [], 0, 0
    batch = ops.shape(upstream)[0]
    for response, maximum, size in zip(responses, maxima, sizes, strict=True):
        filters = response.shape[-1]
        # `ops.argmax` of floating-point numbers takes three more passes over them.
        first = ops.argmax(ops.equal(response, ops.expand_dims(maximum, 1)), axis=1)
        time = ops.shape(response)[1] + size - 1
        first = ops.transpose(ops.cast(first, "int32")) + ops.arange(batch, dtype="int32") * time
        columns.append(first + ops.reshape(ops.arange(size, dtype="int32"), (-1, 1, 1)))
        weight = ops.transpose(upstream[:, done : done + filters])
        values.append(ops.broadcast_to(weight, (size, filters, batch)))
        done, height = done + filters, height + size * filters
    rows = ops.reshape(ops.arange(height, dtype="int32"), (-1, 1))
    rows = ops.broadcast_to(rows, (height, batch))
    columns, values = (
        ops.concatenate([ops.reshape(part, (-1,)) for part in parts]) for parts in (columns, values)
    )
    return ops.reshape(rows, (-1,)), columns, values
