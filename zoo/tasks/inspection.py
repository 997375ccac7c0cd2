"""A look at data before training, as a command shows it: plain numbers, tables and lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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


def class_counts(labels: np.ndarray, classes: Sequence[Any]) -> dict[Any, int]:
    """Return the rows of each class, the largest class first.

    Args:
        labels: class ids, int32 `(rows,)`.
        classes: names of the ids.
    """
    counts = np.bincount(labels, minlength=len(classes))
    return {classes[id]: int(counts[id]) for id in np.argsort(-counts, kind="stable")}


def classes_shown(rows: int, classes: dict[Any, int]) -> list[Table | Line]:
    """Return the table of the classes of data, the largest first.

    Args:
        rows: number of all rows.
        classes: label to rows.
    """
    largest = list(classes.items())[:SHOWN_CLASSES]
    table = Table(
        ("class", "rows", "share"),
        [(str(label), f"{count:,}", f"{100 * count / rows:.1f} %") for label, count in largest],
    )
    shown: list[Table | Line] = [Line(f"{rows:,} rows, {len(classes):,} classes"), table]
    if len(classes) > SHOWN_CLASSES:
        more = len(classes) - SHOWN_CLASSES
        shown.append(Line(f"and {more:,} smaller classes (all of them: --json)"))
    return shown
