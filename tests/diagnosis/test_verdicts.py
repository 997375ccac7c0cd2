"""Verdicts on curves that are made to mean one thing."""

import math

import numpy as np
import pytest

from zoo.diagnosis.curves import (
    Curves,
    guessing,
    roughness,
    smoothed_floor,
    straightness,
    turns,
)
from zoo.diagnosis.verdicts import FAILURES, RULES, verdicts

LN2 = math.log(2)
TEN = np.arange(10)


def falling(start: float, end: float, epochs: int = 10, rate: float = 0.5) -> list[float]:
    """A loss that falls by the same factor every epoch."""
    shape = np.exp(-rate * np.arange(epochs))
    return list(end + (start - end) * (shape - shape[-1]) / (1 - shape[-1]))


def two_classes(**changes) -> Curves:
    """A sound training with two classes, but for what is changed."""
    known = {
        "loss": falling(0.6, 0.1),
        "val_loss": falling(0.55, 0.2),
        "score": list(np.linspace(0.7, 0.97, 10)),
        "val_score": list(np.linspace(0.72, 0.9, 10)),
        "chance": LN2,
        "chance_score": 0.5,
        "steps": 1000,
        "kept_epoch": 10,
    }
    return Curves(**known | changes)


HALF = [0.5] * 10
FLAT = {"score": HALF, "val_score": HALF}
CASES = {
    "sound": two_classes(),
    "not-finite": two_classes(loss=[0.6, 0.5, *[math.nan] * 8]),
    "wrong-sign": two_classes(loss=list(np.linspace(0.5, -30, 10))),
    "blow-up": two_classes(loss=list(np.linspace(0.7, 9, 10))),
    "rate-too-high": two_classes(loss=[2.0, 1.4, 1.9, 1.2, 1.6, 1.3, 1.5, 1.4, 1.6, 1.5], **FLAT),
    "rate-too-low": two_classes(
        loss=list(0.6935 - 0.0005 * TEN), val_loss=list(0.6933 - 0.0005 * TEN), **FLAT
    ),
    "not-learning": two_classes(
        loss=[0.69, 0.691, *[0.689, 0.69] * 4], val_loss=[0.69] * 10, **FLAT
    ),
    "memorised": two_classes(
        loss=falling(0.69, 0.1, rate=0.2), val_loss=list(np.linspace(0.7, 2, 10)), val_score=HALF
    ),
    "loss-of-other-outputs": two_classes(
        loss=falling(0.5, 0.33), val_loss=falling(0.5, 0.36), score=[0.99] * 10
    ),
    "oscillating": two_classes(loss=[0.6, 0.3, 0.55, 0.2, 0.5, 0.25, 0.45, 0.2, 0.5, 0.3]),
    "augmentation-too-strong": two_classes(
        loss=falling(0.68, 0.6), val_loss=falling(0.67, 0.4), score=[0.6] * 10
    ),
    "underfitted": two_classes(
        loss=falling(0.65, 0.5, rate=1), val_loss=falling(0.64, 0.5, rate=1),
        score=[0.7] * 10, behind_baseline=True,
    ),
    "leak": two_classes(
        loss=falling(0.3, 0.01), val_loss=falling(0.05, 0.01), val_score=[0.99] * 10,
        baseline_score=0.8,
    ),
    "too-easy": two_classes(loss=[0.004, *[0.001] * 9], val_loss=[0.002] * 10),
    "too-early": two_classes(steps=40),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_first_verdict(name: str) -> None:
    found = verdicts(CASES[name])
    assert found[0].name == name
    assert found[0].advice
    assert found[0].evidence


def test_overfitting_after_the_kept_epoch_is_no_warning() -> None:
    rising = [0.5, 0.3, 0.25, *np.linspace(0.27, 0.6, 7)]
    found = verdicts(two_classes(val_loss=rising, kept_epoch=3))
    assert [verdict.name for verdict in found] == ["sound", "overfitted"]
    assert {verdict.level for verdict in found} == {"info"}
    assert found[1].evidence == {"best_epoch": 3, "epochs": 10, "kept_epoch": 3}
    assert found[1].changes == {"epochs": 0.3}


def test_overfitting_at_once_that_is_kept_is_a_warning() -> None:
    rising = list(np.linspace(0.3, 0.9, 10))
    found = verdicts(two_classes(val_loss=rising, kept_epoch=10))
    assert (found[0].name, found[0].level) == ("overfitted", "warning")
    assert "best-epoch-early" in {verdict.name for verdict in found}


def test_a_loss_that_falls_fast_is_no_strong_augmentation() -> None:
    """The mean of an epoch is of older weights than those that are validated at its end."""
    fast = two_classes(
        loss=[0.65, 0.5, 0.35, 0.2], val_loss=[0.55, 0.4, 0.25, 0.1], score=[0.9] * 4
    )
    assert "augmentation-too-strong" not in {verdict.name for verdict in verdicts(fast)}
    two = two_classes(loss=[0.65, 0.5], val_loss=[0.3, 0.1], score=[0.7, 0.9])
    assert "augmentation-too-strong" not in {verdict.name for verdict in verdicts(two)}


def test_few_steps_are_not_judged_but_failures_are() -> None:
    flat = two_classes(loss=[0.69] * 10, val_loss=[0.69] * 10, steps=20)
    assert verdicts(flat)[0].name == "too-early"
    assert {verdict.level for verdict in verdicts(flat)} == {"info"}
    broken = two_classes(loss=[0.6, *[math.inf] * 9], steps=20)
    assert [verdict.name for verdict in verdicts(broken)] == ["not-finite"]
    assert verdicts(broken)[0].evidence == {"epoch": 2}


def test_a_rate_that_falls_does_not_look_like_a_loss_that_flattens() -> None:
    """A loss that falls by the same amount for every unit of the rate is straight."""
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(12) / 12))
    loss = 0.69 - 0.02 * np.cumsum(cosine)
    assert straightness(Curves(loss, loss, rate=list(cosine))) == pytest.approx(1.0)
    assert straightness(Curves(loss, loss)) < 0.5
    assert straightness(Curves(falling(1, 0), falling(1, 0))) < 0.1


