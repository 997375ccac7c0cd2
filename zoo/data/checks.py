"""Findings on how data were read: columns, rows that look wrong, paths in place of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.columns import Columns, quoted
from zoo.data.csvfile import DOUBLED
from zoo.data.paths import IMAGES, UNREAD_IMAGES
from zoo.data.rows import Rows
from zoo.data.store import NAMED_ROWS, Store
from zoo.finding import Finding, Level, first_few

PROBED = 100  # texts that are looked at
SHARED = "shared-rows"  # the finding on rows that are in two parts
LONGEST_PATH = 300  # characters

# What is wrong with the rows of `Rows.suspect`, and what to do about it.
SUSPECT = {
    "swallowed": (
        "{count} hold{s} whole rows of the file inside the text",
        "A quotation mark that opens the text is not closed: close it, or double it.",
    ),
    "backslashes": (
        "{count} {have} lost a quotation mark that a backslash stood before",
        DOUBLED,
    ),
    "outer_quotes": (
        "{count} {stand} in quotation marks that are part of the text: a blank is before them",
        "Take the blanks before quotation marks away: only what follows a delimiter at once opens "
        "a field.",
    ),
}


def suspect_rows(rows: Rows) -> list[Finding]:
    """Return findings on the rows of one block that look wrong, for rows that no store keeps."""
    findings = []
    for fault, numbers in rows.suspect.items():
        words, hint = SUSPECT[fault]
        shown = first_few(numbers, len(numbers))
        what = f"{words.format(**_plural(len(numbers)))}: {rows.file}: row {shown}."
        findings.append(Finding("warning", what, {"count": len(numbers)}, hint))
    return findings + list(rows.findings)


def columns_read(
    where: str,
    columns: Columns | None,
    *,
    trained: Columns | None = None,
    kind: str = "text",
    hint: str = "",
) -> list[Finding]:
    """Return a finding on the columns of a table, if it has some that are not read.

    Args:
        where: the table.
        columns: what was chosen of it; None when it is no table.
        trained: the columns of the run; not to read its label is not worth a word.
        kind: what the input column holds: `text` or `path`.
        hint: what to do about it.
    """
    if columns is None:
        return []
    unread = list(columns.unread)
    if not unread or (trained is not None and set(unread) <= set(trained.labels)):
        return []
    several = "s" if len(columns.inputs) > 1 else ""
    read = f"{kind} column{several} {quoted(columns.inputs)}"
    read += " (a pair)" if columns.pair else ""
    if columns.labels:
        read += f", label column{'s' if columns.flags else ''} {quoted(columns.labels)}"
    more = len(unread) - NAMED_ROWS
    shown = quoted(unread[:NAMED_ROWS]) + (f" and {more} more" if more > 0 else "")
    evidence = {
        **columns.to_dict(), "columns": unread,
    }  # fmt: skip
    return [Finding("info", f"{where}: {read}; columns not read: {shown}.", evidence, hint)]


def paths_in(where: str, texts: Sequence[str]) -> list[Finding]:
    """Return a finding when the first of some texts are the paths of images."""
    texts = texts[:PROBED]
    endings = (*IMAGES, *UNREAD_IMAGES)
    paths = [t for t in texts if len(t) < LONGEST_PATH and t.strip().lower().endswith(endings)]
    if not texts or len(paths) < 0.9 * len(texts):
        return []
    what = f"{where}: the texts are paths of images, such as '{paths[0].strip()}'."
    hint = (
        f"To look at the images: `zoo data {where} --preset resnet/default`; to learn from them: "
        f"`zoo train resnet {where}`."
    )
    return [Finding("warning", what, {"count": len(paths)}, hint)]


def on_rows(
    level: Level,
    store: Store,
    rows: Sequence[int] | np.ndarray,
    what: str,
    hint: str,
    evidence: Mapping[str, Any] | None = None,
    name: str = "",
) -> Finding:
    """Return a finding on some texts, with their number and those of the first rows.

    Args:
        level: of the finding.
        store: where the rows are.
        rows: positions there.
        what: a sentence with the words of `_plural` in braces, such as `{count} {are} empty`.
        hint: what to do about it.
        evidence: more numbers behind it.
        name: of the finding, for programs.
    """
    return Finding(
        level,
        f"{what.format(**_plural(len(rows)))}: {store.describe(rows)}.",
        {"count": len(rows), **(evidence or {}), "rows": row_numbers(store, rows)},
        hint,
        name,
    )


def _plural(texts: int) -> dict[str, str]:
    """Return the words of a sentence about some texts that depend on their number."""
    one = texts == 1
    return {
        "count": "1 text" if one else f"{texts:,} texts",
        "s": "s" if one else "",
        "are": "is" if one else "are",
        "have": "has" if one else "have",
        "stand": "stands" if one else "stand",
    }


def row_numbers(store: Store, rows: Sequence[int] | np.ndarray) -> list[int]:
    """Return the numbers, in their file, of the first rows."""
    return [store.origin(int(row))[1] for row in rows[:NAMED_ROWS]]
