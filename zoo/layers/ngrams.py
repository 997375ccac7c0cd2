"""Hashed n-grams of token ids (Weinberger 2009, Joulin 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

# Odd 32-bit multipliers: FNV's prime to roll the ids in, Murmur3's finaliser to mix the bits.
ROLL = 16777619
MIX = -2048144789  # 0x85EBCA6B as a signed 32-bit integer


@keras.saving.register_keras_serializable(package="zoo")
class NgramHash(keras.layers.Layer):
    """Ids of the n-grams of a text: single words keep their own id, longer ones are hashed.

    int32 `(batch, time)` token ids to int32 `(batch, time * len(sizes))` n-gram ids. 0 is no
    n-gram: it touches padding. `rows` is the size of the table that the ids index. The arithmetic
    is that of 32-bit integers that wrap, equal on every backend and device.

    Args:
        sizes: lengths of the n-grams in tokens.
        buckets: number of rows shared by the n-grams longer than one word.
        vocabulary_size: number of token ids; counts only when `sizes` contains 1.
        unique: keep one of equal n-grams in a text and set the others to 0 (presence instead of
            counts, as Wang & Manning 2012 found better for sentiment).

    Source: Joulin 2016, https://arxiv.org/abs/1607.01759. Differs: another hash function.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        buckets: int,
        vocabulary_size: int,
        *,
        unique: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "int32")
        super().__init__(**kwargs)
        self.sizes = tuple(sizes)
        self.buckets = buckets
        self.vocabulary_size = vocabulary_size
        self.unique = unique

    @property
    def rows(self) -> int:
        """Rows of the table: padding or the words themselves, then the buckets."""
        return self._first + self.buckets

    @property
    def _first(self) -> int:
        return self.vocabulary_size if 1 in self.sizes else 1

    def call(self, inputs: Any) -> Any:
        """Return the n-grams' ids, one group of `time` after the other, or sorted if `unique`."""
        inputs = ops.cast(inputs, "int32")
        groups = [self._ngrams(inputs, size) for size in self.sizes]
        grams = groups[0] if len(groups) == 1 else ops.concatenate(groups, axis=1)
        return _first_of_equal(grams) if self.unique else grams

    def _ngrams(self, tokens: Any, size: int) -> Any:
        if size == 1:
            return tokens
        padded = ops.pad(tokens, [[0, 0], [0, size - 1]])
        time = ops.shape(tokens)[1]
        mixed = tokens
        for i in range(1, size):
            last = padded[:, i : i + time]
            mixed = mixed * ROLL + last
        mixed = ops.bitwise_xor(mixed, ops.right_shift(mixed, 15)) * MIX
        mixed = ops.bitwise_xor(mixed, ops.right_shift(mixed, 13))
        # Padding is at the right, so an n-gram is complete when its last word is a word.
        return ops.where(ops.not_equal(last, 0), self._first + ops.mod(mixed, self.buckets), 0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {
            **super().get_config(),
            "sizes": self.sizes,
            "buckets": self.buckets,
            "vocabulary_size": self.vocabulary_size,
            "unique": self.unique,
        }


def _first_of_equal(grams: Any) -> Any:
    """Sort every row and set all but the first of equal ids to 0."""
    grams = ops.sort(grams, axis=1)
    before = ops.pad(grams[:, :-1], [[0, 0], [1, 0]])  # a leading 0 equals only "no n-gram"
    return ops.where(ops.equal(grams, before), 0, grams)