def test_measures_of_a_series() -> None:
    assert roughness(np.array([3.0, 2.0, 1.0])) == 0
    assert roughness(np.array([1.0, 1.0])) == 0
    assert roughness(np.array([0.0, 1.0, 0.0, 1.0])) == 2
    assert turns(np.array([0.0, 1.0, 0.0, 1.0])) == 1
    assert turns(np.array([3.0, 2.0, 1.0])) == 0


def test_losses_of_guesses() -> None:
    assert guessing([0.5, 0.5]) == pytest.approx(LN2)
    assert guessing([0.9, 0.1]) == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1))
    assert guessing([1.0, 0.0]) == 0
    assert guessing([0.25] * 4, 0.1) == pytest.approx(math.log(4))
    assert smoothed_floor(0.0, 5) == 0
    assert smoothed_floor(0.1, 2) == pytest.approx(-0.95 * math.log(0.95) - 0.05 * math.log(0.05))


def test_every_rule_has_a_case_that_it_judges() -> None:
    curves = [*CASES.values(), two_classes(val_loss=list(np.linspace(0.3, 0.9, 10)))]
    late = two_classes(val_loss=list(np.linspace(0.6, 0.2, 10)))
    unsteady = two_classes(val_loss=[0.3, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5, 0.3, 0.5])
    slow = list(np.linspace(0.68, 0.4, 10))
    straight = two_classes(loss=slow, val_loss=slow)
    for rule in (*FAILURES, *RULES):
        assert any(rule(curve) for curve in [*curves, late, unsteady, straight]), rule.__name__
