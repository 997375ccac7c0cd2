"""Keras' recurrent layers; by `zoo.layers.recurrence` where the kernels in use have it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo.layers import cells
from zoo.layers.kernels import kernels_in_use
from zoo.layers.recurrence import recurrence


@keras.saving.register_keras_serializable(package="zoo")
class SimpleRNN(keras.layers.SimpleRNN):
    """Keras' simple recurrent layer."""

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the states of the text, as Keras' layer does."""
        if initial_state is None and _able(self):
            return _outputs(self, cells.SIMPLE, sequences, mask)
        return super().call(sequences, initial_state, mask=mask, training=training)


@keras.saving.register_keras_serializable(package="zoo")
class LSTM(keras.layers.LSTM):
    """Keras' LSTM, never by cuDNN.

    With masks cuDNN stops at a row without a token, and in bfloat16 it ended in losses that are not
    finite (TensorFlow 2.21, H200). XLA does not compile it.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **{**kwargs, "use_cudnn": False})

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the states of the text, as Keras' layer does."""
        if initial_state is None and _able(self):
            return _outputs(self, cells.LSTM, sequences, mask)
        return super().call(sequences, initial_state, mask=mask, training=training)


@keras.saving.register_keras_serializable(package="zoo")
class GRU(keras.layers.GRU):
    """Keras' GRU, never by cuDNN, as `LSTM`."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **{**kwargs, "use_cudnn": False})

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Return the states of the text, as Keras' layer does."""
        if initial_state is None and self.reset_after and _able(self):
            return _outputs(self, cells.GRU, sequences, mask)
        return super().call(sequences, initial_state, mask=mask, training=training)


def _able(layer: Any) -> bool:
    """Whether the kernels in use run a layer of Keras with these arguments."""
    gate = getattr(layer, "recurrent_activation", keras.activations.sigmoid)
    usual = layer.activation is keras.activations.tanh and gate is keras.activations.sigmoid
    other = layer.stateful or layer.return_state or layer.dropout or layer.recurrent_dropout
    return kernels_in_use().recurrence is not None and usual and layer.use_bias and not other


def _outputs(layer: Any, cell: cells.Cell, sequences: Any, mask: Any) -> Any:
    """Return what Keras' layer does, in its dtype; gates and states are in float32 at the least.

    Args:
        layer: whose weights and arguments to use.
        cell: what it computes at a step.
        sequences: `(batch, time, features)`.
        mask: bool `(batch, time)`, or None.
    """
    dtype = keras.backend.result_type(layer.compute_dtype, "float32")
    inputs, present = ops.swapaxes(sequences, 0, 1), None
    if mask is not None:
        present = ops.swapaxes(mask, 0, 1)
    if layer.go_backwards:
        inputs = ops.flip(inputs, axis=0)
        present = None if present is None else ops.flip(present, axis=0)
    # Reshaping reads the variable: a custom gradient of TensorFlow wants a tensor.
    kernel, recurrent, bias = (
        ops.reshape(weight, weight.shape)
        for weight in (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)
    )
    bias, inner_bias = (bias[0], bias[1]) if cell is cells.GRU else (bias, None)
    projected = ops.cast(ops.matmul(inputs, kernel), dtype) + ops.cast(bias, dtype)
    states = [ops.zeros((ops.shape(inputs)[1], layer.units), dtype)] * cell.states
    outputs, *_ = recurrence(cell, projected, tuple(states), recurrent, inner_bias, present)
    if layer.zero_output_for_mask and present is not None:
        outputs = ops.where(ops.expand_dims(present, -1), outputs, ops.zeros_like(outputs))
    outputs = ops.swapaxes(outputs, 0, 1) if layer.return_sequences else outputs[-1]
    return ops.cast(outputs, layer.compute_dtype)
