"""Byte-level BPE, the subwords of GPT-2 and RoBERTa, in the TensorFlow graph."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text

from zoo.errors import ZooError

BLANK = r"\x09-\x0D\x{85}\p{Z}"  # RE2's \s is ASCII alone
# GPT-2 leaves the last blank of several to the word behind them by looking ahead, which RE2 cannot:
# the run is cut there beforehand, at a character that no text may hold.
CUT = "\uffff"
CUT_RUNS = (rf"([{BLANK}])([{BLANK}][^{BLANK}])", rf"\1{CUT}\2")
WORDS = (
    rf"'s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}+| ?\p{{N}}+| ?[^{BLANK}\p{{L}}\p{{N}}{CUT}]+|[{BLANK}]+"
)
LENGTHS = (12, 48)  # bytes; words of up to so many are merged together, and those beyond
NONE = np.iinfo(np.int64).max


def byte_characters() -> list[str]:
    """Return the character that stands for each byte in files of GPT-2's kind.

    Printable ones stand for themselves, the others for what follows U+0100.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


class BytePairs(tf.Module):
    """Words cut into bytes, whose pairs are merged in the order in which they were learned.

    The same ids as GPT-2's and Hugging Face's (`python -m benchmarks run tokenizers`), but for NUL,
    which is left out.

    Args:
        ids: id of each piece, written in `byte_characters`.
        merges: pairs of pieces, the first learned first.

    Raises:
        ZooError: a byte has no piece, a merge makes one that has no id, or there are none.

    Source: Sennrich 2016, https://arxiv.org/abs/1508.07909; Radford 2019,
    https://github.com/openai/gpt-2 (`encoder.py`), for the bytes and the words.
    """

    def __init__(self, ids: Mapping[str, int], merges: Sequence[tuple[str, str]]):
        super().__init__(name="byte_pairs")
        characters = byte_characters()
        missing = [character for character in characters if character not in ids]
        if missing:
            raise ZooError(f"is no vocabulary of bytes: no piece for '{missing[0]}'.")
        if not merges or len({*merges}) < len(merges):
            raise ZooError(
                "is no vocabulary of byte pairs: it has no merges, or one of them twice."
            )
        self._byte_ids = tf.constant([ids[character] for character in characters], tf.int64)
        self._size = max(ids.values()) + 1
        merged = [(left, right, left + right) for left, right in merges]
        broken = [triple for triple in merged if not all(piece in ids for piece in triple)]
        if broken:
            left, right, _ = broken[0]
            raise ZooError(f"the merge '{left} {right}' makes a piece that the vocabulary lacks.")
        keys = [ids[left] * self._size + ids[right] for left, right, _ in merged]
        values = [rank * self._size + ids[piece] for rank, (_, _, piece) in enumerate(merged)]
        # Resources must be attributes made here, or a SavedModel would not find them.
        self._merges = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(keys, tf.int64), tf.constant(values, tf.int64)
            ),
            default_value=NONE,
        )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of strings `(batch,)`; rows may be empty."""
        # regex_split ends a text at its first NUL.
        apart = tf.strings.regex_replace(texts, r"\x00", "")
        apart = tf.strings.regex_replace(apart, *CUT_RUNS)
        words = tensorflow_text.regex_split(apart, f"{WORDS}|{CUT}", WORDS)
        distinct, positions = tf.unique(words.flat_values)
        lengths = tf.strings.length(distinct)
        # Few words are long, and the others need not wait for their rounds.
        bounds = [0, *LENGTHS, tf.int32.max]
        groups = [
            tf.where((lengths > low) & (lengths <= high))[:, 0]
            for low, high in itertools.pairwise(bounds)
        ]
        pieces = tf.concat([self._merged(tf.gather(distinct, group)) for group in groups], 0)
        order = tf.math.invert_permutation(tf.concat(groups, 0))
        return words.with_flat_values(tf.gather(pieces, tf.gather(order, positions))).merge_dims(
            1, -1
        )

    def _merged(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Return int32 ids `(words, None)`."""
        count = tf.size(words, tf.int64)
        raw = tf.strings.bytes_split(words)
        codes = tf.reshape(tf.cast(tf.io.decode_raw(raw.flat_values, tf.uint8), tf.int32), [-1])
        symbols, owners = tf.gather(self._byte_ids, codes), raw.value_rowids()

        def not_merged(symbols: tf.Tensor, owners: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
            return tf.reduce_any(values != NONE)

        def merge(symbols: tf.Tensor, owners: tf.Tensor, values: tf.Tensor) -> list[tf.Tensor]:
            """Merge, in each word, the pair that was learned first, wherever it occurs."""
            best = tf.gather(tf.math.unsorted_segment_min(values, owners, count), owners)
            chosen = _every_other((values == best) & (values != NONE))
            symbols = tf.where(chosen, values % self._size, symbols)
            kept = tf.concat([[True], ~chosen[:-1]], 0)[: tf.size(symbols)]
            symbols, owners = symbols[kept], owners[kept]
            return [symbols, owners, self._pairs(symbols, owners)]

        symbols, owners, _ = tf.while_loop(
            not_merged,
            merge,
            [symbols, owners, self._pairs(symbols, owners)],
            shape_invariants=[tf.TensorShape([None])] * 3,
        )
        return tf.RaggedTensor.from_value_rowids(tf.cast(symbols, tf.int32), owners, count)

    def _pairs(self, symbols: tf.Tensor, owners: tf.Tensor) -> tf.Tensor:
        """Return rank and piece of each symbol with the next in its word, as one int64."""
        merges = self._merges.lookup(symbols[:-1] * self._size + symbols[1:])
        merges = tf.where(owners[:-1] == owners[1:], merges, NONE)
        return tf.concat([merges, tf.fill([tf.minimum(tf.size(symbols), 1)], NONE)], 0)


def _every_other(chosen: tf.Tensor) -> tf.Tensor:
    """Return a mask without every second of several in a row: pairs that overlap."""
    before = tf.concat([[-1], tf.where(~chosen)[:, 0]], 0)
    start = tf.gather(before, tf.cumsum(tf.cast(~chosen, tf.int64)))
    return chosen & ((tf.range(tf.size(chosen, tf.int64)) - start) % 2 == 1)
