"""The causal Transformer: a forward pass in NumPy, no future, its cache, published sizes."""

import importlib.util
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import importing
from test_models import values
from test_transformer import attention, feed_forward, norm

from zoo.errors import ZooError
from zoo.models import with_cache, with_states
from zoo.models.transformer_lm import transformer_lm
from zoo.preset.loading import load_preset

SMALL = {
    "vocabulary_size": 50, "hidden_dim": 8, "num_layers": 2, "num_heads": 2,
    "feed_forward_dim": 12, "max_positions": 16, "tied": True, "scale_embedding": False,
    "norm_epsilon": 1e-5, "activation": "gelu", "dropout": 0.2, "attention_dropout": 0.3,
    "initial_std": 0.3,
}  # fmt: skip
VARIANTS = [{}, {"tied": False}, {"scale_embedding": True}, {"dropout": 0.0, "num_layers": 1}]
TOKENS = np.random.default_rng(0).integers(0, 50, (3, 9)).astype("int32")


def build(**changes):
    keras.utils.set_random_seed(1)
    network = transformer_lm(**SMALL | changes)
    for weight in network.weights:  # biases start at zero, which would hide them
        if "seed" not in weight.path and not np.any(weight.numpy()):
            weight.assign(np.random.default_rng(2).normal(size=weight.shape) * 0.3)
    return network


def logits_of(text, w, heads, layers, scale):
    """Return the logits after each token of a text, each from the tokens up to it alone."""
    rows = []
    for end in range(1, len(text) + 1):
        x = scale * w["embedding/embeddings"][text[:end]]
        x = x + w["position_embedding/embeddings"][:end]
        # Of all layers: a position's outputs do not depend on what is after it.
        states = [x]
        for i in range(layers):
            path = f"layer_{i}"
            y = norm(states[-1], w, f"{path}/attention_norm", 1e-5)
            seen = [attention(y[: t + 1], w, f"{path}/attention", heads)[-1] for t in range(end)]
            x = states[-1] + np.stack(seen)
            y = norm(x, w, f"{path}/feed_forward_norm", 1e-5)
            states.append(x + feed_forward(y, w, f"{path}/feed_forward"))
        last = norm(states[-1][-1], w, "final_norm", 1e-5)
        table = w.get("embedding/output_embeddings", w["embedding/embeddings"])
        rows.append(table @ last + w["embedding/bias"])
    return np.stack(rows)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_forward_pass_in_numpy(changes) -> None:
    network = build(**changes)
    logits = network(TOKENS)
    assert logits.shape == (3, 9, 50) and logits.dtype == tf.float32
    w = {path: value.astype("float64") for path, value in values(network).items()}
    scale = np.sqrt(8) if changes.get("scale_embedding") else 1.0
    layers = changes.get("num_layers", 2)
    for text, found in zip(TOKENS, logits.numpy(), strict=True):
        np.testing.assert_allclose(found, logits_of(text, w, 2, layers, scale), atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_what_comes_later_changes_nothing_before(training: bool) -> None:
    """With dropout on, too: keras#23038."""
    network = build(dropout=0.3, attention_dropout=0.5)
    before = windowed_logits(network, TOKENS, training)
    for time in range(1, 9):
        changed = TOKENS.copy()
        changed[:, time:] = (changed[:, time:] + 1) % 50
        after = windowed_logits(network, changed, training)
        np.testing.assert_array_equal(before[:, :time], after[:, :time])
        assert (before[:, time:] != after[:, time:]).any()
    if not training:
        np.testing.assert_allclose(network(TOKENS[1:2])[0], before[1], atol=1e-6)


def windowed_logits(network, tokens, training):
    """Return the logits as training makes them, with the same dropout each time."""
    for variable in network.variables:
        if "seed" in variable.path:
            variable.assign([7, 0])
    (features,) = keras.tree.flatten(with_states(network)([tokens], training=training))
    return network.get_layer("embedding")(features, reverse=True).numpy().swapaxes(0, 1)


def in_pieces(network, tokens, cuts):
    """Return logits of texts that come some tokens at a time, and the caches."""
    stepwise, logits = with_cache(network), []
    states = [tf.zeros((len(tokens), *s.shape[1:]), s.dtype) for s in stepwise.inputs[1:]]
    for piece in np.split(tokens, cuts, axis=1):
        features, *states = stepwise([tf.constant(piece), *states])
        logits.append(network.get_layer("embedding")(features, reverse=True).numpy())
    return np.concatenate(logits).swapaxes(0, 1), states


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 4, 5, 6, 7, 8], [4, 7]], ids=str)
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_through_the_cache_the_logits_are_the_same(changes, cuts) -> None:
    network = build(**changes)
    logits, (before, *caches) = in_pieces(network, TOKENS, cuts)
    np.testing.assert_allclose(logits, network(TOKENS), atol=1e-5)
    assert before.numpy().tolist() == [9, 9, 9]
    for cache in caches:
        assert np.any(cache[:, 8]) and not np.any(cache[:, 9:])  # of fixed size


