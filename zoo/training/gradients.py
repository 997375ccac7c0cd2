"""Gradients of a batch: summed over replicas and repeated rows, then clipped."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from zoo.layers.kernels import kernels_in_use
from zoo.training.compiled import in_xla


def sum_repeated_rows(gradient: Any) -> Any:
    """Return an `IndexedSlices` with each row once, its gradients summed; others as they are.

    Keras 3.15.1 squares the gradient of each occurrence of an id before it adds them, in Adam's
    second moment and in the norm that is clipped; the gradient of a row is their sum.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(gradient.indices)
    values, count = gradient.values, tf.size(rows)
    matmul = kernels_in_use().sparse_matmul
    if matmul is not None and values.dtype == tf.float32 and values.shape.rank == 2:
        occurrences = tf.range(tf.size(position))
        shape = (tf.size(position), count)
        ones = tf.ones_like(position, tf.float32)
        values = matmul(occurrences, position, ones, shape, values, transpose=True)
    else:
        values = tf.math.unsorted_segment_sum(values, position, count)
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def without_repeated_rows(gradients: list[Any], by_row: bool) -> list[Any]:
    """Return gradients in which no row comes twice.

    XLA knows no number of rows that depends on the ids: there the gradients of tables are dense,
    and a second list follows the first: how often each row of a table occurs, float32 `(rows,)`,
    and None for what is no table. Counts add up as gradients do, until `as_rows` takes them.

    Args:
        gradients: tensors, `IndexedSlices`, and None where a variable has none.
        by_row: whether the optimizer does something else with the rows that occur.
    """
    if not in_xla():
        return [sum_repeated_rows(gradient) for gradient in gradients]
    dense = [None if one is None else tf.convert_to_tensor(one) for one in gradients]
    return [*dense, *map(_row_counts, gradients)] if by_row else dense


def _row_counts(gradient: Any) -> tf.Tensor | None:
    if not isinstance(gradient, tf.IndexedSlices):
        return None
    ids = tf.reshape(gradient.indices, [-1])
    return tf.math.unsorted_segment_sum(tf.ones_like(ids, tf.float32), ids, gradient.dense_shape[0])


def as_rows(gradients: list[Any], counts: list[Any]) -> list[Any]:
    """Return dense gradients of tables as `IndexedSlices` of the rows that occur.

    In XLA they hold all rows in order, and -1 is the index of one that does not occur.

    Args:
        gradients: dense, or as they are.
        counts: how often the rows of each occur, or None for what is no table; empty for none.
    """

    def rows_of(gradient: tf.Tensor, count: tf.Tensor) -> tf.IndexedSlices:
        if not in_xla():
            rows = tf.where(count > 0)[:, 0]
            return tf.IndexedSlices(tf.gather(gradient, rows), rows, tf.shape(gradient))
        rows = tf.where(count > 0, tf.range(tf.size(count)), -1)
        return tf.IndexedSlices(gradient, rows, tf.shape(gradient))

    if not counts:
        return gradients
    return [
        gradient if count is None else rows_of(gradient, count)
        for gradient, count in zip(gradients, counts, strict=True)
    ]


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


def mean_over_replicas(gradients: list[Any], rows: tf.Tensor, dtype: str = "float32") -> list[Any]:
    """Return the gradients of the mean loss over the rows of all replicas, equal on each.

    Keras 3.15.1 clips what each replica has before it sums, and counts a replica with few rows of
    an uneven last batch as much as one with many.

    Args:
        gradients: of the mean loss over this replica's rows times their number; None where a
            variable has none.
        rows: their number, a scalar; 0 is fine.
        dtype: what dense gradients are summed in.
    """
    dense = [gradient for gradient in gradients if isinstance(gradient, tf.Tensor)]
    sparse = [gradient for gradient in gradients if isinstance(gradient, tf.IndexedSlices)]
    (*dense, total), sparse = _exchange([*dense, tf.cast(rows, tf.float32)], sparse, dtype)
    total = tf.maximum(total, 1.0)
    sums, gathered = iter(dense), iter(sparse)
    means: list[Any] = []
    for gradient in gradients:
        if isinstance(gradient, tf.IndexedSlices):
            joined = sum_repeated_rows(next(gathered))
            values = joined.values / tf.cast(total, joined.values.dtype)
            means.append(tf.IndexedSlices(values, joined.indices, joined.dense_shape))
        else:
            means.append(None if gradient is None else next(sums) / tf.cast(total, gradient.dtype))
    return means


