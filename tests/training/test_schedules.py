import math

import keras
import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.training.schedules import RecipeSchedule


def factors(total: int, **schedule) -> list[float]:
    """The factor at every step of a training run, and at the two after it."""
    rate = RecipeSchedule(0.02, schedule)
    rate.begin(5, total)  # a training run that began at step 5
    return [float(rate(5 + step)) / 0.02 for step in range(total + 2)]


NAMES = ["constant", "cosine", "linear", "multistep", "exponential", "one-cycle", "inverse-sqrt",
         "plateau"]  # fmt: skip


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("name", NAMES)
def test_every_schedule_at_every_step(name: str, warmup: float) -> None:
    """The formulas of the papers, in plain Python."""
    if name == "inverse-sqrt" and not warmup:
        with pytest.raises(ZooError, match="warmup_fraction"):
            factors(10, name=name, warmup_fraction=warmup)
        return
    milestones, final, half = (0.3, 0.6, 0.7), 0.01, 0.5
    for total in (1, 7, 10, 90):  # 0.7 * 90 is not 63.0 in float64: the same step nevertheless
        rising = warmup * total
        expected = []
        for step in range(total + 2):
            done = min(max((step - rising) / max(total - rising, 1), 0.0), 1.0)
            cosine = final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))
            passed = sum(step >= milestone * total for milestone in milestones)
            after = {
                "constant": 1.0,
                "plateau": 1.0,  # training lowers it by what it sees
                "cosine": cosine,
                "one-cycle": cosine,
                "linear": final + (1 - final) * (1 - done),
                "exponential": final**done,
                "multistep": half**passed,
                "inverse-sqrt": math.sqrt(rising / min(step, total)) if step >= rising > 0 else 0,
            }[name]
            before = (step + 1) / (rising + 1)
            if name == "one-cycle" and rising:
                before = 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * step / rising))
            expected.append(before if step < rising else after)
        given = {"milestones": list(milestones)} if name == "multistep" else {}
        found = factors(total, name=name, warmup_fraction=warmup, **given)
        np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_closed_forms() -> None:
    cosine = factors(100, name="cosine", warmup_fraction=0.1, final_fraction=0.1)
    assert cosine[0] == pytest.approx(1 / 11)  # the first step is not at rate 0
    assert [cosine[step] for step in (10, 55, 100)] == pytest.approx([1.0, 0.55, 0.1])
    assert factors(50, name="linear", final_fraction=0.5)[25] == pytest.approx(0.75)
    assert factors(100, name="exponential", final_fraction=0.01)[50] == pytest.approx(0.1)
    inverse = factors(100, name="inverse-sqrt", warmup_fraction=0.04)
    assert [inverse[step] for step in (4, 16, 100)] == pytest.approx([1.0, 0.5, 0.2])
    cycle = factors(100, name="one-cycle", warmup_fraction=0.5, final_fraction=0.001)
    assert [cycle[step] for step in (0, 25)] == pytest.approx([1 / 25, 0.52])
    steps = factors(4, name="multistep", milestones=[0.5, 0.75], factor=0.1)
    assert steps[:4] == pytest.approx([1, 1, 0.1, 0.01])


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


def test_values_of_other_schedules_in_models_saved_before_are_left_out() -> None:
    schedule = RecipeSchedule(
        0.02, {"name": "constant", "milestones": [0.5], "final_fraction": 0.1}
    )
    assert schedule.get_config()["schedule"] == {"name": "constant", "warmup_fraction": 0.0}
    steps = RecipeSchedule(0.02, {"name": "multistep", "milestones": [0.3, 0.6]})
    again = RecipeSchedule.from_config(steps.get_config())
    assert again.schedule == steps.schedule and again.schedule.milestones == (0.3, 0.6)
    with pytest.raises(ZooError, match=r"recipe.schedule: .*final"):
        RecipeSchedule(0.02, {"name": "cosine", "final": 0.1})
