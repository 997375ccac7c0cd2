"""The learning rate that goes with another batch size (decision D7).

Under SGD the rate follows the batch linearly, after a warm-up (Goyal 2017,
https://arxiv.org/abs/1706.02677); under the optimizers that divide by the gradient's own size, by
its square root (Malladi 2022, https://arxiv.org/abs/2205.10287).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from zoo.finding import Finding

BATCH, RATE, OPTIMIZER = "data.batch_size", "recipe.optimizer.learning_rate", "recipe.optimizer"
WARMUP = "recipe.schedule.warmup_fraction"
NORM, FREEZE_NORM = "architecture.norm", "recipe.fine_tuning.freeze_norm"
FEWEST = 16  # examples that a batch norm should see
FURTHEST = 8  # times the preset's batch; beyond it the papers' own results get worse
SHARE = 0.05  # warm-up of a larger SGD batch: Goyal's 5 epochs of 90, D8's twentieth


def follow_batch(
    before: Mapping[str, Any], changes: Mapping[str, Any], optimizer: str
) -> dict[str, tuple[float, dict[str, Any]]]:
    """Return the values that another batch size brings, each with its reason.

    Args:
        before: dotted key to value, with the rate of `optimizer`.
        changes: what was asked for; a value that is in it stays as asked.
        optimizer: name of the optimizer after the change.

    Returns:
        Dotted key to value and reason; empty when the batch stays, or is not a positive integer.
    """
    old, new = before[BATCH], changes.get(BATCH, before[BATCH])
    if type(new) is not int or new < 1 or new == old or RATE in changes:
        return {}
    linear, rate = optimizer == "sgd", before[RATE]
    scaled = float(f"{rate * (new / old if linear else math.sqrt(new / old)):.6g}")
    rule = "in proportion" if linear else "by the square root"
    note = f"{rate:g} at batch {old}, scaled {rule} to batch {new}"
    source = "goyal2017" if linear else "malladi2022"
    followed: dict[str, tuple[float, dict[str, Any]]] = {
        RATE: (scaled, {"sources": ["D7", source], "note": note})
    }
    if linear and new > old and WARMUP not in changes and before[WARMUP] < SHARE:
        note = f"a rate for {new / old:g} times the batch is reached in a twentieth of the steps"
        followed[WARMUP] = (SHARE, {"sources": ["D7", "D8", source], "note": note})
    return followed


def norm_for_batch(values: Mapping[str, Any], replicas: int) -> list[Finding]:
    """Return a finding when batch norm would see too few examples at a time (A132).

    Args:
        values: dotted key to value of a preset.
        replicas: devices that share a batch.
    """
    norm, examples = values.get(NORM), norm_examples(values, replicas)
    if norm not in ("batch", "sync-batch") or examples >= FEWEST:
        return []
    what = (
        f"{NORM} {norm} -> group: batch norm would see {examples:g} examples at a time, and wants "
        f"{FEWEST} (A132)."
    )
    hint = f"Set {BATCH} higher, or {NORM} to choose another"
    hint += ": sync-batch sees those of all devices." if norm == "batch" and replicas > 1 else "."
    return [Finding("warning", what, {"examples": examples, "fewest": FEWEST}, hint)]


def norm_examples(values: Mapping[str, Any], replicas: int = 1) -> float:
    """Return how many examples a batch norm sees at a time.

    Args:
        values: dotted key to value of a preset.
        replicas: devices that share a batch.
    """
    together = replicas if values.get(NORM) == "sync-batch" else 1
    return float(together * values[BATCH] / replicas / values["recipe.micro_batches"])


def frozen_norm(values: Mapping[str, Any], replicas: int = 1) -> tuple[bool | None, list[Finding]]:
    """Return whether the batch norms of pretrained weights stay as they are, with a finding.

    Args:
        values: dotted key to value of a preset that starts from weights with batch norms.
        replicas: devices that share a batch.

    Returns:
        None where nothing decides it: the recipe does not train by block, or says it itself.
    """
    asked, examples = values.get(FREEZE_NORM), norm_examples(values, replicas)
    few = examples < FEWEST
    evidence = {"examples": examples, "fewest": FEWEST}
    if asked == "auto":
        if not few:
            return False, []
        what = f"{FREEZE_NORM} auto -> true: batch norms would see {examples:g} examples at a time"
        what += f", fewer than {FEWEST}, and stay as the weights have them."
        return True, [Finding("info", what, evidence, f"Set {FREEZE_NORM} to choose.")]
    if asked or not few:
        return None, []
    what = f"batch norms see {examples:g} examples at a time, and want {FEWEST} (A132)."
    hint = f"Set recipe.fine_tuning.name to by-block, which leaves them as they are, or {BATCH} "
    return None, [Finding("warning", what, evidence, hint + "higher.")]


def batch_finding(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Finding]:
    """Return what was done about another batch size, as at most one finding.

    Args:
        before: dotted key to value, of the preset as it is.
        after: the same, as it is used.
    """
    old, new = before[BATCH], after[BATCH]
    if old == new:
        return []
    moved = [key for key in (RATE, WARMUP) if before[key] != after[key]]
    scaled = ", ".join(f"{key} {before[key]:g} -> {after[key]:g}" for key in moved)
    what = f"{BATCH} {old} -> {new}: {scaled or f'{RATE} stays {after[RATE]:g}'}."
    evidence = {BATCH: [old, new]} | {key: [before[key], after[key]] for key in moved}
    if new / old > FURTHEST:
        what = f"{what} The batch is more than {FURTHEST} times the preset's."
        return [Finding("warning", what, evidence, f"No rule holds that far: search {RATE}.")]
    return [Finding("info", what, evidence, f"Set {RATE} to choose another.")]