def test_rows_of_other_lengths_go_through_one_cache() -> None:
    network = build()
    stepwise = with_cache(network)
    states = [tf.zeros((2, *s.shape[1:]), s.dtype) for s in stepwise.inputs[1:]]
    _, _, *caches = stepwise([tf.constant(TOKENS[:2, :5]), *states])
    # The second row has three tokens; the two behind them are written over.
    last = np.array([[TOKENS[0, 5]], [7]], "int32")
    features, *_ = stepwise([tf.constant(last), tf.constant([5, 3]), *caches])
    logits = network.get_layer("embedding")(features, reverse=True)[0]
    np.testing.assert_allclose(logits[0], network(TOKENS[:1, :6])[0, -1], atol=1e-5)
    second = np.concatenate([TOKENS[1:2, :3], [[7]]], axis=1).astype("int32")
    np.testing.assert_allclose(logits[1], network(second)[0, -1], atol=1e-5)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_saved_and_loaded_it_answers_the_same(changes, tmp_path) -> None:
    network = build(**changes)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(TOKENS), network(TOKENS))
    np.testing.assert_allclose(in_pieces(loaded, TOKENS, [4])[0], loaded(TOKENS), atol=1e-5)


def parameters(**changes) -> int:
    """Return the parameters of a preset's network, of which no values are made."""
    preset = load_preset(
        "transformer_lm", changes={f"architecture.{k}": v for k, v in changes.items()}
    )
    with keras.StatelessScope(initialize_variables=False):
        network = transformer_lm(**dict(preset.architecture))
    return sum(int(np.prod(each.shape)) for each in network.trainable_variables)


def test_parameters_of_the_papers() -> None:
    gpt2 = {"vocabulary_size": 50_257, "hidden_dim": 768, "num_layers": 12, "num_heads": 12,
            "feed_forward_dim": 3072, "max_positions": 1024}  # fmt: skip
    assert parameters(**gpt2) == 124_439_808 + 50_257  # GPT-2 has no bias of the logits
    # nanoGPT prints .80 M without positions, and has no biases.
    char = dict(load_preset("transformer_lm", "char").architecture) | {"vocabulary_size": 65}
    biases = 4 * (3 * 128 + 128 + 512 + 128 + 2 * 128) + 128 + 65
    assert parameters(**char) - 64 * 128 - biases == 795_904
    wide = dict(load_preset("transformer_lm", "char-nanogpt").architecture)
    assert parameters(**wide | {"vocabulary_size": 65}) / 1e6 == pytest.approx(10.75, abs=0.05)


def test_kernels_before_a_shortcut_start_smaller() -> None:
    keras.utils.set_random_seed(3)
    network = transformer_lm(**SMALL | {"hidden_dim": 64, "feed_forward_dim": 256, "num_layers": 8})
    weights = values(network)
    for i in (0, 7):
        inner = weights[f"layer_{i}/feed_forward/inner/kernel"].std()
        outer = weights[f"layer_{i}/feed_forward/outer/kernel"].std()
        assert outer / inner == pytest.approx(1 / 4, rel=0.05)
        heads = weights[f"layer_{i}/attention/qkv/kernel"].std()
        mixed = weights[f"layer_{i}/attention/output/kernel"].std()
        assert mixed / heads == pytest.approx(1 / 4, rel=0.05)
    scaled = transformer_lm(**SMALL | {"hidden_dim": 64, "scale_embedding": True})
    assert scaled.get_layer("embedding")(TOKENS).numpy().std() == pytest.approx(0.88, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture.num_heads": 3}, "num_heads must divide hidden_dim"),
        ({"data.scoring_stride": 129}, "scoring_stride must be at most window.*129 of 128"),
        ({"data.random_window": True}, "unknown key 'data.random_window'"),
    ],
)
def test_values_that_do_not_fit(changes, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        load_preset("transformer_lm", changes=changes)


def test_a_text_longer_than_the_positions_is_refused() -> None:
    with pytest.raises(ValueError, match="9 tokens, but there are vectors of 6 positions alone"):
        build(max_positions=6)(TOKENS)


def logits_of_numbered_weights():
    """Return logits of weights that are the same on every backend, and those by the cache."""
    network = transformer_lm(**SMALL)
    for i, weight in enumerate(network.weights):
        if "seed" not in weight.path:
            weight.assign(np.random.default_rng(i).normal(size=weight.shape) * 0.3)
    stepwise = with_cache(network)
    states = [keras.ops.zeros((3, *s.shape[1:]), s.dtype) for s in stepwise.inputs[1:]]
    cached = []
    for piece in (TOKENS[:, :4], TOKENS[:, 4:]):
        features, *states = stepwise([keras.ops.convert_to_tensor(piece), *states])
        cached.append(network.get_layer("embedding")(features, reverse=True))
    cached = keras.ops.transpose(keras.ops.concatenate(cached), (1, 0, 2))
    return [keras.ops.convert_to_numpy(each) for each in (network(TOKENS), cached)]


@pytest.mark.slow  # the layers are in the sweep of `test_models`
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs PyTorch")
def test_network_runs_on_another_backend(tmp_path) -> None:
    path = tmp_path / "logits.npy"
    code = (
        "import numpy, test_transformer_lm as t; "
        f"numpy.save({str(path)!r}, t.logits_of_numbered_weights())"
    )
    environment = importing(__file__) | {"KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    for found, expected in zip(np.load(path), logits_of_numbered_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
