"""A tokenizer of pairs of texts: the ids of one, a separator, the ids of the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.files import read_json, write_json
from zoo.host import on_host
from zoo.text.cutting import beginning, cut_pairs
from zoo.text.graph_tokenizer import PADDING, GraphTokenizer
from zoo.text.pairs import PAIR, split_pair
from zoo.text.pretrained_tokenizer import PretrainedTokenizer

SEPARATOR = "<sep>"
SAVED = "pairs"  # key of tokenizer.json


class PairTokenizer(tf.Module):
    """Pairs of texts to token ids, as a graph op, by a tokenizer of single texts.

    A pair is one string (`zoo.text.pairs`), or two. A tokenizer of pretrained weights has an order
    of its own, such as `[CLS] a [SEP] b [SEP]`; a learned one gets an id more, the last, which
    stands between the two.

    Args:
        tokenizer: of single texts.
    """

    def __init__(self, tokenizer: GraphTokenizer | PretrainedTokenizer):
        super().__init__(name="pair_tokenizer")
        self.tokenizer = tokenizer
        self.kind, self.lowercase = tokenizer.kind, tokenizer.lowercase

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the separator's included."""
        learned = isinstance(self.tokenizer, GraphTokenizer)
        return self.tokenizer.vocabulary_size + learned

    @property
    def pieces(self) -> list[str]:
        """What each id stands for."""
        learned = isinstance(self.tokenizer, GraphTokenizer)
        return [*self.tokenizer.pieces, *([SEPARATOR] if learned else [])]

    @on_host
    def encode_pairs(self, first: tf.Tensor, second: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of pairs of texts, at most `max_length` of each pair.

        The longer text is cut first, until both are equally long.

        Args:
            first: strings `(batch,)`.
            second: strings `(batch,)`.
            max_length: tokens of a pair, the separator included.
        """
        if isinstance(self.tokenizer, PretrainedTokenizer):
            return self.tokenizer.encode_pairs(first, second, max_length)
        left, right = (self.tokenizer(beginning(texts, max_length)) for texts in (first, second))
        left, right = cut_pairs(left, right, max(max_length - 1, 0))
        rows = tf.cast(left.nrows(), tf.int32)
        separator = tf.fill(tf.stack([rows, 1]), self.tokenizer.vocabulary_size)
        return tf.concat([left, separator, right], axis=1)

    @on_host
    def encode(self, texts: tf.Tensor, max_length: int) -> tf.RaggedTensor:
        """Return int32 ids `(batch, None)` of pairs in one string each, as `encode_pairs`."""
        # a mark at the end, so that there are two parts where a text is no pair
        parts = tf.strings.split(tf.strings.join([texts, PAIR]), PAIR)
        both = parts[:, :2].to_tensor("", shape=[None, 2])
        return self.encode_pairs(both[:, 0], both[:, 1], max_length)

    @on_host
    def encode_dense(self, texts: tf.Tensor, max_length: int) -> tf.Tensor:
        """Return int32 ids `(batch, time)` as `encode`, padded with 0 at the right."""
        return self.encode(texts, max_length).to_tensor(PADDING)

    @on_host
    def encode_rows(
        self, texts: Sequence[str] | Sequence[bytes], max_length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of pairs as `encode`, one pair after the other, and their lengths.

        Args:
            texts: pairs in one string each, or UTF-8.
            max_length: tokens of a pair that are read.

        Returns:
            int32 `(tokens,)` and int64 `(rows,)`.
        """
        ids = self.encode(tf.constant(texts, tf.string), max_length)
        return ids.flat_values.numpy(), ids.row_lengths().numpy()

    def count(self, texts: Sequence[str]) -> np.ndarray:
        """Return how many tokens each pair has, what stands around them included, int64."""
        pairs = [split_pair(text) for text in texts]
        first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        counts = self.tokenizer.count(first) + self.tokenizer.count(second)
        if isinstance(self.tokenizer, GraphTokenizer):
            return counts + 1
        return counts if self.tokenizer.marks.doubled else counts - 1

    def unknown_characters(self, texts: Sequence[str]) -> dict[str, int]:
        """Return the characters that become the unknown id, with how often they occur."""
        return self.tokenizer.unknown_characters([text.replace(PAIR, " ") for text in texts])

    def save(self, folder: Path) -> None:
        """Write the tokenizer of single texts into a folder, with a word that it is for pairs.

        Raises:
            ZooError: a file cannot be written.
        """
        self.tokenizer.save(folder)
        path = Path(folder) / "tokenizer.json"
        write_json(path, {**read_json(path), SAVED: True})
