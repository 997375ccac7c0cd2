"""The Transformer against a forward pass in NumPy, and what its positions may not see."""

import math

import keras
import numpy as np
import pytest
from keras import ops
from test_models import TOKENS, build, values

from zoo.errors import ZooError
from zoo.layers import SelfAttention, TransformerLayer
from zoo.models import MODELS
from zoo.preset.loading import load_preset

erf = np.vectorize(math.erf)


def gelu(x):
    return x * (1 + erf(x / math.sqrt(2))) / 2


def norm(x, w, path, epsilon):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return x * w[f"{path}/gamma"] + w[f"{path}/beta"]


def attention(x, w, path, heads):
    """Return attention of one text without padding, `(time, features)`, head by head."""
    query, key, value = np.split(x @ w[f"{path}/qkv/kernel"] + w[f"{path}/qkv/bias"], 3, axis=-1)
    size = x.shape[-1] // heads
    mixed = []
    for i in range(heads):
        part = slice(i * size, (i + 1) * size)
        scores = np.exp(query[:, part] @ key[:, part].T / math.sqrt(size))
        mixed.append(scores / scores.sum(-1, keepdims=True) @ value[:, part])
    return np.concatenate(mixed, -1) @ w[f"{path}/output/kernel"] + w[f"{path}/output/bias"]


def feed_forward(x, w, path):
    inner = gelu(x @ w[f"{path}/inner/kernel"] + w[f"{path}/inner/bias"])
    return inner @ w[f"{path}/outer/kernel"] + w[f"{path}/outer/bias"]


def logits_of(text, w, *, heads, layers, kind, epsilon, pooling, offset=0, separator=0):
    """Return the logits of one text, ids without padding."""
    x = w["embedding/embeddings"][text]
    x = x + w["position_embedding/embeddings"][offset : offset + len(text)]
    if separator:
        before = np.cumsum(text == separator) - (text == separator)
        x = x + w["segment_embedding/embeddings"][np.minimum(before, 1)]
    if kind == "post":
        x = norm(x, w, "embedding_norm", epsilon)
    for i in range(layers):
        names = [f"layer_{i}/{name}" for name in ("attention_norm", "feed_forward_norm")]
        blocks = [
            lambda y, i=i: attention(y, w, f"layer_{i}/attention", heads),
            lambda y, i=i: feed_forward(y, w, f"layer_{i}/feed_forward"),
        ]
        for name, block in zip(names, blocks, strict=True):
            if kind == "pre":
                x = x + block(norm(x, w, name, epsilon))
            else:
                x = norm(x + block(x), w, name, epsilon)
    if kind == "pre":
        x = norm(x, w, "final_norm", epsilon)
    pooled = x.mean(0) if pooling == "mean" else x[0]
    if "head/kernel" in w:
        pooled = np.tanh(pooled @ w["head/kernel"] + w["head/bias"])
    return pooled @ w["logits/kernel"] + w["logits/bias"]


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "pre"},
        {"norm": "post", "norm_epsilon": 1e-12, "num_segments": 2, "separator_id": 3},  # BERT
        {"norm": "post", "norm_epsilon": 1e-5, "position_offset": 2, "pooling": "first",
         "head_dim": 5},  # RoBERTa
    ],
)  # fmt: skip
def test_forward_pass_in_numpy(changes) -> None:
    network = build("transformer", **changes)
    for weight in network.weights:  # those of norms and biases, too
        if "seed" not in weight.path:
            start = np.random.default_rng(len(weight.path)).normal(size=weight.shape) * 0.3
            weight.assign(start + weight.path.endswith("gamma"))
    w = {path: value.astype("float64") for path, value in values(network).items()}
    logits = network(TOKENS).numpy()
    for row, found in zip(TOKENS, logits, strict=True):
        expected = logits_of(
            row[row > 0],
            w,
            heads=2,
            layers=2,
            kind=changes["norm"],
            epsilon=changes.get("norm_epsilon", 1e-6),
            pooling=changes.get("pooling", "mean"),
            offset=changes.get("position_offset", 0),
            separator=changes.get("separator_id", 0),
        )
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_names_of_the_variables_are_a_contract() -> None:
    """Pretrained weights, and files of weights that users have, are read by them."""
    network = build(
        "transformer", norm="post", num_layers=1, num_segments=2, separator_id=3, head_dim=5
    )
    shapes = {path: value.shape for path, value in values(network).items() if "seed" not in path}
    assert shapes == {
        "embedding/embeddings": (50, 8),
        "position_embedding/embeddings": (32, 8),
        "segment_embedding/embeddings": (2, 8),
        "embedding_norm/gamma": (8,),
        "embedding_norm/beta": (8,),
        "layer_0/attention/qkv/kernel": (8, 24),
        "layer_0/attention/qkv/bias": (24,),
        "layer_0/attention/output/kernel": (8, 8),
        "layer_0/attention/output/bias": (8,),
        "layer_0/attention_norm/gamma": (8,),
        "layer_0/attention_norm/beta": (8,),
        "layer_0/feed_forward/inner/kernel": (8, 12),
        "layer_0/feed_forward/inner/bias": (12,),
        "layer_0/feed_forward/outer/kernel": (12, 8),
        "layer_0/feed_forward/outer/bias": (8,),
        "layer_0/feed_forward_norm/gamma": (8,),
        "layer_0/feed_forward_norm/beta": (8,),
        "head/kernel": (8, 5),
        "head/bias": (5,),
        "logits/kernel": (5, 3),
        "logits/bias": (3,),
    }
    paths = values(build("transformer", norm="pre"))
    assert "final_norm/gamma" in paths and "embedding_norm/gamma" not in paths


