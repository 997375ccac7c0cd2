"""The public data sets, split as ../shared/data/README.md says, as files `zoo train` reads."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np

from benchmarks.results import DATA

# Test accuracy of TF-IDF + logistic regression in data/README.md: the floors of the quality claim.
FLOORS = {
    "trec": 0.890,
    "mr": 0.781,
    "sst2": 0.810,
    "sst1": 0.418,
    "subj": 0.925,
    "ag_news_part": 0.892,
    "newsgroups20": 0.839,
    "thucnews_45k": 0.900,
    "chnsenticorp": 0.897,
}


def files(name: str, folder: Path) -> dict[str, str]:
    """Return `data`, `test` and, where it is official, `validation` of a set.

    Sets without an official split are cut into `folder`: the first tenth of
    `numpy.random.RandomState(0).permutation(n)` is the test part.
    """
    found = {}
    for part, key in (("train", "data"), ("valid", "validation"), ("test", "test")):
        for path in (DATA / name).glob(f"{part}.csv*"):
            found[key] = str(path)
    if "data" in found:
        return found
    (path,) = (DATA / name).glob("all.csv*")
    opener = gzip.open if path.suffix == ".gz" else open
    csv.field_size_limit(1 << 26)
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    order = np.random.RandomState(0).permutation(len(rows))
    parts = {"test": order[: len(rows) // 10], "data": order[len(rows) // 10 :]}
    for key, chosen in parts.items():
        target = folder / f"{name}-{key}.csv"
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows[index] for index in chosen)
        found[key] = str(target)
    return found
