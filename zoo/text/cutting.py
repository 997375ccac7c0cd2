"""Texts and pairs of texts cut to a number of tokens, in the graph."""

from __future__ import annotations

import tensorflow as tf

from zoo.text.counting import TOKEN_CHARACTERS


def beginning(texts: tf.Tensor, max_length: int) -> tf.Tensor:
    """Return as much of texts `(batch,)` as is looked at for so many tokens."""
    texts = tf.convert_to_tensor(texts, tf.string)
    return tf.strings.substr(texts, 0, TOKEN_CHARACTERS * max_length, unit="UTF8_CHAR")


def cut_pairs(
    left: tf.RaggedTensor, right: tf.RaggedTensor, room: int
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Return the ids of pairs, the longer one cut first until both are equally long.

    Args:
        left: ids `(batch, None)` of the first texts.
        right: of the second texts.
        room: tokens of both together.
    """
    lefts, rights = left.row_lengths(), right.row_lengths()
    shorter = tf.minimum(tf.minimum(lefts, rights), room // 2)
    left = _cut(left, tf.where(lefts > rights, room - shorter, shorter))
    right = _cut(right, tf.where(lefts > rights, shorter, room - shorter))
    return left, right


def _cut(ids: tf.RaggedTensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """Return ids `(batch, None)` of which each row has at most as many as `lengths` says."""
    positions = tf.ragged.range(ids.row_lengths())
    kept = positions.flat_values < tf.gather(lengths, ids.value_rowids())
    return tf.ragged.boolean_mask(ids, ids.with_flat_values(kept))
