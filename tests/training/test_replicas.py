"""One device and several: the same steps, the same scores (two logical CPUs; two workers)."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, importing
from replica_parts import CASES, CLASSES, rows, small, trained

from zoo.builders import compile_model
from zoo.distribute import strategy_for
from zoo.layers import BatchNorm
from zoo.preset.loading import load_preset
from zoo.training.gradients import _summed
from zoo.training.randomness import replica_seeds

ONE = tf.distribute.get_strategy()


@pytest.fixture(scope="module")
def two() -> tf.distribute.Strategy:
    return strategy_for("cpu:0,1")


def assert_same(one: dict, other: dict) -> None:
    assert one["steps"] == other["steps"] == 20
    for left, right in zip(one["weights"], other["weights"], strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)
    for key, values in one["history"].items():
        np.testing.assert_allclose(values, other["history"][key], atol=1e-5, err_msg=key)
    np.testing.assert_allclose(one["predicted"], other["predicted"], atol=1e-4)
    assert one["statistics"]["clipped_share"] == other["statistics"]["clipped_share"] == 1.0
    for key in ("gradient_norm", "learning_rate"):
        assert one["statistics"][key] == pytest.approx(other["statistics"][key], rel=1e-4)
    ratios = one["statistics"]["update_ratios"]
    assert list(ratios.values()) == pytest.approx(
        list(other["statistics"]["update_ratios"].values()), rel=1e-3
    )


# A table of n-grams; the others with `-m slow` (a recurrent one takes 15 s). Filters and recurrent
# networks on two replicas are in the tests of micro-batches and of language models, too.
QUICK_CASES = [("fasttext", "lazy_adamw")]


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [
        pytest.param(*case, marks=[] if case in QUICK_CASES else [pytest.mark.slow])
        for case in CASES
    ],
)
def test_two_devices_train_as_one(two, model, optimizer) -> None:
    assert_same(trained(ONE, model, optimizer), trained(two, model, optimizer))


@pytest.mark.slow  # 20 s
def test_fine_tuning_by_block_is_the_same_on_two_devices(two) -> None:
    changes = {
        "recipe.fine_tuning.name": "by-block", "recipe.fine_tuning.rate_decay": 0.5,
        "recipe.fine_tuning.frozen_blocks": 1, "recipe.fine_tuning.unfreeze_epochs": 2,
        "recipe.r_drop": 1.0,
    }  # fmt: skip
    case = "transformer", "adamw"
    assert_same(trained(ONE, *case, **changes), trained(two, *case, **changes))


@pytest.mark.slow  # 20 s
def test_three_devices_train_as_one() -> None:
    """They sum what is dense, where two send it along. This process has two devices."""
    code = (
        "from zoo.distribute import strategy_for;"
        "three = strategy_for('cpu:0,1,2');"
        "from replica_parts import trained; from test_replicas import ONE, assert_same;"
        "assert three.num_replicas_in_sync == 3;"
        "case = ('textcnn', 'lazy_adamw');"
        "assert_same(trained(ONE, *case), trained(three, *case))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=importing(__file__), capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_sums_in_bfloat16_leave_scalars_as_they_are(two) -> None:
    """The number of rows is one, and 1,001 is none of bfloat16."""

    @tf.function
    def summed() -> tf.Tensor:
        return two.run(lambda: _summed([tf.fill([2], 1 / 3), tf.constant(1001.0)], "bfloat16"))

    for vector in two.experimental_local_results(summed()[0]):
        assert vector.dtype == tf.float32
        np.testing.assert_allclose(vector, 2 / 3, rtol=0.01)
        assert (vector.numpy() != np.float32(2 / 3)).all()
    for total in two.experimental_local_results(summed()[1]):
        assert float(total) == 2002.0


@pytest.mark.slow
def test_gradients_summed_in_bfloat16(two) -> None:
    """One rounding more of each gradient."""
    case, half = ("textcnn", "sgd"), {"recipe.reduce_dtype": "bfloat16"}
    exact, rounded = (trained(two, *case, **changes) for changes in ({}, half))
    pairs = [*zip(exact["weights"], rounded["weights"], strict=True)]
    assert any((left != right).any() for left, right in pairs)
    for left, right in pairs:
        np.testing.assert_allclose(left, right, atol=2e-3)


@pytest.mark.slow
def test_micro_batches_on_two_devices(two) -> None:
    """Pieces of pieces; some have no row."""
    case = ("textcnn", "lazy_adamw")
    assert_same(trained(ONE, *case), trained(two, *case, **{"recipe.micro_batches": 3}))


def test_dropout_on_two_devices_is_that_of_two_pieces(two) -> None:
    """To the last bit: what a row is dropped does not depend on where it is computed."""
    rates = {f"architecture.{key}": 0.3 for key in ("dropout", "word_dropout", "ngram_dropout")}
    x, y = rows(40)
    x[np.arange(40) % 8 < 4, 5:] = 0  # the first half of a batch is shorter
    weights = []
    for strategy, pieces in ((ONE, 2), (two, 1)):
        with strategy.scope():
            model = small("textcnn", "lazy_adamw", **rates, **{"recipe.micro_batches": pieces})
        model.fit(x, y, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for left, right in zip(*weights, strict=True):
        np.testing.assert_array_equal(left, right)


def dropped(strategy: tf.distribute.Strategy, wrapped: bool) -> list[np.ndarray]:
    """Return what dropout first leaves on each replica; check the generators' states after it."""
    with strategy.scope():
        layer = keras.layers.Dropout(0.5, seed=3)

    @tf.function
    def sample() -> tf.Tensor:
        with replica_seeds(layer, 0, 1) if wrapped else nullcontext():
            return layer(tf.ones(30), training=True)

    values = strategy.experimental_local_results(strategy.run(sample))
    states = strategy.experimental_local_results(layer.seed_generator.state.value)
    for state in states:
        np.testing.assert_array_equal(state, [3, 1])
    return [value.numpy() for value in values]


