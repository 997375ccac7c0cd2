"""Why presets' values are what they are: reasons by key and value, each written once.

A reason stands in the preset that it speaks of, in its model's `presets/<model>/why.yaml`, or in
`presets/why.yaml`, which all models share; they are looked up in this order.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from zoo.errors import ZooError
from zoo.plain_yaml import parse_value, read_parts, read_sections, read_yaml
from zoo.preset.block import Block, presets_root, shipped_names
from zoo.preset.override import BLOCKS, values_of
from zoo.preset.schema_errors import readable

ANY = object()  # in the place of a value: the reason holds whatever it is


class Why(Block):
    """The reason of a value.

    Args:
        sources: ids of sources.yaml or advice.yaml.
        note: what of them holds here.
        presets: names of the presets whose reason it is, where others with the value have another.
    """

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    note: str = ""
    presets: tuple[str, ...] = ()


def reasons_for(
    model: str, preset: str, values: Mapping[str, Any], words: tuple[str, ...] | None = None
) -> dict[str, Why]:
    """Return the written reasons of values, by key; a value without one is left out.

    Args:
        model: name of the family.
        preset: name of the preset that the values are of, or were changed from.
        values: dotted key to value.
        words: the last words of the keys, where few are asked for; None reads all reasons.
    """
    paths = presets_root() / model / "why.yaml", presets_root() / "why.yaml"
    tables = [read_reasons(path, words) for path in paths]
    reasons = {}
    for key, value in values.items():
        candidates = [
            why
            for table in tables
            for own in (table_value(value), ANY)
            for why in table.get((key, own), ())
            if not why.presets or preset in why.presets
        ]
        # A reason of some presets comes before those of all, and a model's before the common one.
        candidates.sort(key=lambda why: not why.presets)
        if candidates:
            reasons[key] = candidates[0]
    return reasons


def unchanged_from(
    model: str, preset: str, values: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return a preset of the package, and the values that are as in it.

    Args:
        model: name of the family.
        preset: what the values were changed from. Where that is a file, it is the preset with most
            of the values; without a name if some differ, since reasons of one preset alone
            (`presets:`) may not be those of a file that is nearly as it.
        values: dotted key to value.
    """
    names = shipped_names(model)

    def unchanged(name: str) -> dict[str, Any]:
        shipped = _shipped_values(presets_root() / model / f"{name}.yaml")
        return {key: value for key, value in values.items() if shipped.get(key, ANY) == value}

    if preset in names:
        return preset, unchanged(preset)
    nearest = max(names, key=lambda name: len(unchanged(name)))
    same = unchanged(nearest)
    return nearest if len(same) == len(values) else "", same


@functools.cache
def _shipped_values(path: Path) -> dict[str, Any]:
    return values_of(read_sections(path, tuple(f"{block}:" for block in BLOCKS)))


def split_keys(keys: str) -> list[str]:
    """Return the keys of an entry, such as `recipe.optimizer.beta_1, beta_2` of one block."""
    first, *others = str(keys).split(", ")
    block = first.rpartition(".")[0]
    return [first, *(key if "." in key else f"{block}.{key}" for key in others)]


@functools.cache
def read_reasons(
    path: Path, words: tuple[str, ...] | None = None
) -> dict[tuple[str, Any], list[Why]]:
    """Return the reasons of a why.yaml by key and value; none where there is no such file.

    Keys, or values, that share a reason stand before it together, with commas.

    Args:
        path: of the file.
        words: parts of the file without any of them are left out, for speed; None reads all.

    Raises:
        ZooError: the file cannot be read, or an entry is no reason.
    """
    reasons: dict[tuple[str, Any], list[Why]] = {}
    if not path.is_file():
        return reasons
    document = read_yaml(path) if words is None else read_parts(path, words)
    for keys, by_value in document.items():
        entries = {ANY: by_value} if "sources" in by_value else by_value
        for written, entry in entries.items():
            for reason in entry if isinstance(entry, list) else [entry]:
                try:
                    why = Why.model_validate({key: _tuple(part) for key, part in reason.items()})
                except ValidationError as error:
                    problems = readable(error, Why)
                    raise ZooError(f"{path}: {keys}: {written}: {problems}") from error
                for key in split_keys(keys):
                    for value in _values(written):
                        reasons.setdefault((key, value), []).append(why)
    return reasons


def _values(written: Any) -> list[Any]:
    """Return the values that the key of an entry names: lists, and several, are text in YAML."""
    if written is ANY:
        return [ANY]
    if isinstance(written, str) and written.startswith("["):
        return [table_value(parse_value(written))]
    if isinstance(written, str) and ", " in written:
        return [table_value(parse_value(value)) for value in written.split(", ")]
    return [table_value(written)]


def table_value(value: Any) -> Any:
    """Return a value as the key of a table, where 1 is not true."""
    return type(value) is bool, _tuple(value)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
