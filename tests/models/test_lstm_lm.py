"""The language model's network: parity with PyTorch, state carried, parameters of the papers."""

import importlib.util
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import importing

from zoo import ZooError
from zoo.models.lstm_lm import lstm_lm, with_states

SMALL = {
    "vocabulary_size": 50, "embedding_dim": 8, "num_layers": 2, "hidden_dim": 12, "tied": True,
    "projection_l2": None, "embedding_range": 0.1, "kernel_range": None, "forget_bias": 1.0,
    "embedding_dropout": 0.1, "input_dropout": 0.4, "hidden_dropout": 0.3, "output_dropout": 0.2,
    "weight_dropout": 0.5, "locked_dropout": True, "dropout_scale": 1.0,
    "activation_penalty": 2.0, "temporal_activation_penalty": 1.0,
}  # fmt: skip
VARIANTS = [
    {},
    {"tied": False},
    {"projection_l2": 1e-4},
    {"tied": False, "projection_l2": 0.0, "num_layers": 1},
]
TOKENS = np.random.default_rng(0).integers(0, 50, (3, 9)).astype("int32")


def build(**changes):
    keras.utils.set_random_seed(1)
    network = lstm_lm(**SMALL | changes)
    embedding = network.get_layer("embedding")
    embedding.bias.assign(np.random.default_rng(1).normal(size=50))
    return network


def zeros(network, rows):
    return [tf.zeros((rows, n)) for n in network.get_layer("lstms").units for _ in range(2)]


def logits_in_windows(network, tokens, cuts):
    """Return logits of windows, with the state carried from one to the next."""
    windowed, states, logits = with_states(network), zeros(network, len(tokens)), []
    for window in np.split(tokens, cuts, axis=1):
        features, *states = windowed([tf.constant(window), *states])
        logits.append(network.get_layer("embedding")(features, reverse=True).numpy())
    return np.concatenate(logits).swapaxes(0, 1)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_state_carried_over_windows_is_one_long_window(changes):
    network = build(**changes)
    logits = network(TOKENS)
    assert logits.shape == (3, 9, 50) and logits.dtype == tf.float32
    np.testing.assert_allclose(logits_in_windows(network, TOKENS, [2, 3, 7]), logits, atol=1e-6)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_saved_and_loaded_it_answers_the_same(changes, tmp_path):
    network = build(**changes)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(TOKENS), network(TOKENS))
    np.testing.assert_allclose(logits_in_windows(loaded, TOKENS, [4]), loaded(TOKENS), atol=1e-6)


def test_what_comes_later_changes_nothing_before():
    network = build()
    changed = TOKENS.copy()
    changed[:, 5:] += 1
    changed %= 50
    before, after = network(TOKENS).numpy(), network(changed).numpy()
    np.testing.assert_allclose(before[:, :5], after[:, :5], atol=1e-6)
    assert (before[:, 5:] != after[:, 5:]).any()
    np.testing.assert_allclose(network(TOKENS[1:2])[0], before[1], atol=1e-6)  # nor another row


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_parity_with_pytorch_over_carried_state(changes):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    network = build(**changes)
    embedding = network.get_layer("embedding")
    features = torch.tensor(embedding.embeddings.numpy()[TOKENS.T])
    for layer in network.get_layer("lstms").lstms:
        kernel, recurrent, bias = (w.numpy() for w in layer.weights[:3])
        other = torch.nn.LSTM(kernel.shape[0], layer.units)
        with torch.no_grad():
            for name, value in (
                ("weight_ih_l0", kernel.T),
                ("weight_hh_l0", recurrent.T),
                ("bias_ih_l0", bias),
                ("bias_hh_l0", 0 * bias),
            ):
                getattr(other, name).copy_(torch.tensor(value))
            first, state = other(features[:4])
            second, _ = other(features[4:], state)
            features = torch.cat([first, second])
    features = features.numpy()
    if SMALL | changes != SMALL and changes.get("projection_l2") is not None:
        dense = network.get_layer("projection")
        features = features @ dense.kernel.numpy() + dense.bias.numpy()
    logits = features @ embedding.output_embeddings.numpy().T + embedding.bias.numpy()
    in_windows = logits_in_windows(network, TOKENS, [4])
    np.testing.assert_allclose(in_windows, logits.swapaxes(0, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "millions"),
    [
        # Zaremba's small model, and the same tied (Press and Wolf 2017, table 5).
        ({"hidden_dim": 200, "embedding_dim": 200, "tied": False}, 4.65),
        ({"hidden_dim": 200, "embedding_dim": 200}, 2.65),
        ({"hidden_dim": 1150, "embedding_dim": 400, "num_layers": 3}, 24.2),
        ({"hidden_dim": 650, "embedding_dim": 650, "tied": False}, 19.8),
    ],
)
def test_parameters_of_the_papers(changes, millions):
    network = lstm_lm(**SMALL | changes | {"vocabulary_size": 10_000})
    assert network.count_params() / 1e6 == pytest.approx(millions, abs=0.05)


def test_dropout_scale_multiplies_all_five():
    network = build(dropout_scale=0.5)
    stack, embedding = network.get_layer("lstms"), network.get_layer("embedding")
    assert [layer.rate for layer in stack.dropouts] == [0.2, 0.15, 0.1]
    assert [lstm.weight_dropout for lstm in stack.lstms] == [0.25, 0.25]
    assert embedding.embedding_dropout == 0.05
    none = build(dropout_scale=0.0)
    np.testing.assert_array_equal(none(TOKENS, training=True), none(TOKENS))


def test_a_scale_that_drops_everything_is_refused():
    with pytest.raises(ZooError, match=r"dropout_scale.*input_dropout.*3.0 \* 0.4 = 1.2"):
        build(dropout_scale=3.0)


def test_projection_is_regularised_and_tied_goes_through_it():
    network = build(projection_l2=0.25)
    dense = network.get_layer("projection")
    network(TOKENS)
    assert float(network.losses[0]) == pytest.approx(0.25 * (dense.kernel.numpy() ** 2).sum())
    assert network.get_layer("lstms").units == (12, 12)
    assert dense.kernel.shape == (12, 8)


def logits_of_numbered_weights():
    """Return logits of weights that are the same on every backend."""
    network = lstm_lm(**SMALL | {"projection_l2": 0.1})
    for i, weight in enumerate(network.weights):
        if "seed" not in weight.path:
            weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.3)
    return keras.ops.convert_to_numpy(network(TOKENS))


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs PyTorch")
def test_network_runs_on_another_backend(tmp_path):
    path = tmp_path / "logits.npy"
    code = (
        "import numpy, test_lstm_lm as t; "
        f"numpy.save({str(path)!r}, t.logits_of_numbered_weights())"
    )
    environment = importing(__file__) | {"KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(path), logits_of_numbered_weights(), rtol=1e-4, atol=1e-5)
