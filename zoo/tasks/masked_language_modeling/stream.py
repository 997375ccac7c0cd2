"""Texts as one stream of token ids, by the tokenizer of a classifier, and the token that hides."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from zoo.text.graph_tokenizer import GraphTokenizer
from zoo.text.pretrained_tokenizer import PretrainedTokenizer
from zoo.text.tokenizers import TextTokenizer, of_single_texts

END_OF_TEXT = 0  # in a stream; the id of padding, which no text holds
TEXTS = 1000  # tokenized at once


@dataclasses.dataclass(frozen=True)
class MaskedTokenizer:
    """The tokenizer of a classifier, and a token that stands where another is hidden.

    A learned tokenizer has no such token, and neither have some pretrained ones: it is then an id
    more, the last one.

    Args:
        tokenizer: of single texts.
        mask: the id that hides a token.
        start: the id that begins every row; None of a learned tokenizer.
        end: the id that ends every row; None of a learned tokenizer.
        separated: whether it ends every text of a row, too, as in RoBERTa. BERT would take what
            stands behind it for the second text of a pair.
    """

    tokenizer: GraphTokenizer | PretrainedTokenizer
    mask: int
    start: int | None = None
    end: int | None = None
    separated: bool = False

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the mask's included."""
        return max(self.tokenizer.vocabulary_size, self.mask + 1)

    @functools.cached_property
    def special(self) -> np.ndarray:
        """The ids that are never hidden."""
        marks = [END_OF_TEXT, self.mask, self.start, self.end]
        return np.array([mark for mark in marks if mark is not None])

    @functools.cached_property
    def ordinary(self) -> np.ndarray:
        """All others."""
        return np.setdiff1d(np.arange(self.vocabulary_size), self.special)

    @functools.cached_property
    def digest(self) -> str:
        """A text that differs where the ids of some text may."""
        facts = [type(self.tokenizer).__name__, self.tokenizer.kind, self.tokenizer.lowercase]
        content = json.dumps([*facts, self.start, self.end]).encode() + self.tokenizer.content
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def encode(self, lines: Sequence[str]) -> np.ndarray:
        """Return the int32 ids of texts, each with `END_OF_TEXT` behind it; of empty ones nothing.

        Args:
            lines: the texts.
        """
        texts = [line for line in lines if line and not line.isspace()]
        parts = [np.zeros(0, np.int32)]
        for first in range(0, len(texts), TEXTS):
            ids = self.tokenizer(tf.constant(texts[first : first + TEXTS]))
            if self.start is not None:
                ids = ids[:, 1:-1]
            ids = tf.ragged.boolean_mask(ids, ids.row_lengths() > 0)
            ends = tf.fill(tf.stack([tf.cast(ids.nrows(), tf.int32), 1]), END_OF_TEXT)
            parts.append(tf.concat([ids, ends], axis=1).flat_values.numpy())
        return np.concatenate(parts)


def masked_tokenizer(tokenizer: TextTokenizer) -> MaskedTokenizer:
    """Return a tokenizer with its mask; of one of pairs, that of its single texts."""
    single = of_single_texts(tokenizer)
    if isinstance(single, GraphTokenizer):
        return MaskedTokenizer(single, mask=single.vocabulary_size)
    marks = single.marks
    mask = single.vocabulary_size if marks.mask is None else marks.mask
    return MaskedTokenizer(single, mask, marks.start, marks.end, separated=marks.doubled)
