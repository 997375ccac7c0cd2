"""Drawing tokens of a text, and what is told of its prompt."""

from __future__ import annotations

import math

import numpy as np

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.text.vocabulary import UNKNOWN

LONGEST = 100_000  # tokens of a text that is made


def check_sampling(length: int, temperature: float, top_k: int | None) -> None:
    """Refuse what no text can be drawn by.

    Args:
        length: tokens to draw.
        temperature: what logits are divided by; 0 takes the most probable token.
        top_k: only so many of the most probable tokens are drawn from; None is all.

    Raises:
        ZooError: a value is out of range.
    """
    if not 0 < length <= LONGEST:
        raise ZooError(f"`length` must be in [1, {LONGEST:,}]. Received: {length}.")
    if not (temperature >= 0.0 and math.isfinite(temperature)):
        raise ZooError(f"`temperature` must be 0 or more. Received: {temperature}.")
    if top_k is not None and top_k < 1:
        raise ZooError(f"`top_k` must be at least 1. Received: {top_k}.")


def unknown_in_prompt(ids: np.ndarray) -> list[Finding]:
    """Return a finding on a prompt that holds what the model does not know."""
    count = int((ids == UNKNOWN).sum())
    if not count:
        return []
    what = f"{count:,} of the {len(ids):,} tokens of the prompt are unknown to the model."
    advice = "Its vocabulary is that of its training part; see model/vocabulary.json."
    return [Finding("warning", what, {"unknown": count, "tokens": len(ids)}, advice)]


def draw(
    logits: np.ndarray, temperature: float, top_k: int | None, random: np.random.Generator
) -> int:
    """Return a token drawn from logits, never `<unk>`.

    Args:
        logits: `(vocabulary,)`.
        temperature: what logits are divided by; 0 takes the most probable token.
        top_k: only so many of the most probable tokens are drawn from; None is all.
        random: what it is drawn from.
    """
    logits = logits.astype(np.float64)
    logits[UNKNOWN] = -np.inf
    if temperature == 0.0:
        return int(logits.argmax())
    if top_k is not None and top_k < len(logits):
        logits[logits < np.partition(logits, -top_k)[-top_k]] = -np.inf
    shares = np.exp((logits - logits.max()) / temperature)
    return int(random.choice(len(shares), p=shares / shares.sum()))
