"""What a training run is asked for: its data and what is done with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError, check_seed

SOURCES = ("data", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked for; kept in environment.json, so that the run can be repeated.

    Args:
        data: path, list of paths, arrays or table to train on.
        validation: data that pick the best epoch, or None for a part of `data`.
        test: data scored once at the end, or None.
        text: name of the column of texts, or of the paths of images; several separated by commas.
        label: name of the column of labels.
        seed: of split, initial weights, dropout and order.
        fraction: share of the training part that is used, in (0, 1].
        classes: those to keep; None keeps all.
        drop_missing: leave out rows without a label instead of refusing them.
        fixed: the keys of the preset that were set: the data do not decide them.
    """

    data: Any
    validation: Any = None
    test: Any = None
    text: str | None = None
    label: str | None = None
    seed: int = 0
    fraction: float = 1.0
    classes: tuple[str, ...] | None = None
    drop_missing: bool = False
    fixed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction <= 1.0:
            raise ZooError(f"`fraction` must be in (0, 1]. Received: {self.fraction}.")
        check_seed(self.seed)

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON types; data in memory is named by its type only."""
        document = dataclasses.asdict(
            dataclasses.replace(self, data=None, validation=None, test=None)
        )
        return document | {name: _described(getattr(self, name)) for name in SOURCES}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Request:
        """Return the request of a run's document.

        Raises:
            KeyError: a key is missing.
        """
        names = [field.name for field in dataclasses.fields(cls) if field.name != "fixed"]
        values = {name: document[name] for name in names}
        values["classes"] = chosen_classes(values["classes"])
        return cls(**values, fixed=tuple(document.get("fixed", ())))  # older runs do not say


def chosen_classes(classes: Any) -> tuple[str, ...] | None:
    """Return the classes to keep, or None for all.

    Raises:
        ZooError: they are one string, whose letters would be taken for classes.
    """
    if isinstance(classes, str):
        raise ZooError(f"`classes` takes a list of labels. Received one string: '{classes}'.")
    return None if classes is None else tuple(classes)


def _described(data: Any) -> Any:
    """Return data as JSON types; a path is absolute, so that the run is repeated from anywhere."""
    if data is None:
        return None
    if isinstance(data, str | Path):
        return str(Path(data).absolute())
    if isinstance(data, list) and all(isinstance(part, str | Path) for part in data):
        return [str(Path(part).absolute()) for part in data]
    if isinstance(data, np.ndarray | tuple | list):
        return f"<{type(data).__name__} in memory>"
    return f"<{type(data).__module__}.{type(data).__name__} in memory>"
