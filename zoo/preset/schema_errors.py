"""Pydantic's complaints in the house's words: where, what, did you mean, what is accepted."""

from __future__ import annotations

import re
import types
import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from zoo.errors import did_you_mean

# Pydantic speaks of Python's types, a preset file is YAML.
WORDS = {"valid tuple": "list", "Tuple": "List", "valid dictionary": "mapping"}


def readable(error: ValidationError, schema: type[BaseModel]) -> str:
    """Return one line that names every value that was refused, and what is accepted.

    Args:
        error: what pydantic raised.
        schema: the model that was validated.
    """
    lines: list[str] = []
    places: set[str] = set()
    for problem in error.errors():
        block, keys = _walk(schema, problem["loc"])
        # A value that may be of several types is refused once for each: one line is enough.
        if keys and keys[-1] in ("int", "float"):
            keys = keys[:-1]
        if ".".join(keys) in places:
            continue
        places.add(".".join(keys))
        where, what = ".".join(keys[:-1]) or "top level", keys[-1] if keys else ""
        if problem["type"] == "extra_forbidden":
            fields = {} if block is None else block.model_fields
            accepted = [field.alias or name for name, field in fields.items()]
            lines.append(
                f"{where}: unknown field '{what}'.{did_you_mean(what, accepted)} "
                f"Accepted: {', '.join(accepted)}."
            )
        elif problem["type"] == "missing":
            lines.append(f"{where}: '{what}' is missing.")
        elif problem["type"] == "union_tag_invalid":
            received = str(problem["ctx"]["tag"])
            accepted = [name.strip("' ") for name in problem["ctx"]["expected_tags"].split(",")]
            lines.append(
                f"{'.'.join(keys)}.name: unknown '{received}'."
                f"{did_you_mean(received, accepted)} Accepted: {', '.join(accepted)}."
            )
        elif problem["type"] == "union_tag_not_found":
            lines.append(f"{'.'.join(keys)}: 'name' is missing.")
        else:
            value = problem.get("input")
            shown = "" if isinstance(value, dict | tuple) else f" Received: {value!r}."
            message = problem["msg"].removeprefix("Value error, ")
            for theirs, ours in WORDS.items():
                message = message.replace(theirs, ours)
            message = re.sub(r" or instance of \w+", "", message)
            lines.append(f"{'.'.join(keys) or 'preset'}: {message}.{shown}")
    return " ".join(lines)


def _walk(schema: type[BaseModel], location: tuple[Any, ...]) -> tuple[Any, list[str]]:
    """Return the block that holds the last part of a location, and the location without tags."""
    block: Any = schema
    keys: list[str] = []
    for number, part in enumerate(location):
        members = _members(block)
        if members:  # a union: the location names the chosen member by its tag
            block = next((m for m in members if part in _tags(m)), None)
            continue
        keys.append(str(part))
        if number == len(location) - 1 or block is None:
            break
        if hasattr(block, "model_fields"):
            fields = {field.alias or name: field for name, field in block.model_fields.items()}
            block = fields[part].annotation if part in fields else None
        else:  # a mapping or a tuple: the type of its values
            arguments = [
                argument for argument in typing.get_args(block) if argument is not Ellipsis
            ]
            block = arguments[-1] if arguments else None
    return (block if hasattr(block, "model_fields") else None), keys


def _members(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [member for member in typing.get_args(annotation) if hasattr(member, "model_fields")]
    return []


def _tags(member: Any) -> tuple[Any, ...]:
    return typing.get_args(member.model_fields["name"].annotation)
