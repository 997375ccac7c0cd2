"""Filters over windows of words, maximum over time (Kim 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

# Positions from which the gradient through the winning windows alone is the faster one. It costs
# the same at any length, the gradient of the whole convolution grows with it: equal at 100
# positions on one CPU core (3 x 100 filters over 128 features), twice as fast at 400.
LONG = 112


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
        kernels = [ops.convert_to_tensor(kernel) for kernel in self.kernels]

        def short() -> Any:
            return ops.concatenate([_strongest(inputs, kernel) for kernel in kernels], axis=-1)

        def long() -> Any:
            return ops.concatenate([_strongest_alone(inputs, k) for k in kernels], axis=-1)

        # Half precision would lose too much in the sums of the sparse gradient.
        if not training or self.compute_dtype != "float32":
            strongest = short()
        else:
            time = ops.shape(inputs)[1]
            if isinstance(time, int):
                strongest = long() if time >= LONG else short()
            else:
                strongest = ops.cond(time >= LONG, long, short)
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


def _strongest(vectors: Any, kernel: Any) -> Any:
    """Return the maximum over time of the convolution, `(batch, filters)`."""
    return ops.max(ops.conv(vectors, kernel, padding="valid"), axis=1)


@ops.custom_gradient
def _strongest_alone(vectors: Any, kernel: Any) -> Any:
    """Do the same, with a gradient that visits only the window where a filter was strongest.

    Of equal windows the first gets the gradient; `_strongest` shares it out between them.
    """
    found = ops.conv(vectors, kernel, padding="valid")

    def gradient(*args: Any, upstream: Any = None) -> tuple[Any, Any]:
        if upstream is None:
            (upstream,) = args
        size, features, filters = kernel.shape
        batch, time = ops.shape(vectors)[0], ops.shape(vectors)[1]
        # Rows of the windows in the flattened (batch * time, features), (filters, batch, size).
        start = ops.arange(batch, dtype="int32") * time
        start = ops.transpose(ops.cast(ops.argmax(found, axis=1), "int32")) + start
        rows = ops.expand_dims(start, -1) + ops.arange(size, dtype="int32")
        windows = ops.take(ops.reshape(vectors, (-1, features)), rows, axis=0)
        windows = ops.reshape(windows, (filters, batch, size * features))
        weight = ops.transpose(upstream)  # (filters, batch)
        to_kernel = ops.squeeze(ops.matmul(ops.expand_dims(weight, 1), windows), 1)
        to_kernel = ops.reshape(ops.transpose(to_kernel), kernel.shape)
        flat = ops.transpose(ops.reshape(kernel, (size * features, filters)))
        to_windows = ops.expand_dims(weight, -1) * ops.expand_dims(flat, 1)
        to_vectors = ops.segment_sum(
            ops.reshape(to_windows, (-1, features)),
            ops.reshape(rows, (-1,)),
            num_segments=batch * time,
        )
        return ops.reshape(to_vectors, ops.shape(vectors)), to_kernel

    return ops.max(found, axis=1), gradient