def test_minilm_has_as_many_weights_as_published() -> None:
    """22,713,216 weights; 147,840 of them are of the pooler, which sentence vectors do not use."""
    shape = {
        "vocabulary_size": 30_522, "hidden_dim": 384, "num_layers": 6, "num_heads": 12,
        "feed_forward_dim": 1536, "max_positions": 512, "num_segments": 2, "separator_id": 3,
        "norm": "post",
    }  # fmt: skip
    with keras.StatelessScope(initialize_variables=False):
        network = MODELS["transformer"](
            **dict(
                load_preset(
                    "transformer",
                    changes={f"architecture.{key}": value for key, value in shape.items()},
                ).architecture
            )
        )
    weights = sum(math.prod(w.shape) for w in network.trainable_variables)
    assert weights - (384 + 1) * 2 == 22_713_216 - 147_840


# --- what a position may not see


def states(layer, x, present, training):
    keras.utils.set_random_seed(5)  # the same dropout each time
    return ops.convert_to_numpy(layer(x, present=present, training=training))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", ["attention", "pre", "post"])
def test_no_future_and_no_padding(kind: str, training: bool) -> None:
    """keras#23038: with dropout, a causal mask was lost in silence."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3, 7, 8)).astype("float32")
    present = np.arange(7) < np.array([[7], [4], [1]])

    def layer(causal):
        keras.utils.set_random_seed(4)
        if kind == "attention":
            return SelfAttention(2, dropout=0.5, causal=causal, initial_std=0.5)
        return TransformerLayer(
            2, 12, norm=kind, dropout=0.3, attention_dropout=0.5, causal=causal, initial_std=0.5
        )

    def changed_at(positions):
        other = x.copy()
        other[positions] += 10.0
        return other

    for causal in (False, True):
        before = states(layer(causal), x, present, training)
        after = states(layer(causal), changed_at(~present), present, training)
        np.testing.assert_array_equal(before[present], after[present])
        assert np.isfinite(before).all()
    before = states(layer(True), x, present, training)
    for time in range(1, 7):
        future = np.broadcast_to(np.arange(7) >= time, (3, 7))
        after = states(layer(True), changed_at(future), present, training)
        np.testing.assert_array_equal(before[:, :time], after[:, :time])
        assert not np.array_equal(before[0, time:], after[0, time:])
    # That a test like this can fail: without the mask, the past does see the future.
    open_before = states(layer(False), x, present, training)
    open_after = states(
        layer(False), changed_at(np.arange(7) >= np.full((3, 1), 6)), present, training
    )
    assert not np.array_equal(open_before[0, :6], open_after[0, :6])


def test_rows_without_any_token_are_finite() -> None:
    network = build("transformer", norm="post")
    empty = np.zeros((2, 5), "int32")
    assert np.isfinite(network(empty).numpy()).all()
    both = np.concatenate([TOKENS, np.zeros((1, 6), "int32")])
    np.testing.assert_allclose(network(both)[:4], network(TOKENS), atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_softmax_is_float32_under_a_mixed_policy(policy: str) -> None:
    """Of 600 equal positions each has a weight of 1/600, and their sum is 1 nevertheless."""
    layer = SelfAttention(1, dtype=policy, initial_std=1.0)
    x = np.repeat(np.random.default_rng(0).normal(size=(1, 1, 4)), 600, axis=1)
    layer.build((1, 600, 4))
    found = layer(ops.cast(x, "float32"))
    assert keras.backend.standardize_dtype(found.dtype) == policy.removeprefix("mixed_")
    full = SelfAttention(1, initial_std=1.0)
    full.build((1, 600, 4))
    full.set_weights(layer.get_weights())
    expected = full(ops.cast(x, "float32"))
    np.testing.assert_allclose(ops.cast(found, "float32"), expected, rtol=0.05, atol=0.02)


# --- what does not fit together


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 3}, "num_heads must divide hidden_dim"),
        ({"num_segments": 2}, "num_segments and separator_id go together"),
        ({"separator_id": 5}, "num_segments and separator_id go together"),
        ({"position_offset": 2, "max_positions": 2}, "position_offset must be below max_positions"),
    ],
)
def test_values_that_do_not_fit(changes, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        load_preset("transformer", changes={f"architecture.{k}": v for k, v in changes.items()})


def test_a_batch_longer_than_the_positions_is_refused() -> None:
    network = build("transformer", max_positions=6, position_offset=1)
    with pytest.raises(ValueError, match="6 tokens, but there are vectors of 5 positions alone"):
        network(TOKENS)


def test_layers_share_biases_of_distances() -> None:
    network = build("transformer", relative_buckets=8)
    w = values(network)
    assert w["relative_bias/embeddings"].shape == (8, 2)
    assert not any("layer_" in path and "bias/embeddings" in path for path in w)
    network.get_layer("relative_bias").embeddings.assign(np.zeros((8, 2)))
    before = network(TOKENS).numpy()
    network.get_layer("relative_bias").embeddings.assign(np.ones((8, 2)))
    np.testing.assert_allclose(network(TOKENS), before, atol=1e-6)  # the same for all is nothing
    network.get_layer("relative_bias").embeddings.assign(
        np.random.default_rng(0).normal(size=(8, 2)) * 50
    )
    assert np.abs(network(TOKENS).numpy() - before).max() > 1e-4
    with pytest.raises(ZooError, match=r"relative_buckets.*multiple of 4"):
        load_preset("transformer", changes={"architecture.relative_buckets": 6})
