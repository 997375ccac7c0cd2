"""Peak resident memory of `zoo train textcnn` on 200,000 and on 2,000,000 rows.

Options: small=200000 large=2000000
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import files, read_csv
from benchmarks.training_runs import peak_megabytes, train_command

SHORT = {"recipe.epochs": 1, "recipe.min_steps": 0, "data.max_length": 32}


def measure(small: str = "200000", large: str = "2000000") -> Iterator[dict[str, Any]]:
    """Yield the peak of each size, measured by the operating system, and their ratio."""
    peaks = []
    for rows in (int(small), int(large)):
        with tempfile.TemporaryDirectory() as name:
            data = _repeated_news(rows, Path(name))
            peaks.append(peak_megabytes(train_command("textcnn", data, Path(name) / "run", SHORT)))
        yield {"id": f"rows {rows:,}", "rows": rows, "peak_megabytes": peaks[-1]}
    yield {"id": "ratio", "ratio": peaks[1] / peaks[0]}


def _repeated_news(rows: int, folder: Path) -> Path:
    """Write a CSV of real news texts, each repetition with a number that makes it another text."""
    header, *texts = read_csv(files("ag_news_part", folder)["data"])
    path = folder / "grown.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in range(rows):
            text, label = texts[row % len(texts)]
            writer.writerow([f"{text[:100]} {row}", label])
    return path
