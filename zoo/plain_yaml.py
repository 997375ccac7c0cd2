"""YAML 1.2 as plain data: no tags, no aliases, no duplicate keys, nothing that makes an object."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from zoo.errors import ZooError


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file as plain data; tags, duplicate keys and aliases are refused.

    Raises:
        ZooError: the file cannot be read or is not such a document.
    """
    return _plain(_text(path), path)


def read_sections(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Read some top-level keys of a YAML file only; the text of the others is not parsed.

    Raises:
        ZooError: the file cannot be read, or those parts are not YAML.
    """
    parts = re.split(r"^(?=[a-z_]+:)", _text(path), flags=re.MULTILINE)
    return _plain("".join(part for part in parts if part.startswith(names)), path)


def parse_value(text: str) -> Any:
    """Read the value of `--set KEY=VALUE` the way a preset file would."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise ZooError(f"--set: '{text}' is not a YAML value: {_first_lines(error)}") from error


def yaml_text(document: Any) -> str:
    """Return a document as YAML, short lists and mappings on one line."""
    writer = YAML()
    writer.default_flow_style = None
    writer.width = 100
    stream = io.StringIO()
    writer.dump(document, stream)
    return stream.getvalue()


def _text(path: Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ZooError(f"{path}: no such preset file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ZooError(f"{path}: cannot be read: {error}.") from error


def _plain(text: str, path: Path) -> Any:
    try:
        if "*" in text and _has_alias(text):
            raise ZooError(f"{path}: has a YAML alias (*name). Write the value out.")
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise ZooError(
            f"{path}: is not a plain YAML 1.2 document: {_first_lines(error)}"
        ) from error


def _has_alias(text: str) -> bool:
    """Aliases make documents that contain themselves, and small files that grow without end."""
    events = YAML(typ="safe", pure=True).parse(text)
    return any(isinstance(event, AliasEvent) for event in events)


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
