"""Layers against small answers computed by hand or with NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from zoo.layers import (
    AttentionPooling,
    MaskedMax,
    NgramHash,
    NgramWeights,
    PathMix,
    ScaledSum,
    TokenEmbedding,
    WordDropout,
    WordFilters,
)
from zoo.layers.kernels import Kernels, use_kernels
from zoo.training.kernels.sparse import sparse_matmul

TOKENS = np.array([[5, 3, 5, 3, 0, 0], [2, 0, 0, 0, 0, 0]], "int32")
MASK = TOKENS > 0


def randoms(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    "layer",
    [
        TokenEmbedding(6, 2),
        NgramWeights(6, 2),
        WordDropout(0.1, seed=3),
        NgramHash((1, 2), 16, 6, unique=True),
        MaskedMax(),
        AttentionPooling(),
        ScaledSum(0.5),
        PathMix(0.7, 0.2),
        WordFilters(4, (2, 3), activation="tanh", kernel_initializer="he_normal"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_builds_the_layer_again(layer):
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config, safe_mode=True)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


# --- tokens


def test_padding_is_the_zero_vector_and_gets_no_gradient():
    layer = TokenEmbedding(6, 3, embeddings_initializer="ones")
    with tf.GradientTape() as tape:
        vectors = layer(TOKENS)
        total = tf.reduce_sum(vectors)
    np.testing.assert_array_equal(vectors, np.repeat(MASK[..., None], 3, -1).astype("float32"))
    gradient = tf.convert_to_tensor(tape.gradient(total, layer.embeddings.value))
    np.testing.assert_array_equal(gradient[:, 0], [0, 0, 1, 2, 0, 2])  # occurrences of each id


def test_only_the_rows_of_the_tokens_are_read():
    """On a worker of several, too, whose one copy of a table is within a variable of all."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        layer = TokenEmbedding(6, 3)
        layer.build()
    read = tf.function(lambda: strategy.run(layer, args=(tf.constant(TOKENS),)))
    body = read.get_concrete_function().graph.as_graph_def(use_pybind11_proto=False)
    kinds = [node.op for part in body.library.function for node in part.node_def]
    kinds += [node.op for node in body.node]
    assert "ResourceGather" in kinds
    assert "ReadVariableOp" not in kinds


def test_word_dropout_replaces_words_by_the_unknown_in_training_only():
    tokens = np.full((200, 50), 7, "int32")
    tokens[:, 40:] = 0
    layer = WordDropout(0.3, seed=1)
    np.testing.assert_array_equal(layer(tokens), tokens)
    dropped = np.asarray(layer(tokens, training=True))
    assert dropped.dtype == np.int32
    assert set(np.unique(dropped[:, :40])) == {1, 7}
    # 8000 tokens: the standard deviation of the share is 0.005.
    assert (dropped[:, :40] == 1).mean() == pytest.approx(0.3, abs=0.025)
    assert (dropped[:, 40:] == 0).all()


def test_word_dropout_differs_between_calls_and_is_the_same_from_one_seed():
    tokens = np.full((4, 50), 7, "int32")
    first, second = WordDropout(0.5, seed=2), WordDropout(0.5, seed=2)
    ids = [np.asarray(first(tokens, training=True)) for _ in range(2)]
    assert (ids[0] != ids[1]).any()
    np.testing.assert_array_equal(second(tokens, training=True), ids[0])


# --- n-grams


def hashed(words, buckets, first):
    """Return the row of one n-gram, in Python's own integers cut to 32 bits."""

    def wrap(number):
        return (number + 2**31) % 2**32 - 2**31

    mixed = words[0]
    for word in words[1:]:
        mixed = wrap(mixed * 16777619 + word)
    mixed = wrap((mixed ^ (mixed >> 15)) * -2048144789)
    return first + (mixed ^ (mixed >> 13)) % buckets


@pytest.mark.parametrize("size", [2, 3, 4])
def test_ngrams_are_hashed_as_written_down(size):
    tokens = np.random.default_rng(0).integers(1, 30_000, (3, 9)).astype("int32")
    tokens[1, 4:] = 0
    grams = np.asarray(NgramHash((size,), 1000, 30_000)(tokens))
    assert grams.shape == (3, 9)
    for text, row in zip(tokens.tolist(), grams.tolist(), strict=True):
        windows = [text[i : i + size] for i in range(9)]
        expected = [hashed(w, 1000, 1) if len(w) == size and 0 not in w else 0 for w in windows]
        assert row == expected


