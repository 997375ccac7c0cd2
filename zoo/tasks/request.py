"""What a training is asked for: its data and what is done with them, and its preset."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked for; kept in `environment.json`, so that the run can be repeated.

    `fixed` are the keys of the preset that were set: the data do not decide them.
    """

    data: Any
    validation: Any
    test: Any
    text: str | None
    label: str | None
    seed: int
    fraction: float
    classes: tuple[str, ...] | None
    drop_missing: bool
    fixed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON types; data in memory is named by its type only."""
        document = dataclasses.asdict(
            dataclasses.replace(self, data=None, validation=None, test=None)
        )
        for name in ("data", "validation", "test"):
            document[name] = _described(getattr(self, name))
        return document


def chosen_classes(classes: Any) -> tuple[str, ...] | None:
    """Return the classes to keep, or None for all.

    Raises:
        ZooError: they are one string, whose letters would be taken for classes.
    """
    if isinstance(classes, str):
        raise ZooError(f"`classes` takes a list of labels. Received one string: '{classes}'.")
    return None if classes is None else tuple(classes)


def _described(data: Any) -> Any:
    """Return data as JSON types; a path as it is from everywhere, for who repeats the run."""
    if data is None:
        return None
    if isinstance(data, str | Path):
        return str(Path(data).absolute())
    if isinstance(data, list) and all(isinstance(part, str | Path) for part in data):
        return [str(Path(part).absolute()) for part in data]
    if isinstance(data, np.ndarray | tuple | list):
        return f"<{type(data).__name__} in memory>"
    return f"<{type(data).__module__}.{type(data).__name__} in memory>"
