"""Optimizers: lazy rows, repeated ids, clipping and the decay mask, against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers import NgramWeights, TokenEmbedding
from zoo.recipe import Recipe
from zoo.training.optimizers import (
    LazyAdamW,
    clip_by_global_norm,
    embedding_tables,
    make_optimizer,
    sum_repeated_rows,
    without_decay,
)


def rows(ids, values, size=6):
    return tf.IndexedSlices(
        tf.constant(values, tf.float32), tf.constant(ids), tf.constant([size, 1])
    )


def table(value=1.0, size=6):
    return keras.Variable(np.full((size, 1), value, "float32"))


def recipe(optimizer: dict, **changes) -> Recipe:
    return Recipe(
        **{
            "epochs": 1, "optimizer": optimizer, "schedule": {"name": "constant"},
            "loss": {"name": "cross-entropy"}, "global_clipnorm": None, "ema": None,
            "best": "loss", "patience_epochs": None,
        } | changes
    )  # fmt: skip


def test_repeated_ids_are_summed_before_they_are_squared() -> None:
    """Keras gives 0.003 on ids [3, 3, 3]; the gradient of the row is 3, so it must be 0.009."""
    variable = table()
    optimizer = LazyAdamW(0.1, weight_decay=0.0)
    optimizer.build([variable])
    optimizer.apply([sum_repeated_rows(rows([3, 3, 3], [[1.0]] * 3))], [variable])
    velocity = optimizer._velocities[0].numpy()
    assert velocity[3, 0] == pytest.approx(0.009, rel=1e-5)
    assert velocity[[0, 1, 2, 4, 5]].sum() == 0


def test_plain_keras_squares_each_occurrence() -> None:
    """Why `sum_repeated_rows` exists; written against Keras 3.15.1, fails when Keras mends it."""
    variable = table()
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([variable])
    optimizer.apply([rows([3, 3, 3], [[1.0]] * 3)], [variable])
    assert optimizer._velocities[0].numpy()[3, 0] == pytest.approx(0.003, rel=1e-4)


def test_rows_outside_the_batch_do_not_move() -> None:
    variable = table()
    optimizer = LazyAdamW(0.1, weight_decay=0.0)
    optimizer.build([variable])
    for ids in ([1, 2], [2, 4], [2, 4]):
        optimizer.apply([rows(ids, [[1.0], [0.5]])], [variable])
    assert (variable.numpy()[[0, 3, 5]] == 1.0).all()
    after_first = variable.numpy()[1, 0]
    assert after_first == pytest.approx(0.9, rel=1e-4)


def test_lazy_equals_dense_when_every_row_is_in_every_batch() -> None:
    generator = np.random.default_rng(0)
    lazy, dense = table(), table()
    ours, theirs = LazyAdamW(0.01, weight_decay=0.0), keras.optimizers.Adam(0.01)
    ours.build([lazy])
    theirs.build([dense])
    for _ in range(20):
        gradient = generator.normal(size=(6, 1)).astype("float32")
        order = generator.permutation(6).tolist()
        ours.apply([rows(order, gradient[order])], [lazy])
        theirs.apply([tf.constant(gradient)], [dense])
    np.testing.assert_allclose(lazy.numpy(), dense.numpy(), rtol=1e-5)


def test_dense_gradients_are_adamw() -> None:
    ours, theirs = (
        LazyAdamW(0.01, weight_decay=0.05),
        keras.optimizers.AdamW(0.01, weight_decay=0.05),
    )
    a, b = table(2.0), table(2.0)
    for optimizer, variable in ((ours, a), (theirs, b)):
        optimizer.build([variable])
        for step in range(5):
            optimizer.apply([tf.fill([6, 1], float(step) - 2)], [variable])
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


def test_ngram_rows_have_their_own_rate_and_decay() -> None:
    words, ngrams = table(), table()
    optimizer = LazyAdamW(0.01, weight_decay=0.0, ngram_rate_factor=5.0, ngram_weight_decay=0.5)
    optimizer.build([words, ngrams])
    optimizer.set_tables([words, ngrams], [ngrams])
    optimizer.apply([rows([1], [[1.0]]), rows([1], [[1.0]])], [words, ngrams])
    assert words.numpy()[1, 0] == pytest.approx(1 - 0.01, rel=1e-4)
    assert ngrams.numpy()[1, 0] == pytest.approx(1 - 0.05 - 0.05 * 0.5, rel=1e-4)
    assert (ngrams.numpy()[[0, 2]] == 1.0).all()


def test_the_clipped_norm_counts_summed_rows() -> None:
    gradients = [sum_repeated_rows(rows([2, 2], [[1.5], [1.5]])), tf.constant([4.0])]
    clipped, norm = clip_by_global_norm(gradients, 1.0)
    assert float(norm) == pytest.approx(5.0)
    np.testing.assert_allclose(tf.convert_to_tensor(clipped[0]).numpy()[2, 0], 0.6, rtol=1e-6)
    np.testing.assert_allclose(clipped[1].numpy(), [0.8], rtol=1e-6)


def network():
    tokens = keras.Input((None,), dtype="int32")
    x = TokenEmbedding(5, 4, name="embedding")(tokens)
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    y = keras.layers.GlobalAveragePooling1D()(NgramWeights(7, 2)(tokens))
    return keras.Model(tokens, keras.layers.Add()([keras.layers.Dense(2)(x), y]))


def test_what_decays_is_told_by_the_variable() -> None:
    model = network()
    exempt = {variable.path for variable in without_decay(model, decay_embeddings=False)}
    decaying = [v.path for v in model.trainable_variables if v.path not in exempt]
    assert [path.rsplit("/", 1)[-1] for path in decaying] == ["kernel"]
    with_tables = {variable.path for variable in without_decay(model, decay_embeddings=True)}
    assert exempt - with_tables == {v.path for v in embedding_tables(model)}
    assert len(embedding_tables(model, NgramWeights)) == 1


@pytest.mark.parametrize(
    ("block", "kind", "expected"),
    [
        ({"name": "adam", "learning_rate": 0.1}, keras.optimizers.Adam, 0.9),
        (
            {"name": "adamw", "learning_rate": 0.1, "weight_decay": 0.05},
            keras.optimizers.AdamW,
            0.895,
        ),
        ({"name": "lazy_adamw", "learning_rate": 0.1, "weight_decay": 0.0}, LazyAdamW, 0.9),
        ({"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.05}, keras.optimizers.SGD, 0.795),
        ({"name": "rmsprop", "learning_rate": 0.1}, keras.optimizers.RMSprop, 1 - 0.1 / 0.1**0.5),
        # Zeiler's first step: sqrt(eps) / sqrt((1 - rho) g^2 + eps) * g
        (
            {"name": "adadelta", "learning_rate": 1.0},
            keras.optimizers.Adadelta,
            1 - 1e-3 / (0.05 * 4 + 1e-6) ** 0.5 * 2,
        ),
    ],
)  # fmt: skip
def test_first_step_of_each_optimizer(block, kind, expected) -> None:
    optimizer = make_optimizer(recipe(block), block["learning_rate"])
    assert type(optimizer) is kind
    variable = keras.Variable(np.ones((1, 1), "float32"))
    optimizer.build([variable])
    gradient = 2.0 if block["name"] in ("sgd", "adadelta") else 1.0
    optimizer.apply([tf.constant([[gradient]])], [variable])
    assert variable.numpy()[0, 0] == pytest.approx(expected, rel=1e-4)
