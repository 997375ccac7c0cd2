"""The networks: shapes, padding, sizes, answers computed by hand, and that they learn."""

import importlib.util
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import importing

import zoo
from zoo.errors import ZooError
from zoo.layers import TokenEmbedding
from zoo.models import MODELS
from zoo.preset.schemas import architectures

SHARED = {
    "vocabulary_size": 50,
    "num_classes": 3,
    "embedding_dim": 8,
    "embedding": "non-static",
    "embedding_range": 0.25,
    "embedding_dropout": 0.1,
    "word_dropout": 0.1,
    "dropout": 0.2,
}
OWN = {
    "textcnn": {
        "kernel_sizes": (2, 3),
        "filters": 6,
        "activation": "relu",
        "kernel_range": None,
        "max_norm": 3.0,
        "ngram_sizes": (1, 2),
        "ngram_buckets": 64,
        "ngram_dropout": 0.1,
        "ngram_share": 0.6,
        "path_dropout": 0.2,
    },
    "rcnn": {"cell": "lstm", "context_dim": 5, "hidden_dim": 7, "activation": "tanh"},
    "textrnn": {"num_layers": 2, "hidden_dim": 5, "pooling": "max", "head_dim": 4},
    "fasttext": {"ngram_sizes": (2, 3), "ngram_buckets": 40, "hidden_dim": 6},
    "transformer": {
        "hidden_dim": 8,
        "num_layers": 2,
        "num_heads": 2,
        "feed_forward_dim": 12,
        "max_positions": 32,
        "position_offset": 0,
        "relative_buckets": 0,
        "num_segments": 0,
        "separator_id": 0,
        "norm": "pre",
        "norm_epsilon": 1e-6,
        "activation": "gelu",
        "pooling": "mean",
        "head_dim": 0,
        "attention_dropout": 0.1,
        "initial_std": 0.3,
    },
}
VARIANTS = [
    ("textcnn", {}),
    ("textcnn", {"ngram_sizes": (), "ngram_buckets": 0, "activation": "gelu"}),
    ("textcnn", {"kernel_sizes": (1,), "activation": "tanh", "kernel_range": 0.1}),
    ("rcnn", {}),
    ("rcnn", {"cell": "simple"}),
    ("rcnn", {"cell": "gru", "activation": "relu"}),
    ("textrnn", {}),
    ("textrnn", {"pooling": "last"}),
    ("textrnn", {"pooling": "attention", "num_layers": 1, "head_dim": 0}),
    ("fasttext", {}),
    ("fasttext", {"ngram_sizes": (), "ngram_buckets": 0, "hidden_dim": 0}),
    ("transformer", {}),
    ("transformer", {"norm": "post", "pooling": "first", "head_dim": 5, "position_offset": 2}),
    ("transformer", {"num_segments": 2, "separator_id": 3, "activation": "relu"}),
    ("transformer", {"norm": "post", "relative_buckets": 8}),  # MPNet's kind
]
variants = pytest.mark.parametrize(("model", "changes"), VARIANTS)
models = pytest.mark.parametrize("model", OWN)

TOKENS = np.array(
    [[5, 3, 9, 3, 1, 7], [2, 4, 4, 0, 0, 0], [8, 0, 0, 0, 0, 0], [30, 31, 32, 33, 34, 0]], "int32"
)


def arguments(model, changes):
    """Return what a network is built from; of what others share it may have a part."""
    values = SHARED | OWN[model] | changes
    return {name: values[name] for name in architectures()[model].model_fields}


def build(model, **changes):
    keras.utils.set_random_seed(1)
    network = MODELS[model](**arguments(model, changes))
    # Weights that start at zero would hide a part of the network.
    for weight in network.weights:
        if "seed" not in weight.path and not np.any(weight.numpy()):
            weight.assign(np.random.default_rng(2).normal(size=weight.shape) * 0.3)
    return network


def values(network):
    """Return the weights as NumPy arrays by their path without the layer's prefix."""
    return {weight.path: weight.numpy() for weight in network.weights}


def test_every_model_is_swept():
    others = {model for model in MODELS if architectures()[model].task != "text-classification"}
    assert {*OWN, *others} == set(MODELS)  # those have tests of their own


# --- every model


