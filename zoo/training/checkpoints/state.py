"""The variables that a run is resumed from, as arrays, and back again."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.errors import ZooError


def state_variables(model: Any) -> list[Any]:
    """Return the variables that a step reads or writes, always in the same order.

    Weights, the state of norms and seeds, the optimizer's, the average's and the schedule's, and
    the figures of the steps so far.
    """
    state = [*model.variables, *model.optimizer.variables, *model.statistics.variables]
    state += model.carried_variables
    if model.averages is not None:
        state += model.averages.variables
    if model.schedule is not None:
        state += model.schedule.variables
    return state


def values(variables: list[Any]) -> list[np.ndarray]:
    """Return what variables hold."""
    return [np.asarray(variable.numpy()) for variable in variables]


def assign(variables: list[Any], arrays: list[np.ndarray]) -> None:
    """Put arrays into variables.

    Raises:
        ZooError: number, shapes or types differ, and nothing was changed.
    """
    expected = [(tuple(one.shape), np.dtype(one.numpy().dtype)) for one in variables]
    given = [(array.shape, array.dtype) for array in arrays]
    if expected != given:
        raise ZooError(
            f"the state does not fit the model: {len(given)} arrays for {len(expected)} variables, "
            "or other shapes or types."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def are_finite(model: Any) -> bool:
    """Whether every trainable weight is finite."""
    # The sum of finite float32 values may overflow; in float64 it cannot.
    return all(
        bool(np.isfinite(np.sum(value, dtype=np.float64)))
        for value in values(model.trainable_variables)
    )
