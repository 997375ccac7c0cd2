import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax
from sklearn.metrics import f1_score

from zoo.preset.recipe import CrossEntropy, Focal, Loss
from zoo.scores import scores
from zoo.training.losses import Accuracy, ClassificationLoss, MacroF1, make_loss

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 3, (12, 4)).astype("float32")
LABELS = RANDOM.integers(0, 4, 12).astype("int32")


def of_each(loss: Loss) -> np.ndarray:
    return np.asarray(make_loss(loss).call(LABELS, LOGITS))


def test_cross_entropy_is_the_log_of_the_true_class() -> None:
    expected = -np.log(softmax(LOGITS, axis=1)[np.arange(12), LABELS])
    np.testing.assert_allclose(of_each(CrossEntropy()), expected, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.1, 0.4])
def test_label_smoothing_equals_keras_on_one_hot_targets(smoothing: float) -> None:
    expected = keras.losses.categorical_crossentropy(
        keras.ops.one_hot(LABELS, 4), LOGITS, from_logits=True, label_smoothing=smoothing
    )
    found = of_each(CrossEntropy(label_smoothing=smoothing))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_closed_form(gamma: float) -> None:
    p = softmax(LOGITS, axis=1)[np.arange(12), LABELS]
    found = of_each(Focal(gamma=gamma))
    np.testing.assert_allclose(found, -((1 - p) ** gamma) * np.log(p), rtol=2e-4, atol=1e-9)


def test_focal_with_gamma_0_is_cross_entropy() -> None:
    found = of_each(Focal(gamma=0.0))
    np.testing.assert_allclose(found, of_each(CrossEntropy()), rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradient_is_finite_where_the_answer_is_certain(gamma: float) -> None:
    logits = tf.constant([[90.0, -90.0], [-90.0, 90.0]])  # one right, one wrong
    loss = make_loss(Focal(gamma=gamma, label_smoothing=0.1))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(tf.constant([0, 0]), logits)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, logits)).all()


def test_mean_per_example_and_weights() -> None:
    loss = make_loss(CrossEntropy())
    each = of_each(CrossEntropy())
    assert float(loss(LABELS, LOGITS)) == pytest.approx(each.mean(), rel=1e-5)
    weights = RANDOM.random(12).astype("float32")
    weighted = float(loss(LABELS, LOGITS, sample_weight=weights))
    assert weighted == pytest.approx((each * weights).sum() / 12, rel=1e-5)


def test_half_precision_logits_are_computed_in_float32() -> None:
    loss = make_loss(CrossEntropy())
    assert loss.call(LABELS, tf.cast(LOGITS, tf.float16)).dtype == tf.float32


def test_macro_f1_over_batches_equals_scores_and_scikit_learn() -> None:
    labels, logits = LABELS % 3, LOGITS.copy()
    logits[:, 3] = -50  # class 3 neither occurs nor is predicted
    metric = MacroF1(4)
    for rows in (slice(0, 5), slice(5, 12)):
        metric.update_state(labels[rows], logits[rows])
    assert float(metric.result()) == pytest.approx(scores(labels, logits)["macro_f1"], rel=1e-6)
    expected = f1_score(labels, logits.argmax(1), average="macro")
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize(
    "thing",
    [make_loss(Focal(gamma=1.5, label_smoothing=0.2)), MacroF1(7)],
    ids=["loss", "metric"],
)
def test_configs_build_the_same_again(thing) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(thing))
    assert again.get_config() == thing.get_config()


def test_losses_of_blends_and_of_yes_or_no():
    logits = tf.constant([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])
    shares = tf.constant([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]])
    logs = logits.numpy() - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(shares.numpy() * logs).sum(axis=1)
    np.testing.assert_allclose(ClassificationLoss().call(shares, logits), expected, rtol=1e-5)
    smooth = 0.9 * shares.numpy() + 0.1 / 3
    loss = ClassificationLoss(label_smoothing=0.1).call(shares, logits)
    np.testing.assert_allclose(loss, -(smooth * logs).sum(axis=1), rtol=1e-5)
    yes, probability = shares.numpy(), 1 / (1 + np.exp(-logits.numpy()))
    binary = -(yes * np.log(probability) + (1 - yes) * np.log(1 - probability)).mean(axis=1)
    np.testing.assert_allclose(
        ClassificationLoss(binary=True).call(shares, logits), binary, rtol=1e-5
    )
    labels = ClassificationLoss(binary=True).call(tf.constant([0, 2]), logits)
    np.testing.assert_allclose(labels[1], binary[1], rtol=1e-5)
    metric = Accuracy()
    metric.update_state(shares, logits)
    assert float(metric.result()) == 1.0
