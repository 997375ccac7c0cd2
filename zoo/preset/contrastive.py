"""What contrastive pairs bring to a recipe that was made for fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.finding import Finding

CONTRASTIVE = "recipe.contrastive.name"
PAIRS, AUTO, NONE = "pairs", "auto", "none"
# Key to value, sources and note; the values of transformer/minilm-few, which a test holds.
BROUGHT: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "data.batch_size": (16, ("tunstall2022",), "16 pairs, as in the paper"),
    "recipe.epochs": (1, ("tunstall2022",), "one pass over the pairs, as in the paper"),
    "recipe.min_steps": (0, ("zoo",), "none: each row has as many pairs as it needs"),
    "recipe.optimizer.learning_rate": (5e-5, ("zoo",), "5e-5: for pairs, not swept here"),
    "recipe.schedule.name": ("linear", ("setfit",), "a straight line, as in its trainer"),
    "recipe.schedule.warmup_fraction": (
        0.1,
        ("setfit",),
        "a tenth of the steps, as in its trainer",
    ),
    "recipe.schedule.final_fraction": (0.0, ("setfit",), "to zero, as in its trainer"),
    "recipe.global_clipnorm": (None, ("zoo",), "off: the gradients of cosines are small"),
    "recipe.ema": (None, ("zoo",), "off: a rate that ends at zero does what an average would"),
    "recipe.nonmono": (None, ("zoo",), "off: a rate that ends at zero does what an average would"),
    "recipe.monitor": ("last", ("zoo",), "the last: so few rows of validation pick nothing"),
    "recipe.patience_epochs": (None, ("zoo",), "null: the one pass is to end"),
    "recipe.r_drop": (0.0, ("zoo",), "off: pairs have no logits that could disagree"),
}


def follow_contrastive(
    before: Mapping[str, Any], changes: Mapping[str, Any]
) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return the values that contrastive pairs bring, with their reasons.

    Args:
        before: dotted key to value.
        changes: what was asked for; a value that is in it stays as asked.

    Returns:
        Dotted key to value and reason; empty where pairs are not turned on.
    """
    if changes.get(CONTRASTIVE) != PAIRS or before.get(CONTRASTIVE) in (PAIRS, None):
        return {}
    return {
        key: (value, {"sources": list(sources), "note": note})
        for key, (value, sources, note) in BROUGHT.items()
        if key not in changes and before.get(key, value) != value
    }


def finding_on_pairs(
    before: Mapping[str, Any], after: Mapping[str, Any], changes: Mapping[str, Any]
) -> list[Finding]:
    """Return what contrastive pairs brought, as one finding; none where they were not turned on.

    Args:
        before: dotted key to value, of the preset as it is.
        after: the same, as it is used.
        changes: what was asked for.
    """
    if after.get(CONTRASTIVE) != PAIRS or before.get(CONTRASTIVE) == PAIRS:
        return []
    moved = {
        key: [before[key], after[key]]
        for key in BROUGHT
        if key in after and key not in changes and before.get(key, after[key]) != after[key]
    }
    shown = ((key, "null" if now is None else now) for key, (_, now) in moved.items())
    listed = ", ".join(f"{key} {value}" for key, value in shown)
    what = f"{CONTRASTIVE} {PAIRS} brings {listed}."
    return [Finding("info", what, moved, "Set a key to choose another value.")] if moved else []
