"""Row updates against closed forms and against dense gradients of the same numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import ZooError
from zoo.layers import NgramWeights, TokenEmbedding, TransformerLayer
from zoo.layers.kernels import Kernels, SparseMatmul, use_kernels
from zoo.preset.recipe import Recipe
from zoo.training.gradients import clip_by_global_norm, sum_repeated_rows
from zoo.training.kernels.sparse import sparse_matmul
from zoo.training.optimizers import (
    Lamb,
    LazyAdamW,
    MomentumSGD,
    RMSprop,
    embedding_tables,
    make_optimizer,
    name_variables,
    without_decay,
)

BLOCKS = {
    "adam": {"learning_rate": 0.1},
    "adamw": {"learning_rate": 0.1, "weight_decay": 0.01},
    "lazy_adamw": {"learning_rate": 0.1, "weight_decay": 0.01},
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    "adadelta": {"learning_rate": 1.0},
    "rmsprop": {"learning_rate": 0.1, "momentum": 0.5},
}


def recipe(name: str, **changes) -> Recipe:
    document = {
        "epochs": 1,
        "optimizer": {"name": name, **BLOCKS[name], **changes},
        "schedule": {"name": "constant"},
        "loss": {"name": "cross-entropy"},
        "global_clipnorm": None,
        "ema": None,
        "monitor": "loss",
        "patience_epochs": None,
    }
    return Recipe.model_validate(document)


def optimizer(name: str, **changes) -> keras.optimizers.Optimizer:
    made = recipe(name, **changes)
    return make_optimizer(made, made.optimizer.learning_rate)


def table(rows: int = 5) -> keras.Variable:
    values = np.arange(rows * 2, dtype="float32").reshape(rows, 2) / 10 - 0.3
    return keras.Variable(values, name="embeddings")


def rows_of(ids: list[int], values: np.ndarray, rows: int = 5) -> tf.IndexedSlices:
    return tf.IndexedSlices(
        tf.constant(values, tf.float32), tf.constant(ids), tf.constant([rows, 2])
    )


def random_rows(ids: list[int], seed: int) -> tf.IndexedSlices:
    return rows_of(ids, np.random.default_rng(seed).normal(size=(len(ids), 2)))


# --- repeated ids ---------------------------------------------------------------------------------


@pytest.mark.parametrize("matmul", [None, sparse_matmul])
def test_repeated_rows_are_summed(matmul: SparseMatmul | None) -> None:
    with use_kernels(Kernels(sparse_matmul=matmul)):
        summed = sum_repeated_rows(rows_of([3, 1, 3, 3], [[1, 2], [5, 6], [10, 20], [100, 200]]))
    np.testing.assert_array_equal(summed.indices, [3, 1])
    np.testing.assert_array_equal(summed.values, [[111, 222], [5, 6]])


def test_what_is_no_row_gradient_passes_through() -> None:
    dense = tf.ones((2, 2))
    assert sum_repeated_rows(dense) is dense
    assert sum_repeated_rows(None) is None


@pytest.mark.parametrize("name", BLOCKS)
def test_a_repeated_id_counts_as_one_gradient(name: str) -> None:
    """With ids [3, 3, 3] every optimizer does what it does with the dense gradient."""
    by_rows, dense = table(), table()
    first, second = optimizer(name), optimizer(name)
    for step in range(3):
        gradient = random_rows([3, 3, 3], step)
        first.apply([sum_repeated_rows(gradient)], [by_rows])
        second.apply([tf.convert_to_tensor(gradient)], [dense])
    np.testing.assert_allclose(by_rows.numpy()[3], dense.numpy()[3], rtol=1e-5)


def test_keras_alone_squares_each_occurrence() -> None:
    """Written against Keras 3.15.1: fails when Keras sums repeated ids, and ours can go."""
    by_rows, dense = table(), table()
    gradient = rows_of([3, 3, 3], np.ones((3, 2)))
    for variable, each in ((by_rows, gradient), (dense, tf.convert_to_tensor(gradient))):
        made = keras.optimizers.Adam(0.1)
        made.apply([each], [variable])
        velocity = next(v for v in made.variables if "velocity" in v.path)
        expected = 0.001 * (3.0 if each is gradient else 9.0)
        np.testing.assert_allclose(velocity.numpy()[3], expected, rtol=1e-4)


# --- lazy rows ------------------------------------------------------------------------------------


def test_lazy_equals_adamw_when_every_id_is_in_every_batch() -> None:
    lazy, plain = table(), table()
    ours = LazyAdamW(0.05, weight_decay=0.1)
    theirs = keras.optimizers.AdamW(0.05, weight_decay=0.1)
    ours.build([lazy])
    ours.set_tables([lazy])
    for step in range(5):
        gradient = random_rows([4, 2, 0, 1, 3], step)
        ours.apply([gradient], [lazy])
        theirs.apply([tf.convert_to_tensor(gradient)], [plain])
    np.testing.assert_allclose(lazy.numpy(), plain.numpy(), rtol=1e-5)


def test_rows_out_of_the_batch_do_not_move() -> None:
    variable = table()
    before = variable.numpy()
    made = LazyAdamW(0.1, weight_decay=0.1)
    made.build([variable])
    made.set_tables([variable])
    made.apply([random_rows([0, 4], 0)], [variable])
    held = {v.path: v.numpy() for v in made.variables}
    made.apply([random_rows([4], 1)], [variable])
    np.testing.assert_array_equal(variable.numpy()[1:4], before[1:4])
    for v in made.variables:
        if "momentum" in v.path or "velocity" in v.path:
            np.testing.assert_array_equal(v.numpy()[:4], held[v.path][:4])
            assert (v.numpy()[4] != held[v.path][4]).all()


def test_lazy_step_closed_form() -> None:
    """First step: m/(1-b1) = g, v/(1-b2) = g^2, so the row moves by the rate, and decays."""
    variable = table()
    before = variable.numpy()[2]
    made = LazyAdamW(0.1, weight_decay=0.2)
    made.build([variable])
    made.set_tables([variable])
    made.apply([rows_of([2], [[0.5, -2.0]])], [variable])
    expected = before - 0.1 * np.sign([0.5, -2.0]) - 0.1 * 0.2 * before
    np.testing.assert_allclose(variable.numpy()[2], expected, atol=1e-5)  # epsilon


def test_bias_correction_counts_all_steps() -> None:
    variable, b1, b2 = table(), 0.9, 0.999
    before = variable.numpy()[2]
    made = LazyAdamW(0.1, weight_decay=0.0)
    made.apply([rows_of([0], [[1.0, 1.0]])], [variable])
    made.apply([rows_of([2], [[1.0, 1.0]])], [variable])
    alpha = 0.1 * np.sqrt(1 - b2**2) / (1 - b1**2)
    expected = before - alpha * (1 - b1) / (np.sqrt(1 - b2) + 1e-7)
    np.testing.assert_allclose(variable.numpy()[2], expected, rtol=1e-4)


def test_a_table_with_a_dense_gradient_is_updated_as_adamw() -> None:
    ours, theirs = table(), table()
    lazy = LazyAdamW(0.1, weight_decay=0.3)
    lazy.build([ours])
    lazy.set_tables([ours])
    gradient = tf.random.stateless_normal((5, 2), [1, 2])
    lazy.apply([gradient], [ours])
    keras.optimizers.AdamW(0.1, weight_decay=0.3).apply([gradient], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_ngram_weights_have_their_own_rate_and_decay() -> None:
    words, ngrams = table(), table()
    made = LazyAdamW(0.1, weight_decay=0.0, ngram_rate_factor=5.0, ngram_weight_decay=0.2)
    made.build([words, ngrams])
    made.set_tables([words, ngrams], [ngrams])
    before = ngrams.numpy()[3]
    gradient = rows_of([3], [[1.0, 1.0]])
    made.apply([gradient, gradient], [words, ngrams])
    np.testing.assert_allclose(words.numpy()[3], before - 0.1, atol=1e-5)
    np.testing.assert_allclose(ngrams.numpy()[3], before - 0.5 - 0.5 * 0.2 * before, atol=1e-5)


def test_amsgrad_is_refused() -> None:
    with pytest.raises(ZooError, match=r"no amsgrad.*keras\.optimizers\.AdamW"):
        LazyAdamW(0.1, amsgrad=True)


def test_config_builds_the_same_again() -> None:
    made = optimizer("lazy_adamw", ngram_rate_factor=3.0, ngram_weight_decay=0.5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is LazyAdamW
    assert again.get_config() == made.get_config()


def test_private_names_of_keras_are_still_there() -> None:
    """What LazyAdamW takes from Keras 3.15.1 beside its public methods."""
    made = LazyAdamW(0.1)
    made.build([table()])
    for name in ("_momentums", "_velocities", "_get_variable_index", "_var_key"):
        assert hasattr(made, name)
    assert callable(keras.optimizers.AdamW._apply_weight_decay)
    assert callable(keras.optimizers.AdamW._use_weight_decay)


# --- clipping -------------------------------------------------------------------------------------


def test_clipping_scales_to_the_limit_and_knows_the_norm() -> None:
    clipped, norm = clip_by_global_norm([tf.constant([3.0]), None, tf.constant([[4.0]])], 1.0)
    assert float(norm) == 5.0
    np.testing.assert_allclose([float(clipped[0][0]), float(clipped[2][0, 0])], [0.6, 0.8], 1e-6)
    assert clipped[1] is None
    untouched, _ = clip_by_global_norm([tf.constant([3.0, 4.0])], 6.0)
    np.testing.assert_allclose(untouched[0], [3, 4], rtol=1e-6)


def test_norm_counts_a_repeated_id_as_its_sum() -> None:
    gradient = rows_of([3, 3, 3], np.ones((3, 2)))  # the row's gradient is (3, 3)
    _, norm = clip_by_global_norm([sum_repeated_rows(gradient)], 1.0)
    assert float(norm) == pytest.approx(np.sqrt(18))


def test_a_norm_that_is_not_finite_shows() -> None:
    clipped, _ = clip_by_global_norm([tf.constant([np.inf, 1.0])], 1.0)
    assert np.isnan(clipped[0]).all()


# --- which optimizer, which decay -----------------------------------------------------------------


@pytest.mark.parametrize("name", BLOCKS)
def test_recipe_values_reach_the_optimizer(name: str) -> None:
    config = optimizer(name).get_config()
    for key, value in BLOCKS[name].items():
        assert config[key] == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "changes", "kind", "expected"),
    [
        ("adam", {}, keras.optimizers.Adam, 0.9),
        ("adamw", {"weight_decay": 0.05}, keras.optimizers.AdamW, 0.895),
        ("lazy_adamw", {"weight_decay": 0.0}, LazyAdamW, 0.9),
        ("sgd", {"momentum": 0.0, "nesterov": False}, MomentumSGD, 0.8),
        ("sgd", {"weight_decay": 0.05}, MomentumSGD, 1 - 0.005 - 0.2 * 1.9),
        ("rmsprop", {"momentum": 0.0}, RMSprop, 1 - 0.1 / 0.1**0.5),
        # epsilon inside the root, the penalty inside the square
        ("rmsprop", {"epsilon": 0.01, "l2": 0.2}, RMSprop, 1 - 0.22 / (0.1 * 2.2**2 + 0.01) ** 0.5),
        (
            "rmsprop",
            {"momentum": 0.0, "l2": 0.2, "epsilon": 0.01},
            RMSprop,
            1 - 0.22 / (0.1 * 2.2**2 + 0.01) ** 0.5,
        ),
        # Zeiler's first step: sqrt(epsilon) / sqrt((1 - rho) g^2 + epsilon) * g
        ("adadelta", {}, keras.optimizers.Adadelta, 1 - 1e-3 / (0.05 * 4 + 1e-6) ** 0.5 * 2),
    ],
)
def test_first_step_closed_form(name: str, changes: dict, kind: type, expected: float) -> None:
    """From a weight of 1, with a gradient of 2."""
    made = optimizer(name, **changes)
    assert type(made) is kind
    variable = keras.Variable(np.ones((1, 1), "float32"))
    made.apply([tf.constant([[2.0]])], [variable])
    assert variable.numpy()[0, 0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_is_keras_own_and_its_penalty_spares_biases(momentum: float) -> None:
    generator = np.random.default_rng(0)
    start = [generator.normal(size=shape).astype("float32") for shape in ((3, 2), (2,))]
    gradients = [[generator.normal(size=w.shape) for w in start] for _ in range(4)]
    results = []
    for l2 in (0.0, 0.3):
        ours = optimizer("rmsprop", momentum=momentum, epsilon=1e-3, l2=l2)
        theirs = keras.optimizers.RMSprop(0.1, 0.9, momentum, 1e-3)
        for made in (ours, theirs):
            kernel, bias = variables = [keras.Variable(w) for w in start]
            made.build(variables)
            if made is ours:
                made.exclude_from_weight_decay(var_list=[bias])
            for pair in gradients:
                penalty = l2 * kernel.numpy() if made is theirs else 0.0
                grads = [tf.constant(pair[0] + penalty, "float32"), tf.constant(pair[1], "float32")]
                made.apply(grads, variables)
            results.append([w.numpy() for w in variables])
        for one, other in zip(*results[-2:], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert not np.allclose(results[0][0], results[2][0])
    again = RMSprop.from_config(optimizer("rmsprop", l2=0.3).get_config())
    assert again.l2 == 0.3


@pytest.mark.parametrize("name", ["adamw", "lazy_adamw", "sgd"])
def test_no_decay_costs_no_pass_over_the_weights(name: str) -> None:
    assert not optimizer(name, weight_decay=0.0).weight_decay


def network() -> keras.Model:
    tokens = keras.Input((None,), dtype="int32")
    inner = keras.Sequential([keras.layers.Embedding(7, 3)])
    x = keras.layers.LayerNormalization()(inner(tokens))
    x = x + keras.layers.Embedding(7, 3, trainable=False)(tokens)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, keras.layers.Dense(2)(x))


def test_embedding_tables_are_found_in_nested_models() -> None:
    assert [each.shape for each in embedding_tables(network())] == [(7, 3)]  # the frozen one is not


def test_biases_norms_and_tables_do_not_decay() -> None:
    model = network()
    names = sorted(variable.name for variable in without_decay(model, decay_embeddings=False))
    assert names == ["beta", "bias", "embeddings", "gamma"]
    names = sorted(variable.name for variable in without_decay(model, decay_embeddings=True))
    assert names == ["beta", "bias", "gamma"]


def test_ngram_weights_are_told_from_word_vectors() -> None:
    tokens = keras.Input((None,), dtype="int32")
    x = [TokenEmbedding(5, 2)(tokens), NgramWeights(7, 2)(tokens)]
    model = keras.Model(tokens, keras.layers.Add()(x))
    assert [each.shape for each in embedding_tables(model)] == [(5, 2), (7, 2)]
    assert [each.shape for each in embedding_tables(model, NgramWeights)] == [(7, 2)]


def weights_after(optimizer, gradients, rates):
    weights = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer.build([weights])
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant([gradient, gradient])], [weights])
    return weights.numpy()


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_velocity_does_not_hold_the_rate(nesterov):
    gradients, rates = [1.0, -0.5, 2.0], [0.1, 0.01, 0.02]
    weight, velocity = 1.0, 0.0
    for gradient, rate in zip(gradients, rates, strict=True):  # Goyal's equation 10, by hand
        velocity = 0.9 * velocity + gradient
        weight -= rate * (gradient + 0.9 * velocity if nesterov else velocity)
    ours = weights_after(MomentumSGD(0.1, momentum=0.9, nesterov=nesterov), gradients, rates)
    np.testing.assert_allclose(ours, [weight, weight - 3.0], rtol=1e-6)
    keras_weights = weights_after(
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov), gradients, rates
    )
    assert abs(keras_weights[0] - weight) > 0.05
    constant = [0.1] * 3
    np.testing.assert_allclose(
        weights_after(MomentumSGD(0.1, momentum=0.9, nesterov=nesterov), gradients, constant),
        weights_after(
            keras.optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov), gradients, constant
        ),
        rtol=1e-6,
    )


def test_a_coupled_decay_converted_shrinks_weights_as_in_the_papers():
    rate, momentum, coupled, steps = 0.1, 0.9, 1e-4, 3000
    weight, velocity = 1.0, 0.0
    for _ in range(steps):  # PyTorch's update without a gradient, by hand
        velocity = momentum * velocity + coupled * weight
        weight -= rate * velocity
    decay = coupled / (1 - momentum)
    assert decay == pytest.approx(1e-3)
    ours = weights_after(
        MomentumSGD(rate, momentum=momentum, weight_decay=decay), [0.0] * steps, [rate] * steps
    )
    assert weight == pytest.approx((1 - rate * decay) ** steps, rel=2e-3)
    np.testing.assert_allclose(ours, [weight, -2 * weight], rtol=2e-3)
    naive = (1 - rate * coupled) ** steps  # the number taken over as it is
    assert naive > 1.25 * weight


def test_lamb_has_its_decay_inside_the_trust_ratio():
    gradients, decay, rate = [0.5, 1.0], 0.02, 0.01
    weights, first, second = np.array([1.0, -2.0]), 0.0, 0.0
    for step, gradient in enumerate(gradients, 1):  # algorithm 2, by hand
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        direction = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-6)
        update = direction + decay * weights
        weights = weights - rate * np.linalg.norm(weights) / np.linalg.norm(update) * update
    optimizer = Lamb(rate, weight_decay=decay, epsilon=1e-6)
    np.testing.assert_allclose(weights_after(optimizer, gradients, [rate] * 2), weights, rtol=1e-5)


# --- in one pass ----------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_a_large_weight_takes_the_same_steps_in_one_pass(decay: float) -> None:
    rng = np.random.default_rng(3)
    start = rng.normal(size=(6, 4)).astype("float32")
    weights = []
    for large in (False, True):
        made = optimizer("lazy_adamw", weight_decay=decay)
        weight = keras.Variable(start, name="kernel")
        made.build([weight])
        if large:
            made.set_large([weight])
        generator = np.random.default_rng(4)
        for _ in range(20):
            made.apply([tf.constant(generator.normal(size=(6, 4)), tf.float32)], [weight])
        weights.append(weight.numpy())
    assert np.abs(weights[0] - start).max() > 0.1
    np.testing.assert_allclose(weights[1], weights[0], rtol=2e-5, atol=2e-6)


def test_the_layers_of_a_transformer_are_large_and_other_networks_as_before() -> None:
    tokens = keras.Input((None,), dtype="int32")
    embedding = TokenEmbedding(7, 8)
    block = TransformerLayer(2, 16, name="layer_0")
    logits = keras.layers.Dense(2)
    model = keras.Model(tokens, logits(block(embedding(tokens))))
    made = optimizer("lazy_adamw")
    name_variables(made, model, decay_embeddings=False)
    keys = {made._var_key(variable) for variable in block.trainable_variables}
    assert len(keys) == 12
    assert made._large == keys
