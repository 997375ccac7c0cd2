"""A look at data before training, as a command shows it: plain numbers, tables and lines."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.finding import Finding

SHOWN_CLASSES = 50  # in the table, the largest
SAMPLES = 5
SAMPLE_CHARACTERS = 300  # in the summary; a hundred on the screen


@dataclasses.dataclass(frozen=True)
class Table:
    """A table on the screen; the first column is text, the others are numbers."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line on the screen, after a coloured label where it has one."""

    text: str
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What was seen of data before training.

    Args:
        summary: the same as JSON types; its keys are the task's own.
        findings: what training would say of the data.
        shown: what a person reads of the summary, in order.
    """

    summary: dict[str, Any]
    findings: list[Finding]
    shown: Sequence[Table | Line]


def class_counts(parts: Iterable[Any]) -> dict[Any, int]:
    """Return the rows of each class in some parts, the largest class first.

    Args:
        parts: with `labels` and `targets`.
    """
    counts = np.zeros(0, np.int64)
    classes: list[Any] = []
    for part in parts:
        own, classes = part.targets.counts(part.labels), part.targets.classes
        counts = own + (counts if len(counts) else 0)
    return {classes[id]: int(counts[id]) for id in np.argsort(-counts, kind="stable")}


def labels_a_row(parts: Iterable[Any]) -> dict[int, int]:
    """Return how many rows of some parts have so many labels; nothing where each has one.

    Args:
        parts: with `labels` and `targets`.
    """
    sizes: Counter[int] = Counter()
    for part in parts:
        sizes.update(part.targets.sizes(part.labels).tolist())
    return {} if set(sizes) == {1} else dict(sorted(sizes.items()))


def classes_shown(
    rows: int, classes: dict[Any, int], sizes: Mapping[int, int] | None = None
) -> list[Table | Line]:
    """Return the table of the classes of data, the largest first.

    Args:
        rows: number of all rows.
        classes: label to rows.
        sizes: number of labels to rows, of rows with several.
    """
    largest = list(classes.items())[:SHOWN_CLASSES]
    table = Table(
        ("label" if sizes else "class", "rows", "share"),
        [(str(label), f"{count:,}", f"{100 * count / rows:.1f} %") for label, count in largest],
    )
    kinds = "labels" if sizes else "classes"
    shown: list[Table | Line] = [Line(f"{rows:,} rows, {len(classes):,} {kinds}"), table]
    if len(classes) > SHOWN_CLASSES:
        more = len(classes) - SHOWN_CLASSES
        shown.append(Line(f"and {more:,} smaller {kinds} (all of them: --json)"))
    if sizes:
        mean = sum(size * count for size, count in sizes.items()) / sum(sizes.values())
        listed = ", ".join(f"{size}: {count:,}" for size, count in sizes.items())
        shown.append(Line(f"labels a row, {mean:.2f} on average; rows with {listed}"))
    return shown
