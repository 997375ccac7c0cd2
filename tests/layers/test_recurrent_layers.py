"""The zoo's recurrent layers are those of Keras, whichever runs them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
import zoo.layers
from zoo.layers.kernels import Kernels, use_kernels
from zoo.tasks.language_modeling.predictor import TrainedLanguageModel
from zoo.training.kernels import fast_kernels
from zoo.training.kernels.recurrence import COMPILED, STEPS, WITHIN_XLA, scan

NAMES = ("SimpleRNN", "LSTM", "GRU")
ROWS, TIME, FEATURES, UNITS = 4, 6, 3, 5
# Right-padded; the last row has no token at all.
MASK = np.arange(TIME) < np.array([[TIME], [3], [1], [0]])
INPUTS = np.random.default_rng(0).normal(size=(ROWS, TIME, FEATURES)).astype("float32")


def pair(name, wrapped=False, **arguments):
    """Return the layers of the zoo and of Keras, with the same random weights."""
    layers = []
    for module in (zoo.layers, keras.layers):
        layer = getattr(module, name)(UNITS, **arguments)
        layer = module.Bidirectional(layer) if wrapped else layer
        layer.build(INPUTS.shape)
        layers.append(layer)
    generator = np.random.default_rng(1)
    weights = [generator.normal(size=w.shape, scale=0.5) for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def outputs_and_gradients(layer, mask, inputs=INPUTS):
    """Return outputs, and the gradients of a weighted sum of them by inputs and weights."""
    inputs = tf.constant(inputs)
    values = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, mask=mask)
        upstream = np.random.default_rng(2).normal(size=outputs.shape)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * upstream.astype("float32"))
    return outputs, *tape.gradient(loss, [inputs, *values])


def assert_equal(found, expected, tolerance=1e-5):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_outputs_and_gradients_are_those_of_keras(name, backwards, sequences, masked):
    ours, theirs = pair(name, go_backwards=backwards, return_sequences=sequences)
    mask = tf.constant(MASK) if masked else None
    expected = outputs_and_gradients(theirs, mask)
    assert_equal(outputs_and_gradients(ours, mask), expected, tolerance=0)  # Keras runs both
    with use_kernels(Kernels(recurrence=WITHIN_XLA)):
        assert_equal(outputs_and_gradients(ours, mask), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_both_directions_are_one_loop(name, sequences, masked):
    ours, theirs = pair(name, wrapped=True, return_sequences=sequences)
    mask = tf.constant(MASK) if masked else None
    expected = outputs_and_gradients(theirs, mask)
    assert_equal(outputs_and_gradients(ours, mask), expected, tolerance=0)  # Keras runs both
    with use_kernels(Kernels(recurrence=WITHIN_XLA)):
        assert_equal(outputs_and_gradients(ours, mask), expected)


@pytest.mark.parametrize(
    ("name", "jit"),  # of the step around
    [
        ("LSTM", True), ("GRU", False), ("SimpleRNN", True), ("SimpleRNN", False),
        *(pytest.param(name, jit, marks=pytest.mark.slow)
          for name, jit in (("LSTM", False), ("GRU", True))),
    ],
)  # fmt: skip
def test_compiled(name, jit):
    ours, theirs = pair(name, return_sequences=True)
    expected = outputs_and_gradients(theirs, tf.constant(MASK))
    unknown = tf.TensorSpec((None, None, FEATURES))

    @tf.function(jit_compile=jit, input_signature=[unknown, tf.TensorSpec((None, None), tf.bool)])
    def step(inputs, mask):
        with use_kernels(Kernels(recurrence=WITHIN_XLA if jit else COMPILED)):
            values = [weight.value for weight in ours.trainable_weights]
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = ours(inputs, mask=mask)
                upstream = np.random.default_rng(2).normal(size=(ROWS, TIME, UNITS))
                loss = tf.reduce_sum(outputs * tf.constant(upstream, tf.float32))
            return outputs, *tape.gradient(loss, [inputs, *values])

    assert_equal(step(tf.constant(INPUTS), tf.constant(MASK)), expected)


def loops(function, compiled_too=False):
    """Return the names of the loops over time in a traced function and those it calls.

    Args:
        function: a concrete function, with its gradient in it.
        compiled_too: whether those count that XLA must compile.
    """
    graph = function.graph.as_graph_def()
    library = {entry.signature.name: entry for entry in graph.library.function}

    def of(nodes):
        for node in nodes:
            if "While" in node.op:
                yield node.name
                continue
            called = [node.attr[key].func.name for key in node.attr if node.attr[key].func.name]
            for name in {node.op, *called} & set(library):
                if compiled_too or not library[name].attr["_XlaMustCompile"].b:
                    yield from of(library[name].node_def)

    return list(of(graph.node))


@pytest.mark.parametrize("kernel", [None, COMPILED])
@pytest.mark.parametrize("name", [*NAMES, "WeightDropLSTM", "Bidirectional"])
def test_no_step_of_a_loop_is_outside_xla(name, kernel):
    both = name == "Bidirectional"
    layer = getattr(zoo.layers, name)(zoo.layers.LSTM(UNITS) if both else UNITS)

    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
    def step(inputs):
        mask = {} if name == "WeightDropLSTM" else {"mask": tf.reduce_all(inputs != 0, axis=-1)}
        with use_kernels(Kernels(recurrence=kernel)), tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(keras.tree.flatten(layer(inputs, **mask))[0])
        return tape.gradient(loss, [inputs, *[w.value for w in layer.trainable_weights]])

    function = step.get_concrete_function()
    loops_of_keras = 4 if both else 2  # a direction, and its gradient
    loops_of_xla = 4  # several steps a turn and the remaining ones, and their gradients
    assert len(loops(function, compiled_too=True)) == (loops_of_xla if kernel else loops_of_keras)
    assert len(loops(function)) == (0 if kernel else loops_of_keras)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("time", [1, STEPS - 1, STEPS, 2 * STEPS + 1])
def test_scan_in_turns_of_several_steps_is_a_scan(time, reverse, known):
    inputs = np.random.default_rng(0).normal(size=(time, 2)).astype("float32")

    def scanned(function, inputs):
        def step(carry, number):
            carry = (tf.tanh(carry[0] + inputs[number]), carry[1] * 2 + number)
            return carry, carry

        carry = (tf.zeros((2,)), tf.constant(1))
        return function(step, carry, tf.range(tf.shape(inputs)[0]), reverse=reverse)

    signature = [tf.TensorSpec((time if known else None, 2))]
    fast = tf.function(lambda inputs: scanned(scan, inputs), input_signature=signature)
    expected = keras.tree.flatten(scanned(keras.ops.scan, tf.constant(inputs)))
    assert_equal(keras.tree.flatten(fast(inputs)), expected, tolerance=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_keras_layers_are_read(name, tmp_path):
    networks = []
    for module in (keras.layers, zoo.layers):
        keras.utils.clear_session()  # names are numbered
        keras.utils.set_random_seed(3)
        inputs = keras.Input((None, FEATURES))
        layer = module.Bidirectional(getattr(module, name)(UNITS), name="both")
        networks.append(
            keras.Model(inputs, getattr(module, name)(UNITS)(inputs) + layer(inputs)[:, :UNITS])
        )
    theirs, ours = networks
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)  # the same initial values
    theirs.set_weights([w + 1 for w in theirs.get_weights()])
    theirs.save_weights(tmp_path / "a.weights.h5")
    ours.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(ours(INPUTS), theirs(INPUTS))
    ours.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(INPUTS), theirs(INPUTS))


def test_training_compiles_the_recurrence_with_the_step_or_leaves_it_to_keras():
    kernels = []
    tf.function(lambda: kernels.append(fast_kernels()), jit_compile=True)()
    assert [one.recurrence for one in kernels] == [WITHIN_XLA]
    assert fast_kernels().recurrence is None  # a CPU


@pytest.mark.parametrize("model", ["textrnn", pytest.param("rcnn", marks=pytest.mark.slow)])
def test_no_loop_of_a_training_or_a_scoring_step_is_outside_xla(model, monkeypatch):
    sizes = {"vocabulary_size": 30, "embedding_dim": 4}
    network = getattr(zoo, model)(**sizes)
    step = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.int32)

    def outside(function):
        traced = tf.function(function, input_signature=[step], autograph=False)
        return loops(traced.get_concrete_function())

    network.train_step((tf.ones((2, 3), tf.int32), tf.ones((2,), tf.int32)))  # makes variables
    assert len(outside(network.train_step)) == 4 and len(outside(network.test_step)) == 2
    kernels = Kernels(recurrence=COMPILED)  # as on a GPU
    monkeypatch.setattr("zoo.training.model.fast_kernels", lambda *_: kernels)
    assert outside(network.train_step) == outside(network.test_step) == []
    assert zoo.lstm_lm(**sizes).kernels.recurrence is COMPILED


def test_no_loop_of_a_language_models_scores_is_outside_xla(monkeypatch):
    network = zoo.lstm_lm(vocabulary_size=30, embedding_dim=4, hidden_dim=4)

    def outside():
        scored = TrainedLanguageModel(network, None)
        ids = tf.TensorSpec((None, None), tf.int32)
        states = [tf.TensorSpec(one.shape, one.dtype) for one in scored.windowed.inputs[1:]]
        return loops(scored._losses.get_concrete_function(ids, ids, states))

    of_losses = 1  # in pieces of the vocabulary's logits, which is no recurrence
    assert len(outside()) > of_losses
    kernels = Kernels(recurrence=COMPILED)  # as on a GPU
    monkeypatch.setattr("zoo.tasks.language_modeling.predictor.fast_kernels", lambda: kernels)
    assert len(outside()) == of_losses
