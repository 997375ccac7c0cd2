"""What one change of a preset brings along, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.finding import Finding
from zoo.preset.batch_rule import BATCH, OPTIMIZER, RATE, batch_finding
from zoo.preset.contrastive import finding_on_pairs
from zoo.preset.recipe import Recipe

EPOCHS, STEPS = "recipe.epochs", "recipe.min_steps"
LABELS, MONITOR = "data.labels.name", "recipe.monitor"
BUCKETS, CLASSES = "architecture.ngram_buckets", "architecture.num_classes"
# With Adam's moments, the average and their copies, training takes about 2.4 GB for so many.
MOST_WEIGHTS = 1 << 25
FEWEST_BUCKETS = 256


def follow_epochs(
    before: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return the value that given epochs bring, with its reason: no steps beyond them.

    Args:
        before: dotted key to value.
        changes: what was asked for; a value that is in it stays as asked.

    Returns:
        Dotted key to value and reason; empty where epochs are not asked for.
    """
    if EPOCHS not in changes or STEPS in changes or not before.get(STEPS):
        return {}
    note = f"{EPOCHS} was set: it holds, however few the steps; {before[STEPS]:,} before"
    return {STEPS: (0, {"sources": ["zoo"], "note": note})}


def follow_classes(
    before: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return the buckets of n-grams that many classes bring, with the reason.

    Each bucket has a weight a class. What a user needs for 20 classes would not fit into the memory
    with 1,000, and a class of few rows has few n-grams of its own.

    Args:
        before: dotted key to value.
        changes: what was asked for; a value that is in it stays as asked.

    Returns:
        Dotted key to value and reason; empty where the buckets stay.
    """
    old, classes = before.get(BUCKETS), changes.get(CLASSES)
    if "architecture.ngram_share" not in before or BUCKETS in changes or type(classes) is not int:
        return {}
    if not old or classes < 2 or old * classes <= MOST_WEIGHTS:
        return {}
    new = max(1 << (MOST_WEIGHTS // classes).bit_length() - 1, FEWEST_BUCKETS)
    if new >= old:
        return {}
    note = f"{old:,} before: a weight a class and bucket makes {old * classes:,} of {classes:,}"
    return {BUCKETS: (new, {"sources": ["zoo"], "note": note})}


def follow_labels(
    before: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the score to monitor that several labels a row bring, with the reason.

    Args:
        before: dotted key to value.
        changes: what was asked for; a value that is in it stays as asked.

    Returns:
        Dotted key to value and reason; empty where the score is one of several labels, too.
    """
    monitored = str(before.get(MONITOR))
    if changes.get(LABELS) != "several" or MONITOR in changes or "accuracy" not in monitored:
        return {}
    note = f"{monitored} is of one label a row; of several micro F1 is what rows are compared by"
    return {MONITOR: ("micro_f1", {"sources": ["zoo"], "note": note})}


def findings_on(
    before: Mapping[str, Any], after: Mapping[str, Any], changes: Mapping[str, Any]
) -> list[Finding]:
    """Return what changed beside what was asked for.

    Args:
        before: dotted key to value, of the preset as it is.
        after: the same, as it is used.
        changes: what was asked for.
    """
    pairs = finding_on_pairs(before, after, changes)
    before = {**before, **{key: after[key] for finding in pairs for key in finding.evidence}}
    switched = before[f"{OPTIMIZER}.name"] != after[f"{OPTIMIZER}.name"]
    if switched and before[BATCH] != after[BATCH]:
        # The batch rule moved nothing: the rate is the usual one of the optimizer, of no batch.
        before = {**before, RATE: after[RATE]}
        findings = []
    else:
        findings = batch_finding(before, after)
    findings += pairs
    for key in after:
        if key.endswith(".name") and before[key] not in (after[key], "auto"):
            findings += _variant(key, before, after, changes)
    if STEPS not in changes and before.get(STEPS, 0) != after.get(STEPS, 0):
        what = (
            f"{EPOCHS} {after[EPOCHS]} was set, so {STEPS} {before[STEPS]:,} -> {after[STEPS]}: "
            "few data get no more epochs than that."
        )
        hint = f"Set {STEPS} as well to give small data sets a least number of steps."
        findings.append(Finding("info", what, {STEPS: [before[STEPS], after[STEPS]]}, hint))
    if BUCKETS not in changes and before.get(BUCKETS) != after.get(BUCKETS):
        what = (
            f"{BUCKETS} {before[BUCKETS]:,} -> {after[BUCKETS]:,}: with {after[CLASSES]:,} classes "
            f"the table would have {before[BUCKETS] * after[CLASSES]:,} weights."
        )
        evidence = {BUCKETS: [before[BUCKETS], after[BUCKETS]], CLASSES: after[CLASSES]}
        findings.append(Finding("info", what, evidence, f"Set {BUCKETS} to choose another."))
    return findings


def more_epochs(recipe: Recipe, epochs: int, steps: int) -> list[Finding]:
    """Return a finding where `recipe.min_steps` raises the epochs.

    Args:
        recipe: the recipe.
        epochs: that are trained.
        steps: of an epoch.
    """
    if epochs <= recipe.epochs:
        return []
    what = (
        f"{epochs:,} epochs instead of {EPOCHS} {recipe.epochs:,}: one has {steps:,} steps, and "
        f"{STEPS} is {recipe.min_steps:,}."
    )
    hint = f"Set {EPOCHS} to have no more than that."
    return [Finding("info", what, {"epochs": epochs, "steps_per_epoch": steps}, hint)]


def _variant(
    key: str, before: Mapping[str, Any], after: Mapping[str, Any], changes: Mapping[str, Any]
) -> list[Finding]:
    block = key.removesuffix("name")
    moved = {
        own: [before.get(own), after[own]]
        for own in after
        if own.startswith(block) and own not in changes and before.get(own) != after[own]
    }
    brought = ", ".join(f"{own} {now}" for own, (_, now) in moved.items() if own != key)
    if not brought:
        return []
    what = f"{key} {before[key]} -> {after[key]} brings {brought}."
    return [Finding("info", what, moved, "Set a key to choose another value.")]
