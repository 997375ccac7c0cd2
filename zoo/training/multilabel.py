"""Loss and score of several labels a row: from logits and 0 or 1 of each label."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from zoo.preset.recipe import Focal, Loss
from zoo.training.losses import binary_disagreement

BINS = 200  # of probabilities: thresholds that a score is taken at


@keras.saving.register_keras_serializable(package="zoo")
class MultilabelLoss(keras.losses.Loss):
    """Binary cross-entropy of every label, summed over the labels of a row.

    The sum is the negative log-likelihood of a row, of the size of the cross-entropy of a single
    label: a recipe's rates hold for both, however many labels there are. Keras takes the mean of
    the batch.

    Args:
        focal: whether easy labels weigh `(1 - p) ** gamma`, p being the probability of what is so.
        label_smoothing: share of the target spread evenly over all labels, in [0, 1).
        gamma: exponent of the focal weight.
        mean: whether the labels are averaged, not summed.
        name: as for `keras.losses.Loss`.
        **kwargs: as for `keras.losses.Loss`.

    Source: Nam 2014, https://arxiv.org/abs/1312.5419; Lin 2017, https://arxiv.org/abs/1708.02002
        (focal).
    """

    def __init__(
        self,
        focal: bool = False,
        label_smoothing: float = 0.0,
        gamma: float = 2.0,
        mean: bool = False,
        name: str = "loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.focal = focal
        self.label_smoothing = label_smoothing
        self.gamma = gamma
        self.mean = mean

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Return the mean loss.

        Args:
            y_true: see `call`.
            y_pred: see `call`.
            sample_weight: of rows `(batch,)`, or of labels `(batch, classes)`; None is 1.
        """
        if sample_weight is not None and len(sample_weight.shape) == 1:
            sample_weight = tf.expand_dims(sample_weight, 1)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return float32 `(batch, classes)`, whose mean over all is that of the rows' losses.

        Args:
            y_true: 1 for each label that a row has, `(batch, classes)`; or shares, of blends.
            y_pred: logits `(batch, classes)`.
        """
        logits = tf.cast(y_pred, tf.float32)
        classes, smoothing = logits.shape[-1], self.label_smoothing
        targets = (1.0 - smoothing) * tf.cast(y_true, tf.float32) + smoothing / classes
        losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits)
        if self.focal:
            probability = tf.sigmoid(logits)
            wrong = targets * (1.0 - probability) + (1.0 - targets) * probability
            losses *= tf.pow(tf.maximum(wrong, 1e-7), self.gamma)
        # Keras divides by batch and labels.
        return losses if self.mean else classes * losses

    def disagreement(self, logits: Any) -> tf.Tensor:
        """Return how far two answers to each row lie apart, logits `(2 * rows, classes)`."""
        return binary_disagreement(logits) * (1 if self.mean else logits.shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the loss again."""
        return {
            **super().get_config(),
            "focal": self.focal,
            "label_smoothing": self.label_smoothing,
            "gamma": self.gamma,
            "mean": self.mean,
        }


def make_multilabel_loss(loss: Loss) -> MultilabelLoss:
    """Return the loss of a recipe for several labels a row."""
    return MultilabelLoss(
        focal=loss.name == "focal",
        label_smoothing=loss.label_smoothing,
        gamma=loss.gamma if isinstance(loss, Focal) else 0.0,
        mean=loss.name == "binary-cross-entropy",
    )


@keras.saving.register_keras_serializable(package="zoo")
class MultilabelF1(keras.metrics.Metric):
    """F1 at the threshold whose micro F1 is the highest, one for all labels.

    At the fixed threshold of .5 nothing is predicted in the first epochs where labels are rare,
    and all are equally bad. The threshold is one of 200, so the score may be a little below that of
    `zoo.multilabel_scores.best_rule`.

    Args:
        num_classes: number of labels.
        average: `micro` counts labels of all rows alike, `macro` averages over the labels that
            occur or are predicted.
        at_least_one: whether the most probable label of a row is predicted in any case.
        name: key in the logs.
        **kwargs: as for `keras.metrics.Metric`.
    """

    def __init__(
        self,
        num_classes: int,
        average: str = "micro",
        at_least_one: bool = True,
        name: str = "micro_f1",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.num_classes, self.average, self.at_least_one = num_classes, average, at_least_one
        # Of each label, by the probability it was given: rows that have it, and all rows.
        self.true = self._counts("true")
        self.all = self._counts("all")

    def _counts(self, name: str) -> Any:
        return self.add_weight(shape=(BINS + 1, self.num_classes), initializer="zeros", name=name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch.

        Args:
            y_true: 1 for each label that a row has, `(batch, classes)`; or shares, of blends.
            y_pred: logits `(batch, classes)`.
            sample_weight: not used.
        """
        logits = tf.cast(y_pred, tf.float32)
        bins = tf.cast(BINS * tf.sigmoid(logits), tf.int32)
        bins = tf.clip_by_value(bins, 0, BINS - 1)
        if self.at_least_one:
            best = tf.one_hot(
                tf.argmax(logits, axis=1),
                self.num_classes,
                dtype=tf.bool,
                on_value=True,
                off_value=False,
            )
            bins = tf.where(best, BINS, bins)
        places = tf.reshape(bins * self.num_classes + tf.range(self.num_classes), [-1])
        has = tf.reshape(tf.cast(tf.cast(y_true, tf.float32) >= 0.5, tf.float32), [-1])
        shape = (BINS + 1, self.num_classes)
        for counts, values in ((self.true, has), (self.all, tf.ones_like(has))):
            added = tf.math.unsorted_segment_sum(values, places, shape[0] * shape[1])
            counts.assign_add(tf.reshape(added, shape))

    def result(self) -> tf.Tensor:
        """Return the F1, a float32 scalar."""
        hits, predicted = (
            tf.cumsum(tf.convert_to_tensor(counts), axis=0, reverse=True)
            for counts in (self.true, self.all)
        )
        true = hits[0]
        micro = tf.math.divide_no_nan(
            2.0 * tf.reduce_sum(hits, axis=1),
            tf.reduce_sum(predicted, axis=1) + tf.reduce_sum(true),
        )
        if self.average == "micro":
            return tf.reduce_max(micro)
        best = tf.argmax(micro)
        total = predicted[best] + true
        f1 = tf.math.divide_no_nan(2.0 * hits[best], total)
        occurring = tf.reduce_sum(tf.cast(total > 0, tf.float32))
        return tf.math.divide_no_nan(tf.reduce_sum(f1), occurring)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the metric again."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "average": self.average,
            "at_least_one": self.at_least_one,
        }
