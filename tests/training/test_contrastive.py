"""Contrastive training: pairs of rows and their loss, a head by logistic regression."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

import zoo
from zoo.builders import build
from zoo.data.epochs import EpochCursor
from zoo.distribute import distributed, strategy_for
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.training.contrastive import ContrastiveModel, FitHead
from zoo.training.contrastive_pairs import IdsInMemory, draw_pairs, pair_batches, pairs_per_row

SIZES = {"hidden_dim": 8, "feed_forward_dim": 12, "num_layers": 1, "num_heads": 2}
SMALL = {f"architecture.{key}": value for key, value in SIZES.items()} | {
    "architecture.vocabulary_size": 40,
    "architecture.max_positions": 16,
    "data.max_length": 16,
    "architecture.num_segments": 0,
    "architecture.separator_id": 0,
    "architecture.num_classes": 3,
    "recipe.init": None,
    "recipe.dtype_policy": "float32",
}


def model(**changes) -> ContrastiveModel:
    keras.utils.set_random_seed(1)
    return build(load_preset("transformer", "minilm-few", SMALL | changes))


def rows(count: int = 24) -> IdsInMemory:
    """Rows of 3 to 9 ids; the first says the class."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    ids = [
        np.append(5 + label, generator.integers(10, 40, generator.integers(2, 9))).astype(np.int32)
        for label in labels
    ]
    return IdsInMemory(ids, labels)


def as_arrays(some: IdsInMemory) -> tuple[np.ndarray, np.ndarray]:
    ids = tf.ragged.stack([tf.constant(row) for row in some.ids]).to_tensor().numpy()
    return ids, some.labels


@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0, 0], [1, 0], [0, 1, 1]])
def test_each_row_has_like_and_unlike_pairs(labels) -> None:
    labels = np.array(labels)
    pairs = draw_pairs(labels, 6, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(pairs.first), np.full(len(labels), 12))
    assert (pairs.first != pairs.second).all()
    np.testing.assert_array_equal(labels[pairs.first] == labels[pairs.second], pairs.alike)
    for row, label in enumerate(labels):
        alike = pairs.alike[pairs.first == row].sum()
        assert alike == (6 if (labels == label).sum() > 1 else 0)


def test_partners_are_all_rows_alike_as_often() -> None:
    labels = np.array([2, 0, 1, 0, 2, 2, 1, 0])
    pairs = draw_pairs(labels, 3000, np.random.default_rng(0))
    for kind, others in ((1.0, [4, 5]), (0.0, [1, 2, 3, 6, 7])):
        chosen = pairs.second[(pairs.first == 0) & (pairs.alike == kind)]
        counts = np.bincount(chosen, minlength=8)
        assert sorted(np.flatnonzero(counts)) == others
        np.testing.assert_allclose(counts[others], 3000 / len(others), rtol=0.1)


@pytest.mark.parametrize(
    ("setting", "count", "expected"),
    [("auto", 120, 20), ("auto", 121, 10), ("auto", 250, 10), ("auto", 251, 5), (7, 500, 7)],
)
def test_fewer_pairs_a_row_where_rows_are_more(setting, count, expected) -> None:
    assert pairs_per_row(setting, count) == expected


def test_batches_hold_each_pair_once_and_little_padding() -> None:
    some = rows(60)
    found = list(pair_batches(some, per_row=5, batch_size=16, seed=0).as_numpy_iterator())
    assert [len(targets) for _, targets in found].count(16) == len(found) - 1
    ids = np.concatenate([np.pad(ids, ((0, 0), (0, 0), (0, 9 - ids.shape[2]))) for ids, _ in found])
    alike = np.concatenate([targets for _, targets in found])
    np.testing.assert_array_equal(ids[:, 0, 0] == ids[:, 1, 0], alike)
    firsts = {tuple(row[row > 0]) for row in ids[:, 0]}
    assert firsts == {tuple(row) for row in some.ids}
    assert alike.sum() == 300
    assert len(alike) == 600
    padding = np.mean([(batch == 0).mean() for batch, _ in found])
    assert padding < 0.3  # both rows are as long as the longer one of all of a batch
    assert {batch.shape[2] for batch, _ in found} > {5, 9}


