"""Findings about data before training, each with counts and row numbers (A25, A26, A107)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.columns import Columns, quoted
from zoo.data.csvfaults import DOUBLED
from zoo.data.labels import looks_like
from zoo.data.rows import Rows
from zoo.data.store import EMPTY_HASH, MISSING, NAMED_ROWS, Split, Store
from zoo.finding import Finding

PERCENTILES = {"median": 50, "90 %": 90, "99 %": 99}
MUCH_CUT = 0.1  # share of cut texts from which it is worth a warning
FEW_ROWS = 20  # below, rows in class order are no sign of a sorted file

# What `Rows.suspect` says of a text, and what to do about it.
NOTED = {
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


def reading(store: Store, trained: Columns | None = None) -> list[Finding]:
    """Return findings on how a file was read: columns left out, rows that look wrong.

    Args:
        store: what was read.
        trained: the columns of the run that it is scored with, if any.
    """
    hint = "" if trained else "Several text columns are joined with --text title,body."
    found = columns_read(store.file, store.columns, trained=trained, hint=hint)
    found += store.findings
    for noted, rows in store.suspect.items():
        found.append(_on_rows("warning", store, rows, *NOTED[noted]))
    if store.surrogates:
        found.append(
            _on_rows(
                "warning",
                store,
                store.surrogates,
                "{count} held half a surrogate pair, read as U+FFFD",
                "The texts were cut inside an emoji. Nothing need be done.",
            )
        )
    return found


def suspect_rows(rows: Rows) -> list[Finding]:
    """Return findings on the rows of one block that look wrong, for rows that no store keeps."""
    found = []
    for noted, numbers in rows.suspect.items():
        what, hint = NOTED[noted]
        more = f" and {len(numbers) - NAMED_ROWS:,} more" if len(numbers) > NAMED_ROWS else ""
        shown = ", ".join(map(str, numbers[:NAMED_ROWS]))
        said = f"{what.format(**_words(len(numbers)))}: {rows.file}: row {shown}{more}."
        found.append(Finding("warning", said, {"count": len(numbers)}, hint))
    return found + list(rows.findings)


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
        kind: what the text column holds.
        hint: what to do about it.
    """
    if columns is None:
        return []
    unread = list(columns.unread)
    if not unread or (trained is not None and unread == [trained.label]):
        return []
    several = "s" if len(columns.inputs) > 1 else ""
    read = f"{kind} column{several} {quoted(columns.inputs)}"
    if columns.label is not None:
        read += f", label column '{columns.label}'"
    more = len(unread) - NAMED_ROWS
    shown = quoted(unread[:NAMED_ROWS]) + (f" and {more} more" if more > 0 else "")
    evidence = {
        "text": list(columns.inputs), "label": columns.label, "columns": unread,
    }  # fmt: skip
    return [Finding("info", f"{where}: {read}; columns not read: {shown}.", evidence, hint)]


