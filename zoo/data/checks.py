"""Findings about data before training, each with counts and row numbers (A25, A26, A107)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.data.store import Split, Store
from zoo.finding import Finding

EMPTY = 0  # bytes of a text that is empty but for space are counted by their hash, not here
SHOWN = 5
PERCENTILES = (50, 90, 99)


def empty_texts(store: Store, empty_hash: int) -> list[Finding]:
    """Return a finding when texts hold nothing but space."""
    rows = np.flatnonzero(store.hashes == np.uint64(empty_hash))
    if not len(rows):
        return []
    return [
        Finding(
            "warning",
            f"{len(rows):,} texts are empty: {store.named(rows)}.",
            {"count": len(rows), "rows": _numbers(store, rows)},
            "They are read as one unknown token. Fill them or leave the rows out.",
        )
    ]


def repeated_texts(store: Store, name: str) -> list[Finding]:
    """Return findings on texts that occur more than once, and on those with two labels."""
    order = np.argsort(store.hashes, kind="stable")
    hashes, labels = store.hashes[order], store.labels[order]
    same = np.zeros(len(order), bool)
    same[1:] = hashes[1:] == hashes[:-1]
    copies = np.sort(order[same])
    if not len(copies):
        return []
    found = [
        Finding(
            "info",
            f"{len(copies):,} rows of {name} repeat an earlier text: {store.named(copies)}.",
            {"count": len(copies), "rows": _numbers(store, copies)},
            "Copies of a text are kept on one side of the split.",
        )
    ]
    start = np.flatnonzero(~same)
    low, high = np.minimum.reduceat(labels, start), np.maximum.reduceat(labels, start)
    torn = np.flatnonzero(low != high)
    if len(torn):
        first = np.sort(order[start[torn]])
        found.append(
            Finding(
                "warning",
                f"{len(torn):,} texts of {name} have two labels: {store.named(first)}.",
                {"count": len(torn), "rows": _numbers(store, first)},
                "No model can be right on all of them. Decide on one label.",
            )
        )
    return found


def shared_texts(train: Split, other: Split, name: str) -> list[Finding]:
    """Return a finding when a validation or test part holds texts of the training part."""
    known = np.unique(train.store.hashes[train.rows])
    rows = other.rows[np.isin(other.store.hashes[other.rows], known)]
    if not len(rows):
        return []
    rows = np.sort(rows)
    share = len(rows) / len(other)
    return [
        Finding(
            "warning",
            f"{len(rows):,} texts of {name} ({100 * share:.1f} %) are also in training: "
            f"{other.store.named(rows)}.",
            {"count": len(rows), "share": share, "rows": _numbers(other.store, rows)},
            f"The {name} scores are too high by what was learned by heart. Remove them from one.",
        )
    ]


def rare_classes(counts: Mapping[Any, int], batch_size: int) -> list[Finding]:
    """Return a finding on classes with fewer rows than would appear in a batch on average."""
    total = sum(counts.values())
    rare = {name: n for name, n in counts.items() if n * batch_size < total}
    if not rare:
        return []
    shown = ", ".join(f"{name} ({count:,})" for name, count in list(rare.items())[:SHOWN])
    return [
        Finding(
            "warning",
            f"{len(rare)} classes have less than one row in a batch of {batch_size}: {shown}.",
            {"count": len(rare), "classes": {str(k): v for k, v in rare.items()}},
            "Collect more, raise data.batch_size, or set data.balance (A50, A51, A107).",
        )
    ]


def label_order(store: Store) -> list[Finding]:
    """Return a finding when the rows stand in class order."""
    changes = int(np.count_nonzero(np.diff(store.labels)))
    if len(store.names) < 2 or len(store) < 20 or changes >= 2 * len(store.names):
        return []
    return [
        Finding(
            "info",
            f"the rows stand in class order ({changes} changes of label in {len(store):,} rows).",
            {"changes": changes, "rows": len(store)},
            "They are shuffled before they are split and in every epoch.",
        )
    ]


def length_summary(lengths: np.ndarray) -> dict[str, int]:
    """Return median, 90th and 99th percentile and maximum of lengths."""
    values = np.percentile(lengths, PERCENTILES, method="nearest")
    found = {
        ("median" if p == 50 else f"{p} %"): int(v)
        for p, v in zip(PERCENTILES, values, strict=True)
    }
    return found | {"longest": int(lengths.max())}


def text_lengths(lengths: np.ndarray, max_length: int) -> list[Finding]:
    """Return a finding that holds the lengths in tokens against `max_length`."""
    cut = float((lengths > max_length).mean())
    summary = length_summary(lengths)
    shown = ", ".join(f"{name} {value:,}" for name, value in summary.items())
    evidence = {**summary, "max_length": max_length, "cut_share": cut, "texts": len(lengths)}
    what = f"tokens a text: {shown}; {100 * cut:.1f} % are longer than max_length {max_length}."
    if cut > 0.1:
        return [
            Finding("warning", what, evidence, "Their ends are not read: raise data.max_length.")
        ]
    return [Finding("info", what, evidence)]


def uncovered_characters(counts: Counter[str], texts: int, tokens: str) -> list[Finding]:
    """Return a finding on characters that the tokenizer maps to the unknown token."""
    if not counts:
        return []
    total = counts.total()
    shown = ", ".join(f"{c!r} ({n:,})" for c, n in counts.most_common(SHOWN))
    return [
        Finding(
            "info",
            f"{len(counts):,} characters are not covered by the {tokens} tokenizer "
            f"({total:,} times in {texts:,} texts): {shown}.",
            {"characters": len(counts), "count": total, "most": dict(counts.most_common(SHOWN))},
            "They are read as the unknown token.",
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


def unknown_labels(store: Store, rows: np.ndarray, labels: list[str], name: str) -> Finding:
    """Return the error for rows whose label training never saw."""
    shown = ", ".join(f"'{label}'" for label in labels[:SHOWN])
    return Finding(
        "error",
        f"{name} holds labels unknown to training: {shown} ({store.named(rows)}).",
        {"count": len(rows), "labels": labels, "rows": _numbers(store, rows)},
        "Add such rows to the training data, or remove them.",
    )


def _numbers(store: Store, rows: np.ndarray) -> list[int]:
    return [store.place(int(row))[1] for row in rows[:SHOWN]]