def test_replicas_have_different_random_numbers(two) -> None:
    """Written against Keras 3.15.1, where all have the same."""
    first, second = dropped(two, wrapped=False)
    np.testing.assert_array_equal(first, second)
    mine, other = dropped(two, wrapped=True)
    np.testing.assert_array_equal(mine, first)
    assert (mine != other).any()


@pytest.mark.slow
def test_a_scaled_loss_on_two_devices(two) -> None:
    # Under SGD: an adaptive optimizer turns float16's rounding of nearly nothing into a step.
    changes = {"recipe.dtype_policy": "mixed_float16"}
    one, other = (trained(each, "fasttext", "sgd", **changes) for each in (ONE, two))
    for left, right in zip(one["weights"], other["weights"], strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)
    assert one["statistics"]["gradient_norm"] == pytest.approx(
        other["statistics"]["gradient_norm"], rel=0.01
    )


@pytest.mark.parametrize("synchronized", [True, False])
def test_batch_norm_is_of_the_replica_unless_synchronized(two, synchronized: bool) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(3.0, 2.0, (32, 1, 1, 5)).astype("float32"), np.arange(32) % CLASSES
    weights = []
    changes = {"recipe.epochs": 1, "data.batch_size": 8, "recipe.jit": synchronized}
    for strategy in (ONE, two):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            inputs = keras.Input((1, 1, 5))
            features = BatchNorm(synchronized=synchronized, momentum=0.5)(inputs)
            outputs = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(features))
            preset = load_preset("fasttext", "default", changes)
            model = compile_model(keras.Model(inputs, outputs), preset)
        model.fit(x, y, shuffle=False, verbose=0, epochs=2)
        said = " ".join(map(str, model.findings))
        assert ("nothing was compiled" in said) is (synchronized and strategy is two)
        weights.append(model.get_weights())
    largest = max(np.abs(left - right).max() for left, right in zip(*weights, strict=True))
    assert (float(largest) < 1e-5) is synchronized


