"""Cells of tables: what stands below a heading for a row of results, and the table as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.published import PUBLISHED

Entry = dict[str, Any]
Entries = list[Entry]  # of one preset on one set, one a seed
Columns = Mapping[str, Callable[[Any], str]]


def table(columns: Columns, rows: Iterable[Any]) -> str:
    """Return a Markdown table.

    Args:
        columns: the text of a cell from a row, by heading.
        rows: what the cells are of, or a tuple of the cells themselves; those that lack are empty.
    """
    lines: list[Sequence[str]] = [list(columns)]
    for row in rows:
        cells = row if isinstance(row, tuple) else [cell(row) for cell in columns.values()]
        lines.append([*cells, *[""] * (len(columns) - len(cells))])
    written = ["|" + "".join(f" {cell} |" if cell else " |" for cell in line) for line in lines]
    return "\n".join([written[0], "|" + "---|" * len(columns), *written[1:]]) + "\n"


def value(key: str, digits: int = 0) -> Callable[[Entry], str]:
    """Return a cell: a number of an entry, or a text."""

    def cell(entry: Entry) -> str:
        return entry[key] if isinstance(entry[key], str) else f"{entry[key]:.{digits}f}"

    return cell


def first(key: str) -> Callable[[Entries], str]:
    """Return a cell: what is the same for all seeds."""
    return lambda entries: str(entries[0][key])


def mean(key: str, digits: int = 1, factor: float = 1.0) -> Callable[[Entries], str]:
    """Return a cell: the mean over the seeds."""
    return lambda entries: f"{factor * mean_of(entries, key):.{digits}f}"


def mean_of(entries: Entries, key: str) -> float:
    """Return the mean over the seeds."""
    return statistics.mean(entry[key] for entry in entries)


def score(metric: str, factor: float = 100.0) -> Callable[[Entries], str]:
    """Return a cell: mean and deviation over the seeds; one seed has no deviation."""

    def cell(entries: Entries) -> str:
        scores = [factor * entry[metric] for entry in entries]
        if len(scores) == 1:
            return f"{scores[0]:.1f} (1 seed)"
        deviation = statistics.stdev(scores)
        return f"{statistics.mean(scores):.1f} ± {deviation:.1f} ({len(scores)} seeds)"

    return cell


def published(factor: float = 100.0) -> Callable[[Entries], str]:
    """Return a cell: what the source of the preset reports."""

    def cell(entries: Entries) -> str:
        reported = PUBLISHED.get((entries[0]["preset"], entries[0]["data"]))
        return "-" if reported is None else f"{factor * reported:.1f}"

    return cell


def with_bfloat16(form: str, plain: str, half: str) -> Callable[[Entry], str]:
    """Return a cell: a figure, and in brackets the one of bfloat16; or a dash without them."""
    return lambda entry: (
        f"{entry[plain]:{form}} ({entry[half]:{form}})" if {plain, half} <= set(entry) else "-"
    )


def optional(key: str, form: str) -> Callable[[Entry], str]:
    """Return a cell: a number of an entry, or a dash where it has none."""
    return lambda entry: f"{entry[key]:{form}}" if key in entry else "-"
