"""The textcnn default with one choice taken back at a time, on validation parts only.

The reasons of `presets/textcnn/default.yaml` that cite `sweep-textcnn` rest on these figures.
Options: data=trec,mr,sst2,subj seeds=0 changes=all
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import files

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
                yield one(change, name, int(seed))


def one(change: str, name: str, seed: int) -> dict[str, Any]:
    """Train once, without looking at the test part."""
    import csv

    import zoo

    folder = Path(tempfile.mkdtemp(prefix="zoo-benchmark-"))
    try:
        parts = {key: path for key, path in files(name, folder).items() if key != "test"}
        run = zoo.train(
            "textcnn", set=CHANGES[change], out=folder / "run", seed=seed, verbose=False, **parts
        )
        with (run.path / "history.csv").open() as file:
            history = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
        metrics = run.metrics
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "id": f"{change} {name} seed {seed}",
        "change": change,
        "data": name,
        "seed": seed,
        "validation": max(history),
        "last_three_epochs": sum(history[-3:]) / len(history[-3:]),
        "linear": metrics["baseline"]["validation"]["accuracy"],
        "minutes": metrics["seconds"] / 60,
    }
