"""The training model of language models: what windows leave to the next, one loss a token.

What is not public in Keras was written against 3.15.1: `_loss_tracker`, as in
`zoo.training.model`.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.layers.kernels import Kernels, use_kernels
from zoo.models import with_states
from zoo.tasks.corpora.token_ids import check_ids
from zoo.training.kernels.token_loss import token_losses, token_losses_and_gradients
from zoo.training.model import TrainingModel
from zoo.training.statistics import StepStatistics, local_variable

LARGEST_WATCHED = 2**20  # values of a kernel
MOST_ROWS = 256  # of a batch whose state is carried, in a model that knows no batch size


@keras.saving.register_keras_serializable(package="zoo")
class LanguageModel(TrainingModel):
    """A language model with a recipe; use it as any `keras.Model`, from ids to logits.

    A batch is `(x, targets)` or `(x, targets, weights)`, each `(rows, time)`; tokens of weight 0
    are padding. Where `x` is an array of ids, each row is a text of its own. Where it is
    `{"tokens": ids, "reset": flags}`, a row continues the same row of the batch before, unless its
    flag is true; the network's file in `zoo.models` says what it carries over, if anything. The
    loss is the mean over the tokens of the batch.

    Attributes:
        window: tokens of a window for which the learning rate is meant; a shorter one gets a rate
            in proportion (AWD-LSTM). None for none of that.
        context: tokens that the network sees at the most; None where it carries a state on.
        scoring_stride: tokens by which the context moves on where texts are longer.
    """

    window: int | None = None
    context: int | None = None
    scoring_stride: int | None = None
    SAVED = (*TrainingModel.SAVED, "window", "context", "scoring_stride")

    @functools.cached_property
    def windowed(self) -> keras.Model:
        """The network with its state in and out.

        A cached property is no attribute that Keras tracks: its layers would be saved twice.
        """
        return with_states(self)

    @functools.cached_property
    def carried(self) -> dict[bool, list[tf.Variable]]:
        """The states after the last window: of training under True, of scoring under False.

        Of `batch_size` rows; a window may have fewer. Of unknown size they must not be: TensorFlow
        2.21 then takes the sizes of the first window for those of all.
        """
        states = self.windowed.inputs[1:]
        with self.distribute_strategy.scope():
            return {
                training: [
                    local_variable(tf.zeros((self.batch_size or MOST_ROWS, *state.shape[1:])))
                    for state in states
                ]
                for training in (True, False)
            }

    @functools.cached_property
    def statistics(self) -> StepStatistics:
        """Norms and rates of the steps; of large kernels a copy a step would cost too much."""
        matrices = [
            variable
            for variable in self.trainable_variables
            if len(variable.shape) > 1 and math.prod(variable.shape[:2]) <= LARGEST_WATCHED
        ]
        with self.distribute_strategy.scope():
            return StepStatistics(matrices)

    @property
    def carried_variables(self) -> list[tf.Variable]:
        """The states that a run is resumed from within an epoch."""
        return self.carried[True]

    @property
    def kernels(self) -> Kernels:
        """The recurrence's alone: other layers have none, the table's gradient is mostly dense."""
        return Kernels(recurrence=super().kernels.recurrence)

    def get_metrics_result(self) -> dict[str, Any]:
        """Return Keras' metrics and the perplexity, the exponential of the loss."""
        metrics = super().get_metrics_result()
        return {**metrics, "perplexity": tf.exp(metrics["loss"])}

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `TrainingModel.fit`; ids of arrays are checked before the first step (A18).

        Raises:
            ZooError: an id is not in the vocabulary, or as in `TrainingModel.fit`.
        """
        vocabulary_size = int(self.output.shape[-1])
        for name, ids in (("x", x), ("y", y)):
            if isinstance(ids, np.ndarray):
                check_ids(ids, vocabulary_size, name)
        return super().fit(x, y, *args, **kwargs)

    def make_test_function(self, force: bool = False) -> None:
        """Make the function that scores a window, after the states: no replica may make them."""
        _ = self.carried
        super().make_test_function(force)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Score a window; return the metrics so far."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        tokens, states = self._begin_window(x, training=False)
        with use_kernels(self.kernels):
            features, *states = self._continued([tokens, *states], training=False)
        self._end_window(states, training=False)
        flat, targets, weights = _flat(features, y, weights)
        embedding = self.get_layer("embedding")
        table, bias = embedding.output_embeddings.value, embedding.bias.value
        losses = token_losses(flat, table, bias, targets)
        self._count(losses, weights)
        return self.get_metrics_result()

    def _gradients(self, x: Any, y: Any, weights: Any) -> tuple[list[Any], tf.Tensor]:
        """Return the gradients of the mean loss over all tokens; nothing instead of logits."""
        tokens, states = self._begin_window(x, training=True)
        if self.window is not None and self.schedule is not None:
            time = tf.cast(tf.shape(tokens)[1], tf.float32)
            self.schedule.window.assign(time / float(self.window))
        if weights is None:
            weights = tf.ones_like(y, tf.float32)
        gradients, states = super()._gradients([tokens, *states], y, weights)
        self._end_window(states, training=True)
        return gradients, tf.zeros((0,))

    def _part_gradients(
        self, x: Any, y: Any, weights: Any
    ) -> tuple[list[Any], list[tf.Tensor], tf.Tensor]:
        """Return gradients of a part of the rows, their states after the window, and the tokens.

        Of the mean over the tokens; where there are other parts, of the sum.
        """
        count = tf.reduce_sum(weights)
        embedding = self.get_layer("embedding")
        with tf.GradientTape() as tape:
            features, *states = self._continued(x, training=True)
            penalty = tf.add_n(self.windowed.losses) if self.windowed.losses else tf.constant(0.0)
        flat, targets, weights = _flat(features, y, weights)
        scale = self.optimizer.scale_loss(tf.constant(1.0))
        scale /= 1.0 if self._in_parts else tf.maximum(count, 1.0)
        losses, (grad_features, grad_table, grad_bias) = token_losses_and_gradients(
            flat,
            embedding.output_embeddings.value,
            embedding.bias.value,
            targets,
            weights * scale,
        )
        self._count(losses, weights)
        gradients = tape.gradient(
            [features, penalty],
            [variable.value for variable in self.trainable_variables],
            output_gradients=[
                tf.reshape(grad_features, tf.shape(features)),
                scale * tf.maximum(tf.reduce_sum(weights), 1.0),
            ],
        )
        output = {id(embedding.output_embeddings): grad_table, id(embedding.bias): grad_bias}
        gradients = [
            _summed(output.get(id(variable)), gradient)
            for variable, gradient in zip(self.trainable_variables, gradients, strict=True)
        ]
        return self._without_repeated_rows(gradients), states, count

    def _continued(self, x: list[tf.Tensor], training: bool) -> list[tf.Tensor]:
        """Return features and states after a window; Keras gives a single output bare."""
        outputs: list[tf.Tensor] = keras.tree.flatten(self.windowed(x, training=training))
        return outputs

    def _count(self, losses: tf.Tensor, weights: tf.Tensor) -> None:
        """Take the tokens of a window into the mean loss."""
        count = tf.reduce_sum(weights)
        mean = tf.math.divide_no_nan(tf.reduce_sum(losses * weights), count)
        self._loss_tracker.update_state(mean, sample_weight=count)

    def _begin_window(self, x: Any, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return ids and the states before the first of them."""
        tokens = x["tokens"] if isinstance(x, dict) else x
        rows = tf.shape(tokens)[0]
        states = []
        for variable in self.carried[training]:
            state = tf.zeros((rows, variable.shape[1]))
            if isinstance(x, dict):
                state = tf.where(tf.reshape(x["reset"], (-1, 1)), state, variable[:rows])
            states.append(state)
        return tokens, states

    def _end_window(self, states: list[tf.Tensor], training: bool) -> None:
        for variable, state in zip(self.carried[training], states, strict=True):
            rest = variable[tf.shape(state)[0] :]
            variable.assign(tf.concat([state, rest], axis=0))


def _flat(
    features: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return features `(tokens, features)`, targets and weights `(tokens,)`, time first."""
    targets = tf.reshape(tf.transpose(tf.cast(targets, tf.int32)), [-1])
    if weights is None:
        weights = tf.ones_like(targets, tf.float32)
    else:
        weights = tf.reshape(tf.transpose(tf.cast(weights, tf.float32)), [-1])
    return tf.reshape(features, [-1, features.shape[-1]]), targets, weights


def _summed(output: tf.Tensor | None, gradient: Any) -> Any:
    """Return the sum of the output projection's gradient, where there is one, and the tape's."""
    if output is None:
        return gradient
    if gradient is None:
        return output
    if isinstance(gradient, tf.IndexedSlices):
        return tf.tensor_scatter_nd_add(output, gradient.indices[:, None], gradient.values)
    return output + gradient
