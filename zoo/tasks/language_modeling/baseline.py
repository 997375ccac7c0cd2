"""The baseline of language models: bigrams with Kneser-Ney smoothing, in seconds."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from zoo.tasks.corpora.token_ids import Ids, blocks

MOST_TOKENS = 20_000_000  # the first ones of the training part; more would change little


@dataclasses.dataclass(frozen=True)
class Bigrams:
    """Probabilities of a token after another.

    `p(w | v) = max(n(vw) - d, 0) / n(v) + d t(v) / n(v) p(w)`, where `n` counts, `t(v)` is the
    number of different tokens after `v`, and `p(w)` is the share of `w` in different pairs.

    Args:
        pairs: `v * vocabulary + w` of the pairs seen, sorted.
        counts: how often each was.
        contexts: float64 `(vocabulary,)`, how often each token was followed.
        types: float64 `(vocabulary,)`, by how many different ones.
        single: float64 `(vocabulary,)`, `p(w)`.
        discount: `d`.

    Source: Kneser and Ney 1995, https://doi.org/10.1109/ICASSP.1995.479394, interpolated as in Chen
        and Goodman 1999, https://doi.org/10.1006/csla.1999.0128.
    """

    pairs: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    types: np.ndarray
    single: np.ndarray
    discount: float

    def scores(self, ids: Ids) -> dict[str, float]:
        """Return loss (nats a token) and perplexity of a stream; before it is token 0."""
        total, last = 0.0, 0
        for block in blocks(ids):
            after = block.astype(np.int64)
            before = np.concatenate([[last], after[:-1]])
            last = after[-1]
            total -= float(np.log(self._probabilities(before, after)).sum())
        loss = total / max(len(ids), 1)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def _probabilities(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        keys = before * len(self.single) + after
        index = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        count = np.where(self.pairs[index] == keys, self.counts[index], 0)
        seen = np.maximum(self.contexts[before], 1.0)
        known = self.contexts[before] > 0
        left = np.where(known, self.discount * self.types[before] / seen, 1.0)
        discounted: np.ndarray = np.maximum(count - self.discount, 0.0) / seen
        return discounted + left * self.single[after]


def fit_bigrams(ids: Ids, vocabulary_size: int) -> Bigrams:
    """Count the pairs of a stream of token ids.

    Args:
        ids: one-dimensional; at least one.
        vocabulary_size: number of token ids.
    """
    pairs = counts = np.zeros(0, np.int64)
    last = 0
    for block in blocks(ids, MOST_TOKENS):
        tokens = np.concatenate([[last], block]).astype(np.int64)
        last = tokens[-1]
        new, times = np.unique(tokens[:-1] * vocabulary_size + tokens[1:], return_counts=True)
        pairs, counts = _summed(np.concatenate([pairs, new]), np.concatenate([counts, times]))
    before, after = np.divmod(pairs, vocabulary_size)
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    # One in each case, so that every token has a probability.
    preceding = np.bincount(after, minlength=vocabulary_size) + 1.0
    return Bigrams(
        pairs=pairs,
        counts=counts,
        contexts=np.bincount(before, counts, minlength=vocabulary_size),
        types=np.bincount(before, minlength=vocabulary_size).astype(np.float64),
        single=preceding / preceding.sum(),
        discount=float(once / (once + 2 * twice)) if once and twice else 0.5,
    )


def _summed(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different keys, sorted, and the sum of the counts of each."""
    unique, inverse = np.unique(keys, return_inverse=True)
    return unique, np.bincount(inverse, counts, minlength=len(unique)).astype(np.int64)


def log_shares(ids: Ids, vocabulary_size: int) -> np.ndarray:
    """Return the log of each token's share of a stream, float64 `(vocabulary,)`.

    Every token counts once more than it occurs, so that none is impossible.

    Args:
        ids: one-dimensional; the first `MOST_TOKENS` are counted.
        vocabulary_size: number of token ids.
    """
    counts = np.ones(vocabulary_size)
    for block in blocks(ids, MOST_TOKENS):
        counts += np.bincount(block, minlength=vocabulary_size)
    shares: np.ndarray = np.log(counts / counts.sum())
    return shares
