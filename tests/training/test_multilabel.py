"""Loss and score of several labels a row: closed forms, weights, and one step however it is cut."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from replica_parts import CLASSES, small
from scipy.special import expit
from sklearn.metrics import f1_score

from zoo.distribute import strategy_for
from zoo.multilabel_scores import best_rule, scores
from zoo.preset.recipe import BinaryCrossEntropy, CrossEntropy, Focal
from zoo.training.multilabel import MultilabelF1, make_multilabel_loss

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 2, (12, 4)).astype("float32")
TRUE = (RANDOM.random((12, 4)) < 0.3).astype("float32")


def entropies() -> np.ndarray:
    return -(TRUE * np.log(expit(LOGITS)) + (1 - TRUE) * np.log(expit(-LOGITS)))


def test_the_loss_of_a_row_is_the_sum_over_its_labels() -> None:
    loss = make_multilabel_loss(CrossEntropy())
    assert float(loss(TRUE, LOGITS)) == pytest.approx(entropies().sum(axis=1).mean(), rel=1e-5)
    mean = make_multilabel_loss(BinaryCrossEntropy())
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(TRUE, LOGITS)
    assert float(mean(TRUE, LOGITS)) == pytest.approx(float(expected), rel=1e-5)


def test_half_precision_is_computed_in_float32() -> None:
    half = make_multilabel_loss(CrossEntropy())(TRUE, tf.cast(LOGITS, tf.bfloat16))
    exact = make_multilabel_loss(CrossEntropy())(
        TRUE, tf.cast(tf.cast(LOGITS, tf.bfloat16), tf.float32)
    )
    assert half.dtype == tf.float32 and float(half) == float(exact)
    far = make_multilabel_loss(CrossEntropy())(np.eye(2, dtype="float32"), 1e4 * np.eye(2))
    assert np.isfinite(float(far))


def test_focal_and_smoothing_closed_forms() -> None:
    p = np.where(TRUE == 1, expit(LOGITS), expit(-LOGITS))
    focal = make_multilabel_loss(Focal(gamma=2.0))(TRUE, LOGITS)
    assert float(focal) == pytest.approx((-((1 - p) ** 2) * np.log(p)).sum(axis=1).mean(), rel=1e-4)
    smooth = make_multilabel_loss(CrossEntropy(label_smoothing=0.1))(TRUE, LOGITS)
    targets = 0.9 * TRUE + 0.1 / 4
    each = -(targets * np.log(expit(LOGITS)) + (1 - targets) * np.log(expit(-LOGITS)))
    assert float(smooth) == pytest.approx(each.sum(axis=1).mean(), rel=1e-5)


def test_weights_are_of_labels_or_of_rows() -> None:
    loss, weights = make_multilabel_loss(CrossEntropy()), RANDOM.random((12, 4)).astype("float32")
    found = float(loss(TRUE, LOGITS, sample_weight=weights))
    assert found == pytest.approx((weights * entropies()).sum(axis=1).mean(), rel=1e-5)
    of_rows = float(loss(TRUE, LOGITS, sample_weight=weights[:, 0]))
    expected = (weights[:, 0] * entropies().sum(axis=1)).mean()
    assert of_rows == pytest.approx(expected, rel=1e-5)


def test_loss_and_metric_are_saved_with_a_model() -> None:
    loss = make_multilabel_loss(Focal(gamma=1.5, label_smoothing=0.1))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(TRUE, LOGITS)) == float(loss(TRUE, LOGITS))
    metric = MultilabelF1(4, "macro", at_least_one=False, name="macro_f1")
    assert MultilabelF1.from_config(metric.get_config()).get_config() == metric.get_config()


@pytest.mark.parametrize("at_least_one", [True, False])
def test_f1_is_that_of_the_best_threshold(at_least_one: bool) -> None:
    from scipy.sparse import csr_matrix

    true = RANDOM.random((500, 4)) < [0.4, 0.2, 0.1, 0.05]
    logits = (RANDOM.normal(-2, 1.5, true.shape) + 2.5 * true).astype("float32")
    metrics = {name: MultilabelF1(4, name, at_least_one) for name in ("micro", "macro")}
    for metric in metrics.values():
        for rows in (slice(0, 7), slice(7, 300), slice(300, 500)):
            metric.update_state(true[rows].astype("float32"), logits[rows])
    rule = best_rule(csr_matrix(true), logits, at_least_one)
    exact = scores(csr_matrix(true), logits, rule)
    found = {name: float(metric.result()) for name, metric in metrics.items()}
    assert exact["micro_f1"] - 0.01 < found["micro"] <= exact["micro_f1"] + 1e-6
    assert found["macro"] == pytest.approx(exact["macro_f1"], abs=0.03)
    metrics["micro"].reset_state()
    assert float(metrics["micro"].result()) == 0.0


def test_f1_of_certain_answers() -> None:
    metric = MultilabelF1(3)
    logits = np.where(np.eye(3), 50.0, -50.0).astype("float32")
    metric.update_state(np.eye(3, dtype="float32"), logits)
    assert float(metric.result()) == 1.0
    assert f1_score(np.eye(3), logits > 0, average="micro") == 1.0


def trained(
    micro_batches: int = 1, strategy: tf.distribute.Strategy | None = None, jit: bool = False
) -> list:
    generator = np.random.default_rng(0)
    ids = generator.integers(1, 50, (37, 7)).astype("int32")
    true = (generator.random((37, CLASSES)) < 0.4).astype("float32")
    weights = (1.0 + true * generator.random(CLASSES)).astype("float32")
    keras.utils.set_random_seed(0)
    with (strategy or tf.distribute.get_strategy()).scope():
        changes = {
            "data.labels.name": "several",
            "recipe.micro_batches": micro_batches,
            "recipe.jit": jit,
        }
        model = small("fasttext", "lazy_adamw", **changes)
    dataset = tf.data.Dataset.from_tensor_slices((ids, true, weights)).batch(8)
    if strategy is not None:
        dataset = strategy.experimental_distribute_dataset(dataset)
    history = model.fit(dataset, epochs=2, verbose=0)
    scores = [np.array(history.history[key]) for key in ("loss", "micro_f1")]
    return [*model.get_weights(), *scores]


def test_a_step_is_that_of_the_undivided_batch() -> None:
    whole = trained()
    replicas = trained(strategy=strategy_for("cpu:0,1"))
    for other in (trained(3), replicas, trained(jit=True)):
        for one, two in zip(whole, other, strict=True):
            np.testing.assert_allclose(one, two, rtol=2e-4, atol=2e-6)
