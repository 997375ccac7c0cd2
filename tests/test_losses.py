"""Losses against closed forms and against Keras' own."""

import math

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from zoo.recipe import Loss
from zoo.training.losses import MacroF1, make_loss

LOGITS = np.array([[0.0, math.log(3)], [0.0, 0.0]], "float32")  # p(1) = 3/4 and 1/2
LABELS = np.array([1, 0], "int32")


def test_cross_entropy() -> None:
    loss = make_loss(Loss(name="cross-entropy"))
    assert float(loss(LABELS, LOGITS)) == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2)


def test_focal_by_hand() -> None:
    loss = make_loss(Loss(name="focal", gamma=2.0))
    expected = -((1 / 4) ** 2 * math.log(3 / 4) + (1 / 2) ** 2 * math.log(1 / 2)) / 2
    assert float(loss(LABELS, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_focal_with_gamma_0_is_cross_entropy() -> None:
    focal, plain = make_loss(Loss(name="focal", gamma=0.0)), make_loss(Loss(name="cross-entropy"))
    assert float(focal(LABELS, LOGITS)) == pytest.approx(float(plain(LABELS, LOGITS)))


def test_label_smoothing_equals_keras_on_one_hot_labels() -> None:
    generator = np.random.default_rng(0)
    labels, logits = generator.integers(0, 5, 20), generator.normal(size=(20, 5)).astype("float32")
    ours = make_loss(Loss(name="cross-entropy", label_smoothing=0.1))
    keras_own = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    one_hot = keras.utils.to_categorical(labels, 5)
    assert float(ours(labels, logits)) == pytest.approx(float(keras_own(one_hot, logits)), rel=1e-5)


def test_class_weights_scale_each_example() -> None:
    loss = make_loss(Loss(name="cross-entropy"))
    weighted = loss(LABELS, LOGITS, sample_weight=np.array([2.0, 0.0], "float32"))
    assert float(weighted) == pytest.approx(-2 * math.log(3 / 4) / 2)


def test_macro_f1_agrees_with_scikit_learn_over_batches() -> None:
    generator = np.random.default_rng(1)
    labels, logits = generator.integers(0, 4, 90), generator.normal(size=(90, 4))
    metric = MacroF1(4)
    for start in range(0, 90, 32):
        metric.update_state(labels[start : start + 32], logits[start : start + 32])
    expected = f1_score(labels, logits.argmax(1), average="macro")
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0.0
