"""Keys that have another name now; files, `--set` and builders may still have the old one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from zoo.errors import ZooError
from zoo.finding import Finding

Value = TypeVar("Value")

RENAMED = {
    "architecture.change_penalty": "architecture.temporal_activation_penalty",
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
        if name != key:
            findings.append(_finding(key, name))
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
            renamed[section], said = rename_keys(document[section])
            findings |= {finding.what: finding for finding in said}
    for old, new in RENAMED.items():
        block, key = old.split(".")
        values = renamed.get(block)
        if isinstance(values, dict) and key in values:
            renamed[block], _ = _without_prefix(values, block)
            finding = _finding(old, new)
            findings[finding.what] = finding
    return renamed, list(findings.values())


def _without_prefix(values: Mapping[str, Any], block: str) -> tuple[dict[str, Any], list[Finding]]:
    dotted, findings = rename_keys({f"{block}.{key}": value for key, value in values.items()})
    return {key.removeprefix(f"{block}."): value for key, value in dotted.items()}, findings


def _finding(old: str, new: str) -> Finding:
    return Finding("info", f"{old} is called {new} now.", {old: new}, "Both are read.")
