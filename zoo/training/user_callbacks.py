"""The callbacks that a user gives `fit`, beside those of the recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from zoo.errors import ZooError
from zoo.training.checkpoints.callback import Checkpoints

# They go on from the state of a training, which has the weights of the steps in it.
RESUMING = (Checkpoints, keras.callbacks.BackupAndRestore)
RATES = (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)


def in_order(callbacks: Any) -> tuple[list[Any], list[Any]]:
    """Return the callbacks that see averaged weights at the end of an epoch, and the others.

    Args:
        callbacks: what `fit` was given: None, one callback, or a list of them.
    """
    given: list[Any] = keras.tree.flatten(callbacks) if callbacks else []
    resuming = [each for each in given if isinstance(each, RESUMING)]
    return [each for each in given if not isinstance(each, RESUMING)], resuming


def watch(resuming: Sequence[Any], callbacks: Sequence[Any]) -> None:
    """Have the state of callbacks kept in checkpoints, too."""
    for each in resuming:
        if isinstance(each, Checkpoints):
            each.watch(callbacks)


def check_rates(model: Any, callbacks: Sequence[Any]) -> None:
    """Refuse callbacks that set the learning rate where the recipe's schedule does.

    Keras refuses them as well, but some only when a plateau comes, hours later
    (https://github.com/tensorflow/tensorflow/issues/36612).

    Raises:
        ZooError: there is one.
    """
    setters = [type(each).__name__ for each in callbacks if isinstance(each, RATES)]
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


def best_epoch_of(callbacks: Sequence[Any], best_epoch: int | None) -> int | None:
    """Return the epoch whose weights are in the model: the last callback that restored them says.

    Args:
        callbacks: those beside the recipe's own, in their order.
        best_epoch: what the recipe kept, from 1.
    """
    for each in callbacks:
        if isinstance(each, keras.callbacks.EarlyStopping) and each.restore_best_weights:
            if each.best_weights is not None:
                best_epoch = each.best_epoch + 1
    return best_epoch
