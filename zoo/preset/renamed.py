"""Keys that have another name now; files, `--set` and builders may still have the old one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from zoo.errors import ZooError
from zoo.finding import Finding

Value = TypeVar("Value")

RENAMED = {
    "architecture.change_penalty": "architecture.temporal_activation_penalty",
    "data.crop": "data.crop.name",
    "data.crop_area": "data.crop.smallest_area",
    "data.crop_padding": "data.crop.padding",
    "data.padding": "data.crop.fill",
    "recipe.best": "recipe.monitor",
    "recipe.unclipped": "recipe.allow_unclipped",
}


def current_key(key: str) -> str:
    """Return today's name of a dotted key."""
    return RENAMED.get(key, key)


def rename_keys(entries: Mapping[str, Value]) -> tuple[dict[str, Value], list[Finding]]:
    """Return what stands under dotted keys under today's names, with a finding a renamed key.

    Args:
        entries: dotted key to anything: a value, a search range, a reason.

    Raises:
        ZooError: a key stands there under both of its names.
    """
    renamed: dict[str, Value] = {}
    findings = []
    for key, value in entries.items():
        name = current_key(key)
        if str(name).startswith(f"{key}.") and isinstance(value, Mapping):
            name = key  # the block of today, which has the name of a value of before
        if name != key:
            findings.append(Finding("info", f"{key} is called {name} now.", {key: name}))
            if name in entries:
                raise ZooError(f"'{key}' is the old name of '{name}', which is given, too.")
        renamed[name] = value
    return renamed, findings


def rename_document(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Return a preset's document with the keys of today, with a finding a renamed key.

    Args:
        document: as a file holds it; blocks that are no mappings stay, to be refused by the schema.

    Raises:
        ZooError: a key stands there under both of its names.
    """
    renamed = dict(document)
    findings: dict[str, Finding] = {}
    for section in ("search", "why"):
        if isinstance(document.get(section), dict):
            renamed[section], notices = rename_keys(document[section])
            findings |= {notice.what: notice for notice in notices}
    for section in ("architecture", "data", "recipe"):
        if not isinstance(document.get(section), dict):
            continue
        dotted, notices = rename_keys({f"{section}.{k}": v for k, v in document[section].items()})
        findings |= {notice.what: notice for notice in notices}
        renamed[section] = {k.removeprefix(f"{section}."): v for k, v in dotted.items()}
        for name in [notice.evidence[key] for notice in notices for key in notice.evidence]:
            *blocks, leaf = name.split(".")[1:]
            value = renamed[section].pop(".".join([*blocks, leaf]))
            block = renamed[section]
            for part in blocks:
                block = block.setdefault(part, {})
            block[leaf] = value
    return renamed, list(findings.values())
