"""A sweep over rates leaves a model, and the training after it, as if it had not been."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from replica_parts import rows, small

import zoo
from zoo.diagnosis.lr_sweep import sweep
from zoo.distribute import strategy_for
from zoo.errors import ZooError

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype("int32")
SHORT = {"lowest": 1e-4, "highest": 1.0, "factor": 1.4}


def batches() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)


def plain(policy: str = "float32", optimizer: str = "adam") -> keras.Model:
    """Batch norm, dropout with the seed of all, and an optimizer with slots."""
    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential(
            [
                keras.Input((6,)),
                keras.layers.Dense(8, "relu"),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(2, dtype="float32"),
            ]
        )
        model.compile(
            optimizer, keras.losses.SparseCategoricalCrossentropy(True), metrics=["accuracy"]
        )
    finally:
        keras.config.set_dtype_policy("float32")
    return model


def linear() -> keras.Model:
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    return model


def recipe_model(**changes) -> keras.Model:
    return small("textcnn", "lazy_adamw", **{"recipe.dtype_policy": "float32"}, **changes)


def text_batches() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(rows()).batch(8)


def state(model: keras.Model) -> list[np.ndarray]:
    found = [*model.get_weights(), *[np.asarray(v.numpy()) for v in model.variables]]
    if model.optimizer.built:
        found += [np.asarray(variable.numpy()) for variable in model.optimizer.variables]
    return found


def assert_same_training(make: Callable, data: Callable, **limits: float) -> None:
    """Train, sweep, train; and train twice without the sweep: the same bits."""
    states = []
    for swept in (True, False):
        model = make()
        model.fit(data(), epochs=1, shuffle=False, verbose=0)
        drawn = random.random(), np.random.uniform()
        random.seed(5)
        np.random.seed(5)
        if swept:
            before = state(model)
            found = sweep(model, data, **limits)
            assert len(found.losses) > 5
            assert len({*found.losses[-3:]}) > 1  # it did train
            for left, right in zip(before, state(model), strict=True):
                np.testing.assert_array_equal(left, right)
        drawn += random.random(), np.random.uniform()
        history = model.fit(data(), epochs=1, shuffle=False, verbose=0).history
        states.append([*state(model), history["loss"], drawn])
    for left, right in zip(*states, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_keras_model_is_left_as_it_was(policy: str) -> None:
    assert_same_training(lambda: plain(policy), batches, **SHORT)


def test_a_training_model_with_averages_is_left_as_it_was() -> None:
    assert_same_training(recipe_model, text_batches, **SHORT)


def test_two_devices_are_left_as_they_were() -> None:
    strategy = strategy_for("cpu:0,1")

    def make() -> keras.Model:
        with strategy.scope():
            return recipe_model()

    def data() -> tf.distribute.DistributedDataset:
        whole = tf.data.Dataset.from_tensor_slices(rows(40)).batch(8)
        return strategy.experimental_distribute_dataset(whole)

    assert_same_training(make, data, **SHORT)
    own, shared = recipe_model(), make()
    one = sweep(own, lambda: tf.data.Dataset.from_tensor_slices(rows(40)).batch(8), **SHORT)
    two = sweep(shared, data, **SHORT)
    assert two.losses[:20] == pytest.approx(one.losses[:20], rel=1e-4)


def test_an_optimizer_that_took_no_step_has_none_afterwards() -> None:
    model = plain(optimizer=keras.optimizers.Adam(0.25))
    before = model.get_weights()
    found = zoo.find_lr(model, batches(), **SHORT)
    for left, right in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert int(model.optimizer.iterations) == 0
    assert not any(np.any(slot.numpy()) for slot in model.optimizer.variables[2:])
    assert float(model.optimizer.learning_rate) == 0.25
    assert all(float(metric.result()) == 0 for metric in model.metrics[:1])
    assert found.rates == pytest.approx([1e-4 * 1.4**step for step in range(len(found.rates))])
    assert found.preset_rate is None


def test_the_sweep_ends_where_the_loss_blows_up_and_says_so() -> None:
    high = SHORT | {"highest": 1e6}
    found = sweep(plain(optimizer=keras.optimizers.SGD(0.1)), batches, **high)
    assert "blew up" in found.stopped or "not a number" in found.stopped
    assert found.rates[-1] < 1e5
    assert sweep(plain(), batches, **SHORT).stopped == "it came to the highest rate, 1."


def test_what_cannot_be_swept() -> None:
    with pytest.raises(ZooError, match="not compiled"):
        zoo.find_lr(keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)]), batches())
    with pytest.raises(ZooError, match="a tf.data.Dataset of batches.*Received: ndarray"):
        zoo.find_lr(plain(), X)
    with pytest.raises(ZooError, match="there is no batch"):
        sweep(plain(), lambda: batches().take(0), **SHORT)
    with pytest.raises(ZooError, match="a sweep rises.*factor=1"):
        sweep(plain(), batches, factor=1.0)
    nothing = tf.data.Dataset.from_tensor_slices((X * np.nan, Y)).batch(16)
    with pytest.raises(ZooError, match="Not even the first loss is one"):
        sweep(linear(), lambda: nothing, **SHORT)


def test_a_flat_sweep_has_no_rate(tmp_path: Path) -> None:
    without = tf.data.Dataset.from_tensor_slices((0 * X, np.arange(64) % 2)).batch(16)
    flat = sweep(linear(), lambda: without, **SHORT)
    assert flat.suggested == {}
    with pytest.raises(ZooError, match="the loss falls at no rate from 0.0001 to"):
        _ = flat.rate
    document, plot = flat.save(tmp_path / "sweep")
    assert json.loads(document.read_text())["suggested"] == {}
    assert plot.read_bytes().startswith(b"\x89PNG")
