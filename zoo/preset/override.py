"""Dotted keys of a preset's plain data: listing them, setting them, choosing another variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.errors import unknown
from zoo.finding import Finding
from zoo.preset.batch_rule import OPTIMIZER, RATE, follow_batch
from zoo.preset.contrastive import follow_contrastive
from zoo.preset.derived import follow_classes, follow_epochs, follow_labels
from zoo.preset.unread import split_unread

BLOCKS = ("architecture", "data", "recipe")
# These share the meaning of every value they have in common, the rate above all.
ADAMS = ("adam", "adamw", "lazy_adamw")
# Where the default rate of an optimizer comes from.
USUAL_RATES = {
    "adam": "D3",
    "adamw": "D3",
    "lazy_adamw": "D3",
    "lamb": "wightman2021",
    "sgd": "A82",
    "adadelta": "D2",
    "rmsprop": "A39",
}


def leaves(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return every value of nested mappings under its dotted key."""
    values: list[tuple[str, Any]] = []
    for key, value in document.items():
        if isinstance(value, dict):
            values += leaves(value, f"{prefix}{key}.")
        else:
            values.append((f"{prefix}{key}", value))
    return values


def values_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return every value of the architecture, data and recipe blocks under its dotted key."""
    return dict(leaves({block: document[block] for block in BLOCKS}))


def covers(key: str, values: Mapping[str, Any]) -> bool:
    """Whether a dotted key names one of the values or a block of them."""
    return key in values or any(name.startswith(f"{key}.") for name in values)


def change(
    document: dict[str, Any],
    changes: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
) -> list[Finding]:
    """Set values of a preset's document in place; what they may be is checked elsewhere.

    Reasons of values that change go, since they are reasons of the old ones. The order of the
    changes does not matter: another variant, such as an optimizer, comes first, with its own
    values. Another batch size brings another rate (`zoo.preset.batch_rule`), epochs that are set no
    further steps, many classes fewer buckets, several labels a score of theirs
    (`zoo.preset.derived`), contrastive pairs a recipe (`zoo.preset.contrastive`).

    Args:
        document: of the preset.
        changes: dotted key to value.
        variants: `zoo.preset.schemas.variants` of its task.

    Returns:
        Findings on changes that nothing would read, which are not made.

    Raises:
        ZooError: a key does not exist.
    """
    before = values_of(document)
    why = document["why"]
    changes = {**_chosen(document, changes, variants), **changes}
    followed = follow_contrastive(before, changes)
    changes |= {key: value for key, (value, _) in followed.items()}
    switched: dict[str, dict[str, Any]] = {}
    for path, schemas in variants.items():
        name = changes.get(f"{path}.name")
        if isinstance(name, str):
            switched |= _switch(document, path, schemas, name)
    changes, notices = split_unread(changes, document, variants)
    followed |= {
        **follow_epochs(before, changes),
        **follow_classes(before, changes),
        **follow_labels(before, changes),
    }
    if RATE not in switched:  # a usual rate is that of no batch size
        name = document["recipe"]["optimizer"]["name"]
        followed |= follow_batch(values_of(document), changes, name)
    changes = {**changes, **{key: value for key, (value, _) in followed.items()}}
    for key, value in changes.items():
        _assign(document, key, value)
    after = values_of(document)
    document["why"] = {
        key: reason
        for key, reason in why.items()
        if covers(key, after) and (key not in before or before[key] == after.get(key))
    }
    document["why"] |= {key: why for key, why in switched.items() if key not in changes}
    document["why"] |= {key: why for key, (_, why) in followed.items()}
    document["search"] = {
        key: space
        for key, space in document["search"].items()
        if covers(key, after) and key not in switched  # a range for another optimizer's rate
    }
    return notices


def _chosen(
    document: Mapping[str, Any],
    changes: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """Return the names of variants that a value of their own chooses, where it is `auto` so far."""
    names: dict[str, str] = {}
    for path, schemas in variants.items():
        section, _, key = path.partition(".")
        if document[section][key]["name"] != "auto":
            continue
        asked = {str(key).removeprefix(f"{path}.") for key in changes if str(key).startswith(path)}
        for name, schema in schemas.items():
            if asked.intersection(schema.model_fields) - {"name"}:
                names[f"{path}.name"] = name
    return names


def _assign(document: dict[str, Any], key: str, value: Any) -> None:
    *parents, leaf = str(key).split(".")
    block: Any = document
    for parent in parents:
        block = block.get(parent) if isinstance(block, dict) else None
    if not parents or parents[0] not in BLOCKS or not isinstance(block, dict) or leaf not in block:
        raise unknown("key", str(key), values_of(document))
    block[leaf] = value


def _switch(
    document: dict[str, Any], path: str, schemas: Mapping[str, Any], name: str
) -> dict[str, dict[str, Any]]:
    """Make a block that of another variant; return the reason of its rate, or of focal's gamma.

    What the two have in common is kept. Of optimizers only Adam, AdamW and lazy AdamW share what
    they have in common, the others the weight decay alone: an Adadelta at Adam's rate hardly moves,
    an Adam at Adadelta's diverges.
    """
    section, _, key = path.partition(".")
    block = document[section][key]
    old = block["name"]
    if name == old or name not in schemas:
        block["name"] = name  # the schema says what is accepted
        return {}
    unrelated = path == OPTIMIZER and not {name, old} <= set(ADAMS)
    defaults = schemas[name]().model_dump(mode="json")
    kept = {
        part: value
        for part, value in block.items()
        if part in defaults and (part == "weight_decay" or not unrelated)
    }
    document[section][key] = defaults | kept | {"name": name}
    if name == "focal":
        return {f"{path}.gamma": {"sources": ["lin2017"], "note": "2 does best in the paper"}}
    if not unrelated:
        return {}
    note = f"the usual rate of {name}; the preset's own was for {old}"
    return {RATE: {"sources": [USUAL_RATES[name]], "note": note}}
