"""Small real inputs that many tests share."""

from __future__ import annotations

import csv
import os
import random
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("COLUMNS", "200")  # rich tables keep a row on a line
os.environ["ZOO_CACHE"] = tempfile.mkdtemp(prefix="zoo-cache-")

GOOD = ["great", "lovely", "moving", "funny", "brilliant"]
BAD = ["dull", "awful", "tired", "clumsy", "boring"]
NEUTRAL = ["the", "film", "was", "a", "story", "with", "actors", "and", "music", "plot"]


def pytest_configure() -> None:
    """Split the CPU into two logical devices, before TensorFlow starts: replicas without GPUs."""
    from zoo.distribute import strategy_for

    strategy_for("cpu:0,1")


# One small, quick training: a few seconds with everything on.
QUICK = {
    "recipe.epochs": 2,
    "recipe.min_steps": 0,
    "architecture.filters": 16,
    "architecture.embedding_dim": 16,
    "architecture.vocabulary_size": 200,
}


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return learnable `(text, label)` rows, every text different."""
    generator = random.Random(seed)
    rows = []
    for index in range(count):
        label = ("good", "bad")[index % 2]
        words = generator.sample(NEUTRAL, 5)
        words.insert(generator.randrange(6), generator.choice(GOOD if label == "good" else BAD))
        rows.append((" ".join([*words, str(index)]), label))
    return rows


def write_csv(path: Path, rows: list[tuple[str, str]], header: tuple[str, ...] = ("text", "label")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A CSV of 200 learnable rows."""
    return write_csv(tmp_path / "reviews.csv", sentences(200))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """A finished run on learnable rows, with a test part; tests must not change it."""
    import zoo

    folder = tmp_path_factory.mktemp("trained")
    return zoo.train(
        "textcnn",
        data=str(write_csv(folder / "train.csv", sentences(300))),
        test=str(write_csv(folder / "test.csv", sentences(60, seed=1))),
        set=QUICK | {"recipe.epochs": 6},
        out=folder / "run",
        seed=1,
        note="the run of the tests",
        verbose=False,
    )
