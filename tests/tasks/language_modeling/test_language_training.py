"""Training language models: one loss a token, states carried, and the same step in pieces."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo import ZooError, builders
from zoo.distribute import distributed, strategy_for
from zoo.preset.loading import load_preset
from zoo.tasks.language_modeling.batches import windows
from zoo.training.averages import StartAveraging, TriggeredAverages
from zoo.training.kernels import token_loss
from zoo.training.kernels.token_loss import token_losses, token_losses_and_gradients

SIZES = {
    "recipe.dtype_policy": "float32",
    "architecture.vocabulary_size": 30,
    "architecture.embedding_dim": 8,
    "architecture.hidden_dim": 8,
    "architecture.num_layers": 2,
    "architecture.dropout_scale": 0.0,
    "data.batch_size": 4,
    "data.window": 6,
    "recipe.epochs": 2,
}
# A stream with a rule: the next token is known from the last.
STREAM = np.array([7 * i % 30 for i in range(400)], np.uint16)


def build(preset="default", **changes):
    keras.utils.set_random_seed(3)
    return builders.build(load_preset("lstm_lm", preset, SIZES | changes))


def stream(keep_remainder=False, **changes):
    return windows(STREAM, **{"rows": 4, "window": 6, "keep_remainder": keep_remainder} | changes)


def randoms(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# --- loss


@pytest.mark.parametrize("logits", [2**23, 3 * 11, 1])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loss_in_pieces_and_its_gradients_are_those_of_the_whole(logits, dtype, monkeypatch):
    monkeypatch.setattr(token_loss, "LOGITS", logits)  # all at once, 3 rows, 1 row
    features, table, bias = randoms(10, 4), randoms(11, 4, seed=1), randoms(11, seed=2)
    targets = tf.constant([0, 3, 3, 10, 1, 2, 3, 4, 5, 5])
    weights = tf.constant([1.0, 0.5, 0.0, 2, 1, 1, 1, 1, 1, 0])
    inputs = [tf.constant(each) for each in (features, table, bias)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(
            targets, tf.matmul(inputs[0], inputs[1], transpose_b=True) + inputs[2]
        )
        total = tf.reduce_sum(plain * weights)
    expected = tape.gradient(total, inputs)

    @tf.function
    def of(features):
        return token_losses_and_gradients(features, inputs[1], inputs[2], targets, weights)

    losses, gradients = of(tf.cast(inputs[0], dtype))
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"atol": 0.1}
    np.testing.assert_allclose(losses, plain, **close)
    for found, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(tf.cast(found, "float32"), wanted, **close)
    alone = tf.function(token_losses)(*inputs, targets)
    np.testing.assert_allclose(alone, plain, rtol=1e-5, atol=1e-6)


def test_a_hopeless_token_has_a_finite_loss():
    table = tf.constant([[1000.0], [0.0]])
    losses, gradients = token_losses_and_gradients(
        tf.ones((1, 1)), table, tf.zeros(2), tf.constant([1]), tf.ones(1)
    )
    assert 85.0 < float(losses[0]) < 86.0
    assert all(np.isfinite(each).all() for each in gradients)


# --- steps


def one_step(model, batch):
    """Return the weights after one step."""
    model._begin(10)
    tf.function(model.train_step)(batch)
    return [np.array(weight) for weight in model.trainable_variables]


CHANGES = [
    {},
    {"architecture.tied": False},
    {"architecture.projection_l2": None, "architecture.activation_penalty": 2.0},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_step_is_that_of_plain_keras(changes):
    sgd = {"recipe.optimizer.name": "sgd", "recipe.optimizer.learning_rate": 0.5}
    sgd |= {"recipe.schedule.name": "constant", "recipe.schedule.warmup_fraction": 0.0}
    model = build(**changes | sgd | {"recipe.global_clipnorm": 0.7})
    x, y, _ = next(iter(stream()))
    with tf.GradientTape() as tape:
        logits = model(x["tokens"], training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        loss += tf.add_n(model.losses) if model.losses else 0.0
    values = [variable.value for variable in model.trainable_variables]
    gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, values)]
    clipped, norm = tf.clip_by_global_norm(gradients, 0.7)
    expected = [value - 0.5 * each for value, each in zip(values, clipped, strict=True)]
    expected = [each.numpy() for each in expected]
    assert float(norm) > 0
    for found, wanted in zip(one_step(model, (x, y)), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_micro_batches_take_the_same_step_and_carry_the_same_states():
    batch = next(iter(stream(keep_remainder=True)))
    whole, parts = build(), build(**{"recipe.micro_batches": 3})
    for a, b in zip(one_step(whole, batch), one_step(parts, batch), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(whole.carried[True], parts.carried[True], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        assert np.abs(a).max() > 0


@pytest.mark.parametrize("dropout", [pytest.param(False, marks=pytest.mark.slow), True])
def test_two_replicas_train_as_one(dropout: bool):
    """With dropout as one that takes the halves of a batch one after the other."""
    strategy = strategy_for("cpu:0,1")
    changes = {"architecture.dropout_scale": 1.0} if dropout else {}
    alone = build(**changes, **({"recipe.micro_batches": 2} if dropout else {}))
    keras.utils.set_random_seed(3)
    with strategy.scope():
        shared = builders.build(load_preset("lstm_lm", "default", SIZES | changes))
    made = distributed(strategy, lambda here, total: stream(replica_ids=here, replicas=total))
    alone.fit(stream(), verbose=0)
    shared.fit(made, verbose=0)
    for a, b in zip(alone.trainable_variables, shared.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


@pytest.mark.slow
def test_half_precision_steps_are_near():
    batch = next(iter(stream()))
    full, half = build(), build(**{"recipe.dtype_policy": "mixed_bfloat16"})
    assert half.get_layer("lstms").compute_dtype == "bfloat16"
    sizes = [np.abs(before).max() for before in full.get_weights()]
    for a, b, size in zip(one_step(full, batch), one_step(half, batch), sizes, strict=False):
        np.testing.assert_allclose(a, b, atol=0.02 + 0.01 * size)


# --- states


def test_scoring_in_windows_is_exact():
    model = build()
    found = model.evaluate(stream(keep_remainder=True, rows=1), verbose=0, return_dict=True)
    ids = STREAM.astype("int32")
    logits = model(np.concatenate([[0], ids[:-1]])[None])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(ids[None], logits).numpy().mean()
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    assert found["perplexity"] == pytest.approx(np.exp(loss), rel=1e-5)
    # Padding of the last windows counts nothing, and fewer rows only begin more often at zero.
    four = model.evaluate(stream(keep_remainder=True, rows=4), verbose=0, return_dict=True)
    rows = [STREAM[i : i + 100].astype("int32") for i in range(0, 400, 100)]
    starts = [np.concatenate([[STREAM[i - 1] if i else 0], r[:-1]]) for i, r in
              zip(range(0, 400, 100), rows, strict=True)]  # fmt: skip
    logits = model(np.stack(starts).astype("int32"))
    by_row = tf.nn.sparse_softmax_cross_entropy_with_logits(np.stack(rows), logits)
    assert four["loss"] == pytest.approx(float(tf.reduce_mean(by_row)), rel=1e-5)


def test_a_reset_forgets_and_an_array_of_texts_carries_nothing():
    model = build()
    x, y, _ = next(iter(stream()))
    keep = {"tokens": x["tokens"], "reset": tf.constant([False, True, False, True])}
    test = tf.function(model.test_step)
    test((x, y))
    before = [np.array(each) for each in model.carried[False]]
    _, states = model._begin_window(keep, training=False)
    for state, was in zip(states, before, strict=True):
        np.testing.assert_array_equal(state[0::2], was[0:4:2])
        assert not np.any(state[1::2]) and np.any(was)
    _, states = model._begin_window(x["tokens"], training=False)
    assert not any(np.any(each) for each in states)


def test_training_and_validation_do_not_share_states():
    model = build()
    model.fit(stream(), validation_data=stream(keep_remainder=True), verbose=0)
    for training, scoring in zip(model.carried[True], model.carried[False], strict=True):
        assert np.any(np.array(training) != np.array(scoring))


def test_a_shorter_window_has_a_rate_in_proportion():
    model = build("awd-ptb", **{"data.window": 12})
    assert model.window == 12
    model._begin(10)
    x, y, _ = next(iter(stream(window=6)))
    tf.function(model.train_step)((x, y))
    assert float(model.optimizer.learning_rate) == pytest.approx(
        model.recipe.optimizer.learning_rate / 2
    )
    assert build().window is None


def test_it_learns_a_stream_with_a_rule():
    quick = {"recipe.epochs": 12, "recipe.optimizer.learning_rate": 0.03}
    quick |= {"architecture.hidden_dim": 32, "architecture.embedding_dim": 32}
    model = build(**quick, **{"architecture.projection_l2": None})
    history = model.fit(stream(), validation_data=stream(keep_remainder=True), verbose=0)
    assert history.history["loss"][0] > 2.5
    assert model.evaluate(stream(keep_remainder=True), verbose=0, return_dict=True)["loss"] < 1.0
    assert history.history["perplexity"][0] == pytest.approx(
        np.exp(history.history["loss"][0]), rel=1e-4
    )


# Keras 3.15.1 itself copies its variables in the way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_is_trained_on(tmp_path):
    model = build("awd-ptb")
    model.fit(stream(), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert (loaded.recipe, loaded.window) == (model.recipe, model.window)
    x = STREAM[None, :9].astype("int32")
    np.testing.assert_array_equal(loaded(x), model(x))
    loaded.fit(stream(), verbose=0)


@pytest.mark.parametrize("name", ["x", "y"])
def test_ids_beyond_the_vocabulary_are_named_before_the_first_step(name):
    ids = {"x": np.zeros((4, 6), int), "y": np.zeros((4, 6), int)}
    ids[name][1, 2] = 30
    with pytest.raises(ZooError, match=rf"{name}: id 30 at position 8 .*vocabulary of 30"):
        build().fit(**ids, verbose=0)


# --- averaging that starts by itself


def test_averaging_starts_when_the_loss_is_not_below_the_earlier_best():
    model = build("awd-ptb", **{"recipe.nonmono": 2})
    model._begin(10)
    callback = StartAveraging(2)
    callback.set_model(model)
    started = []
    for loss in (3.0, 2.0, 2.5, 2.2, 2.1, 1.9):
        callback.on_epoch_end(0, {"val_loss": loss})
        started.append(model.averages.started)
    # 2.1 is the first that is above the best of all but the last two, which is 2.0.
    assert started == [False, False, False, False, True, True]
    again = StartAveraging(2)
    again.restore(callback.state())
    assert again.losses == callback.losses


def test_average_is_the_plain_mean_since_the_start():
    variable = keras.Variable([0.0])
    averages = TriggeredAverages([variable])
    update = tf.function(averages.update)
    for value in range(8):
        variable.assign([100.0 + value])
        update()
    averages.swap()
    np.testing.assert_array_equal(variable.numpy(), [107.0])  # none yet
    variable.assign([0.0])
    averages.start()
    for value in (8.0, 16.0, 24.0):
        variable.assign([value])
        for _ in range(8):
            update()
    averages.swap()
    # Of 25 weights: the one at the start, and 8 steps each at 8, 16 and 24.
    np.testing.assert_allclose(variable.numpy(), [8 * (8 + 16 + 24) / 25], rtol=1e-5)
    averages.restore()
    np.testing.assert_array_equal(variable.numpy(), [24.0])
    averages.restart()
    assert not averages.started


def test_nt_asgd_validates_and_keeps_the_average():
    changes = {"recipe.nonmono": 1, "recipe.epochs": 6, "recipe.optimizer.learning_rate": 20.0}
    model = build("awd-ptb", **changes)
    history = model.fit(stream(), validation_data=stream(keep_remainder=True), verbose=0).history
    assert model.best_epoch == 1 + int(np.argmin(history["val_loss"]))
    loss = model.evaluate(stream(keep_remainder=True), verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-5)
