"""What the recipe does around the steps: average, keep the best weights, lower the rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from zoo.preset.recipe import Recipe
from zoo.training.blowup import BlowUp
from zoo.training.schedules import RecipeSchedule

SMOOTH = 3  # epochs of `smoothed-accuracy`


class Averaged(keras.callbacks.Callback):
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


class Shown(keras.callbacks.Callback):
    """Have the averages in their place until `Hidden`, at the end of an epoch.

    What keeps, saves or scores weights between the two does it with those that were validated.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Swap the averages in."""
        self.model.averages.swap()


class Hidden(keras.callbacks.Callback):
    """Put the weights back that `Shown` swapped out."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Swap the weights back in."""
        self.model.averages.restore()


class KeepBest(keras.callbacks.Callback):
    """Keep the weights of the epoch with the best validation score.

    Of equal scores the one with the lower validation loss is the better, and of those the earlier:
    on a small part many epochs have the same accuracy, and the first of them is hardly trained.

    Args:
        score: key of the logs.
        smooth: epochs whose mean score counts, the present one and those before.
        patience_epochs: epochs since the best one before training stops, or None. An epoch with the
            same score and a lower loss is a better one: training that still gets there goes on.
    """

    def __init__(self, score: str, patience_epochs: int | None = None, smooth: int = 1):
        super().__init__()
        self.score = score
        self.smooth = smooth
        self.recent: list[float] = []
        self.patience_epochs = patience_epochs
        self.sign = 1.0 if score == "val_loss" else -1.0
        self.best = (math.inf, math.inf)
        self.waited = 0
        self.weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget an earlier training."""
        self.best, self.waited, self.weights = (math.inf, math.inf), 0, None
        self.recent = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights that were validated if they are the best so far."""
        logs = logs or {}
        loss = float(logs.get("val_loss", 0.0))
        value = (self.sign * self._smoothed(logs), loss)
        # Broken weights have an accuracy too: all logits are NaN, and argmax names some class.
        if value < self.best and math.isfinite(loss):
            self.best, self.waited = value, 0
            self.model.best_epoch = epoch + 1
            averages = self.model.averages
            if averages is not None:
                averages.swap()
            self.weights = self.model.get_weights()
            if averages is not None:
                averages.restore()
        elif self.score in logs:
            self.waited += 1
            if self.patience_epochs is not None and self.waited >= self.patience_epochs:
                self.model.stop_training = True

    def _smoothed(self, logs: Mapping[str, Any]) -> float:
        """Return the mean score of the last epochs; of an epoch without a score, NaN."""
        if self.score not in logs:
            return math.nan
        self.recent = [*self.recent, float(logs[self.score])][-self.smooth :]
        # Rounded, so that equal scores in another order are equal.
        return round(sum(self.recent) / len(self.recent), 9)

    def on_train_end(self, logs: Any = None) -> None:
        """Put the best weights into the model."""
        if self.weights is not None:
            self.model.set_weights(self.weights)
            if self.model.averages is not None:
                self.model.averages.restart()

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to go on; the weights as the list that is kept."""
        return {
            "best": list(self.best),
            "waited": self.waited,
            "recent": list(self.recent),
            "weights": self.weights,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        score, loss = state["best"]
        self.best, self.waited = (float(score), float(loss)), int(state["waited"])
        self.recent = [float(each) for each in state["recent"]]
        self.weights = state["weights"]


class Plateau(keras.callbacks.Callback):
    """Lower the learning rate when the validation loss stops falling (A38, A94).

    Args:
        schedule: the schedule whose scale is lowered.
        factor: what the rate is multiplied by.
        patience_epochs: epochs without a lower loss before it is.
    """

    def __init__(self, schedule: RecipeSchedule, factor: float, patience_epochs: int):
        super().__init__()
        self.schedule = schedule
        self.factor = factor
        self.patience_epochs = patience_epochs
        self.best, self.waited = math.inf, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare the loss with the lowest so far."""
        logs = logs or {}
        loss = float(logs.get("val_loss", logs.get("loss", math.nan)))
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience_epochs:
            self.schedule.scale.assign(self.schedule.scale * self.factor)
            self.waited = 0

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to go on; the scale is part of the schedule."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.best, self.waited = float(state["best"]), int(state["waited"])


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
        """Return what `restore` needs to go on."""
        return {"losses": list(self.losses)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.losses = [float(each) for each in state["losses"]]


def recipe_callbacks(model: Any, recipe: Recipe, validated: bool) -> tuple[list[Any], list[Any]]:
    """Return the callbacks of a recipe: those before all others, and those after them.

    Between the two, at the end of an epoch, the model has the averaged weights.

    Args:
        model: the `TrainingModel` they will work on.
        recipe: its recipe.
        validated: whether the training has a validation part.
    """
    first: list[Any] = []
    last: list[Any] = []
    if model.averages is not None:
        first.append(Averaged())
    if validated:
        smooth = SMOOTH if recipe.best == "smoothed-accuracy" else 1
        score = "val_accuracy" if smooth > 1 else f"val_{recipe.best}"
        first.append(KeepBest(score, recipe.patience_epochs, smooth))
    if recipe.schedule.name == "plateau" and model.schedule is not None:
        block = recipe.schedule
        first.append(Plateau(model.schedule, block.factor, block.patience_epochs))
    nonmono = getattr(recipe, "nonmono", None)
    if nonmono is not None:
        first.append(StartAveraging(nonmono))
    first.append(BlowUp())
    if model.averages is not None:
        first.append(Shown())
        last.append(Hidden())
    for callback in (*first, *last):
        callback.set_model(model)
    return first, last
