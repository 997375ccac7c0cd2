"""Half precision: what is scaled, what is clipped, what is left out, what is saved."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from training_parts import arrays, compiled

from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.preset.schemas import architectures
from zoo.training.optimizers import LazyAdamW
from zoo.training.precision import best_policy, chosen_policy, dtype_policy

X, Y = arrays(64)
CLIPPED = {"recipe.global_clipnorm": 0.05, "recipe.optimizer.name": "lazy_adamw"}


@pytest.fixture
def made() -> Callable[..., keras.Model]:
    def make(policy: str, **changes) -> keras.Model:
        with dtype_policy(policy, sparse=True):
            return compiled(**changes)

    return make


def test_the_policy_of_a_recipe_is_that_of_the_model_alone() -> None:
    changes = {"recipe.dtype_policy": "mixed_bfloat16", "architecture.vocabulary_size": 50}
    model = build(load_preset("fasttext", "default", changes))
    assert model.dtype_policy.name == "mixed_bfloat16"
    assert model.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_trains_with_weights_in_float32(made, policy: str) -> None:
    model = made(policy, **CLIPPED, **{"recipe.ema": 0.9})
    losses = model.fit(X, Y, verbose=0, epochs=8).history["loss"]
    assert losses[-1] < losses[0]
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert isinstance(model.inner_optimizer, LazyAdamW)
    assert int(model.schedule.total_steps) == int(model.optimizer.iterations) == 32


def test_a_scaled_loss_is_clipped_as_the_plain_one(made) -> None:
    found = {}
    for policy in ("float32", "mixed_float16"):
        changes = {"recipe.optimizer.name": "sgd", "recipe.optimizer.learning_rate": 1.0}
        model = made(policy, **{**CLIPPED, **changes})
        model.fit(X[:16], Y[:16], verbose=0, epochs=1)
        found[policy] = (model.statistics.to_dict(), model.get_weights())
    plain, scaled = found["float32"][0], found["mixed_float16"][0]
    assert scaled["gradient_norm"] == pytest.approx(plain["gradient_norm"], rel=0.01)
    assert scaled["clipped_share"] == plain["clipped_share"] == 1.0
    for one, other in zip(found["float32"][1], found["mixed_float16"][1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_step_that_overflows_is_left_out(made) -> None:
    model = made("mixed_float16", **CLIPPED)
    before, scale = model.get_weights(), 2.0**60
    model.optimizer.dynamic_scale.assign(scale)
    model.fit(X[:16], Y[:16], verbose=0, epochs=1)
    assert float(model.optimizer.dynamic_scale) == scale / 2
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.optimizer.dynamic_scale.assign(1024.0)
    model.fit(X[:16], Y[:16], verbose=0, epochs=1)
    assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_a_saved_model_goes_on(made, tmp_path) -> None:
    model = made("mixed_float16", **CLIPPED)
    model.fit(X, Y, verbose=0, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert float(loaded.optimizer.dynamic_scale) == float(model.optimizer.dynamic_scale)
    for each in (model, loaded):
        each.fit(X, Y, verbose=0, epochs=2, shuffle=False)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "policy"),
    [
        ("textcnn", "float32"),
        ("fasttext", "float32"),
        ("transformer", "mixed_bfloat16"),
        ("resnet", "mixed_bfloat16"),
        ("lstm_lm", "mixed_bfloat16"),
    ],
)
def test_a_processor_with_bfloat16_gains_by_family(model: str, policy: str, monkeypatch) -> None:
    monkeypatch.setattr("zoo.training.precision._cpu_has_bfloat16", lambda: True)
    assert best_policy(sparse=architectures()[model].sparse) == policy


def test_a_cpu_gains_nothing() -> None:
    assert best_policy(sparse=True) == "float32"  # the tests hide every GPU
    assert chosen_policy("float32", sparse=True) == ("float32", [])
    policy, (finding,) = chosen_policy("auto", sparse=True)
    assert (policy, finding.level) == ("float32", "info")
    policy, (finding,) = chosen_policy("mixed_float16", sparse=True)
    assert (policy, finding.level) == ("mixed_float16", "warning")


def test_a_processor_gains_where_it_knows_bfloat16(monkeypatch) -> None:
    monkeypatch.setattr("zoo.training.precision._cpu_has_bfloat16", lambda: True)
    assert best_policy(sparse=False) == "mixed_bfloat16"
    assert chosen_policy("mixed_bfloat16", sparse=False)[1] == []
    assert best_policy(sparse=True) == "float32"
    monkeypatch.setattr("zoo.training.precision._cpu_has_bfloat16", lambda: False)
    assert chosen_policy("auto", sparse=False)[0] == "float32"
    (finding,) = chosen_policy("mixed_bfloat16", sparse=False)[1]
    assert finding.level == "warning"