def empty_texts(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when texts hold nothing but space."""
    empty = rows[store.hashes[rows] == EMPTY_HASH]
    if not len(empty):
        return []
    hint = "They are read as one unknown token. Fill them or leave the rows out."
    return [_on_rows("warning", store, empty, "{count} {are} empty", hint)]


def repeated_texts(store: Store, rows: np.ndarray, name: str, split_here: bool) -> list[Finding]:
    """Return findings on texts that occur more than once, and on those with two labels.

    Args:
        store: where the rows are.
        rows: those that are used, in rising order.
        name: what they are called.
        split_here: whether they are split into training and validation by us.
    """
    hashes = store.hashes[rows]
    rows = rows[np.argsort(hashes, kind="stable")]
    hashes = store.hashes[rows]
    same = np.zeros(len(rows), bool)
    same[1:] = (hashes[1:] == hashes[:-1]) & (hashes[1:] != EMPTY_HASH)
    del hashes
    copies = np.sort(rows[same])
    if not len(copies):
        return []
    hint = "Copies of a text stay on one side of the split." if split_here else ""
    what = f"{{count}} of {name} repeat{{s}} an earlier text"
    found = [_on_rows("info", store, copies, what, hint)]
    start = np.flatnonzero(~same)
    labels = store.labels[rows]
    torn = np.minimum.reduceat(labels, start) != np.maximum.reduceat(labels, start)
    if torn.any():
        first = np.sort(rows[start[torn]])
        hint = "No model can be right on all of them. Decide on one label."
        what = f"{{count}} of {name} {{have}} two labels"
        found.append(_on_rows("warning", store, first, what, hint))
    return found


def shared_texts(one: Split, other: Split, one_name: str, other_name: str) -> list[Finding]:
    """Return a finding when the other part holds texts of the one."""
    known = np.unique(one.store.hashes[one.rows])
    hashes = other.store.hashes[other.rows]
    rows = np.sort(other.rows[np.isin(hashes, known) & (hashes != EMPTY_HASH)])
    if not len(rows):
        return []
    share = len(rows) / len(other)
    return [
        _on_rows(
            "warning",
            other.store,
            rows,
            f"{{count}} of {other_name} ({100 * share:.1f} %) {{are}} also in {one_name}",
            f"The {other_name} scores are too good by what was learned by heart: remove them from "
            "one of the two.",
            {"share": share},
        )
    ]


def rare_classes(counts: Mapping[Any, int], batch_size: int) -> list[Finding]:
    """Return a finding on classes with fewer rows than would appear in a batch on average."""
    total = sum(counts.values())
    rare = {name: n for name, n in counts.items() if n * batch_size < total}
    if not rare:
        return []
    some = sorted(rare.items(), key=lambda entry: entry[1])[:NAMED_ROWS]
    shown = ", ".join(f"{name} ({count:,})" for name, count in some)
    subject = "1 class has" if len(rare) == 1 else f"{len(rare):,} classes have"
    return [
        Finding(
            "warning",
            f"{subject} less than one row in a batch of {batch_size}: {shown}.",
            {"count": len(rare), "classes": {str(k): v for k, v in rare.items()}},
            "Collect more, raise data.batch_size, or set data.balance (A50, A51, A107).",
        )
    ]


def label_order(store: Store) -> list[Finding]:
    """Return a finding when the rows stand in class order."""
    labels = store.labels[store.labels != MISSING]
    changes = int(np.count_nonzero(labels[1:] != labels[:-1]))
    times = "1 change" if changes == 1 else f"{changes} changes"
    if len(labels) < FEW_ROWS or changes >= 2 * len(store.names):
        return []
    return [
        Finding(
            "info",
            f"the rows stand in class order ({times} of label in {len(store):,} rows).",
            {"changes": changes, "rows": len(store)},
            "They are shuffled before they are split and in every epoch (A123).",
        )
    ]


def length_summary(lengths: np.ndarray) -> dict[str, int]:
    """Return median, 90th and 99th percentile and maximum of lengths."""
    values = np.percentile(lengths, list(PERCENTILES.values()), method="nearest")
    found = {name: int(value) for name, value in zip(PERCENTILES, values, strict=True)}
    return found | {"longest": int(lengths.max())}


def text_lengths(lengths: np.ndarray, max_length: int, texts: int) -> list[Finding]:
    """Return a finding that holds the lengths in tokens against `max_length`.

    Args:
        lengths: of a sample of the texts.
        max_length: tokens of a text that are read.
        texts: number of all texts.
    """
    cut = float((lengths > max_length).mean())
    summary = length_summary(lengths)
    shown = ", ".join(f"{name} {value:,}" for name, value in summary.items())
    sample = f" (in a sample of {len(lengths):,})" if len(lengths) < texts else ""
    evidence = {**summary, "max_length": max_length, "cut_share": cut, "texts": len(lengths)}
    longer = f"{100 * cut:.1f} % are longer than max_length {max_length}"
    what = f"tokens a text: {shown}{sample}; {longer}."
    if cut > MUCH_CUT:
        hint = "Their ends are not read: raise data.max_length."
        return [Finding("warning", what, evidence, hint)]
    return [Finding("info", what, evidence)]


def uncovered_characters(counts: Mapping[str, int], texts: int, tokens: str) -> list[Finding]:
    """Return a finding on characters that the tokenizer maps to the unknown token."""
    if not counts:
        return []
    most = dict(sorted(counts.items(), key=lambda entry: -entry[1])[:NAMED_ROWS])
    shown = ", ".join(f"{c!r} ({n:,})" for c, n in most.items())
    times = sum(counts.values())
    subject = "1 character is" if len(counts) == 1 else f"{len(counts):,} characters are"
    return [
        Finding(
            "info",
            f"{subject} not covered by the {tokens} tokenizer ({times:,} "
            f"time{'' if times == 1 else 's'} in {texts:,} texts): {shown}.",
            {"characters": len(counts), "count": times, "most": most},
            f"{'It is' if len(counts) == 1 else 'They are'} read as the unknown token.",
        )
    ]


def small_vocabulary(size: int, asked: int) -> list[Finding]:
    """Return a finding when the texts gave fewer tokens than asked for."""
    if size >= asked:
        return []
    return [
        Finding(
            "info",
            f"the vocabulary has {size:,} tokens of at most {asked:,}: the texts hold no more.",
            {"size": size, "asked": asked},
        )
    ]


def unknown_labels(
    store: Store, rows: np.ndarray, labels: list[str], name: str, classes: Sequence[Any]
) -> Finding:
    """Return the error for rows whose label training never saw."""
    return Finding(
        "error",
        f"{name} holds labels unknown to training: {quoted(labels[:NAMED_ROWS])} "
        f"({store.describe(rows)}).",
        {"count": len(rows), "labels": labels, "rows": _numbers(store, rows)},
        looks_like(labels, classes) or "Add such rows to the training data, or remove them.",
    )


def _on_rows(
    level: Any,
    store: Store,
    rows: Sequence[int] | np.ndarray,
    what: str,
    hint: str,
    evidence: Mapping[str, Any] | None = None,
) -> Finding:
    """Return a finding on some texts, with their number and the places of the first."""
    return Finding(
        level,
        f"{what.format(**_words(len(rows)))}: {store.describe(rows)}.",
        {"count": len(rows), **(evidence or {}), "rows": _numbers(store, rows)},
        hint,
    )


def _words(texts: int) -> dict[str, str]:
    """Return the words of a sentence about some texts that depend on their number."""
    one = texts == 1
    return {
        "count": "1 text" if one else f"{texts:,} texts",
        "s": "s" if one else "",
        "are": "is" if one else "are",
        "have": "has" if one else "have",
        "stand": "stands" if one else "stand",
    }


def _numbers(store: Store, rows: Sequence[int] | np.ndarray) -> list[int]:
    return [store.origin(int(row))[1] for row in rows[:NAMED_ROWS]]
