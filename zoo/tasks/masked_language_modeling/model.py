"""The training model of masked language models: one loss a hidden token.

What is not public in Keras was written against 3.15.1: `_loss_tracker`, as in
`zoo.training.model`.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from zoo.training.model import TrainingModel


@keras.saving.register_keras_serializable(package="zoo")
class MaskedLanguageModel(TrainingModel):
    """A masked language model with a recipe; use it as any `keras.Model`, from ids to logits.

    A batch is `(x, targets, weights)`. Where `x` is `{"tokens": ids, "positions": positions}`,
    int32 `(rows, time)` and `(rows, told)`, logits are made of the tokens at these positions alone,
    and targets and weights are `(rows, told)`; where it is an array of ids, of all tokens. The loss
    is the mean over what has weight, of all rows, micro-batches and replicas.
    """

    @functools.cached_property
    def encoder(self) -> keras.Model:
        """The network up to the features of the tokens.

        A cached property is no attribute that Keras tracks: its layers would be saved twice.
        """
        return encoder_of(self)

    @functools.cached_property
    def hits(self) -> keras.metrics.Metric:
        """Share of the hidden tokens that are told right."""
        with self.distribute_strategy.scope():
            return keras.metrics.Mean(name="accuracy")

    @property
    def metrics(self) -> list[Any]:
        """Keras' own, and the accuracy."""
        return [*super().metrics, self.hits]

    def test_step(self, data: Any) -> dict[str, Any]:
        """Score a batch; return the metrics so far."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        losses, right = self.token_losses(x, y, training=False)
        self._count(losses, right, _weights(weights, y))
        return self.get_metrics_result()

    def _gradients(self, x: Any, y: Any, weights: Any) -> tuple[list[Any], tf.Tensor]:
        """Return the gradients of the mean loss over all hidden tokens; nothing for logits."""
        gradients, _ = super()._gradients(x, y, _weights(weights, y))
        return gradients, tf.zeros((0,))

    def _part_gradients(self, x: Any, y: Any, weights: Any) -> tuple[list[Any], Any, tf.Tensor]:
        """Return gradients of a part of the rows, nothing for outputs, and its hidden tokens.

        Of the mean over these; where there are other parts, of the sum.
        """
        count = tf.reduce_sum(weights)
        with tf.GradientTape() as tape:
            losses, right = self.token_losses(x, y, training=True)
            loss = tf.reduce_sum(losses * weights)
            if not self._in_parts:
                loss /= tf.maximum(count, 1.0)
            loss = self.optimizer.scale_loss(loss)
        self._count(losses, right, weights)
        values = [variable.value for variable in self.trainable_variables]
        gradients = self._without_repeated_rows(tape.gradient(loss, values))
        return gradients, tf.zeros((0,)), count

    def token_losses(self, x: Any, y: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss of each token in nats, and whether it is told right, both float32.

        Args:
            x: ids, or `{"tokens": ids, "positions": positions}`.
            y: targets, int32 `(rows, time)` or `(rows, told)`.
            training: whether something is dropped.
        """
        whole = not isinstance(x, dict)
        features = self.encoder(x if whole else x["tokens"], training=training)
        if not whole:
            features = tf.gather(features, x["positions"], batch_dims=1)
        transformed = self.get_layer("transform_norm")(self.get_layer("transform")(features))
        logits = self.get_layer("embedding")(transformed, reverse=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        right = tf.equal(tf.argmax(logits, axis=-1, output_type=y.dtype), y)
        return losses, tf.cast(right, tf.float32)

    def _count(self, losses: tf.Tensor, right: tf.Tensor, weights: tf.Tensor) -> None:
        """Take the tokens of a batch into loss and accuracy."""
        count = tf.reduce_sum(weights)
        mean = tf.math.divide_no_nan(tf.reduce_sum(losses * weights), count)
        self._loss_tracker.update_state(mean, sample_weight=count)
        self.hits.update_state(right, sample_weight=weights)


def encoder_of(network: keras.Model) -> keras.Model:
    """Return a masked language model's network up to the features of its tokens."""
    features = network.get_layer("transform").input
    return keras.Model(network.input, features, name=f"{network.name}_encoder")


def _weights(weights: Any, y: tf.Tensor) -> tf.Tensor:
    return tf.ones_like(y, tf.float32) if weights is None else weights
