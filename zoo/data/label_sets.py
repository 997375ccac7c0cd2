"""Whether rows have one label or several, and which: lists, columns of 0 and 1, joined texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from zoo.data.columns import quoted
from zoo.data.label_text import LIST, MARK, found_separator, labels_in, split_text
from zoo.data.store import MISSING, Store
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.labels import AutoLabels, OneLabel, SeveralLabels

NAMED = 5
LABELS = "data.labels.name"


def label_counts(store: Store, rows: np.ndarray) -> dict[str, int]:
    """Return how many of the rows have each label, in order of appearance.

    Args:
        store: where the rows are.
        rows: positions there, each with a label or a set of them.
    """
    counts: Counter[str] = Counter()
    of_text = np.bincount(store.labels[rows], minlength=len(store.names)).tolist()
    for text, count in zip(store.names, of_text, strict=True):
        if count:
            for label in labels_in(text):
                counts[label] += count
    return dict(counts)


def strata(store: Store, rows: np.ndarray) -> np.ndarray:
    """Return what rows are split by: their label, of several the rarest; int `(rows,)`.

    A rare label is thus in all parts. It is the first round of the iterative stratification of
    Sechidis 2011, https://doi.org/10.1007/978-3-642-23808-6_10.

    Args:
        store: where the rows are.
        rows: positions there, each with a label or a set of them.
    """
    if not has_sets(store):
        return store.labels[rows]
    counts = label_counts(store, rows)
    ids = {label: position for position, label in enumerate(counts)}
    rarest = [
        ids[min(labels, key=lambda label: (counts[label], label))] if labels else len(ids)
        for labels in ([label for label in labels_in(text) if label in ids] for text in store.names)
    ]
    return np.array([*rarest, MISSING], np.int32)[store.labels[rows]]


def has_sets(store: Store) -> bool:
    """Whether a row has several labels, or none without lacking one."""
    return any(text.startswith(MARK) for text in store.names)


def read_label_sets(
    stores: Mapping[str, Store], settings: AutoLabels | OneLabel | SeveralLabels
) -> tuple[str, str | None, list[Finding]]:
    """Tell whether rows have one label or several, and read them so.

    Args:
        stores: the parts; the labels of all are renamed where they are sets.
        settings: the preset's `data.labels`.

    Returns:
        `one` or `several`; what separates several in a text, or None; and findings.

    Raises:
        ZooError: rows have several labels, or none, and are to have one; or another separator.
    """
    train = stores["train"]
    separator = settings.separator if isinstance(settings, SeveralLabels) else None
    explicit = has_sets(train)
    if not explicit and separator is None and settings.name != "one":
        separator = found_separator(train.names, certain=settings.name == "auto")
    elif separator is not None:
        _check_separator(train, separator)
    if settings.name == "one" or (settings.name == "auto" and not explicit and separator is None):
        for store in stores.values():
            _refuse_sets(store)
        return "one", None, []
    for store in stores.values():
        read_sets(store, separator)
    if settings.name == "auto" and all(len(labels_in(text)) < 2 for text in train.names):
        row = np.flatnonzero(train.labels == train.names.index(MARK))
        raise ZooError(
            f"{train.describe(row)}: no label, and no row has several. Give each row one; or set "
            f"{LABELS}=several, where a row may have none."
        )
    labels = {label for text in train.names for label in labels_in(text)}
    how = "" if separator is None else f", separated by '{separator}'"
    how = ", in lists" if separator == LIST else how
    what = f"{train.file}: several labels a row{how}: {len(labels):,} labels."
    hint = f"{LABELS}=one reads each combination as a class of its own." if separator else ""
    evidence = {"labels": len(labels), "separator": separator}
    return "several", separator, [Finding("info", what, evidence, hint)]


def read_sets(store: Store, separator: str | None) -> None:
    """Read the labels of a store as sets.

    Args:
        store: whose labels are renamed.
        separator: between the labels of a text; `list` where the texts are lists; None where a
            text is one label.
    """
    if separator is not None:
        store.rename({text: split_text(text, separator) for text in store.names})


def _check_separator(store: Store, separator: str) -> None:
    if any(separator in text for text in store.names):
        return
    other = found_separator(store.names)
    if other is not None and other != separator:
        joined = next(text for text in store.names if other == LIST or other in text)
        raise ZooError(
            f"data.labels.separator {separator!r}: is in no label of {store.file}, such as "
            f"{joined!r}. Did you mean {other!r}?"
        )


def _refuse_sets(store: Store) -> None:
    several = [text for text in store.names if text.startswith(MARK)]
    if several:
        rows = np.flatnonzero(store.labels == store.names.index(several[0]))
        raise ZooError(
            f"{store.describe(rows)}: {quoted(labels_in(several[0])[:NAMED]) or 'no label'} where "
            f"{LABELS} is one. Give one label a row, or set {LABELS}=several."
        )
