"""Whether a result still says something of today's presets and code."""

from __future__ import annotations

import functools
import io
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from zoo.environment import training_code
from zoo.preset.loading import load_preset
from zoo.preset.measured import values_digest
from zoo.preset.override import values_of
from zoo.preset.renamed import rename_document
from zoo.preset.schemas import variants
from zoo.preset.unread import drop_unread

ROOT = Path(__file__).resolve().parent.parent


def state(entries: list[dict[str, Any]]) -> str:
    """Return the commit of the last of some results, and what has changed since it."""
    last = entries[-1]
    preset = load_preset(*last["preset"].split(",")[0].split("/"))
    changed = []
    if values_measured(last) != values_digest(preset.model, preset.values()):
        changed.append("other values")
    if any(entry.get("code") != training_code() for entry in entries):
        changed.append("other code")
    commit, dirty, _ = (last["commit"] or "unknown").partition("-dirty")
    old = f", old: {', '.join(changed)}" if changed else ""
    return f"{commit[:7]}{dirty}{old}"


def values_measured(entry: dict[str, Any]) -> str | None:
    """Return the `values_digest` of the preset that a result was measured with, None if unknown.

    Results of before it was recorded have that of the preset at their commit. Keys that the schema
    did not have then are read as they are today.
    """
    if "values" in entry:
        return str(entry["values"])
    commit = (entry["commit"] or "").removesuffix("-dirty")
    return _values_at(commit, entry["preset"].split(",")[0])


@functools.cache
def _values_at(commit: str, name: str) -> str | None:
    shown = subprocess.run(
        ["git", "-C", str(ROOT), "show", f"{commit}:presets/{name}.yaml"],
        capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    if shown.returncode:
        return None
    document = YAML(typ="safe", pure=True).load(io.StringIO(shown.stdout))
    today = load_preset(*name.split("/"))
    then, _ = rename_document(document)
    drop_unread(then, variants(today.task))
    return values_digest(today.model, {**today.values(), **values_of(then)})
