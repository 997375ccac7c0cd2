"""Keras' recurrent layers; by `zoo.layers.recurrence` where the kernels in use have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers import cells
from zoo.layers.kernels import kernels_in_use
from zoo.layers.recurrence import recurrence


class _OneLoop(keras.layers.Layer):
    """A layer of Keras that the kernels in use run, where they are able."""

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the states of the text, as Keras' layer does."""
        if initial_state is None and _able(self):
            return _outputs([self], sequences, mask)
        return super().call(sequences, initial_state, mask=mask, training=training)


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(_OneLoop, keras.layers.SimpleRNN):
    """Keras' simple recurrent layer."""


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(_OneLoop, keras.layers.LSTM):
    """Keras' LSTM, never by cuDNN.

    With masks cuDNN stops at a row without a token, and in bfloat16 it ended in losses that are not
    finite (TensorFlow 2.21, H200). XLA does not compile it.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **{**kwargs, "use_cudnn": False})


@keras.saving.register_keras_serializable(package="zoo")
class GRU(_OneLoop, keras.layers.GRU):
    """Keras' GRU, never by cuDNN, as `LSTM`."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **{**kwargs, "use_cudnn": False})


@keras.saving.register_keras_serializable(package="zoo")
class Bidirectional(keras.layers.Bidirectional):
    """Keras' wrapper; where the kernels in use have it, both directions are one loop."""

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
    ) -> Any:
        """Return what both directions do, as Keras' wrapper does."""
        layers = [self.forward_layer, self.backward_layer]
        alike = type(layers[0]) is type(layers[1]) and layers[0].units == layers[1].units
        usual = initial_state is None and alike and self.merge_mode == "concat"
        if usual and all(map(_able, layers)):
            return _outputs(layers, sequences, mask)
        return super().call(sequences, initial_state, mask=mask, training=training)


CELLS = {SimpleRNN: cells.SIMPLE, LSTM: cells.LSTM, GRU: cells.GRU}


def _able(layer: Any) -> bool:
    """Whether the kernels in use run a layer of Keras with these arguments."""
    if kernels_in_use().recurrence is None or type(layer) not in CELLS:
        return False
    gate = getattr(layer, "recurrent_activation", keras.activations.sigmoid)
    usual = layer.activation is keras.activations.tanh and gate is keras.activations.sigmoid
    other = layer.stateful or layer.return_state or layer.dropout or layer.recurrent_dropout
    return usual and layer.use_bias and getattr(layer, "reset_after", True) and not other


def _outputs(layers: Sequence[Any], sequences: Any, mask: Any) -> Any:
    """Return what a layer of Keras does, or two side by side, in their dtype.

    Gates and states are in float32 at the least.

    Args:
        layers: whose weights and arguments to use: of one class and size.
        sequences: `(batch, time, features)`.
        mask: bool `(batch, time)`, or None.
    """
    cell, compute_dtype = CELLS[type(layers[0])], layers[0].compute_dtype
    dtype = keras.backend.result_type(compute_dtype, "float32")
    inputs = ops.swapaxes(sequences, 0, 1)
    present = None if mask is None else ops.swapaxes(mask, 0, 1)
    parts = []
    for layer in layers:
        # Reshaping reads the variable: a custom gradient of TensorFlow wants a tensor.
        kernel, recurrent, bias = (
            ops.cast(ops.reshape(weight, weight.shape), compute_dtype)
            for weight in (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)
        )
        bias, inner_bias = (bias[0], bias[1]) if cell is cells.GRU else (bias, None)
        projected = ops.cast(ops.matmul(inputs, kernel), dtype) + ops.cast(bias, dtype)
        parts.append(
            (_in_order(layer, projected), recurrent, inner_bias, _in_order(layer, present))
        )
    states = [ops.zeros((ops.shape(inputs)[1], layers[0].units), dtype)] * cell.states
    if len(parts) == 1:
        ((projected, recurrent, inner_bias, present),) = parts
        every, *_ = recurrence(cell, projected, tuple(states), recurrent, inner_bias, present)
        return _returned(layers[0], every, present, compute_dtype)
    projected, recurrent, inner_bias, presents = zip(*parts, strict=True)
    every, *_ = recurrence(
        cell,
        ops.stack(projected, axis=1),
        tuple(ops.stack([state, state]) for state in states),
        ops.stack(recurrent),
        None if inner_bias[0] is None else ops.expand_dims(ops.stack(inner_bias), 1),
        None if mask is None else ops.stack(presents, axis=1),
    )
    sides = [
        _returned(layer, every[:, i], presents[i], compute_dtype) for i, layer in enumerate(layers)
    ]
    if layers[0].return_sequences:
        sides[1] = ops.flip(sides[1], axis=1)
    return ops.concatenate(sides, axis=-1)


def _in_order(layer: Any, values: Any) -> Any:
    """Return `(time, ...)` in the order in which a layer reads it."""
    return values if values is None or not layer.go_backwards else ops.flip(values, axis=0)


def _returned(layer: Any, every: Any, present: Any, dtype: Any) -> Any:
    """Return of all states `(time, batch, units)` what a layer of Keras does.

    Args:
        layer: whose arguments to use.
        every: the states, in the order in which they were computed.
        present: bool `(time, batch)` in that order, or None.
        dtype: of what is returned.
    """
    if layer.zero_output_for_mask and present is not None:
        every = ops.where(ops.expand_dims(present, -1), every, ops.zeros_like(every))
    return ops.cast(ops.swapaxes(every, 0, 1) if layer.return_sequences else every[-1], dtype)
