"""Gradients of the whole batch: summed over replicas and repeated rows, then clipped."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo.layers.sparse import offered_matmul


def sum_repeated_rows(gradient: Any) -> Any:
    """Return an `IndexedSlices` with each row once, its gradients summed; others as they are.

    Keras 3.15.1 squares the gradient of each occurrence of an id before it adds them, in Adam's
    second moment and in the norm that is clipped; the gradient of a row is their sum.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(gradient.indices)
    values, count = gradient.values, tf.size(rows)
    matmul = offered_matmul()
    if matmul is not None and values.dtype == tf.float32 and values.shape.rank == 2:
        occurrences = tf.range(tf.size(position))
        shape = (tf.size(position), count)
        ones = tf.ones_like(position, tf.float32)
        values = matmul(occurrences, position, ones, shape, values, transpose=True)
    else:
        values = tf.math.unsorted_segment_sum(values, position, count)
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def mean_over_replicas(gradients: list[Any], rows: tf.Tensor) -> list[Any]:
    """Return the gradients of the mean loss over the rows of all replicas, equal on each.

    Keras 3.15.1 clips what each replica has before it sums, and counts a replica with few rows of
    an uneven last batch as much as one with many.

    Args:
        gradients: of the mean loss over the rows here times their number; None where there is none.
        rows: their number, a scalar; 0 is fine.
    """
    context = tf.distribute.get_replica_context()
    present = [gradient for gradient in gradients if gradient is not None]
    *summed, total = context.all_reduce(
        tf.distribute.ReduceOp.SUM, [*present, tf.cast(rows, tf.float32)]
    )
    total = tf.maximum(total, 1.0)
    left = iter(summed)
    return [
        None if gradient is None else _divided(next(left), total, gradient)
        for gradient in gradients
    ]


def _divided(summed: Any, total: tf.Tensor, before: Any) -> Any:
    if not isinstance(before, tf.IndexedSlices):
        return summed / tf.cast(total, summed.dtype)
    # A strategy joins the rows of all replicas, so that some come twice.
    values = summed.values / tf.cast(total, summed.values.dtype)
    return sum_repeated_rows(tf.IndexedSlices(values, summed.indices, before.dense_shape))


def clip_by_global_norm(gradients: list[Any], limit: float | None) -> tuple[list[Any], tf.Tensor]:
    """Return gradients scaled so that their common norm is at most `limit`, and the norm before.

    All become NaN if the norm is not finite, so that the loss shows it.

    Source: Pascanu 2013, https://arxiv.org/abs/1211.5063.
    """
    norm = tf.linalg.global_norm(gradients)
    if limit is None:
        return gradients, norm
    return tf.clip_by_global_norm(gradients, limit, use_norm=norm)[0], norm
