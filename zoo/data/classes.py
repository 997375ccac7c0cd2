"""Which rows of a store are used: those of a part, with a label, of some classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.columns import quoted
from zoo.data.label_sets import has_sets
from zoo.data.label_text import labels_in, set_text
from zoo.data.labels import looks_like
from zoo.data.parts import PARTS, scored_part
from zoo.data.store import MISSING, Split, Store
from zoo.data.targets import Targets
from zoo.errors import ZooError, did_you_mean
from zoo.finding import Finding, counted

NAMED_LABELS = 20
INT64 = 2**63


def given_parts(
    stores: Mapping[str, Store], findings: list[Finding], others: Collection[str] = ()
) -> dict[str, tuple[Store, np.ndarray]]:
    """Return store and rows of each part: of its own data, or as a column of the table says.

    Rows that a column holds out of training stay out, also where other data are given for them.

    Args:
        stores: `train`, and of the other parts those that data are given for.
        findings: findings on what is read are appended to it.
        others: parts that data are given for which are no stores.

    Raises:
        ZooError: the column leaves nothing to train on, or says several parts of data that were
            given for another one.
    """
    given: dict[str, tuple[Store, np.ndarray]] = {}
    for name, store in stores.items():
        if name != "train" or not store.parts:
            given[name] = (store, rows_of_part(store, (name,), findings))
            continue
        if "train" not in store.parts:
            raise ZooError(
                f"{_part_column(store)} says {quoted(store.parts)}: no row is for training. Give "
                "the training rows, or rename the column to leave it unread."
            )
        unused = [part for part in store.parts if part != "train" and part in (*stores, *others)]
        findings.append(_parts_finding(store, unused))
        given |= {part: (store, rows) for part, rows in store.parts.items() if part not in unused}
    return {part: given[part] for part in PARTS if part in given}


def rows_of_part(store: Store, accepted: Sequence[str], findings: list[Finding]) -> np.ndarray:
    """Return the rows of the first part that is there, or all where no column says parts.

    Args:
        store: where the rows are.
        accepted: names of parts; of a table of one part that one is taken, whatever its name.
        findings: findings on what is read are appended to it.

    Returns:
        Positions in the store, int32.

    Raises:
        ZooError: there are several parts, and none of those that are accepted.
    """
    parts = store.parts
    if len(parts) < 2:
        return next(iter(parts.values()), np.arange(len(store), dtype=np.int32))
    part = next((part for part in accepted if part in parts), None)
    if part is None:
        raise ZooError(
            f"{_part_column(store)} says {quoted(parts)}, but the table is given as the "
            f"{accepted[0]} data. Give its rows as a table of their own."
        )
    findings.append(scored_part(_part_column(store), part, parts))
    return parts[part]


def _part_column(store: Store) -> str:
    return f"{store.file}: column '{store.columns.part if store.columns else None}'"


def _parts_finding(store: Store, unused: Sequence[str]) -> Finding:
    counts = {part: len(rows) for part, rows in store.parts.items()}
    shown = [
        f"{part} {count:,}{' (not used: others are given)' if part in unused else ''}"
        for part, count in counts.items()
    ]
    left = len(store) - sum(counts.values())
    if left:
        shown.append(f"without labels {left:,} (not used)")
    what = f"{_part_column(store)} gives the parts, in rows: {', '.join(shown)}."
    return Finding("info", what, {"parts": counts})


def labelled_rows(
    store: Store, rows: np.ndarray, drop_missing: bool, findings: list[Finding]
) -> np.ndarray:
    """Return those of the rows that have a label; add a finding when others are left out.

    Args:
        store: where the rows are.
        rows: positions there.
        drop_missing: leave out rows without a label instead of refusing them.
        findings: findings on what is left out are appended to it.

    Raises:
        ZooError: rows have no label, and `drop_missing` is not set.
    """
    missing = rows[store.labels[rows] == MISSING]
    if not len(missing):
        return rows
    count = counted(len(missing), "row has", "rows have")
    if not drop_missing:
        raise ZooError(
            f"{count} no label: {store.describe(missing)}. Fill them, or pass drop_missing=True "
            "(--drop-missing)."
        )
    left_out = "is" if len(missing) == 1 else "are"
    what = f"{count} no label and {left_out} left out: {store.describe(missing)}."
    findings.append(Finding("info", what, {"count": len(missing)}))
    return rows[store.labels[rows] != MISSING]


def check_classes(store: Store, classes: Sequence[Any]) -> None:
    """Refuse a class to keep that no row of the training data has.

    Raises:
        ZooError: names the label, and the accepted ones.
    """
    labels = list(dict.fromkeys(label for text in store.names for label in labels_in(text)))
    for name in map(str, classes):
        if name not in labels:
            raise ZooError(
                f"{store.file}: no row has the label '{name}' (--classes)."
                f"{did_you_mean(name, labels)} "
                f"Labels: {quoted(labels[:NAMED_LABELS])}.{_label_advice(name, labels)}"
            )


def _label_advice(name: str, labels: Sequence[str]) -> str:
    if "," in name and all(part.strip() in labels for part in name.split(",")):
        return " Several are given as a,b in one option, or each in an option of its own."
    alike = looks_like([name], labels)
    return f" {alike}" if alike else ""


def rows_of_classes(store: Store, rows: np.ndarray, classes: Sequence[Any]) -> np.ndarray:
    """Return the rows with a label among the classes, from which others of theirs are taken.

    Args:
        store: where the rows are; its labels are renamed where rows have several.
        rows: positions there.
        classes: labels to keep.
    """
    labels = {str(name) for name in classes}
    kept = [
        position
        for position, text in enumerate(store.names)
        if labels.intersection(labels_in(text))
    ]
    rows = rows[np.isin(store.labels[rows], kept)]
    if has_sets(store):
        store.rename({text: set_text(labels.intersection(labels_in(text))) for text in store.names})
    return rows


def class_order(names: Sequence[str]) -> list[Any]:
    """Return classes in numeric order, as integers, where all are; else in alphabetical order."""
    try:
        numbers = [int(name) for name in names]
    except ValueError:
        return sorted(names)
    exact = [str(number) for number in numbers] == list(names)  # "01" is a string
    if exact and all(-INT64 <= number < INT64 for number in numbers):
        return sorted(numbers)
    return sorted(names)


def classified(
    store: Store, rows: np.ndarray, targets: Targets
) -> tuple[Split, np.ndarray, list[str]]:
    """Return the rows with ids of their targets; the rows of no class; and the labels of those.

    Args:
        store: where the rows are.
        rows: positions there, each with a label.
        targets: which have the classes.
    """
    table = np.append(targets.ids(store.names), np.int32(MISSING))
    labels = table[store.labels[rows]]
    unknown = rows[labels == MISSING]
    if not len(unknown):
        return Split(store, rows, labels, targets), unknown, []
    texts = [store.names[label] for label in np.flatnonzero(np.bincount(store.labels[unknown]))]
    known = labels != MISSING
    split = Split(store, rows[known], labels[known], targets)
    return split, unknown, targets.unknown(texts)
