"""The shapes of a network's variables, told without making any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.memory import without_values
from zoo.models import MODELS


def variable_shapes(values: Mapping[str, Any], model: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of each variable of a network, by its path; nothing is allocated for it.

    Args:
        values: dotted key to value of a preset.
        model: the family.
    """
    blocks = {
        key.partition(".")[2]: value
        for key, value in values.items()
        if key.startswith("architecture.")
    }
    with without_values():
        network = MODELS[model](**blocks)
        return {variable.path: tuple(variable.shape) for variable in network.weights}
