"""Fine-tuning of image networks: batch norms that stay, and the head before all the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from image_parts import QUICK, write_folder
from image_start_parts import resnet_tensors, timm_config, timm_folder
from resume_parts import Killed, kill_at, train, write_always

from zoo import ZooError
from zoo.builders import build
from zoo.distribute import strategy_for
from zoo.preset.batch_rule import frozen_norm
from zoo.preset.loading import load_preset
from zoo.training.checkpoints import callback

TUNING = "recipe.fine_tuning"
BY_BLOCK = {f"{TUNING}.name": "by-block", f"{TUNING}.rate_decay": 1.0}
PLAIN_SGD = {
    "recipe.optimizer.momentum": 0.0, "recipe.optimizer.nesterov": False,
    "recipe.optimizer.weight_decay": 0.0, "recipe.optimizer.learning_rate": 0.1,
    "recipe.schedule.name": "constant", "recipe.schedule.warmup_fraction": 0.0,
}  # fmt: skip


def small(**changes: Any) -> Any:
    """A small network with norms that are no identities, and batches of 8."""
    settings = {
        "architecture.depth": 8, "architecture.filters": [4, 4, 8],
        "architecture.num_classes": 3, "architecture.image_size": 16, "data.batch_size": 8,
        "recipe.epochs": 2, **PLAIN_SGD, **BY_BLOCK,
    }  # fmt: skip
    keras.utils.set_random_seed(1)
    model = build(load_preset("resnet", "debug", settings | changes))
    generator = np.random.default_rng(0)
    for variable in model.weights:
        if "norm" in variable.path:
            variable.assign(0.5 + generator.random(variable.shape))
    return model


def rows(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, 16, 16, 3)).astype("float32")
    return images, generator.integers(0, 3, count).astype("int32")


def weights_of(model: Any) -> dict[str, np.ndarray]:
    return {one.path: np.array(one) for one in model.weights}


def moved(model: Any, before: dict[str, np.ndarray]) -> set[str]:
    return {path for path, value in weights_of(model).items() if (value != before[path]).any()}


FROZEN = {f"{TUNING}.freeze_norm": True}


def test_frozen_norms_are_not_touched_and_normalise_by_what_they_have(tmp_path: Path) -> None:
    model = small(**FROZEN)
    x, y = rows()
    before = weights_of(model)
    np.testing.assert_array_equal(model(x, training=True), model(x, training=False))
    model.fit(x, y, epochs=1, verbose=0)
    changed = moved(model, before)
    assert not [path for path in changed if "norm" in path]
    assert {path for path in before if path.endswith("kernel")} <= changed
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    np.testing.assert_array_equal(loaded(x, training=True), loaded(x, training=False))
    other = small(**{f"{TUNING}.freeze_norm": False})
    assert np.any(np.asarray(other(x, training=True)) != np.asarray(other(x, training=False)))


def trained(strategy: Any = None, **changes: Any) -> dict[str, np.ndarray]:
    x, y = rows()
    with (strategy or tf.distribute.get_strategy()).scope():
        model = small(**changes)
    model.fit(x, y, shuffle=False, verbose=0)
    return weights_of(model)


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for path, value in one.items():
        np.testing.assert_allclose(value, other[path], atol=2e-6, err_msg=path)


HEAD_FIRST = {f"{TUNING}.freeze_epochs": 1, f"{TUNING}.unfrozen_rate_factor": 0.1}


def test_with_frozen_norms_pieces_of_a_batch_make_the_same_steps() -> None:
    changes = FROZEN | HEAD_FIRST
    assert_close(trained(**changes, **{"recipe.micro_batches": 4}), trained(**changes))


@pytest.mark.slow
def test_with_frozen_norms_two_devices_make_the_same_steps() -> None:
    changes = FROZEN | HEAD_FIRST
    assert_close(trained(strategy_for("cpu:0,1"), **changes), trained(**changes))


class Watched(keras.callbacks.Callback):
    """Notes the weights before each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, np.ndarray]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(weights_of(self.model))