def test_single_words_keep_their_id_and_the_buckets_come_after_them():
    layer = NgramHash((1, 2), 100, 6)
    assert layer.rows == 106
    grams = np.asarray(layer(TOKENS))
    np.testing.assert_array_equal(grams[:, :6], TOKENS)
    pairs = [hashed(w, 100, 6) for w in ([5, 3], [3, 5], [5, 3])]
    np.testing.assert_array_equal(grams[0, 6:], [*pairs, 0, 0, 0])
    assert not grams[1, 6:].any()
    assert NgramHash((2,), 100, 6).rows == 101


def test_unique_keeps_one_of_equal_ngrams():
    counted = np.asarray(NgramHash((1, 2), 100, 6)(TOKENS))
    unique = np.asarray(NgramHash((1, 2), 100, 6, unique=True)(TOKENS))
    for row, once in zip(counted, unique, strict=True):
        assert sorted(once[once > 0]) == sorted(set(row[row > 0]))


def test_ngrams_spread_over_the_buckets():
    pairs = np.array([[i, j] for i in range(1, 101) for j in range(1, 101)], "int32")
    grams = np.asarray(NgramHash((2,), 10_000, 101)(pairs))[:, 0]
    assert grams.min() >= 1 and grams.max() <= 10_000
    # A random function fills 1 - 1/e = 63.2 % of as many buckets as it has arguments.
    assert len(set(grams)) == pytest.approx(6321, abs=150)


# --- pooling


def test_masked_max_sees_only_the_text():
    features = randoms(2, 6, 3)
    pooled = MaskedMax()(features, mask=MASK)
    expected = [features[0, :4].max(0), features[1, :1].max(0)]
    np.testing.assert_array_equal(pooled, expected)


def test_masked_max_of_no_text_is_zero_and_so_is_its_gradient():
    features = tf.constant(randoms(2, 6, 3), tf.bfloat16)
    mask = MASK & [[True], [False]]
    with tf.GradientTape() as tape:
        tape.watch(features)
        pooled = MaskedMax(dtype="bfloat16")(features, mask=mask)
    np.testing.assert_array_equal(pooled[1], [0, 0, 0])
    gradient = tf.cast(tape.gradient(pooled, features), tf.float32)
    assert gradient[1].numpy().max() == 0 < gradient[0].numpy().max()


def test_attention_is_zhous_formula_over_the_text():
    features = randoms(2, 6, 3)
    layer = AttentionPooling()
    layer.build((None, None, 3))
    layer.query.assign(randoms(3, seed=1))
    expected = []
    for h in (features[0, :4], features[1, :1]):
        weights = np.exp(np.tanh(h) @ layer.query.numpy())
        expected.append(np.tanh(weights / weights.sum() @ h))
    np.testing.assert_allclose(layer(features, mask=MASK), expected, rtol=1e-5)


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_scaled_sum_divides_by_a_power_of_the_count(power):
    features = randoms(2, 6, 3) * MASK[..., None]
    pooled = ScaledSum(power)([features, 2 * features], [TOKENS, TOKENS])
    expected = 3 * features.sum(1) / np.array([[8.0], [2.0]]) ** power
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)


def test_scaled_sum_of_nothing_is_zero():
    assert not np.any(ScaledSum()([np.zeros((2, 4, 3))], [np.zeros((2, 4), "int32")]))


# --- paths


def test_a_share_of_one_half_is_the_sum():
    first, second = randoms(4, 3), randoms(4, 3, seed=1)
    np.testing.assert_allclose(PathMix(0.5, 0.3)([first, second]), first + second, rtol=1e-6)
    mixed = PathMix(0.75, 0.0)([first, second], training=True)
    np.testing.assert_allclose(mixed, 0.5 * first + 1.5 * second, rtol=1e-6)