def _exchange(
    dense: list[tf.Tensor], sparse: list[tf.IndexedSlices], dtype: str
) -> tuple[list[tf.Tensor], list[tf.IndexedSlices]]:
    """Return sums over replicas, and the rows of all, so that some come twice.

    Over a network, and between processes too, the number of messages is what costs. Rows go in
    one; of two replicas, which have as much to send for a sum as for a copy, what is dense goes
    with them.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return dense, sparse
    along = dense if sparse and replicas == 2 and dtype == "float32" else []
    if not along:
        dense = _summed(dense, dtype)
    if not sparse:
        return dense, sparse

    ids = [tf.bitcast(tf.cast(slices.indices, tf.int32), tf.float32) for slices in sparse]
    content = [*ids, *(slices.values for slices in sparse), *along]
    parts = _from_all([tf.reshape(tf.cast(tensor, tf.float32), [-1]) for tensor in content])
    rows, values = parts[: len(ids)], parts[len(ids) : 2 * len(ids)]
    sums = parts[2 * len(ids) :]
    joined = [
        tf.IndexedSlices(
            tf.cast(
                tf.reshape(tf.concat(value, axis=0), [-1, slices.values.shape[1]]), slices.dtype
            ),
            tf.cast(tf.bitcast(tf.concat(row, axis=0), tf.int32), slices.indices.dtype),
            slices.dense_shape,
        )
        for slices, row, value in zip(sparse, rows, values, strict=True)
    ]
    if along:
        dense = [
            tf.cast(tf.reshape(tf.add_n(copies), tf.shape(tensor)), tensor.dtype)
            for tensor, copies in zip(dense, sums, strict=True)
        ]
    return dense, joined


def _summed(tensors: list[tf.Tensor], dtype: str) -> list[tf.Tensor]:
    """Return sums over replicas, those of scalars as they are and of others in a dtype."""
    context, total = tf.distribute.get_replica_context(), tf.distribute.ReduceOp.SUM
    if dtype == "float32":
        return list(context.all_reduce(total, tensors))
    smaller = [tf.cast(tensor, dtype) for tensor in tensors if tensor.shape.rank]
    scalars = [tensor for tensor in tensors if not tensor.shape.rank]
    # Tensors of one dtype go in one message.
    many, few = (iter(context.all_reduce(total, some)) for some in (smaller, scalars))
    return [tf.cast(next(many if one.shape.rank else few), one.dtype) for one in tensors]


def _from_all(parts: list[tf.Tensor]) -> list[list[tf.Tensor]]:
    """Return each float32 vector as every replica has it; the lengths may differ.

    They go in one message, which begins with their lengths.
    """
    context = tf.distribute.get_replica_context()
    lengths = tf.bitcast(tf.stack([tf.size(part) for part in parts]), tf.float32)
    message = context.all_gather(tf.concat([lengths, *parts], axis=0), axis=0)
    sizes: list[Any] = []
    for _ in range(context.num_replicas_in_sync):
        start = tf.add_n(sizes) if sizes else 0
        own = tf.bitcast(message[start : start + len(parts)], tf.int32)
        sizes += [tf.constant(len(parts)), *tf.unstack(own, num=len(parts))]
    pieces = tf.split(message, sizes)
    return [pieces[1 + i :: 1 + len(parts)] for i in range(len(parts))]


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
