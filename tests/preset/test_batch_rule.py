"""The learning rate follows the batch, and says so."""

import pytest

import zoo
from zoo.preset.batch_rule import batch_finding
from zoo.preset.derived import findings_on
from zoo.preset.loading import load_preset
from zoo.preset.schemas import architectures
from zoo.preset.unread import READ_WITH, unread

RATE, WARMUP = "recipe.optimizer.learning_rate", "recipe.schedule.warmup_fraction"
SGD = {"recipe.optimizer.name": "sgd", RATE: 0.1, WARMUP: 0.0}


def changed(before, **keys):
    after = before.override({key.replace("__", "."): value for key, value in keys.items()})
    return after, batch_finding(before.values(), after.values())


@pytest.mark.parametrize("preset", ["default", "kim2014"])  # AdamW and Adadelta
@pytest.mark.parametrize("times", [0.5, 4])
def test_adaptive_optimizers_follow_by_the_square_root(preset: str, times: float) -> None:
    before = load_preset("textcnn", preset)
    after, (finding,) = changed(before, data__batch_size=int(before.data.batch_size * times))
    rate = before.recipe.optimizer.learning_rate
    assert after.recipe.optimizer.learning_rate == pytest.approx(rate * times**0.5, rel=1e-5)
    assert after.recipe.schedule == before.recipe.schedule
    assert "D7" in after.why[RATE].sources and "square root" in after.why[RATE].note
    assert finding.level == "info" and f"{RATE} {rate:g} -> " in finding.what
    assert finding.evidence[RATE] == [rate, after.recipe.optimizer.learning_rate]


def test_sgd_follows_in_proportion_after_a_warmup() -> None:
    before = load_preset("textcnn", "default", SGD)
    after, (finding,) = changed(before, data__batch_size=4 * before.data.batch_size)
    assert after.recipe.optimizer.learning_rate == pytest.approx(0.4)
    assert after.recipe.schedule.warmup_fraction == 0.05
    assert set(finding.evidence) == {"data.batch_size", RATE, WARMUP}
    smaller, _ = changed(before, data__batch_size=before.data.batch_size // 2)
    assert smaller.recipe.optimizer.learning_rate == pytest.approx(0.05)
    assert smaller.recipe.schedule.warmup_fraction == 0.0


def test_what_is_asked_for_stays() -> None:
    before = load_preset("textcnn")
    for rate in (before.recipe.optimizer.learning_rate, 0.5):
        after = before.override({"data.batch_size": 256, RATE: rate})
        assert after.recipe.optimizer.learning_rate == rate
    sgd = load_preset("textcnn", "default", SGD)
    after = sgd.override({"data.batch_size": 256, WARMUP: 0.01})
    assert after.recipe.schedule.warmup_fraction == 0.01
    # The usual rate of an optimizer that was switched to belongs to no batch size.
    switched = before.override({"data.batch_size": 256, "recipe.optimizer.name": "sgd"})
    assert switched.recipe.optimizer.learning_rate == 0.1


def test_a_preset_that_is_read_again_is_not_scaled_again(tmp_path) -> None:
    after = load_preset("textcnn").override({"data.batch_size": 256})
    path = tmp_path / "preset.yaml"
    path.write_text(after.to_yaml())
    again = load_preset(None, path, {"data.batch_size": 256})
    assert again.recipe.optimizer == after.recipe.optimizer
    assert batch_finding(after.values(), again.values()) == []


def test_a_batch_far_beyond_the_presets_is_a_warning() -> None:
    before = load_preset("textcnn")
    _, (near,) = changed(before, data__batch_size=8 * before.data.batch_size)
    _, (far,) = changed(before, data__batch_size=8 * before.data.batch_size + 1)
    assert (near.level, far.level) == ("info", "warning")
    assert "search" in far.next
    keys = {"data__batch_size": 4096, "recipe__optimizer__learning_rate": 1e-3}
    _, (chosen,) = changed(before, **keys)
    assert chosen.level == "warning"


def test_epochs_that_are_set_hold_however_few_the_steps() -> None:
    before = zoo.load_preset("textcnn")
    assert before.recipe.total_epochs(steps_per_epoch=6) == 167
    changes = {"recipe.epochs": 1}
    after = before.override(changes)
    assert after.recipe.min_steps == 0
    assert after.recipe.total_epochs(steps_per_epoch=6) == 1
    assert "recipe.epochs was set" in after.why["recipe.min_steps"].note
    (found,) = findings_on(before.values(), after.values(), changes)
    assert found.what == (
        "recipe.epochs 1 was set, so recipe.min_steps 1,000 -> 0: few data get no more epochs "
        "than that."
    )


def test_steps_that_are_set_as_well_hold() -> None:
    changes = {"recipe.epochs": 2, "recipe.min_steps": 30}
    preset = zoo.load_preset("textcnn")
    after = preset.override(changes)
    assert after.recipe.total_epochs(steps_per_epoch=6) == 5
    assert findings_on(preset.values(), after.values(), changes) == []


def test_what_another_optimizer_brings_is_said() -> None:
    preset = zoo.load_preset("textcnn")
    changes = {"recipe.optimizer.name": "sgd", "recipe.optimizer.momentum": 0.9}
    (found,) = findings_on(preset.values(), preset.override(changes).values(), changes)
    assert found.what == (
        "recipe.optimizer.name lazy_adamw -> sgd brings recipe.optimizer.learning_rate 0.1, "
        "recipe.optimizer.nesterov False."
    )
    changes |= {"data.batch_size": 128}
    after = preset.override(changes)
    assert after.recipe.optimizer.learning_rate == 0.1
    found = findings_on(preset.values(), after.values(), changes)
    assert not any("scaled" in str(each) or "0.002 ->" in str(each) for each in found)


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        ("textcnn", {"recipe.loss.gamma": 1.0},
         "recipe.loss.gamma was set, and is not read: recipe.loss.name is cross-entropy."),
        ("textcnn", {"recipe.loss.gamma": 1.0, "recipe.loss.name": "focal"}, None),
        ("textcnn", {"recipe.schedule.milestones": (0.5,)}, "recipe.schedule.name is constant."),
        ("textcnn", {"architecture.ngram_share": 0.5}, None),
        ("resnet", {"architecture.depth": 9, "architecture.stochastic_depth": 0.1},
         "architecture.stochastic_depth was set, and is not read: architecture.depth is 9."),
        ("lstm_lm", {"recipe.epochs": 3}, None),
    ],
)  # fmt: skip
def test_keys_that_nothing_reads_are_said(model: str, changes, said: str | None) -> None:
    preset = zoo.load_preset(model).override(changes)
    found = [*preset.notices, *unread(preset.values(), changes)]
    assert [each.level for each in found] == (["warning"] if said else [])
    assert said is None or said in found[0].what


def test_keys_that_decide_are_there() -> None:
    keys = {key for model in architectures() for key in zoo.load_preset(model).values()}
    for key, (by, _) in READ_WITH.items():
        assert {key, by} <= keys
