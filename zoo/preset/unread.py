"""Keys of a preset that count only where another key has some value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.finding import Finding

SCHEDULE, LOSS, CROP = "recipe.schedule.name", "recipe.loss.name", "data.crop"
NGRAMS, DEPTH = "architecture.ngram_buckets", "architecture.depth"
BLOCKS = (18, 20, 32, 34, 44, 50, 56, 101, 110, 152)
# Key to the key that decides, and the values with which it is read; no values: any but 0 and null.
READ_WITH: dict[str, tuple[str, tuple[Any, ...]]] = {
    "recipe.schedule.final_fraction": (SCHEDULE, ("cosine", "linear", "exponential", "one-cycle")),
    "recipe.schedule.milestones": (SCHEDULE, ("multistep",)),
    "recipe.schedule.factor": (SCHEDULE, ("multistep", "plateau")),
    "recipe.schedule.patience_epochs": (SCHEDULE, ("plateau",)),
    "recipe.loss.gamma": (LOSS, ("focal",)),
    "data.crop_padding": (CROP, ("pad",)),
    "data.padding": (CROP, ("pad",)),
    "data.crop_area": (CROP, ("resized",)),
    "data.randaugment_magnitude": ("data.randaugment_ops", ()),
    "architecture.ngram_dropout": (NGRAMS, ()),
    "architecture.ngram_share": (NGRAMS, ()),
    "architecture.path_dropout": (NGRAMS, ()),
    "architecture.norm_momentum": ("architecture.norm", ("batch",)),
    "architecture.shortcut": (DEPTH, BLOCKS),
    "architecture.zero_gamma": (DEPTH, BLOCKS),
    "architecture.squeeze_excitation": (DEPTH, BLOCKS),
    "architecture.stochastic_depth": (DEPTH, BLOCKS),
}


def unread(values: Mapping[str, Any], keys: Iterable[str]) -> list[Finding]:
    """Return findings on keys that were set and that nothing reads.

    Args:
        values: dotted key to value, of the preset as it is used.
        keys: that were set.
    """
    found = []
    for key in keys:
        by, accepted = READ_WITH.get(key, (key, ()))
        if by == key or by not in values:
            continue
        if values[by] in accepted or (not accepted and values[by]):
            continue
        what = f"{key} was set, and is not read: {by} is {values[by]}."
        words = ", ".join(str(each) for each in accepted) or "more than 0"
        hint = f"It counts where {by} is {words}."
        found.append(Finding("warning", what, {key: values.get(key), by: values[by]}, hint))
    return found
