"""The practitioners' advice and the sources, as the presets cite them."""

from __future__ import annotations

import functools
from typing import Any, Literal

from pydantic import Field, ValidationError

from zoo.architecture import Block
from zoo.errors import ZooError, did_you_mean
from zoo.plain_yaml import read_yaml
from zoo.preset import presets_root


class Advice(Block):
    """One piece of advice or one decision.

    `origin` is the guide (`from` in the file); `carried_by` maps the kind of carrier (preset,
    guard, tool, test, doc) to where it is, or says `not yet`.
    """

    id: str
    origin: str = Field(alias="from")
    advice: str
    carried_by: tuple[dict[str, str], ...] | Literal["not yet"]


class Source(Block):
    """A guide, paper, code base or measurement."""

    id: str
    title: str
    authors: str
    year: int | None
    kind: Literal["guide", "paper", "code", "measurement"]
    url: str | None


@functools.cache
def load_advice() -> dict[str, Advice]:
    """Return all advice by id, in the order of the guides, decisions last."""
    return _entries("advice.yaml", read_yaml(presets_root() / "advice.yaml"), Advice)


@functools.cache
def load_sources() -> dict[str, Source]:
    """Return all sources by id."""
    groups = read_yaml(presets_root() / "sources.yaml")
    entries = [entry for group in groups.values() for entry in group]
    return _entries("sources.yaml", entries, Source)


def advice(id: str) -> Advice:
    """Return one piece of advice.

    Raises:
        ZooError: no advice has this id.
    """
    table = load_advice()
    if id.upper() not in table:
        raise ZooError(
            f"no advice '{id}'.{did_you_mean(id.upper(), table)} Ids: A01 to A166 (the guides'), "
            "D1 to D26 (decisions). `zoo advice` lists them."
        )
    return table[id.upper()]


def cited(id: str) -> str:
    """Return what a `why` cites, in one line.

    Raises:
        ZooError: neither advice nor source has this id.
    """
    if id in load_advice():
        return load_advice()[id].advice
    source = load_sources().get(id)
    if source is None:
        raise ZooError(f"no source or advice '{id}'.{did_you_mean(id, load_sources())}")
    year = f" ({source.year})" if source.year else ""
    return f"{source.authors}{year}: {source.title}" + (f", {source.url}" if source.url else "")


def carriers(entry: Advice) -> list[str]:
    """Return what carries a piece of advice, a line each."""
    if entry.carried_by == "not yet":
        return ["not yet"]
    return [f"{kind}: {where}" for each in entry.carried_by for kind, where in each.items()]


def _entries(name: str, entries: Any, schema: type[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            plain = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
            parsed = schema.model_validate(plain)
        except ValidationError as error:
            raise ZooError(f"{name}: entry {number}: {' '.join(str(error).split())}") from error
        if parsed.id in found:
            raise ZooError(f"{name}: '{parsed.id}' stands in it twice.")
        found[parsed.id] = parsed
    return found
