"""What a training is asked for: its data and what is done with them, and its preset."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.files import read_json
from zoo.finding import Finding
from zoo.preset import Preset, load_preset
from zoo.settings.batch_rule import NORM, norm_for_batch
from zoo.settings.brought import findings_on
from zoo.settings.unread import unread
from zoo.training.precision import chosen_policy


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


def resolve(
    model: str | Path,
    preset: str | Path,
    changes: Mapping[str, Any] | None,
    replicas: int = 1,
) -> tuple[Preset, list[Finding], tuple[Any, ...] | None]:
    """Return the preset, findings on the changes, and a run's data.

    The last when `model` is the preset file of a run, else None. `replicas` share each batch.
    """
    path = Path(model)
    if path.suffix not in (".yaml", ".yml"):
        own = load_preset(str(model), preset)
        return *_changed(own, changes, replicas), None
    found = _changed(load_preset(None, path), changes, replicas)
    beside = path.parent / "environment.json"
    if not beside.is_file():
        return *found, None
    request = read_json(beside).get("request", {})
    try:
        names = [field.name for field in dataclasses.fields(Request)]
        return *found, tuple(({"fixed": ()} | request)[name] for name in names)
    except (KeyError, TypeError) as error:
        raise ZooError(f"{beside}: is damaged: it does not hold a run's request.") from error


def _changed(
    preset: Preset, changes: Mapping[str, Any] | None, replicas: int
) -> tuple[Preset, list[Finding]]:
    changed = preset.override(changes or {})
    vectors = getattr(changed.data, "vectors", None)
    if vectors:
        changed = changed.override({"data.vectors": str(Path(vectors).absolute())})
    policy, findings = chosen_policy(changed.recipe.dtype_policy, preset.task)
    findings += findings_on(preset.values(), changed.values(), changes or {})
    findings += unread(changed.values(), changes or {})
    changed = changed.override({"recipe.dtype_policy": policy})
    small = norm_for_batch(changed.values(), replicas)
    if small and NORM not in (changes or {}):
        return changed.override({NORM: "group"}), [*findings, *small]
    return changed, findings


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
