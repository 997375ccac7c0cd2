"""The recurrence of a cell over time, with the gradient written out.

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

from zoo.layers.cells import Cell, States
from zoo.layers.kernels import kernels_in_use

# Torch's custom gradient in Keras 3.15.1 is for functions of one output.
_OWN_GRADIENT = keras.backend.backend() != "torch"


def recurrence(
    cell: Cell, projected: Any, states: States, kernel: Any, bias: Any = None, mask: Any = None
) -> tuple[Any, ...]:
    """Run a cell over time from the input's part of its gates.

    Gates and states are computed in the dtype of `projected`, products in that of `kernel`. The
    two loops are compiled where the kernels in use say so. Several recurrences of one size run at
    once with an axis more, the first of kernel and states and the one after time elsewhere.

    Args:
        cell: what one step computes.
        projected: `(time, batch, gates * units)`: inputs times kernel, plus bias.
        states: `(batch, units)` each, before the first step.
        kernel: `(units, gates * units)`, the recurrent kernel.
        bias: `(gates * units,)`, added to the product with the recurrent kernel; None is zeros. Of
            several `(recurrences, 1, gates * units)`.
        mask: bool `(time, batch)`; where it is false a row keeps its states. None is true.

    Returns:
        The hidden states `(time, batch, units)`, and the last of each other state.
    """
    if mask is not None:  # a number, because every argument of a custom gradient has one
        mask = ops.expand_dims(ops.cast(mask, projected.dtype), -1)
    forward, backward = _forward, _backward
    if fast := kernels_in_use().recurrence:
        forward, backward = fast.compiled(_forward), fast.compiled(_backward)
    scan = fast.scan if fast else ops.scan
    if not _OWN_GRADIENT:
        every, _ = forward(scan, cell, projected, states, kernel, bias, mask)
        return (every[0], *(state[-1] for state in every[1:]))
    optional = [argument for argument in (bias, mask) if argument is not None]

    @ops.custom_gradient
    def run(projected: Any, kernel: Any, *rest: Any) -> Any:
        states, rest = rest[: cell.states], rest[cell.states :]
        arguments = iter(rest)
        inner_bias = None if bias is None else next(arguments)
        inner_mask = None if mask is None else next(arguments)
        every, saved = forward(scan, cell, projected, states, kernel, inner_bias, inner_mask)

        def gradient(*upstream: Any) -> tuple[Any, ...]:
            # TensorFlow gives one argument an output, JAX one tuple.
            grads = tuple(keras.tree.flatten(upstream)[-cell.states :])
            grad_projected, grad_kernel, grad_bias, *grad_states = backward(
                scan, cell, grads, states, kernel, inner_bias, inner_mask, every, saved
            )
            found = [grad_projected, grad_kernel, *grad_states]
            if inner_bias is not None:
                found.append(grad_bias)
            return tuple(found if inner_mask is None else [*found, ops.zeros_like(inner_mask)])

        return (every[0], *(state[-1] for state in every[1:])), gradient

    outputs: tuple[Any, ...] = run(projected, kernel, *states, *optional)
    return outputs


def _forward(
    scan: Any, cell: Cell, projected: Any, states: States, kernel: Any, bias: Any, mask: Any
) -> tuple[States, Any]:
    """Return the states after every step, and what the gradient needs of it."""
    units = kernel.shape[-2]

    def step(carry: Any, time: Any) -> tuple[Any, Any]:
        states = tuple(carry[: cell.states])
        product = ops.matmul(ops.cast(states[0], kernel.dtype), kernel)
        product = ops.cast(product, projected.dtype)
        if bias is not None:
            product = product + ops.cast(bias, product.dtype)
        following, saved = cell.step(projected[time], product, states)
        if mask is not None:
            present = mask[time] > 0
            following = tuple(
                ops.where(present, new, old) for new, old in zip(following, states, strict=True)
            )
        # Keras' scan wants outputs like the carry: what is saved is in it for that alone.
        carry = (*following, saved) if cell.saved else following
        return carry, carry

    carry = tuple(states)
    if cell.saved:
        blocks = ops.zeros_like(projected[0][..., :units])
        carry = (*carry, ops.concatenate([blocks] * cell.saved, axis=-1))
    # Keras 3.15.1 scans one input only if time is unknown: the steps' numbers.
    _, every = scan(step, carry, ops.arange(ops.shape(projected)[0]))
    return tuple(every[: cell.states]), every[-1] if cell.saved else None


def _backward(
    scan: Any, cell: Cell, grads: States, states: States, kernel: Any, bias: Any, mask: Any,
    every: States, saved: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Return the gradients of projected inputs, kernel, bias (None for none) and first states.

    All that does not need the gradient of the next step is computed for all steps at once.
    """
    grad_outputs, *grad_last = grads
    before = tuple(
        ops.concatenate([ops.expand_dims(first, 0), later[:-1]])
        for first, later in zip(states, every, strict=True)
    )
    derivatives = cell.derivatives(before, every, saved)
    transposed = ops.swapaxes(kernel, -1, -2)

    def step(carry: Any, time: Any) -> tuple[Any, Any]:
        grads = (carry[0] + grad_outputs[time], *carry[1 : cell.states])
        at_step = tuple(derivative[time] for derivative in derivatives)
        grad_gates, direct = cell.gradient(at_step, grads)
        if mask is not None:
            grad_gates = grad_gates * mask[time]
        product = cell.grad_product(grad_gates, at_step)
        product = ops.matmul(ops.cast(product, kernel.dtype), transposed)
        product = ops.cast(product, grads[0].dtype)
        previous = [product if direct[0] is None else product + direct[0], *direct[1:]]
        if mask is not None:
            present = mask[time] > 0
            previous = [
                ops.where(present, new, old) for new, old in zip(previous, grads, strict=True)
            ]
        carry = (*previous, grad_gates)
        return carry, carry

    time = ops.shape(every[0])[0]
    first = (ops.zeros_like(states[0]), *grad_last)
    blocks = [ops.zeros_like(states[0])] * cell.gates
    (*grad_states, _), (*_, grad_projected) = scan(
        step, (*first, ops.concatenate(blocks, axis=-1)), ops.arange(time), reverse=True
    )
    grad_product = cell.grad_product(grad_projected, derivatives)
    grad_bias = None
    if bias is not None:
        grad_bias = ops.cast(ops.sum(grad_product, axis=(0, -2)), bias.dtype)
        grad_bias = ops.reshape(grad_bias, bias.shape)
    grad_kernel = _summed_products(
        ops.cast(before[0], kernel.dtype), ops.cast(grad_product, kernel.dtype)
    )
    return grad_projected, grad_kernel, grad_bias, *grad_states


def _summed_products(hidden: Any, grad_product: Any) -> Any:
    """Return the sum over time and rows of the outer products, `(units, gates * units)`."""
    if len(hidden.shape) > 3:
        return ops.einsum("trbu,trbg->rug", hidden, grad_product)
    flat = ops.reshape(hidden, (-1, hidden.shape[-1]))
    return ops.matmul(ops.transpose(flat), ops.reshape(grad_product, (-1, grad_product.shape[-1])))
