"""The textcnn default with one choice taken back at a time, on validation parts only.

Reasons in `presets/textcnn/why.yaml` that cite `sweep-textcnn` rest on such figures, of which no
record was kept.
Options: data=trec,mr,sst2,subj seeds=0 changes=all
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import files
from benchmarks.training_runs import train_once

CHANGES: dict[str, dict[str, Any]] = {
    "default": {},
    "no linear path": {"architecture.ngram_sizes": [], "architecture.ngram_buckets": 0},
    "plain sum of the paths": {"architecture.ngram_share": 0.5, "architecture.path_dropout": 0.0},
    "no label smoothing": {"recipe.loss.label_smoothing": 0.0},
    "no averaged weights": {"recipe.ema": None},
    "no word and embedding dropout": {
        "architecture.word_dropout": 0.0,
        "architecture.embedding_dropout": 0.0,
    },
    "vocabulary 16,000": {"architecture.vocabulary_size": 16_000},
    "words": {"data.tokenizer": "words", "architecture.vocabulary_size": 16_000},
    "learning rate 1e-3": {"recipe.optimizer.learning_rate": 1e-3},
    "cosine": {"recipe.schedule.name": "cosine"},
    "triples": {"architecture.ngram_sizes": [1, 2, 3]},
}


def measure(
    data: str = "trec,mr,sst2,subj", seeds: str = "0", changes: str = "all"
) -> Iterator[dict[str, Any]]:
    """Train each change on each set; yield validation accuracy, its best and its last epoch's."""
    for change in CHANGES if changes == "all" else changes.split(","):
        for name in data.split(","):
            for seed in seeds.split(","):
                yield validation_scores(change, name, int(seed))


def validation_scores(change: str, name: str, seed: int) -> dict[str, Any]:
    """Train once, without looking at the test part."""

    def parts(folder: Path) -> dict[str, str]:
        return {part: path for part, path in files(name, folder).items() if part != "test"}

    metrics, epochs = train_once("textcnn", parts, seed=seed, changes=CHANGES[change])
    accuracy = [float(epoch["val_accuracy"]) for epoch in epochs]
    return {
        "id": f"{change} {name} seed {seed}",
        "change": change,
        "data": name,
        "seed": seed,
        "validation": max(accuracy),
        "last_three_epochs": sum(accuracy[-3:]) / len(accuracy[-3:]),
        "linear": metrics["baseline"]["validation"]["accuracy"],
        "minutes": metrics["seconds"] / 60,
    }