def test_a_replica_without_rows_takes_part(two) -> None:
    x, y = rows(9)  # the last batch has a single row
    weights = []
    for strategy in (ONE, two):
        with strategy.scope():
            model = small("textcnn", "adam")
        history = model.fit(x, y, shuffle=False, verbose=0, validation_data=(x[:1], y[:1]))
        assert np.isfinite(history.history["val_loss"]).all()
        weights.append(model.get_weights())
    for left, right in zip(*weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_sample_weights_count_alike(two) -> None:
    x, y = rows()
    weights = []
    for strategy in (ONE, two):
        with strategy.scope():
            model = small("fasttext", "sgd")
        data = tf.data.Dataset.from_tensor_slices((x, y, np.linspace(0, 3, len(x), dtype="f4")))
        model.fit(data.batch(8), verbose=0)
        weights.append(model.get_weights())
    for left, right in zip(*weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


# --- what Keras alone does ------------------------------------------------------------------------


def step_norm(strategy: tf.distribute.Strategy, model_class: type[keras.Model]) -> float:
    """Return the length of a step of rate 1 on a huge gradient clipped to 1."""
    with strategy.scope():
        inputs = keras.Input((1,))
        outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs)
        model = model_class(inputs, outputs)
        model.compile(keras.optimizers.SGD(1.0, global_clipnorm=1.0), "mse", jit_compile=False)
    model.fit(np.full((4, 1), 1000.0), np.full((4, 1), 1000.0), batch_size=4, epochs=1, verbose=0)
    return abs(float(model.get_weights()[0][0, 0]))


def test_keras_alone_clips_before_it_sums(two) -> None:
    """Written against Keras 3.15.1: the step of two replicas is twice as long as allowed."""
    assert step_norm(ONE, keras.Model) == pytest.approx(1.0)
    assert step_norm(two, keras.Model) == pytest.approx(2.0)


def test_clips_what_all_replicas_have_together(two) -> None:
    lengths = []
    for strategy in (ONE, two):
        with strategy.scope():
            model = small("fasttext", "sgd", **{"recipe.global_clipnorm": 1e-3, "recipe.ema": None})
            model.recipe = model.recipe.model_copy(update={"epochs": 1})
            model.optimizer.weight_decay = None
        before = model.get_weights()
        x, y = rows(8)
        model.fit(x, y, verbose=0)
        moved = [a - b for a, b in zip(before, model.get_weights(), strict=True)]
        lengths.append(np.sqrt(sum((each**2).sum() for each in moved)))
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-4)


def test_keras_alone_fails_on_a_first_batch_that_does_not_divide(two) -> None:
    """Written against Keras 3.15.1, which averages the replicas' rows to see their shape."""
    with two.scope():
        inputs = keras.Input((1,))
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
        model.compile("sgd", "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((np.ones((3, 1)), np.ones((3, 1)))).batch(4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="same size and shape"):
        model.fit(data, shuffle=False, verbose=0)


# --- workers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param([("textcnn", "lazy_adamw")], id="textcnn", marks=pytest.mark.slow),
        pytest.param(CASES, id="all", marks=pytest.mark.slow),
    ],
)
def test_two_workers_train_as_one(cases: list[tuple[str, str]], tmp_path: Path) -> None:
    code = ROOT / "tests" / "helpers" / "worker_program.py"
    command = [sys.executable, "-m", "zoo", "launch", "--workers", "2", "--", sys.executable]
    command += [str(code), str(tmp_path), *(f"{model}-{optimizer}" for model, optimizer in cases)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[worker 0] done" in done.stdout and "[worker 1] done" in done.stdout
    for model, optimizer in cases:
        expected = trained(ONE, model, optimizer)
        for number in (0, 1):
            result = json.loads((tmp_path / f"{model}-{optimizer}-{number}.json").read_text())
            result["weights"] = [np.array(values, "float32") for values in result["weights"]]
            assert_same(expected, result)


def test_predictions_have_a_row_each(two) -> None:
    with two.scope():
        model = small("fasttext", "adam")
    assert model.predict(rows()[0], batch_size=8, verbose=0).shape == (37, CLASSES)
