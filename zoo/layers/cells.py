"""The cells of recurrent networks: a step of each, elementwise, and its gradient written out.

Products with kernels are not here: `zoo.layers.recurrence` makes them. All arrays of a step are
`(..., units)` or blocks of it side by side, in Keras' order; those of `derivatives` have the time
before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras import ops

States = tuple[Any, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
    """One step of a recurrence.

    Args:
        gates: blocks of `units` columns in its kernels.
        states: what one step hands to the next; the first is the hidden state.
        saved: blocks that a step saves for its gradient.
        step: from the input's part, the hidden state's part (its product with the recurrent
            kernel) and the states to the next states and what is saved, one array or None.
        derivatives: from the states before and after each step and what was saved to what
            `gradient` takes, for all steps at once.
        gradient: from the derivatives of a step and the gradients of its states to that of the
            input's part, and those of the states before, but for the way through the product. None
            is zero.
        grad_product: from the gradient of the input's part, and the derivatives, to that of the
            hidden state's part.
    """

    gates: int
    states: int
    saved: int
    step: Callable[[Any, Any, States], tuple[States, Any]]
    derivatives: Callable[[States, States, Any], tuple[Any, ...]]
    gradient: Callable[[tuple[Any, ...], States], tuple[Any, States]]
    grad_product: Callable[[Any, tuple[Any, ...]], Any]


def _same(grad_projected: Any, _: tuple[Any, ...]) -> Any:
    return grad_projected


def _lstm_step(projected: Any, product: Any, states: States) -> tuple[States, Any]:
    _, cell = states
    gates = projected + product
    input_gate, forget, candidate, output = ops.split(gates, 4, axis=-1)
    cell = ops.sigmoid(forget) * cell + ops.sigmoid(input_gate) * ops.tanh(candidate)
    return (ops.sigmoid(output) * ops.tanh(cell), cell), gates


def _lstm_derivatives(before: States, after: States, gates: Any) -> tuple[Any, ...]:
    input_gate, forget, candidate, output = ops.split(gates, 4, axis=-1)
    input_gate, forget, output = ops.sigmoid(input_gate), ops.sigmoid(forget), ops.sigmoid(output)
    candidate, tanh_cells = ops.tanh(candidate), ops.tanh(after[1])
    d_hidden_d_cell = output * (1 - tanh_cells * tanh_cells)
    d_hidden_d_output = tanh_cells * output * (1 - output)
    d_cell_d_input = candidate * input_gate * (1 - input_gate)
    d_cell_d_forget = before[1] * forget * (1 - forget)
    d_cell_d_candidate = input_gate * (1 - candidate * candidate)
    of_gates = (d_cell_d_input, d_cell_d_forget, d_cell_d_candidate, d_hidden_d_output)
    return (*of_gates, d_hidden_d_cell, forget)


def _lstm_gradient(derivatives: tuple[Any, ...], grads: States) -> tuple[Any, States]:
    d_input, d_forget, d_candidate, d_output, d_cell, forget = derivatives
    grad_hidden, grad_cell = grads
    grad_cell = grad_cell + grad_hidden * d_cell
    grad_gates = ops.concatenate(
        [
            grad_cell * d_input,
            grad_cell * d_forget,
            grad_cell * d_candidate,
            grad_hidden * d_output,
        ],
        axis=-1,
    )
    return grad_gates, (None, grad_cell * forget)


def _gru_step(projected: Any, product: Any, states: States) -> tuple[States, Any]:
    (hidden,) = states
    *gates, candidate = ops.split(projected, 3, axis=-1)
    *products, inner = ops.split(product, 3, axis=-1)
    update = ops.sigmoid(gates[0] + products[0])
    reset = ops.sigmoid(gates[1] + products[1])
    candidate = ops.tanh(candidate + reset * inner)
    saved = ops.concatenate([update, reset, candidate, inner], axis=-1)
    return (update * hidden + (1 - update) * candidate,), saved


def _gru_derivatives(before: States, after: States, saved: Any) -> tuple[Any, ...]:
    update, reset, candidate, inner = ops.split(saved, 4, axis=-1)
    d_update = (before[0] - candidate) * update * (1 - update)
    d_candidate = (1 - update) * (1 - candidate * candidate)
    d_reset = inner * reset * (1 - reset)  # of the candidate before its activation
    return d_update, d_reset, d_candidate, reset, update


def _gru_gradient(derivatives: tuple[Any, ...], grads: States) -> tuple[Any, States]:
    d_update, d_reset, d_candidate, _, update = derivatives
    (grad_hidden,) = grads
    grad_candidate = grad_hidden * d_candidate
    grad_gates = ops.concatenate(
        [grad_hidden * d_update, grad_candidate * d_reset, grad_candidate], axis=-1
    )
    return grad_gates, (grad_hidden * update,)


def _gru_product(grad_projected: Any, derivatives: tuple[Any, ...]) -> Any:
    update, reset, candidate = ops.split(grad_projected, 3, axis=-1)
    return ops.concatenate([update, reset, candidate * derivatives[3]], axis=-1)


def _simple_step(projected: Any, product: Any, states: States) -> tuple[States, Any]:
    return (ops.tanh(projected + product),), None


def _simple_derivatives(before: States, after: States, _: Any) -> tuple[Any, ...]:
    return (1 - after[0] * after[0],)


def _simple_gradient(derivatives: tuple[Any, ...], grads: States) -> tuple[Any, States]:
    return grads[0] * derivatives[0], (None,)


# Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, with the forget gate
# of Gers 2000, https://doi.org/10.1162/089976600300015015. Gates: input, forget, candidate, output.
LSTM = Cell(4, 2, 4, _lstm_step, _lstm_derivatives, _lstm_gradient, _same)
# Cho 2014, https://arxiv.org/abs/1406.1078, with the reset after the product, as cuDNN has it.
# Gates: update, reset, candidate.
GRU = Cell(3, 1, 4, _gru_step, _gru_derivatives, _gru_gradient, _gru_product)
# Elman 1990, https://doi.org/10.1207/s15516709cog1402_1.
SIMPLE = Cell(1, 1, 0, _simple_step, _simple_derivatives, _simple_gradient, _same)