def test_path_dropout_leaves_either_path_alone():
    first, second = np.full((4000, 1), 1.0, "float32"), np.full((4000, 1), 10.0, "float32")
    keras.utils.set_random_seed(0)
    mixed = np.asarray(PathMix(0.75, 0.3)([first, second], training=True))
    kinds, counts = np.unique(mixed, return_counts=True)
    np.testing.assert_allclose(kinds, [1.0, 10.0, 15.5])
    # 4000 examples: the standard deviation of a share is below 0.008.
    np.testing.assert_allclose(counts / 4000, [0.3, 0.3, 0.4], atol=0.03)


# --- filters


def test_filters_take_the_maximum_over_windows_and_the_window_of_zeros():
    vectors = randoms(3, 9, 4)
    layer = WordFilters(5, (2, 3), activation="tanh")
    layer.build((None, None, 4))
    layer.bias.assign(randoms(10, seed=1))
    expected = []
    for kernel in layer.kernels:
        size = kernel.shape[0]
        windows = np.stack([vectors[:, i : i + size] for i in range(9 - size + 1)], 1)
        answers = np.einsum("bnkd,kdf->bnf", windows, kernel.numpy())
        expected.append(np.maximum(answers.max(1), 0))
    expected = np.tanh(np.concatenate(expected, 1) + layer.bias.numpy())
    np.testing.assert_allclose(layer(vectors), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer(vectors, training=True), expected, rtol=1e-4, atol=1e-6)


def gradients(layer, vectors, length=None):
    """Return loss and gradients in a graph that does not know the length."""
    signature = [tf.TensorSpec((None, length, vectors.shape[-1]))]

    @tf.function(input_signature=signature)
    def step(vectors):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            loss = tf.reduce_sum(layer(vectors, training=True) ** 2)
        weights = [weight.value for weight in layer.trainable_weights]
        return loss, tape.gradient(loss, [vectors, *weights])

    return step(vectors)


@pytest.mark.parametrize("length", [None, 40])
def test_sparse_gradient_of_filters_is_that_of_the_convolution(length):
    vectors = tf.constant(randoms(3, 40, 4))
    layer = WordFilters(5, (2, 3, 1))
    layer.build((None, None, 4))
    dense_loss, expected = gradients(layer, vectors, length)
    with use_kernels(Kernels(sparse_matmul=sparse_matmul)):
        loss, grads = gradients(layer, vectors, length)
    assert float(loss) == pytest.approx(float(dense_loss), rel=1e-6)
    assert len(grads) == len(expected) == 5
    for a, b in zip(grads, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_sparse_gradient_of_equal_windows_goes_to_the_first():
    layer = WordFilters(1, (1,), kernel_initializer="ones")
    vectors = tf.ones((1, 7, 1))
    layer.build((None, None, 1))
    with use_kernels(Kernels(sparse_matmul=sparse_matmul)):
        _, (to_vectors, *_) = gradients(layer, vectors)
    np.testing.assert_array_equal(to_vectors[0, :, 0], [2.0] + [0.0] * 6)


def test_sparse_product_and_that_with_the_transpose():
    matrix = randoms(7, 9) * (randoms(7, 9, seed=1) > 0.5)
    rows, columns = np.nonzero(matrix)
    places = (rows, columns, matrix[rows, columns], matrix.shape)
    right, left = randoms(9, 4), randoms(7, 4)
    np.testing.assert_allclose(sparse_matmul(*places, right), matrix @ right, rtol=1e-5, atol=1e-6)
    turned = sparse_matmul(*places, left, transpose=True)
    np.testing.assert_allclose(turned, matrix.T @ left, rtol=1e-5, atol=1e-6)


def test_kernels_of_equal_sizes_start_different():
    layer = WordFilters(3, (2, 2))
    layer.build((None, None, 4))
    assert np.any(ops.not_equal(layer.kernels[0], layer.kernels[1]))


def test_filters_compile_with_xla():
    layer = WordFilters(2, (2,))
    layer.build((None, None, 3))
    vectors = tf.constant(randoms(2, 8, 3))

    @tf.function(jit_compile=True)
    def step(vectors):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(vectors, training=True))
        return tape.gradient(loss, layer.kernels[0].value)

    _, (_, expected, _) = gradients(layer, vectors)
    assert step(vectors).shape == expected.shape
