"""A head by logistic regression on frozen features: the fit, its penalty, and `fit` with it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from image_parts import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from zoo.builders import build
from zoo.distribute import distributed, strategy_for
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.training.features import feature_network
from zoo.training.linear_probe import LinearProbe
from zoo.training.logistic_head import ABSENT, fitted_head, logistic_heads, loss
from zoo.training.model import TrainingModel

SMALL = {
    "architecture.depth": 8,
    "architecture.filters": [8, 8, 16],
    "architecture.image_size": 16,
    "architecture.num_classes": 2,
    "data.batch_size": 8,
    "recipe.epochs": 2,
    "recipe.min_steps": 0,
    "recipe.dtype_policy": "float32",
    "recipe.linear_probe.name": "only",
}


def model(**changes) -> TrainingModel:
    keras.utils.set_random_seed(1)
    return build(load_preset("resnet", "default", SMALL | changes))


def clouds(rows: int = 60, classes: int = 3, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return points around a center of their own for each class, off the origin and long."""
    generator = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    centers = np.eye(8)[:classes] * 4
    return 50 + 30 * (centers[labels] + spread * generator.normal(size=(rows, 8))), labels


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_answers_as_scikit_learn_does(classes: int) -> None:
    features, labels = clouds(classes=classes)
    choice = fitted_head([features], labels, classes, [0.01])
    assert (choice.penalty, choice.losses) == (0.01, {})
    centered = features - features.mean(axis=0)
    scaled = centered / np.sqrt((centered**2).sum(axis=1).mean())
    fitted = LogisticRegression(C=1 / (0.01 * len(labels)), tol=1e-8, max_iter=5000)
    expected = fitted.fit(scaled, labels).predict_proba(scaled)
    found = tf.nn.softmax(choice.head.logits(features)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_of_several_labels_has_a_regression_of_its_own() -> None:
    features, labels = clouds()
    targets = np.stack([labels == 0, labels != 1, labels < 9, labels > 9], axis=1).astype(int)
    (head,) = logistic_heads(features / 50, targets, 4, [0.01])
    estimator = OneVsRestClassifier(LogisticRegression(C=1 / (0.01 * 60), tol=1e-8, max_iter=5000))
    expected = estimator.fit(features / 50, targets[:, :2]).predict_proba(features / 50)
    logits = head.logits(features / 50)
    np.testing.assert_allclose(tf.sigmoid(logits[:, :2]).numpy(), expected, atol=1e-4)
    # A label that all rows have, or none, is answered so.
    np.testing.assert_array_equal(logits[:, 2:], np.tile([-ABSENT, ABSENT], (60, 1)))


def test_noisier_features_want_a_larger_penalty() -> None:
    penalties = [10.0**power for power in range(1, -6, -1)]
    clear, noisy = (
        fitted_head([features], labels, 3, penalties)
        for features, labels in (clouds(spread=0.2), clouds(spread=6.0))
    )
    assert clear.penalty < 1e-2 <= noisy.penalty
    assert list(clear.losses) == penalties
    assert clear.losses[clear.penalty] == min(clear.losses.values()) < 0.1


def test_views_of_a_row_are_in_one_fold_and_all_are_fitted() -> None:
    """Of labels that say nothing, a copy in another fold would be known by heart."""
    features = np.random.default_rng(0).normal(size=(40, 64))
    labels = np.random.default_rng(1).integers(0, 2, 40)
    choice = fitted_head([features, features], labels, 2, [1e-6])
    alone = fitted_head([features], labels, 2, [1e-6])
    np.testing.assert_allclose(choice.head.kernel, alone.head.kernel, rtol=1e-3, atol=1e-4)
    losses = fitted_head([features, features + 1e-3], labels, 2, [1e-1, 1e-6]).losses
    assert losses[1e-6] > 1.0 > losses[1e-1]  # nats; chance has .69


def test_rows_that_are_too_few_for_folds_have_a_head() -> None:
    features, labels = np.eye(2), np.array([0, 2])
    choice = fitted_head([features], labels, 3, [0.1, 0.01])
    assert choice.head.logits(features).argmax(axis=1).tolist() == [0, 2]
    assert (choice.head.logits(features)[:, 1] < -25).all()  # no row has that class
    one = fitted_head([features], np.array([1, 1]), 3, [0.1, 0.01]).head
    assert one.logits(features).argmax(axis=1).tolist() == [1, 1]
    single = fitted_head([features[:1]], labels[1:], 3, [0.1, 0.01])  # none could be held out
    assert (single.penalty, single.losses) == (0.1, {})
    assert single.head.logits(features).argmax(axis=1).tolist() == [2, 2]


def test_weights_count_as_copies_do() -> None:
    features, labels = clouds(rows=30, classes=2, spread=3.0)
    weights = np.where(labels == 0, 3.0, 1.0)
    (weighted,) = logistic_heads(features / 50, labels, 2, [0.1], weights)
    rows = np.repeat(np.arange(30), weights.astype(int))
    # The mean is over the rows: of twice as many copies half the penalty is as much.
    (copied,) = logistic_heads(features[rows] / 50, labels[rows], 2, [0.1 * 30 / len(rows)])
    np.testing.assert_allclose(weighted.kernel, copied.kernel, atol=1e-3)
    # Of several labels a row, one weight a row is that of each of its labels.
    several = np.stack([labels, 1 - labels], axis=1)
    whole, parts = (
        next(logistic_heads(features / 50, several, 2, [0.1], of_rows))
        for of_rows in (weights, np.stack([weights, weights], axis=1))
    )
    np.testing.assert_array_equal(whole.kernel, parts.kernel)
    assert not np.allclose(
        whole.kernel, next(logistic_heads(features / 50, several, 2, [0.1])).kernel
    )


def test_losses_in_closed_form() -> None:
    logits = np.array([[0.0, 0.0], [np.log(3.0), 0.0]])
    assert loss(np.array([0, 1]), logits) == pytest.approx(np.log(2) + np.log(4))
    several = loss(np.array([[1, 0], [0, 1]]), logits)
    assert several == pytest.approx(3 * np.log(2) + np.log(4))


def test_the_head_alone_is_fitted_to_arrays() -> None:
    network = model()
    images, labels = arrays(30)
    before = network.get_weights()
    history = network.fit(images, labels, validation_split=0.25, verbose=0)
    assert history.history == {} and network.best_epoch == 0
    head = network.get_layer("logits")
    changed = [
        variable.path
        for variable, old in zip(network.weights, before, strict=True)
        if (variable.numpy() != old).any()
    ]
    assert changed == [variable.path for variable in head.weights]
    features = feature_network(network)(images.astype(np.float32)).numpy()
    kept = features[:45], labels[:45]
    penalty = float(network.findings[0].evidence["penalty"])
    expected = fitted_head([kept[0]], kept[1], 2, [penalty]).head
    np.testing.assert_allclose(head.kernel.numpy(), expected.kernel, rtol=1e-3, atol=1e-5)
    assert (network.predict(images, verbose=0).argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize("data", ["dataset", "sequence"])
def test_datasets_are_read_too(data: str) -> None:
    images, labels = arrays(20)

    class Sequence(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, number: int):
            rows = slice(10 * number, 10 * number + 10)
            return images[rows], labels[rows]

    made = tf.data.Dataset.from_tensor_slices((images, labels)).batch(10)
    network = model()
    network.fit(made if data == "dataset" else Sequence(), verbose=0)
    assert network.evaluate(images, labels, verbose=0, return_dict=True)["accuracy"] > 0.9


def test_then_all_is_trained_and_the_start_is_kept_if_no_epoch_is_better() -> None:
    images, labels = arrays(30)
    rates = {"recipe.linear_probe.name": "first", "recipe.schedule.warmup_fraction": 0.0}
    network = model(**rates, **{"recipe.optimizer.learning_rate": 50.0})
    network.fit(images, labels, validation_data=(images, labels), verbose=0)
    assert network.best_epoch == 0
    only = model()
    only.fit(images, labels, verbose=0)
    for one, other in zip(network.get_weights(), only.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_averages_begin_with_the_fitted_head() -> None:
    images, labels = arrays(30)
    changes = {"recipe.ema": 0.99, "recipe.optimizer.learning_rate": 1e-9}
    network = model(
        **{"recipe.linear_probe.name": "first", "recipe.loss.label_smoothing": 0.0}, **changes
    )
    network.fit(images, labels, validation_data=(images, labels), verbose=0)
    only = model()
    only.fit(images, labels, verbose=0)
    kernels = [one.get_layer("logits").kernel.numpy() for one in (network, only)]
    np.testing.assert_allclose(*kernels, atol=1e-3)


def test_mirror_images_are_rows_too_and_means_of_views_are_what_they_are() -> None:
    images, labels = arrays(10)
    rows = [(images, labels)]
    network = model()
    network.fit(images, labels, callbacks=[LinearProbe(rows, mirrored=True)], verbose=0)
    features = feature_network(network)
    views = [features(part.astype(np.float32)).numpy() for part in (images, images[:, :, ::-1])]
    penalty = float(network.findings[0].evidence["penalty"])
    expected = fitted_head(views, labels, 2, [penalty]).head
    np.testing.assert_allclose(
        network.get_layer("logits").kernel.numpy(), expected.kernel, rtol=1e-3, atol=1e-5
    )
    both = model(**{"architecture.flip_average": True, "architecture.logit_scale": 0.5})
    both.fit(images, labels, callbacks=[LinearProbe(rows, mirrored=True)], verbose=0)
    penalty = float(both.findings[0].evidence["penalty"])
    means = feature_network(both)(images.astype(np.float32)).numpy()
    expected = fitted_head([means], labels, 2, [penalty]).head.logits(means)
    np.testing.assert_allclose(both.predict(images, verbose=0), expected, rtol=1e-3, atol=1e-3)


def test_devices_fit_the_same_head() -> None:
    images, labels = arrays(10)
    kernels = []
    for devices in ("cpu", "cpu:0,1"):
        strategy = strategy_for(devices)
        with strategy.scope():
            network = model()
        rows = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
        data = distributed(strategy, lambda ids, replicas, rows=rows: rows)
        network.fit(data, callbacks=[LinearProbe(rows)], validation_data=rows, verbose=0)
        kernels.append(network.get_layer("logits").kernel.numpy())
    np.testing.assert_array_equal(*kernels)


def test_a_distributed_dataset_alone_is_refused() -> None:
    strategy = strategy_for("cpu:0,1")
    with strategy.scope():
        network = model()
    rows = tf.data.Dataset.from_tensor_slices(arrays(10)).batch(8)
    data = distributed(strategy, lambda ids, replicas: rows)
    with pytest.raises(ZooError, match=r"has those of a replica.*LinearProbe\(rows\)"):
        network.fit(data, verbose=0)
