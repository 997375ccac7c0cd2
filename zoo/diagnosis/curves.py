"""The curves of a training run as series of numbers, and what is measured on them: pure maths."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

Series = np.ndarray  # float64, a value an epoch; NaN where there is none


@dataclasses.dataclass(frozen=True)
class Curves:
    """The curves of a training run, a value an epoch.

    Args:
        loss: mean of the training part in an epoch, as it is minimised.
        val_loss: of the validation part, at the end of the epoch.
        score: of the training part, the higher the better, in [0, 1]; empty where there is none.
        val_score: of the validation part.
        score_name: what the scores are, such as `accuracy`.
        rate: learning rate of the epoch; empty where it is not known.
        steps: optimizer steps in all; None where they are not known.
        chance: loss of the best guess that does not look at the inputs, such as ln(classes); None
            where it is not known.
        floor: the lowest loss that is possible: above 0 with label smoothing.
        chance_score: score of that guess; None where it is not known.
        baseline_score: of a linear model on the validation part; None where there is none.
        behind_baseline: whether a baseline is better than the network on the validation part.
        kept_epoch: the epoch whose weights are kept, from 1; None for the last.
    """

    loss: Sequence[float]
    val_loss: Sequence[float]
    score: Sequence[float] = ()
    val_score: Sequence[float] = ()
    score_name: str = "accuracy"
    rate: Sequence[float] = ()
    steps: int | None = None
    chance: float | None = None
    floor: float = 0.0
    chance_score: float | None = None
    baseline_score: float | None = None
    behind_baseline: bool = False
    kept_epoch: int | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return len(self.loss)

    @functools.cached_property
    def train(self) -> Series:
        """The training loss above the lowest that is possible."""
        return np.asarray(self.loss, np.float64) - self.floor

    @functools.cached_property
    def validation(self) -> Series:
        """The validation loss above the lowest that is possible."""
        return np.asarray(self.val_loss, np.float64) - self.floor

    @functools.cached_property
    def guess(self) -> float:
        """Loss of a guess above the lowest; that of the first epoch where chance is not known."""
        known = self.chance is not None
        return self.chance - self.floor if known else float(self.train[0])  # type: ignore[operator]

    @functools.cached_property
    def learned(self) -> float:
        """How much of a guess's loss is gone on the training part, 1 for all of it."""
        return 1 - float(np.min(self.train)) / max(self.guess, 1e-12)

    @functools.cached_property
    def carried_over(self) -> float:
        """How much of a guess's loss is gone on the validation part, at its best."""
        return 1 - float(np.min(self.validation)) / max(self.guess, 1e-12)

    @functools.cached_property
    def best(self) -> int:
        """The epoch of the lowest validation loss, from 1."""
        return int(np.argmin(self.validation)) + 1


def straightness(curves: Curves) -> float:
    """Return how much of its first speed a falling loss still has at the end.

    Speeds are of the first and of the last third of the training, per unit of learning rate where
    it is known, so that a rate that falls does not look like a loss that flattens. 1 is a straight
    line, 0 a plateau; a loss that does not fall has 0.

    Args:
        curves: of at least 4 epochs.
    """
    rates = np.asarray(curves.rate or np.ones(curves.epochs), np.float64)
    way = np.cumsum(rates)  # each epoch's loss was reached after so much of the way
    third = max(1, (curves.epochs - 1) // 3)
    first = (curves.train[0] - curves.train[third]) / (way[third] - way[0])
    last = (curves.train[-1 - third] - curves.train[-1]) / (way[-1] - way[-1 - third])
    return float(min(last / first, 1.0)) if first > 0 and last > 0 else 0.0


def roughness(series: Series) -> float:
    """Return how far a series rises in all, as a share of how far it lies from top to bottom.

    0 for one that only falls; 1 for one that climbs as much, in small steps or in one, as lies
    between its highest and lowest value.

    Args:
        series: float64 `(epochs,)`.
    """
    spread = float(np.ptp(series))
    if spread == 0:
        return 0.0
    return float(np.clip(np.diff(series), 0, None).sum()) / spread


def turns(series: Series) -> float:
    """Return the share of a series' inner points at which it turns, in [0, 1].

    Args:
        series: float64 `(epochs,)`, of at least 3 values.
    """
    ways = np.sign(np.diff(series))
    return float(np.mean(ways[1:] * ways[:-1] < 0))


def smoothed_floor(label_smoothing: float, classes: int) -> float:
    """Return the lowest cross-entropy against smoothed labels, in nats: their entropy.

    Args:
        label_smoothing: share of a label that is spread over all classes.
        classes: number of them.
    """
    off = label_smoothing / classes
    return entropy([1 - label_smoothing + off, *[off] * (classes - 1)])


def guessing(shares: Sequence[float], label_smoothing: float = 0.0) -> float:
    """Return the cross-entropy of answering with the shares of the classes, in nats (A159).

    Args:
        shares: of each class, of sum 1.
        label_smoothing: share of a label that is spread over all classes.
    """
    even = label_smoothing / len(shares)
    return entropy([(1 - label_smoothing) * share + even for share in shares])


def entropy(shares: Sequence[float]) -> float:
    """Return the entropy of a distribution, in nats."""
    return -math.fsum(share * math.log(share) for share in shares if share > 0)
