"""What a sweep suggests, on curves that are known."""

import numpy as np
import pytest

from zoo.diagnosis.rates import is_flat, smooth, suggestions

RATES = 1e-7 * 1.05 ** np.arange(360)  # to 4
STEPS = np.log(RATES)


def sweep(center: float, noise: float = 0.0, fall: float = 0.6, start: float = 0.7) -> np.ndarray:
    """Losses that fall fastest at a rate, and blow up from fifty times that rate on."""
    curve = start - fall / (1 + np.exp(-2 * (STEPS - np.log(center))))
    curve += np.exp(3 * (STEPS - np.log(50 * center)))
    return curve + noise * np.random.default_rng(0).normal(size=len(curve))


def cut(losses: np.ndarray) -> slice:
    """The steps before a blow-up."""
    return slice(int(np.argmax(losses > 2)))


@pytest.mark.parametrize("center", [1e-4, 3e-3])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_steepest_is_where_the_loss_falls_fastest(center: float, noise: float) -> None:
    losses = sweep(center, noise)
    kept = cut(losses)
    found = suggestions(RATES[kept], losses[kept])
    assert center / 1.7 < found["steepest"] < center * 1.7
    lowest = RATES[kept][np.argmin(sweep(center)[kept])]
    assert found["minimum/10"] == pytest.approx(lowest / 10, rel=0.5)
    assert center / 1.7 < found["valley"] < center * 1.7


def test_a_flat_curve_suggests_nothing() -> None:
    noise = np.random.default_rng(0).normal(size=len(RATES))
    assert suggestions(RATES, 0.7 + 0.1 * noise) == {}
    assert suggestions(RATES, np.full(len(RATES), 0.7)) == {}
    assert suggestions(RATES, 0.7 + np.linspace(0, 3, len(RATES))) == {}
    assert suggestions(RATES[:2], [0.7, 0.1]) == {}
    # What blows up behind the lowest point is no noise.
    assert not is_flat([*sweep(3e-3)[cut(sweep(3e-3))], 50.0])


def test_smoothing_shifts_nothing() -> None:
    assert smooth(np.full(50, 0.3)) == pytest.approx(np.full(50, 0.3))
    line = np.linspace(0, 1, 200)
    assert smooth(line)[30:-30] == pytest.approx(line[30:-30])
    step = np.where(np.arange(200) < 100, 0.0, 1.0)
    assert np.argmax(np.gradient(smooth(step))) in (99, 100)


def test_the_valley_is_where_half_of_the_fall_is_done() -> None:
    falling = np.linspace(1.0, 0.2, 101)
    found = suggestions(RATES[:101], falling)
    assert found["valley"] == pytest.approx(RATES[50], rel=0.06)
