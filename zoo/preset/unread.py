"""Keys of a preset that count only where another key has some value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.finding import Finding
from zoo.preset.contrastive import CONTRASTIVE
from zoo.preset.linear_probe import AUTO, FIRST, LINEAR_PROBE, NONE, OF_STEPS

# Blocks of one schema once: files from then hold the values of every variant.
ONCE_FLAT = ("data.crop", "recipe.loss", "recipe.schedule")
NGRAMS, DEPTH = "architecture.ngram_buckets", "architecture.depth"
BOTTLENECKS = (26, 50, 101, 152)
BLOCKS = (18, 20, 26, 32, 34, 44, 50, 56, 101, 110, 152)
# Key to the key that decides, and the values with which it is read; no values: any but 0 and null.
READ_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    "data.randaugment_magnitude": ("data.randaugment_ops", ()),
    "recipe.r_drop": (CONTRASTIVE, ("none", "auto")),
    "recipe.loss.label_smoothing": (CONTRASTIVE, ("none", "auto")),
    "data.balance": (CONTRASTIVE, ("none", "auto")),
    "architecture.ngram_dropout": (NGRAMS, ()),
    "architecture.ngram_share": (NGRAMS, ()),
    "architecture.path_dropout": (NGRAMS, ()),
    "architecture.norm_momentum": ("architecture.norm", ("batch", "sync-batch")),
    "architecture.bottleneck_width": (DEPTH, BOTTLENECKS),
    "architecture.shortcut": (DEPTH, BLOCKS),
    "architecture.zero_gamma": (DEPTH, BLOCKS),
    "architecture.squeeze_excitation": (DEPTH, BLOCKS),
    "architecture.stochastic_depth": (DEPTH, BLOCKS),
}


def drop_unread(
    document: dict[str, Any], variants: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """Take the values out of a preset's document that belong to a variant it does not have.

    Args:
        document: changed in place.
        variants: `zoo.preset.schemas.variants` of its task.

    Returns:
        A finding for each block that had such values.
    """
    findings = []
    for path in ONCE_FLAT:
        section, _, key = path.partition(".")
        values = document.get(section)
        block = values.get(key) if isinstance(values, dict) else None
        if path not in variants or not isinstance(block, dict):
            continue
        name = block.get("name")
        others = _of_others(variants[path], name)
        left = {f"{path}.{part}": block[part] for part in block if part in others}
        if left:
            kept = {part: value for part, value in block.items() if part not in others}
            document[section] = {**document[section], key: kept}
            for beside in ("search", "why"):
                if isinstance(document.get(beside), dict):
                    entries = document[beside].items()
                    document[beside] = {k: entry for k, entry in entries if k not in left}
            what = f"{', '.join(left)}: not read, as {path}.name is {name}."
            findings.append(Finding("info", what, left, "They can be left out."))
    return findings


def split_unread(
    changes: Mapping[str, Any],
    document: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Any], list[Finding]]:
    """Return changes without those that only another variant would read, and findings on these.

    Args:
        changes: dotted key to value.
        document: of the preset, with the variants that were chosen.
        variants: `zoo.preset.schemas.variants` of its task.
    """
    read = dict(changes)
    findings = []
    for path in filter(variants.get, ONCE_FLAT):
        section, _, part = path.partition(".")
        name = document[section][part]["name"]
        others = _of_others(variants[path], name)
        for key in changes:
            block, _, leaf = str(key).rpartition(".")
            if block != path or leaf not in others:
                continue
            names = [own for own, schema in variants[path].items() if leaf in schema.model_fields]
            what = f"{key} was set, and is not read: {path}.name is {name}."
            hint = f"It counts where {path}.name is {', '.join(names)}."
            evidence = {key: read.pop(key), f"{path}.name": name}
            findings.append(Finding("warning", what, evidence, hint))
    return read, findings


def _of_others(schemas: Mapping[str, Any], name: Any) -> set[str]:
    """Return the fields that other variants have; none where there is no variant of the name."""
    if not isinstance(name, str) or name not in schemas:
        return set()
    fields = {field for schema in schemas.values() for field in schema.model_fields}
    return fields - set(schemas[name].model_fields)


def unread(values: Mapping[str, Any], keys: Iterable[str]) -> list[Finding]:
    """Return findings on keys that were set and that nothing reads.

    Args:
        values: dotted key to value, of the preset as it is used.
        keys: that were set.
    """
    findings = []
    for key in keys:
        by, accepted = READ_WITH.get(key, (key, ()))
        if LINEAR_PROBE in values and key.startswith(OF_STEPS):
            by, accepted = LINEAR_PROBE, (NONE, AUTO, FIRST)
        if by == key or by not in values:
            continue
        if values[by] in accepted or (not accepted and values[by]):
            continue
        what = f"{key} was set, and is not read: {by} is {values[by]}."
        words = ", ".join(map(str, accepted)) or "more than 0"
        hint = f"It counts where {by} is {words}."
        findings.append(Finding("warning", what, {key: values.get(key), by: values[by]}, hint))
    return findings
