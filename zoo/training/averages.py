"""A moving average of the weights, which is validated and kept in their place."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from zoo.preset.recipe import Recipe
from zoo.training.statistics import local_variable

# Steps between two updates of the average, each with the decay to that power: over the hundreds of
# steps that it reaches back this is the same average, at an eighth of the memory traffic (an update
# reads and writes all of every table).
EVERY = 8


class Averages:
    """Exponential moving average of variables.

    The decay rises with the steps of a run, `min(decay, (1 + step) / (10 + step))`, so that a
    short one is not dragged back to its start (the rule of TensorFlow's
    `ExponentialMovingAverage`).

    Args:
        variables: weights and moving statistics; the average starts at their present values.
        decay: share of the old average that a step keeps, in (0, 1).

    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046.
    """

    def __init__(self, variables: list[Any], decay: float):
        self._variables = [variable.value for variable in variables]
        self._decay = decay
        # Every replica has the same weights, so each keeps the average of its own.
        self._averages = [local_variable(tf.convert_to_tensor(value)) for value in self._variables]
        self._steps = local_variable(tf.constant(0, tf.int64))
        self._pending = local_variable(tf.constant(0, tf.int64))
        self._swapped = False

    @property
    def variables(self) -> list[tf.Variable]:
        """All that the average is made of, for a checkpoint."""
        return [*self._averages, self._steps, self._pending]

    def restart(self) -> None:
        """Set the average to the present weights, and the count of steps to 0."""
        for average, value in zip(self._averages, self._variables, strict=True):
            average.assign(value)
        self._steps.assign(0)
        self._pending.assign(0)
        self._swapped = False

    def update(self) -> None:
        """Count a step, and take the weights into the average where it is due; a graph op."""
        self._steps.assign_add(1)
        pending = self._pending.assign_add(1)
        tf.cond(pending >= EVERY, self._take, lambda: tf.constant(False))

    def _take(self) -> tf.Tensor:
        share = self._share()
        for average, value in zip(self._averages, self._variables, strict=True):
            average.assign_add(tf.cast(share, average.dtype) * (value - average))
        self._pending.assign(0)
        return tf.constant(True)

    def _share(self) -> tf.Tensor:
        """Return the share of the present weights in the new average, by the steps since."""
        steps = tf.cast(self._steps, tf.float32)
        decay = tf.minimum(self._decay, (1.0 + steps) / (10.0 + steps))
        return 1.0 - decay ** tf.cast(self._pending, tf.float32)

    def swap(self) -> None:
        """Exchange weights and averages; twice is as before."""
        if not self._swapped and self._pending > 0:
            self._take()  # the last few steps: they may be all there were
        for average, value in zip(self._averages, self._variables, strict=True):
            kept = tf.identity(value)
            value.assign(average)
            average.assign(kept)
        self._swapped = not self._swapped

    def restore(self) -> None:
        """Put the weights back in their place if they are swapped out."""
        if self._swapped:
            self.swap()


class TriggeredAverages(Averages):
    """Plain mean of the weights of all steps since it was started; before that, no average.

    Args:
        variables: the variables.

    Source: Merity 2017, algorithm 1, https://arxiv.org/abs/1708.02182 (NT-ASGD). Differs: every
        eighth step's weights are taken, as in `Averages`.
    """

    def __init__(self, variables: list[Any]):
        super().__init__(variables, decay=1.0)
        self._started = local_variable(tf.constant(0, tf.int64))

    @property
    def variables(self) -> list[tf.Variable]:
        """All that the average is made of, for a checkpoint."""
        return [*super().variables, self._started]

    @property
    def started(self) -> bool:
        """Whether there is an average."""
        return bool(self._started.numpy())

    def start(self) -> None:
        """Begin to average, with the present weights."""
        super().restart()
        self._started.assign(1)

    def restart(self) -> None:
        """Have no average again."""
        super().restart()
        self._started.assign(0)

    def update(self) -> None:
        """Count a step, and take the weights into the average where it is due; a graph op."""
        self._steps.assign_add(self._started)
        pending = self._pending.assign_add(self._started)
        tf.cond(pending >= EVERY, self._take, lambda: tf.constant(False))

    def swap(self) -> None:
        """Exchange weights and averages if there are any."""
        if self._swapped or self.started:
            super().swap()

    def _share(self) -> tf.Tensor:
        return tf.cast(self._pending, tf.float32) / tf.cast(self._steps + 1, tf.float32)


def moving_statistics(model: keras.Model) -> list[Any]:
    """Return the moving means and variances of a model's batch norms.

    They belong to the weights of the last steps: averaged weights want statistics averaged alike.
    """
    return [
        statistic
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization)
        for statistic in (layer.moving_mean, layer.moving_variance)
    ]


def averages_of(recipe: Recipe | None, model: keras.Model) -> Averages | None:
    """Return the average of weights that a recipe asks for, None if it asks for none."""
    if recipe is None:
        return None
    if recipe.nonmono is not None:
        return TriggeredAverages(model.trainable_variables)
    if recipe.ema is None:
        return None
    return Averages([*model.trainable_variables, *moving_statistics(model)], recipe.ema)


class ValidateAverages(keras.callbacks.Callback):
    """Validate with the averaged weights, and leave them in the model at the end."""

    def on_test_begin(self, logs: Any = None) -> None:
        """Swap the averages in."""
        self.model.averages.swap()

    def on_test_end(self, logs: Any = None) -> None:
        """Swap the weights back in."""
        self.model.averages.restore()

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the averages in the model; `KeepBest`, which comes later, has the last word."""
        averages = self.model.averages
        averages.restore()
        averages.swap()
        averages.restart()


class SwapAveragesIn(keras.callbacks.Callback):
    """At the end of an epoch, have the averages in the model until `SwapAveragesOut`.

    What keeps, saves or scores weights between the two does it with those that were validated.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Swap the averages in."""
        self.model.averages.swap()


class SwapAveragesOut(keras.callbacks.Callback):
    """Put the weights back that `SwapAveragesIn` swapped out."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Swap the weights back in."""
        self.model.averages.restore()


class StartAveraging(keras.callbacks.Callback):
    """Begin to average the weights when the validation loss stops falling (NT-ASGD).

    Args:
        nonmono: epochs whose losses are left out when the best of the earlier ones is sought.

    Source: Merity 2017, algorithm 1, https://arxiv.org/abs/1708.02182.
    """

    def __init__(self, nonmono: int):
        super().__init__()
        self.nonmono = nonmono
        self.losses: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the loss with the lowest of all but the last `nonmono`."""
        logs = logs or {}
        loss = float(logs.get("val_loss", logs.get("loss", math.nan)))
        before = self.losses[: -self.nonmono]
        if before and not self.model.averages.started and loss > min(before):
            self.model.averages.start()
        self.losses.append(loss)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to resume."""
        return {"losses": list(self.losses)}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.losses = [float(loss) for loss in state["losses"]]