@variants
def test_ids_in_and_float32_logits_out(model, changes):
    network = build(model, **changes)
    assert network.input_shape == (None, None)
    assert network.inputs[0].dtype == "int32" and network.inputs[0].name == "tokens"
    logits = network(TOKENS)
    assert logits.shape == (4, 3) and logits.dtype == tf.float32
    last = network.layers[-1]
    assert last.name in ("logits", "mixed_logits") and last.bias.shape == (3,)


@variants
@pytest.mark.parametrize("embedding", ["non-static", "multichannel"])
def test_padding_changes_no_logit(model, changes, embedding):
    network = build(model, **changes, embedding=embedding)
    logits = network(TOKENS).numpy()
    wider = network(np.pad(TOKENS, [[0, 0], [0, 9]])).numpy()
    np.testing.assert_allclose(wider, logits, atol=1e-6)
    for row, expected in zip(TOKENS, logits, strict=True):
        alone = network(row[row > 0][None]).numpy()
        np.testing.assert_allclose(alone[0], expected, atol=1e-6)


@models
def test_nothing_comes_from_the_padding_vector(model):
    network = build(model)
    logits = network(TOKENS).numpy()
    for layer in network.layers:
        if isinstance(layer, TokenEmbedding):
            table = layer.weights[0].numpy()
            table[0] += 100.0
            layer.set_weights([table])
    np.testing.assert_array_equal(network(TOKENS), logits)


# Keras 3.15.1 itself copies its variables in the way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@variants
def test_saved_and_loaded_it_answers_the_same(model, changes, tmp_path):
    network = build(model, **changes)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(TOKENS), network(TOKENS))


@models
def test_same_seed_same_weights(model):
    for a, b in zip(build(model).weights, build(model).weights, strict=True):
        np.testing.assert_array_equal(a, b)


@models
def test_mixed_precision_keeps_logits_float32(model):
    expected = build(model)(TOKENS)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build(model)
    finally:
        keras.config.set_dtype_policy("float32")
    logits = network(TOKENS)
    assert logits.dtype == tf.float32
    assert network.get_layer("embedding").compute_dtype == "bfloat16"
    np.testing.assert_allclose(logits, expected, atol=0.05)


@pytest.mark.parametrize("model", [model for model in OWN if model != "transformer"])
def test_static_vectors_stay_and_two_channels_start_equal(model):
    static = build(model, embedding="static")
    assert not static.get_layer("embedding").trainable_weights
    both = build(model, embedding="multichannel")
    moves, stays = both.get_layer("embedding"), both.get_layer("embedding_static")
    np.testing.assert_array_equal(moves.embeddings, stays.embeddings)
    assert moves.trainable_weights and not stays.trainable_weights
    assert np.abs(moves.embeddings).max() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("textcnn", {}),
        ("rcnn", {}),
        ("textrnn", {"num_layers": 1, "hidden_dim": 16, "head_dim": 0}),
        ("fasttext", {}),
        ("transformer", {"num_layers": 1, "hidden_dim": 16, "dropout": 0.0}),
    ],
)
def test_learns_64_examples(model, changes):
    random = np.random.default_rng(0)
    tokens = random.integers(5, 50, (64, 12)).astype("int32")
    labels = random.integers(0, 3, 64).astype("int32")
    tokens[np.arange(64), random.integers(0, 6, 64)] = labels + 2  # one word tells the class
    tokens[::2, 8:] = 0
    network = build(model, **changes)
    network.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(tokens, labels, batch_size=16, epochs=20, verbose=0)
    assert network.evaluate(tokens, labels, verbose=0)[1] >= 0.95


# --- sizes in closed form

V, C, D = 50, 3, 8  # vocabulary, classes, embedding


def lstm(inputs, units):
    return 4 * units * (inputs + units + 1)


def layer(features, inner):
    attention = 4 * features * (features + 1)
    return attention + features * inner + inner + inner * features + features + 4 * features


