"""Test scores of presets on public text sets, beside a linear model on the same split.

The test part is scored once, after training; what is selected is selected on the validation part.
Of several labels a row the scores are micro and macro F1 and the share of exact matches.
Options: preset=textcnn/default data=trec,mr,... seeds=0,1,2; presets are parted by `;` and may be
`VARIANTS`. Entries of other presets, sets and seeds are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.datasets import FLOORS, files
from benchmarks.training_runs import train_once, variant_of

# Presets with a change. Long reviews need more than a preset's 128 tokens; of few rows nearly all
# buckets of n-grams are empty, and a table of them would be kept 500 times, once an epoch.
VARIANTS: dict[str, dict[str, Any]] = {
    "fasttext/default, 16,384 buckets": {"architecture.ngram_buckets": 16_384},
    "textcnn/default, glove": {"data.vectors": "glove"},
    "transformer/minilm, 256 tokens": {"data.max_length": 256},
    "transformer/minilm, 256 tokens, plain, 2 epochs": {
        "data.max_length": 256,
        "recipe.epochs": 2,
        "recipe.r_drop": 0.0,
    },
    "transformer/minilm, plain": {"recipe.r_drop": 0.0},
    # In place of contrastive pairs, which few rows get.
    "transformer/minilm, fine-tuned": {"recipe.contrastive.name": "none"},
}
KINDS = ("accuracy", "micro_f1")  # the first score of one label a row, and of several


def measure(
    preset: str = "textcnn/default", data: str = ",".join(FLOORS), seeds: str = "0,1,2"
) -> Iterator[dict[str, Any]]:
    """Train every preset as it is on every set and seed; yield one entry each."""
    for seed in seeds.split(","):
        for name in data.split(","):
            for variant in preset.split(";"):
                yield scores(variant, name, int(seed))


def chosen(variant: str) -> tuple[str, str, Mapping[str, Any]]:
    """Return the model and the preset of a variant, and what it changes."""
    return variant_of(variant, VARIANTS)


def scores(variant: str, name: str, seed: int) -> dict[str, Any]:
    """Train a preset, or a variant of one, once; return the scores on the test part."""
    model, preset, changes = chosen(variant)
    parts = functools.partial(files, name)
    metrics, _ = train_once(model, parts, preset=preset, seed=seed, changes=changes)
    training, test, linear = metrics["training"], metrics["test"], metrics["baseline"]["test"]
    first = next(kind for kind in KINDS if kind in test)
    floor = {"floor": FLOORS[name]} if name in FLOORS else {}
    return {
        "id": f"{variant} {name} seed {seed}",
        "preset": variant,
        "data": name,
        "seed": seed,
        **{key: test[key] for key in (first, "macro_f1", "exact_match") if key in test},
        "validation": metrics["validation"][first],
        "linear": linear[first],
        "linear_macro_f1": linear["macro_f1"],
        **floor,
        "best_epoch": training["best_epoch"],
        "epochs": training["epochs"],
        "parameters": training["parameters"],
        "examples_per_second": training["examples_per_second"],
        "input_wait_share": training["input_wait_share"],
        "minutes": metrics["seconds"] / 60,
    }
