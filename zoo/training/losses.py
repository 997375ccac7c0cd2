"""The loss of a recipe: mean per example, from logits and integer labels."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from zoo.preset.recipe import Focal, Loss


@keras.saving.register_keras_serializable(package="zoo")
class ClassificationLoss(keras.losses.Loss):
    """Cross-entropy, focal or binary loss, with label smoothing, of each example.

    Keras takes the mean of the batch.

    Args:
        focal: whether easy examples weigh `(1 - p) ** gamma`, p being the true class's probability.
        label_smoothing: share of the target spread evenly over all classes, in [0, 1).
        gamma: exponent of the focal weight.
        binary: whether each class is a yes or no of its own, averaged over the classes.
        name: as for `keras.losses.Loss`.
        **kwargs: as for `keras.losses.Loss`.

    Source: Lin 2017, https://arxiv.org/abs/1708.02002 (focal; alpha is 1, class weights are the
        data's balance); Szegedy 2016, https://arxiv.org/abs/1512.00567 (label smoothing); Wightman
        2021, https://arxiv.org/abs/2110.00476 (binary).
    """

    def __init__(
        self,
        focal: bool = False,
        label_smoothing: float = 0.0,
        gamma: float = 2.0,
        binary: bool = False,
        name: str = "loss",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.focal = focal
        self.label_smoothing = label_smoothing
        self.gamma = gamma
        self.binary = binary

    def call(self, y_true: Any, y_pred: Any) -> tf.Tensor:
        """Return the float32 loss of each example, `(batch,)`.

        Args:
            y_true: integers `(batch,)`, or shares of the classes `(batch, classes)`.
            y_pred: logits `(batch, classes)`.
        """
        logits = tf.cast(y_pred, tf.float32)
        if self.binary:
            return self._binary(shares_of(y_true, logits.shape[-1]), logits)
        if is_blended(y_true):
            losses = tf.nn.softmax_cross_entropy_with_logits(tf.cast(y_true, tf.float32), logits)
        else:
            labels = tf.reshape(tf.cast(y_true, tf.int32), [-1])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        if not self.focal and not self.label_smoothing:
            return losses
        # Not below 1e-7: at 0 the power has no gradient for a gamma below 1.
        missing = tf.maximum(-tf.math.expm1(-losses), 1e-7)
        weight = tf.pow(missing, self.gamma) if self.focal else 1.0
        if self.label_smoothing:
            spread = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
            losses += self.label_smoothing * (spread - losses)
        return weight * losses

    def disagreement(self, logits: Any) -> tf.Tensor:
        """Return how far two answers to each row lie apart, logits `(2 * rows, classes)`."""
        return binary_disagreement(logits) if self.binary else disagreement(logits)

    def _binary(self, shares: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        smoothing = self.label_smoothing
        targets = (1.0 - smoothing) * shares + smoothing / logits.shape[-1]
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the loss again."""
        return {
            **super().get_config(),
            "focal": self.focal,
            "label_smoothing": self.label_smoothing,
            "gamma": self.gamma,
            "binary": self.binary,
        }


def is_blended(labels: Any) -> bool:
    """Whether labels are shares of the classes `(batch, classes)`, not integers `(batch,)`."""
    return len(labels.shape) == 2 and labels.shape[-1] != 1


def shares_of(labels: Any, num_classes: int) -> tf.Tensor:
    """Return labels as shares of the classes, float32 `(batch, classes)`."""
    if is_blended(labels):
        return tf.cast(labels, tf.float32)
    return tf.one_hot(tf.reshape(tf.cast(labels, tf.int32), [-1]), num_classes)


def classes_of(labels: Any) -> tf.Tensor:
    """Return labels as integers `(batch,)`, those of blends by the largest share."""
    if is_blended(labels):
        return tf.argmax(labels, axis=1, output_type=tf.int32)
    return tf.reshape(tf.cast(labels, tf.int32), [-1])


@keras.saving.register_keras_serializable(package="zoo")
class Accuracy(keras.metrics.SparseCategoricalAccuracy):
    """Share of examples whose largest logit is that of their label, or of a blend's largest."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch.

        Args:
            y_true: integers `(batch,)`, or shares of the classes `(batch, classes)`.
            y_pred: logits `(batch, classes)`.
            sample_weight: what each example counts, `(batch,)`; None is 1.
        """
        super().update_state(classes_of(y_true), y_pred, sample_weight)


@keras.saving.register_keras_serializable(package="zoo")
class MacroF1(keras.metrics.Metric):
    """F1 averaged over the classes that occur or are predicted; integer labels and logits.

    Examples count alike: weights are for the loss, and F1 already counts each class once.

    Args:
        num_classes: number of classes.
        name: key in the logs.
        **kwargs: as for `keras.metrics.Metric`.
    """

    def __init__(self, num_classes: int, name: str = "macro_f1", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.confusion = self.add_weight(
            shape=(num_classes, num_classes), initializer="zeros", name="confusion"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch.

        Args:
            y_true: integers `(batch,)`, or shares of the classes `(batch, classes)`.
            y_pred: logits `(batch, classes)`.
            sample_weight: not used.
        """
        labels = classes_of(y_true)
        predicted = tf.argmax(y_pred, axis=1, output_type=tf.int32)
        counts = tf.math.confusion_matrix(labels, predicted, self.num_classes, dtype=tf.float32)
        self.confusion.assign_add(counts)

    def result(self) -> tf.Tensor:
        """Return the F1, a float32 scalar."""
        confusion = tf.convert_to_tensor(self.confusion)
        total = tf.reduce_sum(confusion, axis=0) + tf.reduce_sum(confusion, axis=1)
        f1 = tf.math.divide_no_nan(2.0 * tf.linalg.diag_part(confusion), total)
        return tf.math.divide_no_nan(
            tf.reduce_sum(f1), tf.reduce_sum(tf.cast(total > 0, tf.float32))
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the metric again."""
        return {**super().get_config(), "num_classes": self.num_classes}


def disagreement(logits: Any) -> tf.Tensor:
    """Return how far the two answers to each row lie apart: the mean of both KL divergences.

    Args:
        logits: `(2 * rows, classes)`, first of all rows, then of all rows again.

    Returns:
        The mean over the rows, a float32 scalar.

    Source: Wu 2021, https://arxiv.org/abs/2106.14448, equation 2.
    """
    one, other = (tf.nn.log_softmax(part) for part in tf.split(tf.cast(logits, tf.float32), 2))
    both = tf.reduce_sum((tf.exp(one) - tf.exp(other)) * (one - other), axis=1)
    return tf.reduce_mean(both) / 2


def binary_disagreement(logits: Any) -> tf.Tensor:
    """Return `disagreement` of a yes or no a class, the mean over the classes."""
    one, other = tf.split(tf.cast(logits, tf.float32), 2)
    # The logarithms of the odds differ as the logits do.
    return tf.reduce_mean((tf.sigmoid(one) - tf.sigmoid(other)) * (one - other)) / 2


def make_loss(loss: Loss) -> ClassificationLoss:
    """Return the loss of a recipe."""
    return ClassificationLoss(
        focal=loss.name == "focal",
        label_smoothing=loss.label_smoothing,
        gamma=loss.gamma if isinstance(loss, Focal) else 0.0,
        binary=loss.name == "binary-cross-entropy",
    )
