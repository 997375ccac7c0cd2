"""The public data sets, as files `zoo train` reads, each verified against its checksum.

`datasets.json` says of each where it is from, under which licence, and the SHA-256 of its files;
`python -m benchmarks checksums` writes it from the folders and their SOURCE.md.
"""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
import lzma
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from zoo.files import read_json, write_json

DATA = Path(
    os.environ.get("ZOO_BENCHMARK_DATA")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "data"
)
CHECKSUMS = Path(__file__).parent / "datasets.json"
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
SEPARATORS = {"go_emotions": "|"}  # between the labels of a row, where it has several
TEXTS = (*FLOORS, "imdb", *SEPARATORS)
SETS = (*TEXTS, "ptb", "wikitext2", "tinyshakespeare", "cifar10", "cifar10_folder", "bccd")
OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}


@functools.cache
def folder_of(name: str) -> Path:
    """Return the folder of a set, whose files have the bytes that results were measured with."""
    entry = read_json(CHECKSUMS)[name]
    for file, digest in entry["files"].items():
        path = DATA / name / file
        if not path.exists():
            raise SystemExit(f"{path}: is not there. It is from {entry['origin']}")
        if _sha256(path) != digest:
            raise SystemExit(f"{path}: other bytes than results were measured with: {digest}")
    return DATA / name


def write_checksums() -> None:
    """Write `datasets.json` from the folders of all sets."""
    write_json(CHECKSUMS, {name: _described(DATA / name) for name in SETS})
    print(CHECKSUMS)


def files(name: str, folder: Path) -> dict[str, str]:
    """Return `data`, `test` and, where it is official, `validation` of a set.

    Sets without an official split are cut into `folder`: the first tenth of
    `numpy.random.RandomState(0).permutation(n)` is the test part.
    """
    source = folder_of(name)
    official = {
        key: str(path)
        for part, key in (("train", "data"), ("valid", "validation"), ("test", "test"))
        for path in (*source.glob(f"{part}.csv*"), *source.glob(f"{part}.txt*"))
    }
    if official:
        return official
    (path,) = source.glob("all.csv*")
    header, *rows = read_csv(path)
    order = np.random.RandomState(0).permutation(len(rows))
    parts = {"test": order[: len(rows) // 10], "data": order[len(rows) // 10 :]}
    written = {}
    for key, chosen in parts.items():
        target = folder / f"{name}-{key}.csv"
        with target.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *(rows[index] for index in chosen)])
        written[key] = str(target)
    return written


def open_text(path: str | Path) -> TextIO:
    """Open a text file that may be compressed."""
    opener = OPENERS.get(Path(path).suffix, open)
    return opener(path, "rt", encoding="utf-8", newline="")  # type: ignore[no-any-return]


def read_csv(path: str | Path) -> list[list[str]]:
    """Return the rows of a CSV file, its header first."""
    csv.field_size_limit(1 << 26)
    with open_text(path) as file:
        return list(csv.reader(file))


def read_rows(path: str | Path) -> tuple[list[str], list[str]]:
    """Return the texts and the labels of a CSV file."""
    header, *rows = read_csv(path)
    text, label = header.index("text"), header.index("label")
    return [row[text] for row in rows], [row[label] for row in rows]


def cifar10(folder: Path) -> Path:
    """Write CIFAR-10 as an .npz file into a folder; return its path."""
    path = folder / "cifar10.npz"
    unpack = folder_of("cifar10") / "unpack.py"
    subprocess.run([sys.executable, str(unpack), str(path)], check=True, capture_output=True)
    return path


def photographs(folder: Path, count: int) -> Path:
    """Write two class folders of JPEG files, of random sizes and shapes; return the folder."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    generator = np.random.default_rng(0)
    for label, pixels in zip(("china", "flower"), load_sample_images().images, strict=True):
        (folder / label).mkdir(parents=True)
        height, width, _ = pixels.shape
        for number in range(count // 2):
            across, down = generator.integers(300, width), generator.integers(220, height)
            left = generator.integers(0, width - across)
            upper = generator.integers(0, height - down)
            part = pixels[upper : upper + down, left : left + across]
            Image.fromarray(part).save(folder / label / f"{number:05}.jpg", quality=85)
    return folder


def _described(folder: Path) -> dict[str, Any]:
    """Return title, paper, origin and licence that SOURCE.md states, and the files' digests."""
    lines = (folder / "SOURCE.md").read_text(encoding="utf-8").splitlines()
    stated = dict(
        line[2:].split(": ", 1) for line in lines if line.startswith("- ") and ": " in line
    )
    licence = next((stated[key] for key in stated if key.startswith("Licence")), "not stated")
    paths = sorted(path for path in folder.iterdir() if path.name != "SOURCE.md")
    return {
        "title": lines[0].removeprefix("# "),
        "paper": stated.get("Paper", "none"),
        "origin": stated.get("Origin") or stated["Paper"],
        "licence": licence,
        "files": {path.name: _sha256(path) for path in paths},
    }


def _sha256(path: Path) -> str:
    """Return the digest of a file; of a folder, that of the paths and digests of its files."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        lines = (f"{one.relative_to(path).as_posix()} {_sha256(one)}\n" for one in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