def test_the_head_is_trained_first_and_then_all_at_a_tenth_of_the_rate() -> None:
    x, y = rows()
    model, watched = small(**FROZEN | HEAD_FIRST), Watched()
    model.fit(x, y, shuffle=False, verbose=0, callbacks=[watched])
    first, second = watched.seen
    head = {path for path in first if (first[path] != second[path]).any()}
    assert head == {"logits/kernel", "logits/bias"}
    # The second epoch by itself: every layer, at a tenth of the rate.
    other = small(**FROZEN | {"recipe.epochs": 1, "recipe.optimizer.learning_rate": 0.01})
    for variable in other.weights:
        variable.assign(second[variable.path])
    other.fit(x, y, shuffle=False, verbose=0)
    assert_close(weights_of(model), weights_of(other))
    assert "update_step" not in vars(model.optimizer)  # the rates are the recipe's again
    assert any("stage1" in variable.path for variable in model.trainable_variables)


def test_two_ways_to_begin_with_the_head() -> None:
    with pytest.raises(ZooError, match="unfreeze_epochs and freeze_epochs are two ways to begin"):
        small(**HEAD_FIRST, **{f"{TUNING}.unfreeze_epochs": 1})


# --- which norms stay


@pytest.mark.parametrize(
    ("changes", "replicas", "expected"),
    [
        ({"data.batch_size": 16}, 1, False),
        ({"data.batch_size": 15}, 1, True),
        ({"data.batch_size": 32}, 4, True),
        ({"data.batch_size": 32, "architecture.norm": "sync-batch"}, 4, False),
        ({"data.batch_size": 32, "recipe.micro_batches": 4}, 1, True),
        ({"data.batch_size": 8, f"{TUNING}.freeze_norm": False}, 1, None),
        ({"data.batch_size": 8, f"{TUNING}.freeze_norm": True}, 1, None),
        ({"data.batch_size": 8, f"{TUNING}.name": "uniform"}, 1, None),
    ],
)
def test_norms_that_would_see_few_examples_stay(
    changes: dict, replicas: int, expected: bool | None
) -> None:
    settings = changes if f"{TUNING}.name" in changes else BY_BLOCK | changes
    preset = load_preset("resnet", "debug", settings)
    frozen, findings = frozen_norm(preset.values(), replicas)
    assert frozen is expected
    stay = changes.get(f"{TUNING}.freeze_norm")
    assert bool(findings) is (expected is True or (expected is None and stay is not True))
    if findings:
        assert findings[0].level == ("info" if frozen else "warning")


SETTINGS = QUICK | BY_BLOCK | HEAD_FIRST | {
    "architecture.image_size": 32, "data.batch_size": 8, "recipe.epochs": 2,
}  # fmt: skip
for _key in ("architecture.filters", "architecture.depth"):
    SETTINGS.pop(_key)


@pytest.mark.slow
def test_a_run_says_so_and_is_resumed_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the first step after the epoch in which the head alone is trained."""
    write_always(monkeypatch)
    start = timm_folder(tmp_path / "start", timm_config("resnet18"), resnet_tensors())
    data = write_folder(tmp_path / "data", 12)
    arguments = {"model": "resnet", "init": start, "set": SETTINGS}
    whole = train(data, tmp_path / "whole", **arguments)
    assert whole.preset.values()[f"{TUNING}.freeze_norm"] is True
    texts = " ".join(str(finding) for finding in whole.findings)
    assert "freeze_norm auto -> true: batch norms would see 8 examples at a time" in texts
    steps = whole.metrics["training"]["train_examples"] // 8 + 1
    for call in (2, steps + 1):
        out = tmp_path / f"run{call}"
        with monkeypatch.context() as patched, pytest.raises(Killed):
            kill_at(patched, callback.Checkpoints, "on_train_batch_end", call)
            train(data, out, **arguments)
        resumed = train(data, out, **arguments, resume=True)
        pairs = zip(resumed.model.network.weights, whole.model.network.weights, strict=True)
        for one, other in pairs:
            assert (np.asarray(one) == np.asarray(other)).all(), one.path
