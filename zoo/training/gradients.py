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


def add(some: list[Any], others: list[Any]) -> list[Any]:
    """Return sums of gradients; of `IndexedSlices` the rows of both, so that some come twice."""
    if not some:
        return others
    return [_sum(one, other) for one, other in zip(some, others, strict=True)]


def _sum(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, tf.IndexedSlices):
        values = tf.concat([one.values, other.values], axis=0)
        rows = tf.concat([one.indices, other.indices], axis=0)
        return tf.IndexedSlices(values, rows, one.dense_shape)
    return one + other


def mean_over_replicas(gradients: list[Any], rows: tf.Tensor) -> list[Any]:
    """Return the gradients of the mean loss over the rows of all replicas, equal on each.

    Keras 3.15.1 clips what each replica has before it sums, and counts a replica with few rows of
    an uneven last batch as much as one with many.

    Args:
        gradients: of the mean loss over the rows here times their number; None where there is none.
        rows: their number, a scalar; 0 is fine.
    """
    context = tf.distribute.get_replica_context()
    dense = [each for each in gradients if isinstance(each, tf.Tensor)]
    *dense, total = context.all_reduce(
        tf.distribute.ReduceOp.SUM, [*dense, tf.cast(rows, tf.float32)]
    )
    total = tf.maximum(total, 1.0)
    left = iter(dense)
    gathered = iter(_gathered([each for each in gradients if isinstance(each, tf.IndexedSlices)]))
    found: list[Any] = []
    for gradient in gradients:
        if isinstance(gradient, tf.IndexedSlices):
            joined = sum_repeated_rows(next(gathered))
            values = joined.values / tf.cast(total, joined.values.dtype)
            found.append(tf.IndexedSlices(values, joined.indices, joined.dense_shape))
        else:
            found.append(None if gradient is None else next(left) / tf.cast(total, gradient.dtype))
    return found


def _gathered(gradients: list[tf.IndexedSlices]) -> list[tf.IndexedSlices]:
    """Return the rows of all replicas, so that some come twice.

    All in one message: over a network, and between processes too, the number of messages is what
    costs. It holds how many rows there are of each, then their ids, then their values.
    """
    context = tf.distribute.get_replica_context()
    if not gradients or context.num_replicas_in_sync == 1:
        return gradients
    counts = [tf.size(each.indices) for each in gradients]
    parts = [
        tf.bitcast(tf.stack(counts), tf.float32),
        *(tf.bitcast(tf.cast(each.indices, tf.int32), tf.float32) for each in gradients),
        *(tf.reshape(tf.cast(each.values, tf.float32), [-1]) for each in gradients),
    ]
    message = context.all_gather(tf.concat(parts, axis=0), axis=0)
    widths = [each.values.shape[1] for each in gradients]
    rows: list[list[tf.Tensor]] = [[] for _ in gradients]
    values: list[list[tf.Tensor]] = [[] for _ in gradients]
    for _ in range(context.num_replicas_in_sync):
        counts = tf.unstack(tf.bitcast(message[: len(gradients)], tf.int32), num=len(gradients))
        sizes = [*counts, *(n * width for n, width in zip(counts, widths, strict=True))]
        end = len(gradients) + tf.add_n(sizes)
        pieces = tf.split(message[len(gradients) : end], sizes)
        message = message[end:]
        for i, width in enumerate(widths):
            rows[i].append(tf.bitcast(pieces[i], tf.int32))
            values[i].append(tf.reshape(pieces[len(widths) + i], [-1, width]))
    return [
        tf.IndexedSlices(
            tf.cast(tf.concat(values[i], axis=0), each.values.dtype),
            tf.cast(tf.concat(rows[i], axis=0), each.indices.dtype),
            each.dense_shape,
        )
        for i, each in enumerate(gradients)
    ]


def clip_by_global_norm(
    gradients: list[Any], limit: float | None, scale: Any = None
) -> tuple[list[Any], tf.Tensor]:
    """Return gradients scaled so that their common norm is at most `limit`, and the norm before.

    All become NaN if the norm is not finite, so that the loss shows it.

    Args:
        gradients: tensors and `IndexedSlices` without repeated rows.
        limit: largest norm, or None.
        scale: what the loss, and so each gradient, was multiplied by. The gradients that are
            returned still are; the norm is not.

    Source: Pascanu 2013, https://arxiv.org/abs/1211.5063.
    """
    scale = tf.constant(1.0) if scale is None else tf.convert_to_tensor(scale)
    norm = tf.linalg.global_norm(gradients)
    if limit is not None:
        gradients = tf.clip_by_global_norm(gradients, limit * scale, use_norm=norm)[0]
    return gradients, norm / scale
