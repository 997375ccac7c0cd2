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
        found: tuple[Any, Any] = _differentiable(projected, hidden, cell, kernel)
        return found
    states, cells, _ = _forward(projected, hidden, cell, kernel)
    return states, cells[-1]


@ops.custom_gradient
def _differentiable(projected: Any, hidden: Any, cell: Any, kernel: Any) -> Any:
    states, cells, gates = _forward(projected, hidden, cell, kernel)

    def gradient(*upstream: Any) -> tuple[Any, ...]:
        # TensorFlow gives one argument an output, JAX one tuple.
        to_states, to_cell = keras.tree.flatten(upstream)[-2:]
        return _backward(to_states, to_cell, hidden, cell, kernel, states, cells, gates)

    return (states, cells[-1]), gradient


def _forward(projected: Any, hidden: Any, cell: Any, kernel: Any) -> tuple[Any, Any, Any]:
    """Return hidden states, cell states and the gates before their activations, of all steps."""

    def step(carry: Any, gates: Any) -> tuple[Any, Any]:
        hidden, cell, _ = carry
        product = ops.matmul(ops.cast(hidden, kernel.dtype), kernel)
        gates = gates + ops.cast(product, gates.dtype)
        take, forget, candidate, output = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(forget) * cell + ops.sigmoid(take) * ops.tanh(candidate)
        hidden = ops.sigmoid(output) * ops.tanh(cell)
        # Keras' scan wants outputs like the carry: the gates are in it for that alone.
        return (hidden, cell, gates), (hidden, cell, gates)

    _, found = ops.scan(step, (hidden, cell, ops.zeros_like(projected[0])), projected)
    states, cells, gates = found
    return states, cells, gates


def _backward(
    to_states: Any, to_cell: Any, hidden: Any, cell: Any, kernel: Any,
    states: Any, cells: Any, gates: Any,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """Return the gradients of the four arguments of `recurrence`.

    All that does not need the gradient of the next step is computed for all steps at once.
    """
    take, forget, candidate, output = ops.split(gates, 4, axis=-1)
    take, forget, output = ops.sigmoid(take), ops.sigmoid(forget), ops.sigmoid(output)
    candidate, squashed = ops.tanh(candidate), ops.tanh(cells)
    before = ops.concatenate([ops.expand_dims(cell, 0), cells[:-1]])
    hidden_to_cell = output * (1 - squashed * squashed)
    hidden_to_output = squashed * output * (1 - output)
    cell_to_take = candidate * take * (1 - take)
    cell_to_forget = before * forget * (1 - forget)
    cell_to_candidate = take * (1 - candidate * candidate)
    turned = ops.transpose(kernel)

    def step(carry: Any, time: Any) -> tuple[Any, Any]:
        to_hidden, to_cell, _ = carry
        to_hidden = to_hidden + to_states[time]
        to_cell = to_cell + to_hidden * hidden_to_cell[time]
        to_gates = ops.concatenate(
            [
                to_cell * cell_to_take[time],
                to_cell * cell_to_forget[time],
                to_cell * cell_to_candidate[time],
                to_hidden * hidden_to_output[time],
            ],
            axis=-1,
        )
        product = ops.matmul(ops.cast(to_gates, kernel.dtype), turned)
        carry = (ops.cast(product, to_hidden.dtype), to_cell * forget[time], to_gates)
        return carry, carry

    (to_hidden, to_cell, _), (_, _, to_gates) = ops.scan(
        step,
        (ops.zeros_like(hidden), to_cell, ops.zeros_like(gates[0])),
        ops.arange(ops.shape(states)[0]),  # Keras 3.15.1 scans one input only if time is unknown
        reverse=True,
    )
    units = kernel.shape[0]
    previous = ops.concatenate([ops.expand_dims(hidden, 0), states[:-1]])
    flat = ops.cast(ops.reshape(previous, (-1, units)), kernel.dtype)
    to_kernel = ops.matmul(
        ops.transpose(flat), ops.cast(ops.reshape(to_gates, (-1, 4 * units)), kernel.dtype)
    )
    return to_gates, to_hidden, to_cell, to_kernel
