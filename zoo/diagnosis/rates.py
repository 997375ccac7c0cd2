"""Which learning rate a sweep over rates suggests: pure maths on rates and losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WIDTH = 6.0  # steps: deviation of the bell that smooths; at a factor of 1.05 a third of a rate
FLAT = 0.05  # share of the first loss that must be gone, for a sweep to say anything
CLEAR = 3.0  # times the noise of the smoothed curve that the fall must be


def smooth(losses: Sequence[float], width: float = WIDTH) -> np.ndarray:
    """Return losses averaged with a bell around each step, which shifts nothing.

    Args:
        losses: a value a step, finite.
        width: deviation of the bell in steps.

    Returns:
        float64 `(steps,)`.
    """
    values = np.asarray(losses, np.float64)
    reach = int(np.ceil(3 * width))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    total = np.convolve(values, bell, mode="full")[reach : reach + len(values)]
    # At both ends a part of the bell has no step below it.
    return total / np.convolve(np.ones(len(values)), bell, mode="full")[reach : reach + len(values)]


def is_flat(losses: Sequence[float]) -> bool:
    """Whether no rate of a sweep made the loss fall, as far as its noise tells.

    Args:
        losses: a value a step, finite.
    """
    smoothed = smooth(losses)
    lowest = int(np.argmin(smoothed))
    fall = float(smoothed[0] - smoothed[lowest])
    # Up to the lowest point: what blows up behind it is no noise. The mean under a bell of this
    # width has about so much of the noise of a single step.
    rest = (np.asarray(losses) - smoothed)[: lowest + 1]
    noise = float(np.std(rest)) / np.sqrt(2 * np.sqrt(np.pi) * WIDTH)
    return fall < max(FLAT * abs(float(smoothed[0])), CLEAR * noise)


def suggestions(rates: Sequence[float], losses: Sequence[float]) -> dict[str, float]:
    """Return what three rules take from a sweep; nothing of a flat one.

    Args:
        rates: of each step, rising by the same factor.
        losses: of each step, finite.

    Returns:
        `steepest`: where the loss falls fastest by the logarithm of the rate (A12); `valley`: where
        half of its fall is done; `minimum/10`: a tenth of the rate with the lowest loss.

    Source: Smith 2017, https://arxiv.org/abs/1506.01186; fastai's `lr_find` has three such rules.
    """
    if len(losses) < 3 or is_flat(losses):
        return {}
    smoothed = smooth(losses)
    lowest = int(np.argmin(smoothed))
    half = (smoothed[0] + smoothed[lowest]) / 2
    return {
        "steepest": float(rates[int(np.argmin(np.gradient(smoothed[: lowest + 1])))]),
        "valley": float(rates[int(np.flatnonzero(smoothed[:lowest] >= half)[-1])]),
        "minimum/10": float(rates[lowest]) / 10,
    }
