"""The baseline of language models: bigrams with Kneser-Ney smoothing, in seconds."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

MOST_TOKENS = 20_000_000  # the first ones of the training part; more would change little
BLOCK = 1 << 20


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

    def scores(self, ids: np.ndarray) -> dict[str, float]:
        """Return loss (nats a token) and perplexity of a stream; before it is token 0."""
        total = 0.0
        for start in range(0, len(ids), BLOCK):
            after = np.asarray(ids[start : start + BLOCK], np.int64)
            first = [0] if start == 0 else [int(ids[start - 1])]
            before = np.concatenate([first, after[:-1]])
            total -= float(np.log(self._probabilities(before, after)).sum())
        loss = total / max(len(ids), 1)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def _probabilities(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        keys = before * len(self.single) + after
        place = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        count = np.where(self.pairs[place] == keys, self.counts[place], 0)
        seen = np.maximum(self.contexts[before], 1.0)
        known = self.contexts[before] > 0
        left = np.where(known, self.discount * self.types[before] / seen, 1.0)
        found: np.ndarray = np.maximum(count - self.discount, 0.0) / seen
        return found + left * self.single[after]


def fit_bigrams(ids: np.ndarray, vocabulary_size: int) -> Bigrams:
    """Count the pairs of a stream of token ids.

    Args:
        ids: one-dimensional; at least one.
        vocabulary_size: number of token ids.
    """
    some = np.concatenate([[0], np.asarray(ids[:MOST_TOKENS], np.int64)])
    pairs, counts = np.unique(some[:-1] * vocabulary_size + some[1:], return_counts=True)
    before, after = np.divmod(pairs, vocabulary_size)
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    # One in each case, so that every token has a probability.
    different = np.bincount(after, minlength=vocabulary_size) + 1.0
    return Bigrams(
        pairs=pairs,
        counts=counts,
        contexts=np.bincount(before, counts, minlength=vocabulary_size),
        types=np.bincount(before, minlength=vocabulary_size).astype(np.float64),
        single=different / different.sum(),
        discount=float(once / (once + 2 * twice)) if once and twice else 0.5,
    )


def log_shares(ids: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Return the log of each token's share of a stream, float64 `(vocabulary,)`.

    Every token counts once more than it occurs, so that none is impossible.

    Args:
        ids: one-dimensional; the first `MOST_TOKENS` are counted.
        vocabulary_size: number of token ids.
    """
    counts = np.bincount(ids[:MOST_TOKENS], minlength=vocabulary_size) + 1.0
    shares: np.ndarray = np.log(counts / counts.sum())
    return shares
