"""Test perplexity of language models on PTB, WikiText-2 and tiny Shakespeare.

Options: preset=default data=ptb seeds=0; presets are parted by `;`, are of lstm_lm unless they name
their model, as `transformer_lm/char` does, and may be `VARIANTS`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.datasets import folder_of
from benchmarks.training_runs import train_once

# Presets with a change, for what a choice is worth: tying alone, which Press and Wolf have between
# zaremba-small and press-wolf-small, and what half precision costs.
VARIANTS = {
    "zaremba-small, tied": {"architecture.tied": True},
    "zaremba-small, bfloat16": {"recipe.dtype_policy": "mixed_bfloat16"},
    "default, float32": {"recipe.dtype_policy": "float32"},
    "transformer_lm/char, 20 minutes": {
        "architecture.hidden_dim": 192,
        "architecture.feed_forward_dim": 768,
        "architecture.max_positions": 128,
        "architecture.dropout": 0.1,
        "data.window": 128,
        "data.scoring_stride": 64,
        "data.batch_size": 32,
        "recipe.optimizer.learning_rate": 1e-3,
        "recipe.epochs": 16,
    },
}


def measure(
    preset: str = "default", data: str = "ptb", seeds: str = "0"
) -> Iterator[dict[str, Any]]:
    """Yield one entry a preset, set and seed."""
    for variant in preset.split(";"):
        for name in data.split(","):
            for seed in seeds.split(","):
                yield scores(variant, name, int(seed))


def chosen(variant: str) -> tuple[str, str, dict[str, Any]]:
    """Return the model and the preset of a variant, and what it changes."""
    name, _, change = variant.partition(",")
    model, _, preset = name.rpartition("/")
    return model or "lstm_lm", preset, VARIANTS[variant] if change else {}


def scores(variant: str, data: str, seed: int) -> dict[str, Any]:
    """Train a preset, or a variant of one, once; return the scores on the test part."""
    model, preset, changes = chosen(variant)
    label = f"{model}/{variant.removeprefix(f'{model}/')}"
    metrics, _ = train_once(
        model,
        lambda _: {"data": str(folder_of(data))},
        preset=preset,
        seed=seed,
        changes=changes,
    )
    training = metrics["training"]
    return {
        "id": f"{label} {data} {seed}",
        "preset": label,
        "data": data,
        "seed": seed,
        "perplexity": metrics["test"]["perplexity"],
        "loss": metrics["test"]["loss"],
        "validation_perplexity": metrics["validation"]["perplexity"],
        "bigrams": metrics["baseline"]["test"]["perplexity"],
        "epochs": training["epochs"],
        "best_epoch": training["best_epoch"],
        "parameters": training["parameters"],
        "tokens_per_second": training["examples_per_second"],
        "training_minutes": training["seconds"] / 60,
        "minutes": metrics["seconds"] / 60,
    }
