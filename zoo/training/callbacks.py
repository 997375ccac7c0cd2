"""What `fit` does around the steps: keep the best weights, lower the rate, keep freed memory."""

from __future__ import annotations

import ctypes
import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.preset.recipe import Recipe
from zoo.training.averages import StartAveraging, SwapAveragesIn, SwapAveragesOut, ValidateAverages
from zoo.training.blowup import BlowUp
from zoo.training.checkpoints.callback import Checkpoints
from zoo.training.layer_groups import Unfreeze
from zoo.training.linear_probe import LinearProbe
from zoo.training.schedules import RecipeSchedule

SMOOTH = 3  # epochs of `smoothed-accuracy`
# They store the state that a run is resumed from, with the weights of the steps in it.
RESUMING = (Checkpoints, keras.callbacks.BackupAndRestore)
RATES = (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)


class KeepBest(keras.callbacks.Callback):
    """Keep the weights of the epoch with the best validation score.

    Of equal scores the one with the lower validation loss is the better, and of those the earlier:
    on a small part many epochs have the same accuracy, and the first of them is hardly trained.

    Args:
        score: key of the logs; None keeps the weights of every epoch, and so of the last.
        smooth: epochs whose mean score counts, the present one and those before.
        patience_epochs: epochs since the best one before training stops, or None. An epoch with the
            same score and a lower loss is a better one, and restarts the count.
    """

    def __init__(self, score: str | None, patience_epochs: int | None = None, smooth: int = 1):
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
        """Forget an earlier run."""
        self.best, self.waited, self.weights = (math.inf, math.inf), 0, None
        self.recent = []

    def on_probe_end(self, logs: dict[str, Any]) -> None:
        """Keep the weights of the linear probe, epoch 0, until an epoch has better ones."""
        self.on_epoch_end(-1, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights that were validated if they are the best so far."""
        logs = logs or {}
        loss = float(logs.get("val_loss", 0.0))
        value = (-epoch if self.score is None else self.sign * self._smoothed(logs), loss)
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
        if self.score is None or self.score not in logs:
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
        """Return what `restore` needs to resume; the weights as the list that is kept."""
        return {
            "best": list(self.best),
            "waited": self.waited,
            "recent": list(self.recent),
            "weights": self.weights,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        score, loss = state["best"]
        self.best, self.waited = (float(score), float(loss)), int(state["waited"])
        self.recent = [float(score) for score in state["recent"]]
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
        """Return what `restore` needs to resume; the scale is part of the schedule."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.best, self.waited = float(state["best"]), int(state["waited"])


def recipe_callbacks(model: Any, recipe: Recipe, validated: bool) -> tuple[list[Any], list[Any]]:
    """Return the callbacks of a recipe: those before all others, and those after them.

    Between the two, at the end of an epoch, the averaged weights are in the model.

    Args:
        model: the `TrainingModel` they will work on.
        recipe: its recipe.
        validated: whether there is a validation part.
    """
    first: list[Any] = []
    last: list[Any] = []
    if model.averages is not None:
        first.append(ValidateAverages())
    if validated:
        smooth = SMOOTH if recipe.monitor == "smoothed-accuracy" else 1
        score = "val_accuracy" if smooth > 1 else f"val_{recipe.monitor}"
        first.append(
            KeepBest(None if recipe.monitor == "last" else score, recipe.patience_epochs, smooth)
        )
    if recipe.schedule.name == "plateau" and model.schedule is not None:
        block = recipe.schedule
        first.append(Plateau(model.schedule, block.factor, block.patience_epochs))
    tuning = recipe.fine_tuning
    if tuning.name == "by-block" and (tuning.unfreeze_epochs or tuning.freeze_epochs):
        first.append(Unfreeze(tuning))
    if recipe.nonmono is not None:
        first.append(StartAveraging(recipe.nonmono))
    first.append(BlowUp())
    if model.averages is not None:
        first.append(SwapAveragesIn())
        last.append(SwapAveragesOut())
    for callback in (*first, *last):
        callback.set_model(model)
    return first, last


def check_rates(model: Any, callbacks: Sequence[Any]) -> None:
    """Refuse callbacks that set the learning rate where the recipe's schedule does.

    Keras refuses them as well, but some only when a plateau comes, hours later
    (https://github.com/tensorflow/tensorflow/issues/36612).

    Raises:
        ZooError: there is one.
    """
    setters = [type(callback).__name__ for callback in callbacks if isinstance(callback, RATES)]
    if model.schedule is None or not setters:
        return
    raise ZooError(
        f"{setters[0]}: the learning rate is the recipe's schedule, "
        f"'{model.recipe.schedule.name}', which no callback can set. Set "
        "recipe.schedule.name=plateau in the preset (zoo.train(..., set=...), --set, or a preset "
        "file of your own), or compile the model with an optimizer of your own: "
        "model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=model.loss, "
        'metrics=["accuracy"]).'
    )


@dataclasses.dataclass(frozen=True)
class FitCallbacks:
    """The callbacks of one `fit`, in the order in which they run.

    Args:
        first: the recipe's; after them the averaged weights are in the model.
        given: the user's.
        last: the recipe's, which put the weights of the steps back.
        resuming: those that store what a run is resumed from: the weights of the steps.
    """

    first: Sequence[Any]
    given: Sequence[Any]
    last: Sequence[Any]
    resuming: Sequence[Any]

    def __iter__(self) -> Iterator[Any]:
        """Iterate over all of them."""
        return iter((KeepMemory(), *self.first, *self.given, *self.last, *self.resuming))

    def leave_best_weights(self) -> None:
        """End what the recipe does after Ctrl-C or an error, which Keras does not."""
        for callback in (*self.first, *self.last):
            callback.on_train_end()

    def raise_blow_up(self) -> None:
        """Raise the error of a loss that blew up again and again, if it did."""
        for callback in self.first:
            if isinstance(callback, BlowUp) and callback.error is not None:
                raise callback.error

    def best_epoch(self, kept: int | None) -> int | None:
        """Return the epoch whose weights are in the model: that of the last to restore some.

        Args:
            kept: the epoch that the recipe kept, from 1, or None.
        """
        for callback in self.given:
            if isinstance(callback, keras.callbacks.EarlyStopping):
                if callback.restore_best_weights and callback.best_weights is not None:
                    kept = callback.best_epoch + 1
        return kept


def fit_callbacks(model: Any, callbacks: Any, validated: bool) -> FitCallbacks:
    """Return the recipe's callbacks with those that `fit` was given in their midst.

    Args:
        model: the `TrainingModel` they will work on.
        callbacks: what `fit` was given: None, one callback, or a list of them.
        validated: whether there is a validation part.

    Raises:
        ZooError: a callback sets the learning rate, as the recipe's schedule does.
    """
    flat: list[Any] = keras.tree.flatten(callbacks) if callbacks else []
    resuming = [callback for callback in flat if isinstance(callback, RESUMING)]
    given = [callback for callback in flat if not isinstance(callback, RESUMING)]
    check_rates(model, given)
    first, last = recipe_callbacks(model, model.recipe, validated)
    for callback in resuming:
        if isinstance(callback, Checkpoints):
            callback.watch([*first, *given, *last])
    for callback in given:
        if isinstance(callback, LinearProbe):
            callback.watch([*first, *given, *resuming])
    return FitCallbacks(first, given, last, resuming)


# Names of glibc's malloc.h, and what it allows at most.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
MOST_MMAP_THRESHOLD = 32 << 20
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have glibc reuse freed blocks of up to 32 MB instead of returning them to the system.

    oneDNN and Eigen take the working memory of products from them. TensorFlow 2.21 sets the limit
    to 128 KB for all of a process that reads a dataset made of a Python generator. Every step of a
    language model then asks for its working memory anew, page by page, each of which the system
    fills with zeros first. Where there is no glibc, nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, MOST_MMAP_THRESHOLD)
        mallopt(TRIM_THRESHOLD, NEVER)


class KeepMemory(keras.callbacks.Callback):
    """Keep freed memory once the datasets of an epoch are made."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the limits before the first step."""
        if batch == 0:
            keep_freed_memory()
