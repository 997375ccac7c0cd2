"""The recurrence of an LSTM over a window, with the gradient written out.

What a loop over time costs on a CPU is the product with the recurrent kernel: at a batch of 20 rows
it reads all weights at every step. Two things keep the rest out of the loop. The input's part of
the gates is one product over all steps, made before. And backward, the recurrent kernel's gradient
is one product over all steps, made after; the gradient that a framework derives adds a matrix of
the kernel's size at every step.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Torch's custom gradient in Keras 3.15.1 is for functions of one output.
_OWN_GRADIENT = keras.backend.backend() != "torch"


def recurrence(projected: Any, hidden: Any, cell: Any, kernel: Any) -> tuple[Any, Any]:
    """Run an LSTM over time from the input's part of its gates.

    Gates are in Keras' order: input, forget, candidate, output. Gates and states are computed in
    the dtype of `projected`, products in that of `kernel`.

    Args:
        projected: float32 `(time, batch, 4 * units)`: inputs times kernel, plus bias.
        hidden: float32 `(batch, units)`, the hidden state before the first step.
        cell: float32 `(batch, units)`, the cell state before the first step.
        kernel: `(units, 4 * units)`, the recurrent kernel.

    Returns:
        The hidden states `(time, batch, units)` and the last cell state `(batch, units)`.

    Source: Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, with the
        forget gate of Gers 2000, https://doi.org/10.1162/089976600300015015.
    """
    if _OWN_GRADIENT:
        outputs: tuple[Any, Any] = _differentiable(projected, hidden, cell, kernel)
        return outputs
    states, cells, _ = _forward(projected, hidden, cell, kernel)
    return states, cells[-1]


@ops.custom_gradient
def _differentiable(projected: Any, hidden: Any, cell: Any, kernel: Any) -> Any:
    states, cells, gates = _forward(projected, hidden, cell, kernel)

    def gradient(*upstream: Any) -> tuple[Any, ...]:
        # TensorFlow gives one argument an output, JAX one tuple.
        grad_states, grad_cell = keras.tree.flatten(upstream)[-2:]
        return _backward(grad_states, grad_cell, hidden, cell, kernel, states, cells, gates)

    return (states, cells[-1]), gradient


def _forward(projected: Any, hidden: Any, cell: Any, kernel: Any) -> tuple[Any, Any, Any]:
    """Return hidden states, cell states and the gates before their activations, of all steps."""

    def step(carry: Any, gates: Any) -> tuple[Any, Any]:
        hidden, cell, _ = carry
        product = ops.matmul(ops.cast(hidden, kernel.dtype), kernel)
        gates = gates + ops.cast(product, gates.dtype)
        input_gate, forget, candidate, output = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(forget) * cell + ops.sigmoid(input_gate) * ops.tanh(candidate)
        hidden = ops.sigmoid(output) * ops.tanh(cell)
        # Keras' scan wants outputs like the carry: the gates are in it for that alone.
        return (hidden, cell, gates), (hidden, cell, gates)

    carry = (hidden, cell, ops.zeros_like(projected[0]))
    _, (states, cells, gates) = ops.scan(step, carry, projected)
    return states, cells, gates


def _backward(
    grad_states: Any, grad_cell: Any, hidden: Any, cell: Any, kernel: Any,
    states: Any, cells: Any, gates: Any,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """Return the gradients of the four arguments of `recurrence`.

    All that does not need the gradient of the next step is computed for all steps at once.
    """
    input_gate, forget, candidate, output = ops.split(gates, 4, axis=-1)
    input_gate, forget, output = ops.sigmoid(input_gate), ops.sigmoid(forget), ops.sigmoid(output)
    candidate, tanh_cells = ops.tanh(candidate), ops.tanh(cells)
    before = ops.concatenate([ops.expand_dims(cell, 0), cells[:-1]])
    d_hidden_d_cell = output * (1 - tanh_cells * tanh_cells)
    d_hidden_d_output = tanh_cells * output * (1 - output)
    d_cell_d_input = candidate * input_gate * (1 - input_gate)
    d_cell_d_forget = before * forget * (1 - forget)
    d_cell_d_candidate = input_gate * (1 - candidate * candidate)
    transposed = ops.transpose(kernel)

    def step(carry: Any, time: Any) -> tuple[Any, Any]:
        grad_hidden, grad_cell, _ = carry
        grad_hidden = grad_hidden + grad_states[time]
        grad_cell = grad_cell + grad_hidden * d_hidden_d_cell[time]
        grad_gates = ops.concatenate(
            [
                grad_cell * d_cell_d_input[time],
                grad_cell * d_cell_d_forget[time],
                grad_cell * d_cell_d_candidate[time],
                grad_hidden * d_hidden_d_output[time],
            ],
            axis=-1,
        )
        product = ops.matmul(ops.cast(grad_gates, kernel.dtype), transposed)
        carry = (ops.cast(product, grad_hidden.dtype), grad_cell * forget[time], grad_gates)
        return carry, carry

    (grad_hidden, grad_cell, _), (_, _, grad_gates) = ops.scan(
        step,
        (ops.zeros_like(hidden), grad_cell, ops.zeros_like(gates[0])),
        ops.arange(ops.shape(states)[0]),  # Keras 3.15.1 scans one input only if time is unknown
        reverse=True,
    )
    units = kernel.shape[0]
    previous = ops.concatenate([ops.expand_dims(hidden, 0), states[:-1]])
    flat = ops.cast(ops.reshape(previous, (-1, units)), kernel.dtype)
    grad_kernel = ops.matmul(
        ops.transpose(flat), ops.cast(ops.reshape(grad_gates, (-1, 4 * units)), kernel.dtype)
    )
    return grad_gates, grad_hidden, grad_cell, grad_kernel
