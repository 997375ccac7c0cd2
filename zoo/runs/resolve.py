"""From what was asked for to the preset that is trained, with findings on what changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import read_json
from zoo.finding import Finding
from zoo.preset.batch_rule import NORM, norm_for_batch
from zoo.preset.derived import findings_on
from zoo.preset.loading import Preset, load_preset
from zoo.preset.renamed import rename_keys
from zoo.preset.unread import unread
from zoo.tasks.request import Request
from zoo.training.precision import chosen_policy


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
    changes, _ = rename_keys(changes or {})
    vectors = getattr(changed.data, "vectors", None)
    if vectors:
        changed = changed.override({"data.vectors": str(Path(vectors).absolute())})
    policy, findings = chosen_policy(changed.recipe.dtype_policy, preset.task)
    findings += [*changed.notices, *findings_on(preset.values(), changed.values(), changes)]
    findings += unread(changed.values(), changes)
    changed = changed.override({"recipe.dtype_policy": policy})
    small = norm_for_batch(changed.values(), replicas)
    if small and NORM not in changes:
        return changed.override({NORM: "group"}), [*findings, *small]
    return changed, findings
