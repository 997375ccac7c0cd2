"""How long texts are in tokens, whatever the tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

# Characters of a text that are tokenized for each token that is read: ordinary tokens have four.
# The time of sentencepiece grows with the square of a run of characters that it does not know, so
# that one line of 1 MB would take a minute (openai/tiktoken#195).
TOKEN_CHARACTERS = 64
PIECE_CHARACTERS = 16_384  # of a text whose tokens are counted: longer ones are counted in pieces
CHUNK = 2_048  # texts an op sees at once where the zoo itself calls it


def count_tokens(
    tokenizer: Callable[[tf.Tensor], tf.RaggedTensor], texts: Sequence[str]
) -> np.ndarray:
    """Return how many tokens each text has, int64.

    A text of more than `PIECE_CHARACTERS` is counted in pieces, so that it may come out a token
    longer for each of them.
    """
    counts = np.zeros(len(texts), np.int64)
    pieces = [
        (position, text[start : start + PIECE_CHARACTERS])
        for position, text in enumerate(texts)
        for start in range(0, max(1, len(text)), PIECE_CHARACTERS)
    ]
    for start in range(0, len(pieces), CHUNK):
        positions, chunk = zip(*pieces[start : start + CHUNK], strict=True)
        np.add.at(counts, list(positions), tokenizer(tf.constant(chunk)).row_lengths().numpy())
    return counts
