"""Test accuracy by the number of labelled rows: with what to begin.

Rows are drawn from the training part with the classes' shares, so many in all: what validates is
taken from them. Each model is as it comes; the SVM has words 1 to 2 and characters 2 to 5, C = 1.
The whole test part is scored once.
Options: models=transformer/minilm;textcnn/default;... data=trec,mr,... sizes=50,100,...
seeds=0,1,2; models are presets, variants of `quality`, or `svm`, parted by `;`
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import files, read_rows
from benchmarks.text_classification.quality import chosen
from benchmarks.text_classification.svm import fits
from benchmarks.training_runs import train_once

SVM = "svm"
# As it is, minilm chooses by the number of rows between contrastive pairs and fine-tuning.
MODELS = (
    "transformer/minilm",
    "transformer/minilm, fine-tuned",
    "textcnn/default",
    "fasttext/default, 16,384 buckets",
    SVM,
)
SETS = ("trec", "mr", "ag_news_part")
SIZES = (50, 100, 200, 500, 1000)  # labelled rows


def measure(
    models: str = ";".join(MODELS),
    data: str = ",".join(SETS),
    sizes: str = ",".join(map(str, SIZES)),
    seeds: str = "0,1,2",
) -> Iterator[dict[str, Any]]:
    """Yield one entry a model, set, number of rows and seed."""
    for seed in map(int, seeds.split(",")):
        for name in data.split(","):
            for size in map(int, sizes.split(",")):
                for model in models.split(";"):
                    yield scores(model, name, size, seed)


def scores(model: str, name: str, size: int, seed: int) -> dict[str, Any]:
    """Train on some rows of a set; return the accuracy on its test part."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        parts = files(name, Path(folder))
        texts, labels = read_rows(parts["data"])
        rows = drawn(labels, size, seed)
        texts, labels = [texts[row] for row in rows], [labels[row] for row in rows]
        score = _svm if model == SVM else _network
        few = Path(folder) / "few.csv"
        with few.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        measured = score(model, {"data": str(few), "test": parts["test"]}, seed)
    return {
        "id": f"{model} {name} {size} rows seed {seed}",
        "model": model,
        "data": name,
        "rows": size,
        "seed": seed,
        **measured,
    }


def drawn(labels: Sequence[str], size: int, seed: int) -> list[int]:
    """Return the positions of some rows, of each class its share and one row at least.

    Args:
        labels: of all rows.
        size: how many to draw; the largest class takes what rounding leaves.
        seed: of the order in which rows are drawn.
    """
    counts = Counter(labels)
    shares = {label: max(1, round(size * n / len(labels))) for label, n in counts.items()}
    largest = max(sorted(shares), key=lambda label: shares[label])
    shares[largest] += size - sum(shares.values())
    chosen = []
    for row in np.random.default_rng(seed).permutation(len(labels)):
        if shares[labels[row]] > 0:
            shares[labels[row]] -= 1
            chosen.append(int(row))
    return chosen


def _network(model: str, parts: Mapping[str, str], seed: int) -> dict[str, Any]:
    family, preset, changes = chosen(model)
    metrics, epochs = train_once(family, lambda _: parts, preset=preset, seed=seed, changes=changes)
    return {
        "preset": model,
        "accuracy": metrics["test"]["accuracy"],
        "epochs": len(epochs),
        "minutes": metrics["seconds"] / 60,
    }


def _svm(_: str, parts: Mapping[str, str], seed: int) -> dict[str, Any]:
    started = time.perf_counter()
    del seed  # of the rows alone: the fit has one result
    fitted = fits(*read_rows(parts["data"]), [1.0])[1.0]
    return {
        **fitted.scores(*read_rows(parts["test"])),
        "minutes": (time.perf_counter() - started) / 60,
    }
