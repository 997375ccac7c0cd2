"""YAML 1.2 as plain data: no tags, no aliases, no duplicate keys, nothing that makes an object."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent

from zoo.errors import ZooError

WIDTH = 100  # of a line that is written


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


def read_parts(path: Path, words: tuple[str, ...]) -> dict[str, Any]:
    """Read the top-level keys of a YAML file whose text, or whose own name, has one of the words.

    Raises:
        ZooError: the file cannot be read, or those parts are not YAML.
    """
    parts = re.split(r"^(?=[a-z])", _text(path), flags=re.MULTILINE)
    any_word = re.compile(rf"\b({'|'.join(map(re.escape, words))})\b")
    return _plain("".join(part for part in parts if any_word.search(part)), path) or {}


def read_entry(path: Path, id: str) -> list[Any]:
    """Read the entries of one id, in a YAML file with an entry a line that begins with its id.

    Raises:
        ZooError: the file cannot be read, or the line is not YAML.
    """
    lines = (line.strip() for line in _text(path).splitlines())
    return (
        _plain("\n".join(line for line in lines if line.startswith(f"- {{id: {id},")), path) or []
    )


def parse_value(text: str) -> Any:
    """Read the value of `--set KEY=VALUE` the way a preset file would."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise ZooError(f"--set: '{text}' is not a YAML value: {_first_lines(error)}") from error


def yaml_text(document: Mapping[str, Any]) -> str:
    """Return a document as YAML: blocks a line each, what is in them on one line where it fits.

    Args:
        document: plain data, read again as it is by `read_yaml`.
    """
    lines: list[str] = []
    for key, value in document.items():
        if isinstance(value, dict) and value:
            lines += [f"{_scalar(key)}:", *_lines(value, 2)]
        else:
            lines += _lines({key: value}, 0)
    return "\n".join(lines) + "\n"


def _lines(block: Mapping[str, Any], indent: int) -> list[str]:
    lines = []
    for key, value in block.items():
        head = f"{' ' * indent}{_scalar(key)}:"
        if len(f"{head} {_flow(value)}") <= WIDTH and not _has_mappings(value):
            lines.append(f"{head} {_flow(value)}")
        elif isinstance(value, dict):
            lines += [head, *_lines(value, indent + 2)]
        elif _has_mappings(value):
            lines.append(head)
            for entry in value:
                first, *rest = _lines(entry, indent + 2)
                lines += [f"{' ' * indent}- {first.lstrip()}", *rest]
        else:
            lines += _folded(head, _flow(value), indent + 2)
    return lines


def _folded(head: str, text: str, indent: int) -> list[str]:
    """Return a list or a quoted string over several lines, broken where a blank is."""
    if "  " in text:
        return [f"{head} {text}"]
    return textwrap.wrap(
        f"{head} {text}", WIDTH, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _has_mappings(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """Return a scalar as YAML and JSON have it; words without quotation marks."""
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w./-]*( [\w./-]+)*", value)
    if plain and value.lower() not in ("null", "true", "false"):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


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
