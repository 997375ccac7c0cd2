"""Dotted keys of a preset's plain data: listing them, setting them, switching the optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticUndefined

from zoo.errors import unknown
from zoo.preset.batch_rule import RATE, follow_batch
from zoo.preset.derived import follow_classes, follow_epochs
from zoo.preset.recipe import SGD, Adadelta, Adam, AdamW, Lamb, LazyAdamW, RMSprop

BLOCKS = ("architecture", "data", "recipe")
OPTIMIZERS: dict[str, Any] = {
    "adam": Adam,
    "adamw": AdamW,
    "lazy_adamw": LazyAdamW,
    "lamb": Lamb,
    "sgd": SGD,
    "adadelta": Adadelta,
    "rmsprop": RMSprop,
}
# These share the meaning of every value they have in common, the rate above all.
ADAMS = ("adam", "adamw", "lazy_adamw")
# Rate of an optimizer that was switched to without one, and where it comes from.
USUAL_RATES = {
    "adam": (1e-3, "D3"),
    "adamw": (1e-3, "D3"),
    "lazy_adamw": (1e-3, "D3"),
    "lamb": (5e-3, "wightman2021"),
    "sgd": (0.1, "A82"),
    "adadelta": (1.0, "D2"),
    "rmsprop": (1e-3, "A39"),
}


def leaves(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return every value of nested mappings under its dotted key."""
    found: list[tuple[str, Any]] = []
    for key, value in document.items():
        if isinstance(value, dict):
            found += leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def values_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return every value of the architecture, data and recipe blocks under its dotted key."""
    return dict(leaves({block: document[block] for block in BLOCKS}))


def covers(key: str, values: Mapping[str, Any]) -> bool:
    """Whether a dotted key names one of the values or a block of them."""
    return key in values or any(name.startswith(f"{key}.") for name in values)


def change(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Set values of a preset's document in place; what they may be is checked elsewhere.

    Reasons of values that change go, since they are reasons of the old ones. The order of the
    changes does not matter: another optimizer comes first, with its own values. Another batch size
    brings another rate (`zoo.preset.batch_rule`), epochs that are set no further steps, many
    classes fewer buckets (`zoo.preset.derived`).

    Raises:
        ZooError: a key does not exist.
    """
    before = values_of(document)
    why = document["why"]
    name = changes.get("recipe.optimizer.name")
    if isinstance(name, str):
        switched = _switch(document["recipe"]["optimizer"], name)
        changes = {key: value for key, value in changes.items() if key != "recipe.optimizer.name"}
    else:
        switched = {}
    followed: dict[str, tuple[Any, dict[str, Any]]] = {
        **follow_epochs(before, changes),
        **follow_classes(before, changes),
    }
    if RATE not in switched:  # a usual rate is that of no batch size
        block = document["recipe"]["optimizer"]
        followed |= follow_batch(values_of(document), changes, block["name"])
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


def _assign(document: dict[str, Any], key: str, value: Any) -> None:
    *parents, leaf = str(key).split(".")
    place: Any = document
    for parent in parents:
        place = place.get(parent) if isinstance(place, dict) else None
    if not parents or parents[0] not in BLOCKS or not isinstance(place, dict) or leaf not in place:
        raise unknown("key", str(key), values_of(document))
    place[leaf] = value


def _switch(block: dict[str, Any], name: str) -> dict[str, Any]:
    """Make an optimizer block that of another one; return the reasons of its rate.

    Adam, AdamW and lazy AdamW keep what they share. A rate or an epsilon of one of the others says
    nothing about the next: an Adadelta at Adam's rate hardly moves, an Adam at Adadelta's diverges.
    """
    old = block["name"]
    if name == old or name not in OPTIMIZERS:
        block["name"] = name  # the schema says what is accepted
        return {}
    related = name in ADAMS and old in ADAMS
    kept = dict(block) if related else {"weight_decay": block.get("weight_decay", 0.0)}
    rate, source = USUAL_RATES[name]
    block.clear()
    for key, field in OPTIMIZERS[name].model_fields.items():
        default = None if field.default is PydanticUndefined else field.default
        block[key] = kept.get(key, default)
    block["name"] = name
    if "weight_decay" in block:
        block["weight_decay"] = kept.get("weight_decay", 0.0)
    if related:
        return {}
    block["learning_rate"] = rate
    note = f"the usual rate of {name}; the preset's own was for {old}"
    return {"recipe.optimizer.learning_rate": {"sources": [source], "note": note}}
