"""Cross-entropy over a large vocabulary without all logits in memory at once.

The logits of a window, `(tokens, vocabulary)`, are the largest arrays of a language model: 0.9 GB
for 64 x 70 tokens of 50,000 words, and a framework keeps several of them. Here logits are made and
used up some rows at a time, and the gradients of features, table and bias with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from zoo.training.compiled import in_xla

LOGITS = 2**23  # in memory at once: 32 MiB, twice; half as many gain little and cost time
# On a GPU, which is fast at large products and slow at many small ones: 1 GiB.
LOGITS_ON_GPU = 2**28
SMALLEST = 1e-37  # of a probability: a loss is at most 85 nats

Gradients = tuple[tf.Tensor, tf.Tensor, tf.Tensor]
Pieces = tuple[list[tf.Tensor], list[tf.Tensor]]
Piece = Callable[[slice], Pieces]


def token_losses(
    features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor
) -> tf.Tensor:
    """Return the cross-entropy of each token in nats, float32 `(tokens,)`.

    Args:
        features: `(tokens, features)`.
        table: float32 `(vocabulary, features)`; logits are `features @ table.T + bias`.
        bias: float32 `(vocabulary,)`.
        targets: int32 `(tokens,)`.
    """

    def piece(rows: slice) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        logits = tf.matmul(tf.cast(features[rows], tf.float32), table, transpose_b=True) + bias
        return [tf.nn.sparse_softmax_cross_entropy_with_logits(targets[rows], logits)], []

    (losses,), _ = _in_pieces(features, table, piece)
    return losses


def token_losses_and_gradients(
    features: tf.Tensor, table: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, Gradients]:
    """Return the cross-entropy of each token, and the gradients of its weighted sum.

    Products are in the dtype of `features`, sums and exponentials in float32.

    Args:
        features: `(tokens, features)`.
        table: float32 `(vocabulary, features)`.
        bias: float32 `(vocabulary,)`.
        targets: int32 `(tokens,)`.
        weights: float32 `(tokens,)`, the weight of each token in the sum; 0 for padding.

    Returns:
        The losses, float32 `(tokens,)`; the gradients of features, table and bias.
    """
    narrow = tf.cast(table, features.dtype)

    def piece(rows: slice) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        inputs, labels, weight = features[rows], targets[rows], weights[rows]
        logits = tf.cast(tf.matmul(inputs, narrow, transpose_b=True), tf.float32)
        # One op of oneDNN for largest, exponentials, sum and quotient: half the time of the four.
        shares = tf.nn.softmax(tf.nn.bias_add(logits, bias))
        losses = -tf.math.log(tf.maximum(tf.gather(shares, labels, batch_dims=1), SMALLEST))
        products = tf.cast(shares, features.dtype)
        grad_features = tf.cast(tf.matmul(products, narrow), tf.float32)
        grad_features = (grad_features - tf.gather(table, labels)) * weight[:, None]
        scaled = tf.cast(tf.cast(inputs, tf.float32) * weight[:, None], features.dtype)
        grad_table = tf.cast(tf.matmul(products, scaled, transpose_a=True), tf.float32)
        grad_bias = tf.linalg.matvec(shares, weight, transpose_a=True)
        return [losses, grad_features], [grad_table, grad_bias]

    (losses, grad_features), (grad_table, grad_bias) = _in_pieces(features, table, piece)
    at = targets[:, None]
    wide = tf.cast(features, tf.float32)
    grad_table = tf.tensor_scatter_nd_sub(grad_table, at, wide * weights[:, None])
    grad_bias = tf.tensor_scatter_nd_sub(grad_bias, at, weights)
    return losses, (tf.cast(grad_features, features.dtype), grad_table, grad_bias)


def _in_pieces(features: tf.Tensor, table: tf.Tensor, piece: Piece) -> Pieces:
    """Return what `piece` gives for all rows: its first list joined by row, its second summed."""
    most = LOGITS_ON_GPU if tf.config.get_visible_devices("GPU") else LOGITS
    rows = max(most // int(table.shape[0]), 1)
    if in_xla():
        return _in_static_pieces(features, rows, piece)
    joined, summed = piece(slice(0, rows))  # most windows are one piece

    def more(start: tf.Tensor, joined: list[tf.Tensor], summed: list[tf.Tensor]) -> Any:
        new, added = piece(slice(start, start + rows))
        joined = [tf.concat(pair, axis=0) for pair in zip(joined, new, strict=True)]
        return start + rows, joined, [a + b for a, b in zip(summed, added, strict=True)]

    _, joined, summed = tf.while_loop(
        lambda start, *_: start < tf.shape(features)[0],
        more,
        (tf.constant(rows), joined, summed),
        shape_invariants=(
            tf.TensorShape([]),
            [tf.TensorShape([None, *tensor.shape[1:]]) for tensor in joined],
            [tensor.shape for tensor in summed],
        ),
        parallel_iterations=1,
    )
    return joined, summed


def _in_static_pieces(features: tf.Tensor, rows: int, piece: Piece) -> Pieces:
    """Return the same for XLA, whose loops carry nothing that grows: the pieces of a known number.

    Without a known number of rows there is one piece.
    """
    tokens = features.shape[0]
    if tokens is None or tokens <= rows:
        return piece(slice(0, None))
    pieces = [piece(slice(start, start + rows)) for start in range(0, tokens, rows)]
    joined = [tf.concat(parts, axis=0) for parts in zip(*[one for one, _ in pieces], strict=True)]
    return joined, [tf.add_n(parts) for parts in zip(*[one for _, one in pieces], strict=True)]
