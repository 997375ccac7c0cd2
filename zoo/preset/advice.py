"""The practitioners' advice and the sources, as the presets cite them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from zoo.errors import ZooError, did_you_mean
from zoo.plain_yaml import read_entry, read_sections, read_yaml
from zoo.preset.block import Block, presets_root
from zoo.preset.loading import names
from zoo.preset.override import BLOCKS, leaves
from zoo.preset.reasons import read_reasons, reasons_for, split_keys
from zoo.preset.schemas import architectures


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
    """A guide, paper, code base, measurement or decision of this project.

    A measurement names the `script` that makes it and the `results` that it wrote. One without was
    made by hand, before results were kept: nobody can look it up, and it is shown as such.
    """

    id: str
    title: str
    authors: str
    year: int | None
    kind: Literal["guide", "paper", "code", "measurement", "decision"]
    url: str | None
    script: str | None = None
    results: str | None = None

    @property
    def recorded(self) -> bool:
        """Whether a reader can look it up or repeat it."""
        return self.kind != "measurement" or (self.script is not None and self.results is not None)


Entry = TypeVar("Entry", Advice, Source)


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
    entry = _one("advice.yaml", id.upper(), Advice)
    if entry is None:
        table = load_advice()
        raise ZooError(
            f"no advice '{id}'.{did_you_mean(id.upper(), table)} Ids: A01 to A166 (the guides'), "
            "D1 to D26 (decisions). `zoo advice` lists them."
        )
    return entry


def source(id: str) -> Source:
    """Return one source.

    Raises:
        ZooError: no source has this id.
    """
    entry = _one("sources.yaml", id, Source)
    if entry is None:
        table = load_sources()
        raise ZooError(f"no source '{id}'.{did_you_mean(id, table)} Accepted: {', '.join(table)}.")
    return entry


def entry(id: str) -> Advice | Source:
    """Return the advice or the source of an id.

    Raises:
        ZooError: neither has this id.
    """
    return _one("sources.yaml", id, Source) or advice(id)


def citing(id: str) -> dict[str, list[str]]:
    """Return the keys whose reason names an advice or a source, each with its presets."""
    root, word = presets_root(), re.compile(rf"\b{re.escape(id)}\b")
    common = _keys_citing(root / "why.yaml", id)
    keys_of = {
        model: common | _keys_citing(root / model / "why.yaml", id) for model in architectures()
    }
    words = tuple(sorted({key.split(".")[-1] for keys in keys_of.values() for key in keys}))
    cited: dict[str, list[str]] = {}
    for name in names():
        model, _, preset = name.partition("/")
        path = root / f"{name}.yaml"
        keys = keys_of[model]
        # Only the sections of these keys are parsed; a shipped preset leaves no value out.
        sections = tuple(sorted({f"{key.split('.')[0]}:" for key in keys}))
        own_reasons = path.read_text(encoding="utf-8").partition("\nwhy:")[2]
        if word.search(own_reasons) or any(key.split(".")[-1] in own_reasons for key in keys):
            sections = (*sections, "why:")
        if not sections:
            continue
        document = read_sections(path, sections)
        values = dict(leaves({block: document.get(block, {}) for block in BLOCKS}))
        own = {
            key: entry["sources"]
            for entries, entry in document.get("why", {}).items()
            for key in split_keys(entries)
        }
        in_question = {key: values[key] for key in keys & set(values)}
        written = reasons_for(model, preset, in_question, words) if in_question else {}
        sources = {key: why.sources for key, why in written.items()} | own
        for key in values | own:
            if id in sources.get(key, ()):
                cited.setdefault(key, []).append(name)
    return cited


def _keys_citing(path: Path, id: str) -> set[str]:
    """Return the keys that a why.yaml gives an id for as a reason."""
    reasons = read_reasons(path, (id,)).items()
    return {key for (key, _), whys in reasons if any(id in why.sources for why in whys)}


def readable(entry: Advice | Source) -> list[str]:
    """Return lines that show an advice or a source to a person: what, from where, who uses it."""
    if isinstance(entry, Source):
        lines = [f"{entry.id}: {_line(entry)}"]
    else:
        lines = [f"{entry.id}: {entry.advice}", *(f"  {line}" for line in _origins(entry))]
        lines += [f"  carried by {line}" for line in carriers(entry) if line != "not yet"]
        lines += ["  not carried by anything yet"] * (entry.carried_by == "not yet")
    users = citing(entry.id)
    if users:
        lines.append("  presets that give it as a reason:")
    return lines + [f"    {key}: {', '.join(presets)}" for key, presets in users.items()]


def cited(id: str) -> str:
    """Return what a `why` cites, in one line.

    Raises:
        ZooError: neither advice nor source has this id.
    """
    if piece := _one("advice.yaml", id, Advice):
        return piece.advice
    if named := _one("sources.yaml", id, Source):
        return _line(named)
    raise ZooError(f"no source or advice '{id}'.{did_you_mean(id, load_sources())}")


def carriers(entry: Advice) -> list[str]:
    """Return what carries a piece of advice, a line each."""
    if entry.carried_by == "not yet":
        return ["not yet"]
    return [f"{kind}: {where}" for carrier in entry.carried_by for kind, where in carrier.items()]


def _line(source: Source) -> str:
    year = f" ({source.year})" if source.year else ""
    line = f"{source.authors}{year}: {source.title}" + (f", {source.url}" if source.url else "")
    if source.script and source.results:
        line += f" ({source.script}, {source.results})"
    return line if source.recorded else f"{line} (no record of these runs was kept)"


def _origins(entry: Advice) -> list[str]:
    if entry.origin == "zoo":
        return ["a decision where the guides disagree or have aged"]
    guides = [source(id) for id in entry.origin.split(", ")]
    return [f"from {guide.id}, {_line(guide)}" for guide in guides]


@functools.cache
def _one(name: str, id: str, schema: type[Entry]) -> Entry | None:
    """Return the entry of an id without reading the others; None where there is none."""
    return _entries(name, read_entry(presets_root() / name, id), schema).get(id)


def _entries(name: str, entries: Any, schema: type[Any]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            plain = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
            parsed = schema.model_validate(plain)
        except ValidationError as error:
            raise ZooError(f"{name}: entry {number}: {' '.join(str(error).split())}") from error
        if parsed.id in table:
            raise ZooError(f"{name}: '{parsed.id}' stands in it twice.")
        table[parsed.id] = parsed
    return table
