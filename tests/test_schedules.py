"""The graph's schedule is the pure one; its shapes are what their names say."""

import math

import keras
import numpy as np
import pytest

from zoo.recipe import Schedule, rate_factor
from zoo.training.schedules import RecipeSchedule

TOTAL = 40
SHAPES = ["constant", "cosine", "linear", "multistep", "exponential", "one-cycle", "plateau"]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_graph_equals_pure(name: str, warmup: float) -> None:
    block = Schedule(name=name, warmup_fraction=warmup)
    schedule = RecipeSchedule(0.5, block.model_dump(mode="json"))
    schedule.begin(100, TOTAL)
    found = [float(schedule(100 + step)) for step in range(TOTAL + 5)]
    expected = [0.5 * rate_factor(block, step, TOTAL) for step in range(TOTAL + 5)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_cosine_by_hand() -> None:
    block = Schedule(name="cosine", warmup_fraction=0.2, final_fraction=0.01)
    assert rate_factor(block, 0, 10) == pytest.approx(1 / 3)
    assert rate_factor(block, 1, 10) == pytest.approx(2 / 3)
    assert rate_factor(block, 2, 10) == 1.0
    assert rate_factor(block, 6, 10) == pytest.approx(0.01 + 0.99 / 2)
    assert rate_factor(block, 10, 10) == pytest.approx(0.01)


def test_linear_multistep_and_exponential_by_hand() -> None:
    linear = Schedule(name="linear", final_fraction=0.1)
    assert rate_factor(linear, 5, 10) == pytest.approx(0.55)
    steps = Schedule(name="multistep", milestones=(0.5, 0.75), factor=0.1)
    assert [rate_factor(steps, s, 8) for s in (3, 4, 6)] == pytest.approx([1.0, 0.1, 0.01])
    exponential = Schedule(name="exponential", final_fraction=0.01)
    assert rate_factor(exponential, 5, 10) == pytest.approx(0.1)


def test_one_cycle_rises_from_a_25th_and_ends_low() -> None:
    block = Schedule(name="one-cycle", warmup_fraction=0.3, final_fraction=1e-4)
    factors = [rate_factor(block, step, 100) for step in range(101)]
    assert factors[0] == pytest.approx(0.04)
    assert max(factors) == factors[30] == 1.0
    assert factors[15] == pytest.approx(0.52)
    assert factors[100] == pytest.approx(1e-4)


def test_a_saved_schedule_goes_on_where_it_was() -> None:
    schedule = RecipeSchedule(0.1, {"name": "cosine"})
    schedule.begin(7, 20)
    schedule.scale.assign(0.5)
    again = keras.optimizers.schedules.deserialize(
        keras.optimizers.schedules.serialize(schedule), custom_objects=None
    )
    assert float(again(12)) == pytest.approx(float(schedule(12)))
    assert math.isclose(float(again.scale), 0.5)