@pytest.mark.parametrize(
    ("model", "changes", "parameters"),
    [
        ("textcnn", {}, V * D + (2 + 3) * D * 6 + 12 + 12 * C + C + (V + 64) * C),
        ("textcnn", {"ngram_sizes": (2,)}, V * D + (2 + 3) * D * 6 + 12 + 13 * C + (1 + 64) * C),
        ("textcnn", {"ngram_sizes": (), "ngram_buckets": 0}, V * D + 5 * D * 6 + 12 + 13 * C),
        ("textcnn", {"embedding": "multichannel"}, 2 * V * D + 252 + 13 * C + (V + 64) * C),
        ("rcnn", {}, V * D + 2 * lstm(D, 5) + (D + 10 + 1) * 7 + 8 * C),
        ("rcnn", {"cell": "simple"}, V * D + 2 * 5 * (D + 5 + 1) + 19 * 7 + 8 * C),
        # Keras' GRU has two bias vectors, as cuDNN's.
        ("rcnn", {"cell": "gru"}, V * D + 2 * 3 * 5 * (D + 5 + 2) + 19 * 7 + 8 * C),
        ("textrnn", {}, V * D + 2 * lstm(D, 5) + 2 * lstm(10, 5) + 11 * 4 + 5 * C),
        (
            "textrnn",
            {"pooling": "attention", "num_layers": 1, "head_dim": 0},
            V * D + 2 * lstm(D, 5) + 10 + 11 * C,
        ),
        ("fasttext", {}, V * D + (1 + 40) * D + (D + 1) * 6 + 7 * C),
        ("fasttext", {"ngram_sizes": (), "hidden_dim": 0}, V * D + (D + 1) * C),
        ("transformer", {}, (V + 32) * D + 2 * layer(D, 12) + 2 * D + (D + 1) * C),
        (
            "transformer",
            {"norm": "post", "head_dim": 5, "num_segments": 2, "separator_id": 3},
            (V + 32 + 2) * D + 2 * D + 2 * layer(D, 12) + (D + 1) * 5 + 6 * C,
        ),
    ],
)
def test_number_of_parameters(model, changes, parameters):
    assert build(model, **changes).count_params() == parameters


# --- one forward pass by hand each


