"""Peak resident memory of `zoo train textcnn` on 200,000 and on 2,000,000 rows.

Options: small=200000 large=2000000
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import files


def measure(small: str = "200000", large: str = "2000000") -> Iterator[dict[str, Any]]:
    """Yield the peak of each size, measured by the operating system, and their ratio."""
    peaks = []
    for rows in (int(small), int(large)):
        with tempfile.TemporaryDirectory() as name:
            path = _grown(rows, Path(name))
            peaks.append(_peak(path, Path(name) / "run"))
        yield {"id": f"rows {rows:,}", "rows": rows, "peak_megabytes": peaks[-1]}
    yield {"id": "ratio", "ratio": peaks[1] / peaks[0]}


def _peak(path: Path, out: Path) -> float:
    """Return the peak resident megabytes of one epoch of training on a file."""
    command = [
        sys.executable, "-m", "zoo", "train", "textcnn", str(path), "--out", str(out), "--json",
        "--set", "recipe.epochs=1", "--set", "recipe.min_steps=0", "--set", "data.max_length=32",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"zoo train failed on {path}")
    return usage.ru_maxrss / 1024


def _grown(rows: int, folder: Path) -> Path:
    """Write a CSV of real news texts, each repetition with a number that makes it another text."""
    import gzip

    with gzip.open(files("ag_news_part", folder)["data"], "rt", encoding="utf-8") as file:
        header, *texts = csv.reader(file)
    path = folder / "grown.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in range(rows):
            text, label = texts[row % len(texts)]
            writer.writerow([f"{text[:100]} {row}", label])
    return path
