"""All that decides how a training goes on, as arrays and JSON types, and back again."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import ZooError


def variables(model: Any) -> list[Any]:
    """Return the variables that a step reads or writes, always in the same order.

    Weights, the state of norms and seeds, the optimizer's, the average's and the schedule's, and
    the figures of the steps so far.
    """
    found = [*model.variables, *model.optimizer.variables, *model.statistics.variables]
    found += getattr(model, "carried_variables", [])  # of a language model
    if model.averages is not None:
        found += model.averages.variables
    if model.schedule is not None:
        found += model.schedule.variables
    return found


def values(some: list[Any]) -> list[np.ndarray]:
    """Return what variables hold."""
    return [np.asarray(variable.numpy()) for variable in some]


def assign(some: list[Any], arrays: list[np.ndarray]) -> None:
    """Put arrays into variables.

    Raises:
        ZooError: number, shapes or types differ, and nothing was changed.
    """
    wanted = [(tuple(each.shape), np.dtype(each.numpy().dtype)) for each in some]
    given = [(each.shape, each.dtype) for each in arrays]
    if wanted != given:
        raise ZooError(
            f"the state does not fit the model: {len(given)} arrays for {len(wanted)} variables, "
            "or other shapes or types."
        )
    for variable, array in zip(some, arrays, strict=True):
        variable.assign(array)


def are_finite(model: Any) -> bool:
    """Whether every trainable weight is finite."""
    # The sum of finite float32 values may overflow; in float64 it cannot.
    return all(
        bool(np.isfinite(np.sum(value, dtype=np.float64)))
        for value in values(model.trainable_variables)
    )
