import math

import keras
import numpy as np
import pytest

from zoo.preset.recipe import Schedule, rate_factor
from zoo.training.schedules import RecipeSchedule

NAMES = ["constant", "cosine", "linear", "multistep", "exponential", "one-cycle", "plateau"]


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("name", NAMES)
def test_graph_equals_the_pure_formula_at_every_step(name: str, warmup: float) -> None:
    block = Schedule(name=name, warmup_fraction=warmup, milestones=(0.3, 0.6, 0.7))
    schedule = RecipeSchedule(0.02, block.model_dump(mode="json"))
    for total in (1, 7, 10, 90):  # 0.7 * 90 is not 63.0 in float64: the same step nevertheless
        schedule.begin(5, total)
        found = [float(schedule(5 + step)) for step in range(total + 2)]
        expected = [0.02 * rate_factor(block, step, total) for step in range(total + 2)]
        np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_closed_forms() -> None:
    cosine = Schedule(name="cosine", warmup_fraction=0.1, final_fraction=0.1)
    assert rate_factor(cosine, 0, 100) == pytest.approx(1 / 11)  # the first step is not at rate 0
    assert rate_factor(cosine, 10, 100) == 1.0
    assert rate_factor(cosine, 55, 100) == pytest.approx(0.55)
    assert rate_factor(cosine, 100, 100) == pytest.approx(0.1)
    linear = Schedule(name="linear", final_fraction=0.5)
    assert rate_factor(linear, 25, 50) == pytest.approx(0.75)
    exponential = Schedule(name="exponential", final_fraction=0.01)
    assert rate_factor(exponential, 50, 100) == pytest.approx(0.1)
    cycle = Schedule(name="one-cycle", warmup_fraction=0.5, final_fraction=0.001)
    assert rate_factor(cycle, 0, 100) == pytest.approx(1 / 25)
    assert rate_factor(cycle, 25, 100) == pytest.approx(0.52)
    steps = Schedule(name="multistep", milestones=(0.5, 0.75), factor=0.1)
    assert [rate_factor(steps, step, 4) for step in range(4)] == pytest.approx([1, 1, 0.1, 0.01])


def test_scale_multiplies_and_a_new_training_begins_anew() -> None:
    schedule = RecipeSchedule(1.0, {"name": "linear", "final_fraction": 0.5})
    schedule.begin(0, 10)
    schedule.scale.assign(0.5)
    assert float(schedule(10)) == pytest.approx(0.25)
    schedule.begin(10, 20)
    assert [float(schedule(step)) for step in (10, 20, 30)] == pytest.approx([1.0, 0.75, 0.5])


def test_config_keeps_where_the_schedule_stands() -> None:
    schedule = RecipeSchedule(0.3, {"name": "multistep", "milestones": [0.25, 0.5]})
    schedule.begin(3, 40)
    schedule.scale.assign(0.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    steps = range(3, 44)
    assert [float(again(step)) for step in steps] == [float(schedule(step)) for step in steps]
    assert math.isclose(float(again(3)), 0.15, rel_tol=1e-6)
