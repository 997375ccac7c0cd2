"""Layers of language models against their definitions, mask by mask, and against PyTorch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from zoo.layers import LSTMStack, VocabularyEmbedding, WeightDropLSTM
from zoo.layers.cells import LSTM
from zoo.layers.recurrence import _forward, recurrence


def randoms(*shape, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(size=shape, scale=scale).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(inputs, h, c, kernel, recurrent, bias):
    """Return all hidden states and the last cell state; gates in Keras' order i, f, g, o."""
    states = []
    for x in inputs:
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states), c


@pytest.mark.parametrize(
    "layer",
    [
        WeightDropLSTM(3, weight_dropout=0.5, kernel_range=0.1, forget_bias=0.0, seed=1),
        LSTMStack((4, 3), input_dropout=0.1, locked=False, activation_penalty=2.0),
        VocabularyEmbedding(6, 2, tied=False, output_dim=3, embedding_dropout=0.1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_builds_the_layer_again(layer):
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


# --- LSTM


def test_lstm_by_hand_from_a_given_state():
    layer = WeightDropLSTM(3)
    inputs, h, c = randoms(5, 2, 4), randoms(2, 3, seed=1), randoms(2, 3, seed=2)
    outputs, (hidden, cell) = layer(tf.constant(inputs), states=[tf.constant(h), tf.constant(c)])
    states, last = lstm_by_hand(inputs, h, c, *(w.numpy() for w in layer.weights[:3]))
    np.testing.assert_allclose(outputs, states, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(hidden, states[-1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cell, last, rtol=1e-5, atol=1e-6)


def test_lstm_has_the_weights_of_keras_lstm():
    ours, theirs = WeightDropLSTM(6), keras.layers.LSTM(6, return_sequences=True)
    inputs = randoms(7, 3, 5)
    ours(inputs), theirs(inputs)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    expected = ops.transpose(theirs(np.swapaxes(inputs, 0, 1)), (1, 0, 2))
    np.testing.assert_allclose(ours(inputs)[0], expected, rtol=1e-5, atol=1e-6)


def test_start_is_pytorchs_range_and_the_forget_bias():
    layer = WeightDropLSTM(25, forget_bias=0.5)
    layer.build((None, None, 40))
    for kernel in (layer.kernel, layer.recurrent_kernel):
        assert np.abs(kernel).max() == pytest.approx(0.2, rel=0.01)  # 1 / sqrt(25)
    np.testing.assert_array_equal(layer.bias, [0.0] * 25 + [0.5] * 25 + [0.0] * 50)
    assert np.abs(np.diff(layer.kernel[:25])).max() > 0.1
    assert (layer.kernel[:25].numpy() != layer.recurrent_kernel.numpy()).any()


@pytest.mark.parametrize("time", [None, 6])
def test_own_gradient_is_the_derived_one(time):
    arguments = [randoms(6, 2, 12), randoms(2, 3, seed=1), randoms(2, 3, seed=2), randoms(3, 12)]
    signature = [tf.TensorSpec((time, 2, 12)), *(tf.TensorSpec(a.shape) for a in arguments[1:])]
    upstream, to_cell = randoms(6, 2, 3, seed=3), randoms(2, 3, seed=4)

    def gradients(function):
        @tf.function(input_signature=signature)
        def of(*inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                states, cell = function(LSTM, inputs[0], inputs[1:3], inputs[3])
                loss = tf.reduce_sum(states * upstream) + tf.reduce_sum(cell * to_cell)
            return tape.gradient(loss, inputs)

        return of(*map(tf.constant, arguments))

    def derived(*inputs):
        (states, cells), _ = _forward(ops.scan, *inputs, None, None)
        return states, cells[-1]

    for ours, expected in zip(gradients(recurrence), gradients(derived), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_products_in_half_precision_gates_in_float32():
    policy = keras.DTypePolicy("mixed_bfloat16")
    half, full = WeightDropLSTM(8, dtype=policy), WeightDropLSTM(8)
    inputs = randoms(5, 2, 4)
    half(inputs), full(inputs)
    half.set_weights(full.get_weights())
    states, (hidden, cell) = half(inputs)
    assert states.dtype == tf.bfloat16 and hidden.dtype == cell.dtype == tf.float32
    np.testing.assert_allclose(hidden, full(inputs)[1][0], atol=0.02)


def test_weight_drop_drops_recurrent_weights_once_a_call():
    layer = WeightDropLSTM(30, weight_dropout=0.4, seed=3)
    inputs = randoms(2, 5, 2)
    layer(inputs)
    kernel, recurrent, bias = (w.numpy() for w in layer.weights[:3])
    h = randoms(5, 30, seed=1)
    start = [tf.constant(h), tf.zeros((5, 30))]
    state = layer.seed_generator.state.numpy()
    states, _ = layer(inputs, states=start, training=True)
    # The same numbers again: a mask of the kernel's shape, the weights that stay scaled up.
    layer.seed_generator.state.assign(state)
    mask = keras.random.dropout(tf.ones((30, 120)), 0.4, seed=layer.seed_generator).numpy()
    np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.6], rtol=1e-6)
    # Of 3600 weights: the standard deviation of the share is 0.008.
    assert (mask != 0).mean() == pytest.approx(0.6, abs=0.035)
    by_hand, _ = lstm_by_hand(inputs, h, np.zeros((5, 30)), kernel, recurrent * mask, bias)
    np.testing.assert_allclose(states, by_hand, rtol=1e-4, atol=1e-5)
    again, _ = layer(inputs, states=start, training=True)
    assert np.any(again != states)
    by_hand, _ = lstm_by_hand(inputs, h, np.zeros((5, 30)), kernel, recurrent, bias)
    np.testing.assert_allclose(layer(inputs, states=start)[0], by_hand, rtol=1e-4, atol=1e-5)


# --- the stack


def ones_through(stack, time=4, batch=50):
    """Return the outputs of a stack for inputs of ones, in training."""
    return stack(tf.ones((time, batch, 3)), training=True)[0].numpy()


@pytest.mark.parametrize("locked", [True, False])
def test_locked_masks_are_the_same_at_all_steps(locked):
    stack = LSTMStack((40,), output_dropout=0.3, locked=locked)
    outputs = ones_through(stack)
    plain = stack(tf.ones((4, 50, 3)))[0].numpy()
    kept = outputs != 0
    assert kept.mean() == pytest.approx(0.7, abs=0.03)  # of at least 2000: deviation 0.01
    np.testing.assert_allclose(outputs[kept], (plain / 0.7)[kept], rtol=1e-5)
    assert (kept == kept[:1]).all() == locked
    assert (kept[0] != kept[0, :1]).any()  # rows have masks of their own


def test_each_rate_is_that_of_its_dropout():
    stack = LSTMStack((5, 5, 4), input_dropout=0.1, hidden_dropout=0.2, output_dropout=0.3)
    assert [layer.rate for layer in stack.dropouts] == [0.1, 0.2, 0.2, 0.3]
    assert [lstm.units for lstm in stack.lstms] == [5, 5, 4]


def test_without_training_nothing_is_dropped_and_states_are_carried():
    stack = LSTMStack((5, 4), input_dropout=0.5, weight_dropout=0.5, output_dropout=0.5)
    inputs = tf.constant(randoms(9, 2, 3))
    outputs, states = stack(inputs)
    first, middle = stack(inputs[:4])
    second, last = stack(inputs[4:], states=middle)
    np.testing.assert_allclose(tf.concat([first, second], 0), outputs, rtol=1e-5, atol=1e-6)
    for a, b in zip(last, states, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert [tuple(state.shape) for state in states] == [(2, 5), (2, 5), (2, 4), (2, 4)]


def test_penalties_are_mean_squares_of_output_and_change():
    stack = LSTMStack(
        (4,), output_dropout=0.5, activation_penalty=2.0, temporal_activation_penalty=3.0
    )
    inputs = tf.constant(randoms(6, 2, 3))
    dropped = stack(inputs, training=True)[0].numpy()
    penalties = [float(loss) for loss in stack.losses]
    raw = stack(inputs)[0].numpy()
    expected = [2 * (dropped**2).mean(), 3 * (np.diff(raw, axis=0) ** 2).mean()]
    np.testing.assert_allclose(penalties, expected, rtol=1e-5)
    assert not stack.losses  # the last call was none of training
    stack(inputs[:1], training=True)
    assert float(stack.losses[1]) == 0.0  # one step does not change


# --- vocabulary


def test_tied_is_one_variable_and_its_gradients_add_up():
    layer = VocabularyEmbedding(5, 3, tied=True)
    layer.build()
    assert [w.path.split("/")[-1] for w in layer.weights] == ["embeddings", "bias"]
    ids, weights = tf.constant([1, 1, 4]), randoms(3, 5)
    with tf.GradientTape() as tape:
        vectors = layer(ids)
        loss = tf.reduce_sum(layer(vectors, reverse=True) * weights)
    table = layer.embeddings.numpy()
    np.testing.assert_allclose(layer(vectors, reverse=True), table[ids] @ table.T, rtol=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(loss, layer.embeddings.value))
    expected = weights.T @ table[ids]
    np.add.at(expected, ids.numpy(), weights @ table)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)


def test_untied_has_a_table_of_its_own_for_other_features():
    layer = VocabularyEmbedding(5, 3, tied=False, output_dim=4)
    layer.build()
    layer.bias.assign(randoms(5))
    features = randoms(2, 6, 4)
    expected = features @ layer.output_embeddings.numpy().T + randoms(5)
    np.testing.assert_allclose(layer(features, reverse=True), expected, rtol=1e-4, atol=1e-5)
    assert layer.embeddings.shape == (5, 3)


def test_tied_to_other_features_is_refused():
    with pytest.raises(ValueError, match="must be embedding_dim"):
        VocabularyEmbedding(5, 3, tied=True, output_dim=4)


def test_embedding_dropout_drops_a_word_wherever_it_stands():
    layer = VocabularyEmbedding(2000, 3, embedding_dropout=0.25, seed=1)
    ids = np.tile(np.arange(2000), (2, 1))
    plain = layer(ids).numpy()
    dropped = layer(ids, training=True).numpy()
    np.testing.assert_array_equal(dropped[0], dropped[1])
    kept = (dropped[0] != 0).all(-1)
    assert (kept == (dropped[0] != 0).any(-1)).all()
    # 2000 words: the standard deviation of the share is 0.01.
    assert kept.mean() == pytest.approx(0.75, abs=0.04)
    np.testing.assert_allclose(dropped[0][kept], plain[0][kept] / 0.75, rtol=1e-5)
    assert (layer(ids, training=True).numpy() != dropped).any()