def test_epochs_differ_and_a_cursor_begins_within_one() -> None:
    def epoch(number: int, batch: int) -> list[np.ndarray]:
        cursor = EpochCursor()
        cursor.set(number, batch)
        data = pair_batches(rows(), per_row=4, batch_size=2, seed=3, cursor=cursor)
        return [ids for ids, _ in data.as_numpy_iterator()]

    whole, rest = epoch(1, 0), epoch(1, 57)  # blocks have 50 batches
    assert len(whole) == 96
    for one, other in zip(whole[57:], rest, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(one.shape != other.shape for one, other in zip(whole, epoch(0, 0), strict=True))


def test_the_loss_is_the_squared_error_of_cosines() -> None:
    network = model(**{"architecture.dropout": 0.0, "architecture.attention_dropout": 0.0})
    (ids, targets), *_ = pair_batches(rows(), per_row=2, batch_size=96, seed=0).as_numpy_iterator()
    features = keras.Model(network.input, network.get_layer("unit_vectors").input)
    vectors = [np.asarray(features(ids[:, side])) for side in (0, 1)]
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in vectors]
    expected = np.mean((np.sum(units[0] * units[1], axis=1) - targets) ** 2)
    loss = network.train_on_batch(ids, targets, return_dict=True)["loss"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_answers_as_scikit_learn_does(classes) -> None:
    some, network = rows(), model(**{"architecture.num_classes": classes})
    some = IdsInMemory(some.ids, some.labels % classes)
    regression = network.fit_head(some)
    ids, _ = as_arrays(some)
    found = keras.ops.softmax(network.predict(ids, verbose=0))
    vectors = network.encoder(ids).numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.ones(len(ids)), atol=1e-5)
    np.testing.assert_allclose(found, regression.predict_proba(vectors), atol=1e-5)
    other = LogisticRegression(max_iter=2000).fit(vectors, some.labels)
    np.testing.assert_allclose(found, other.predict_proba(vectors), atol=1e-3)


def test_a_class_without_rows_is_not_predicted() -> None:
    some, network = rows(), model(**{"architecture.num_classes": 5})
    network.fit_head(some)
    logits = network.predict(as_arrays(some)[0], verbose=0)
    assert logits[:, :3].max() - 20 > logits[:, 3:].max()


def test_it_learns_from_arrays_as_any_keras_model() -> None:
    network = model(**{"recipe.optimizer.learning_rate": 0.01})
    ids, labels = as_arrays(rows(60))
    history = network.fit(ids, labels, epochs=4, validation_split=0.25, verbose=0).history
    assert set(history) == {"loss", "val_loss", "val_accuracy"}
    assert history["val_accuracy"][-1] == 1.0
    assert network.evaluate(ids, labels, verbose=0, return_dict=True)["accuracy"] == 1.0


def test_it_learns_from_a_dataset_without_validation(tmp_path) -> None:
    network = model(**{"recipe.optimizer.learning_rate": 0.01})
    ids, labels = as_arrays(rows(30))
    network.fit(tf.data.Dataset.from_tensor_slices((ids, labels)).batch(7), epochs=4, verbose=0)
    logits = network.predict(ids, verbose=0)
    assert (logits.argmax(axis=1) == labels).all()
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(ids, verbose=0), logits)
    assert isinstance(loaded, ContrastiveModel)


@pytest.mark.slow
def test_the_head_is_that_of_averaged_weights() -> None:
    network = model(**{"recipe.ema": 0.9, "recipe.optimizer.learning_rate": 0.01})
    ids, labels = as_arrays(rows(30))
    network.fit(ids, labels, validation_data=(ids, labels), verbose=0)
    fitted = network.get_layer("logits").kernel.numpy()
    network.fit_head(rows(30))
    np.testing.assert_allclose(network.get_layer("logits").kernel.numpy(), fitted, atol=1e-5)


def fitted(strategy: tf.distribute.Strategy, **changes) -> list[np.ndarray]:
    plain = {"architecture.dropout": 0.0, "architecture.attention_dropout": 0.0}
    with strategy.scope():
        network = model(**plain, **changes)
    some = rows()

    def make(replica_ids: range, replicas: int) -> tf.data.Dataset:
        return pair_batches(
            some, per_row=2, batch_size=7, seed=0, replica_ids=replica_ids, replicas=replicas
        )

    network.fit(distributed(strategy, make), callbacks=[FitHead(some)], verbose=0)
    return network.get_weights()


@pytest.mark.parametrize("devices", ["cpu", pytest.param("cpu:0,1", marks=pytest.mark.slow)])
def test_micro_batches_and_devices_train_as_one(devices: str) -> None:
    one = fitted(strategy_for("cpu"))
    pieces = 3 if devices == "cpu" else 1
    for left, right in zip(
        one, fitted(strategy_for(devices), **{"recipe.micro_batches": pieces}), strict=True
    ):
        np.testing.assert_allclose(left, right, atol=2e-5)


@pytest.mark.parametrize(
    ("ids", "labels", "message"),
    [
        (np.ones((3, 4), int), np.zeros(3, int), "3 rows of one class have no unlike pairs"),
        (np.ones((3, 4), int), np.zeros((3, 2)), r"Received: shapes \(3, 4\) and \(3, 2\)"),
    ],
)
def test_rows_without_pairs_are_refused(ids, labels, message) -> None:
    with pytest.raises(ZooError, match=message):
        model().fit(ids, labels, verbose=0)


def test_other_logits_than_those_of_the_features_are_refused(tmp_path) -> None:
    preset = load_preset("textcnn", "default", {"recipe.contrastive.name": "pairs"})
    with pytest.raises(ZooError, match="adds other logits .* architecture.ngram_buckets=0"):
        build(preset)
    without = {"architecture.ngram_buckets": 0, "architecture.ngram_sizes": ()}
    assert isinstance(build(preset.override(without)), ContrastiveModel)
    assert not isinstance(zoo.transformer(**SIZES), ContrastiveModel)