def test_textcnn_by_hand():
    network = build("textcnn", embedding="multichannel")
    w = values(network)
    grams = network.get_layer("ngrams")
    for row, logits in zip(TOKENS, network(TOKENS).numpy(), strict=True):
        words = row[row > 0]
        vectors = w["embedding/embeddings"][words] + w["embedding_static/embeddings"][words]
        vectors = np.pad(vectors, [[2, 2], [0, 0]])  # Kim's border, for size 3
        features = []
        for i, size in enumerate((2, 3)):
            windows = [vectors[j : j + size] for j in range(len(vectors) - size + 1)]
            answers = [np.einsum("kd,kdf->f", x, w[f"filters/kernel_{i}"]) for x in windows]
            features.append(np.max([*answers, np.zeros(6)], 0))
        features = np.maximum(np.concatenate(features) + w["filters/bias"], 0)
        expected = 2 * 0.4 * features @ w["logits/kernel"] + w["mixed_logits/bias"]
        present = set(grams(row[None]).numpy()[0]) - {0}
        linear = sum(w["ngram_embedding/embeddings"][gram] for gram in present)
        expected += 2 * 0.6 * linear / np.sqrt(len(present))
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_rcnn_by_hand():
    network = build("rcnn", cell="simple")
    w = values(network)

    def context(words, side):
        """Return Lai's equation 1 or 2: the state before each word has read it."""
        cell = f"{side}/simple_rnn_cell/" if f"{side}/simple_rnn_cell/bias" in w else f"{side}/"
        states, state = [], np.zeros(5)
        for word in [np.zeros(8), *words[:-1]]:
            state = np.tanh(
                word @ w[cell + "kernel"] + state @ w[cell + "recurrent_kernel"] + w[cell + "bias"]
            )
            states.append(state)
        return np.array(states)

    for row, logits in zip(TOKENS, network(TOKENS).numpy(), strict=True):
        e = w["embedding/embeddings"][row[row > 0]]
        left, right = context(e, "left_context"), context(e[::-1], "right_context")[::-1]
        x = np.concatenate([left, e, right], 1)
        y = np.tanh(x @ w["word_in_context/kernel"] + w["word_in_context/bias"])
        expected = y.max(0) @ w["logits/kernel"] + w["logits/bias"]
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_states(words, kernel, recurrent, bias):
    """Return all states of an LSTM; Keras keeps the gates in the order i, f, c, o."""
    units = len(recurrent)
    h, c, states = np.zeros(units), np.zeros(units), []
    for word in words:
        i, f, g, o = np.split(word @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("pooling", ["max", "last", "attention"])
def test_textrnn_by_hand(pooling):
    network = build("textrnn", pooling=pooling)
    for row, logits in zip(TOKENS, network(TOKENS).numpy(), strict=True):
        h = network.get_layer("embedding").embeddings.numpy()[row[row > 0]]
        for layer in ("lstm_0", "lstm_1"):
            weights = [x.numpy() for x in network.get_layer(layer).weights]
            ahead = lstm_states(h, *weights[:3])
            back = lstm_states(h[::-1], *weights[3:])[::-1]
            h = np.concatenate([ahead, back], 1)
        if pooling == "max":
            pooled = h.max(0)
        elif pooling == "last":
            pooled = np.concatenate([ahead[-1], back[0]])
        else:
            scores = np.exp(np.tanh(h) @ network.get_layer("pooling").query.numpy())
            pooled = np.tanh(scores / scores.sum() @ h)
        head, last = network.get_layer("head"), network.get_layer("logits")
        hidden = np.maximum(pooled @ head.kernel.numpy() + head.bias.numpy(), 0)
        expected = hidden @ last.kernel.numpy() + last.bias.numpy()
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_fasttext_by_hand():
    network = build("fasttext")
    w = values(network)
    for row, logits in zip(TOKENS, network(TOKENS).numpy(), strict=True):
        grams = network.get_layer("ngrams")(row[None]).numpy()[0]
        words = w["embedding/embeddings"][row[row > 0]]
        vectors = [*words, *w["ngram_embedding/embeddings"][grams[grams > 0]]]
        hidden = np.mean(vectors, 0) @ w["hidden/kernel"] + w["hidden/bias"]
        expected = np.maximum(hidden, 0) @ w["logits/kernel"] + w["logits/bias"]
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


# --- particular to one model


def test_max_norm_holds_the_columns_of_the_classifier():
    network = build("textcnn", max_norm=0.5)
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.get_layer("logits").kernel.assign(np.ones((12, 3)))
    network.train_on_batch(TOKENS, np.array([0, 1, 2, 0], "int32"))
    norms = np.linalg.norm(network.get_layer("logits").kernel, axis=0)
    np.testing.assert_allclose(norms, 0.5, rtol=1e-5)
    assert build("textcnn", max_norm=None).get_layer("logits").kernel_constraint is None


def test_kernel_range_bounds_the_filters():
    for kernel in build("textcnn", kernel_range=0.01).get_layer("filters").kernels:
        assert 0.008 < np.abs(kernel.numpy()).max() <= 0.01


def test_ngram_weights_start_at_zero():
    network = MODELS["textcnn"](**arguments("textcnn", {}))
    assert not np.any(network.get_layer("ngram_embedding").embeddings)


def test_rcnn_context_does_not_see_its_word():
    network = build("rcnn", activation="linear")
    left = keras.Model(network.input, network.get_layer("left_context").output)
    changed = TOKENS.copy()
    changed[:, 2] = 11
    states, others = left(TOKENS).numpy(), left(changed).numpy()
    np.testing.assert_array_equal(states[:, :3], others[:, :3])
    assert (states[:, 3] != others[:, 3]).any()


def test_fasttext_refuses_single_words_among_the_ngrams():
    with pytest.raises(ZooError, match=r"must start at 2.*\(1, 2\).*leave the 1 out"):
        build("fasttext", ngram_sizes=(1, 2))


def logits_of_numbered_weights(model):
    """Return logits of weights that are the same on every backend."""
    network = MODELS[model](**arguments(model, {}))
    for i, weight in enumerate(network.weights):
        if "seed" not in weight.path:
            weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.3)
    return keras.ops.convert_to_numpy(network(TOKENS))


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs PyTorch")
def test_networks_run_on_another_backend(tmp_path):
    code = (
        "import numpy, test_models as t; "
        f"numpy.savez({str(tmp_path / 'logits.npz')!r}, "
        "**{m: t.logits_of_numbered_weights(m) for m in t.OWN})"
    )
    environment = importing(__file__) | {"KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    other = np.load(tmp_path / "logits.npz")
    for model in OWN:
        np.testing.assert_allclose(
            other[model], logits_of_numbered_weights(model), rtol=1e-4, atol=1e-5
        )


def test_a_network_without_its_classifier() -> None:
    model = zoo.resnet("debug", image_size=16)
    features = keras.Model(model.input, model.get_layer("logits").input)
    assert features(np.zeros((2, 16, 16, 3), "float32")).shape == (2, 32)
