"""Linear probing: the head alone, fitted to the features of frozen weights."""

from __future__ import annotations

LINEAR_PROBE = "recipe.linear_probe.name"
NONE, AUTO, ONLY, FIRST = "none", "auto", "only", "first"
# What nothing reads where no layer but the head is trained, and that not by steps.
OF_STEPS = (
    "recipe.epochs",
    "recipe.min_steps",
    "recipe.optimizer.",
    "recipe.schedule.",
    "recipe.loss.",
    "recipe.fine_tuning.",
    "recipe.ema",
    "recipe.nonmono",
    "recipe.global_clipnorm",
    "recipe.monitor",
    "recipe.patience_epochs",
    "data.crop.",
    "data.resizing.",
    "data.color_jitter",
    "data.randaugment",
    "data.erasing",
    "data.mixup",
    "data.cutmix",
)
