"""From a command's words to the preset as it was written, and the request."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.preset.loading import load_preset
from zoo.preset.preset import Preset
from zoo.preset.renamed import current_key
from zoo.runs.resume import request_beside
from zoo.tasks.request import Request
from zoo.tasks.task import load_task


def asked(
    model: str | Path, preset: str | Path, changes: Mapping[str, Any], request: Request
) -> tuple[Preset, Request]:
    """Return the preset as it was written, and the request with its data and what was set.

    Args:
        model: name of a model, or the path of a preset file; that of a run's `preset.yaml` has the
            run's request, which is taken where `request` has no data.
        preset: name of a preset of the model, or path of a preset file.
        changes: dotted keys and values that were set.
        request: as it was asked for; of no data the task's bundled ones are read.

    Raises:
        ZooError: there is no such model or preset.
    """
    path = Path(model)
    if path.suffix in (".yaml", ".yml"):
        loaded, recorded = load_preset(None, path), request_beside(path)
    else:
        loaded, recorded = load_preset(str(model), preset), None
    if request.data is None:
        request = recorded or dataclasses.replace(request, data=load_task(loaded.task).bundled())
    fixed = tuple(dict.fromkeys(map(current_key, [*changes, *request.fixed])))
    return loaded, dataclasses.replace(request, fixed=fixed)
