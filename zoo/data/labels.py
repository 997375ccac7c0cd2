"""Labels: read from arrays, and what is to be said of them before training.

They may look alike, hold several labels each, be numbers to regress, or name no class at all.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.columns import are_real_numbers, quoted
from zoo.data.label_sets import has_sets, label_counts
from zoo.data.parts import part_of
from zoo.data.store import MISSING, Store
from zoo.errors import ZooError
from zoo.finding import Finding, counted

NAMED = 5  # groups, classes or labels that a message names
WHOLE = re.compile(r"[+-]?\d+\.0+")  # as pandas writes integers beside missing values
ENDS = ".,;:!?\u2026"  # marks that are written after a word
LISTED = re.compile(
    r"[\[({](\s*['\"\d].*|.*,.*|\s*)[\])}]", re.DOTALL
)  # ["a", "b"], but not [none]
FEW_ROWS = 20  # below, rows in class order are no sign of a sorted file
MANY_NUMBERS = 20  # more are no grades such as 0.5, 1, 1.5 ... 5
# Words that grade a label: "very good" beside "good" is one label, not two.
DEGREES = {
    "very", "not", "no", "non", "slightly", "somewhat", "extremely", "strongly", "more", "less",
    "most", "least", "high", "low", "highly", "mostly", "weakly", "moderately",
}  # fmt: skip
WEIGHTS = (
    "weights of single examples are not used. Leave them out, as with "
    "dataset.map(lambda x, y, weight: (x, y)); --set data.balance=class-weights weighs classes."
)


def class_labels(
    labels: Any, where: str, names: Sequence[Any] | None = None, first: int = 1
) -> np.ndarray:
    """Return the label of each example `(examples,)`, of labels as Keras or scikit-learn have them.

    Args:
        labels: `(examples,)` or `(examples, 1)`; 0 or 1 of each class `(examples, classes)`, which
            become the number of the class, or a tuple of several; or a list of lists of labels.
        where: named in messages.
        names: of the classes that are numbered; None leaves numbers as they are.
        first: number of the first example, for messages.

    Raises:
        ZooError: a row has shares of classes, or a number has no name.
    """
    if isinstance(labels, list | tuple) and any(isinstance(v, list | tuple | set) for v in labels):
        return _sets([tuple(v) if isinstance(v, list | tuple | set) else (v,) for v in labels])
    values = np.asarray(labels.numpy() if hasattr(labels, "numpy") else labels)
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "fiub":
        return _of_flags(values, where, names, first)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ZooError(
            f"{where}: labels must be one an example. Received: {values.dtype} of shape "
            f"{values.shape}."
        )
    return values if names is None else _named(values, names, where)


def _of_flags(
    values: np.ndarray, where: str, names: Sequence[Any] | None, first: int
) -> np.ndarray:
    """Return the classes of 0 or 1 of each, a tuple an example unless all have a single one."""
    ones = values == 1
    bad = np.flatnonzero(((values != 0) & ~ones).any(axis=1))
    if len(bad):
        row, shown = first + int(bad[0]), values[bad[0]][:10].tolist()
        raise ZooError(
            f"{where}: row {row}: labels of shape {values.shape} must be 0 or 1 of each class. "
            f"Received: {shown}. Shares of labels are not supported."
        )
    numbers = np.arange(values.shape[1])
    classes = numbers if names is None else _named(numbers, names, where)
    if (ones.sum(axis=1) == 1).all():
        return classes[values.argmax(axis=1)]
    return _sets([tuple(classes[row].tolist()) for row in ones])


def _sets(labels: Sequence[tuple[Any, ...]]) -> np.ndarray:
    sets = np.empty(len(labels), object)
    sets[:] = labels
    return sets


def _named(values: np.ndarray, names: Sequence[Any], where: str) -> np.ndarray:
    if values.dtype.kind not in "iufb" or not len(values):
        return values
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        return values
    if not 0 <= int(values.min()) <= int(values.max()) < len(names):
        raise ZooError(
            f"{where}: labels go from {values.min()} to {values.max()}, but `classes` has "
            f"{len(names)} names."
        )
    return np.asarray(names)[values.astype(np.int64)]


def plain_form(label: str) -> str:
    """Return what is left of a label without case, ends, and what cannot be seen.

    `Positive`, `positive.` and `positive` with a zero-width space have one form; so have `1.0` and
    `1`, and the two ways to write an accent.
    """
    text = unicodedata.normalize("NFKC", label)
    text = "".join(mark for mark in text if unicodedata.category(mark) not in ("Cf", "Cc"))
    text = " ".join(text.casefold().split())
    if WHOLE.fullmatch(text):
        return str(int(text.split(".")[0]))
    return text.rstrip(ENDS) or text


def alike_labels(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding on classes whose labels look alike.

    Args:
        store: where the rows are.
        rows: those that are trained on, each with a label.
    """
    groups: dict[str, dict[str, int]] = {}
    for name, count in label_counts(store, rows).items():
        groups.setdefault(plain_form(name), {})[name] = count
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return []
    shown = "; ".join(
        ", ".join(f"{shown_name} ({group[name]:,})" for name, shown_name in _visible(group))
        for group in several[:NAMED]
    )
    more = f" and {len(several) - NAMED:,} more" if len(several) > NAMED else ""
    what = f"labels that look alike are classes of their own: {shown}{more}."
    evidence = {"labels": {name: n for group in several for name, n in group.items()}}
    return [Finding("warning", what, evidence, "Write those that mean the same in one way.")]


def looks_like(labels: Iterable[str], classes: Sequence[Any]) -> str:
    """Return words for unknown labels that look like a class, or an empty string."""
    forms = {plain_form(str(name)): str(name) for name in classes}
    pairs = [(label, forms[plain_form(label)]) for label in labels if plain_form(label) in forms]
    shown = [
        " looks like ".join(name for _, name in _visible(dict.fromkeys(pair)))
        for pair in pairs[:NAMED]
    ]
    return f"{', '.join(shown)}: write them as in training." if shown else ""


def whole_labels(store: Store, findings: list[Finding], classes: Sequence[Any] = ()) -> None:
    """Read the labels of a CSV file as integers, as from Parquet, where all are such as `1.0`.

    Args:
        store: whose labels they are.
        findings: findings on what is read are appended to it.
        classes: of a run; labels that it knows as they are stay.
    """
    known = {str(name) for name in classes}
    fits = store.untyped and store.names and all(map(WHOLE.fullmatch, store.names))
    if not fits or all(name in known for name in store.names):
        return
    first = store.names[0]
    store.rename({name: str(int(name.split(".")[0])) for name in store.names})
    what = f"{store.file}: all labels are whole numbers: '{first}' is read as "
    findings.append(Finding("info", f"{what}'{store.names[0]}', and so on."))


def several_labels(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when labels seem to hold several each: lists, or shared parts."""
    if has_sets(store):
        return []
    names = list(label_counts(store, rows))
    several = _lists(names) or next(filter(None, (_combined(names, m) for m in ";|,")), [])
    several = several or _combined(names, None)
    if not several:
        return []
    what = (
        f"{store.file}: labels look like several in one: {quoted(several[:NAMED])} "
        f"({len(several):,} of {len(names):,})."
    )
    hint = (
        "Each combination is read as a class of its own. Several labels a row are read with "
        "--set data.labels.separator=MARK, the mark between them."
    )
    return [Finding("warning", what, {"labels": several[:100]}, hint)]


def measurements(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when labels are real numbers, and more of them than there are grades."""
    names = list(label_counts(store, rows))
    if len(names) <= MANY_NUMBERS or not are_real_numbers(names):
        return []
    what = (
        f"{store.file}: the labels look like numbers: {len(names):,} different ones, such "
        f"as {quoted(names[:NAMED])}."
    )
    hint = (
        "Each is read as a class of its own: regression is not supported. Make few classes of them."
    )
    return [Finding("warning", what, {"labels": len(names)}, hint)]


def label_order(store: Store) -> list[Finding]:
    """Return a finding when the rows stand in class order."""
    if has_sets(store):
        return []
    labels = store.labels[store.labels != MISSING]
    changes = int(np.count_nonzero(labels[1:] != labels[:-1]))
    if len(labels) < FEW_ROWS or changes >= 2 * len(store.names):
        return []
    return [
        Finding(
            "info",
            f"the rows stand in class order ({counted(changes, 'change')} of label in "
            f"{len(store):,} rows).",
            {"changes": changes, "rows": len(store)},
            "They are shuffled before they are split and in every epoch (A123).",
        )
    ]


def absent_classes(
    counts: np.ndarray, classes: Sequence[Any], name: str, one: str
) -> list[Finding]:
    """Return a finding when a part has no row of some class.

    Args:
        counts: rows of each class in the part.
        classes: the label of each.
        name: of the part.
        one: what a row is: a row, or an image.
    """
    missing = [str(label) for label, count in zip(classes, counts, strict=True) if not count]
    if not missing:
        return []
    what = f"{name} has no {one} of {quoted(missing[:NAMED])}"
    what += f" and {len(missing) - NAMED:,} more." if len(missing) > NAMED else "."
    hint = "Its scores say nothing of these classes."
    kept = [str(label) for label in classes if str(label) not in missing]
    if 2 <= len(kept) <= NAMED:
        hint += f" If they are none, train with {classes_option(kept)}."
    return [Finding("warning", what, {"classes": missing}, hint)]


def unlabelled_classes(classes: Sequence[Any]) -> list[Finding]:
    """Return a finding on classes whose name is that of data without labels, such as `unsup`."""
    names = [str(name) for name in classes]
    no_class = [name for name in names if part_of(name) == "unlabelled"]
    kept = [name for name in names if name not in no_class]
    if not no_class or len(kept) < 2:
        return []
    what = f"{quoted(no_class)} is learned as a class, and named as data without labels are."
    hint = f"Train with {classes_option(kept)}." if len(kept) <= NAMED else "Leave it out."
    return [Finding("warning", what, {"classes": no_class}, hint)]


def classes_option(names: Sequence[str]) -> str:
    """Return the option that keeps some classes, as `chosen_classes` reads it."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return f"--classes {shlex.quote(line.getvalue())}"


def rare_classes(counts: Mapping[Any, int], batch_size: int, rows: int) -> list[Finding]:
    """Return a finding on classes with fewer rows than would appear in a batch on average.

    Args:
        counts: rows of each class.
        batch_size: rows of a batch.
        rows: number of all rows.
    """
    rare = {name: n for name, n in counts.items() if n * batch_size < rows}
    if not rare:
        return []
    rarest = sorted(rare.items(), key=lambda entry: entry[1])[:NAMED]
    shown = ", ".join(f"{name} ({count:,})" for name, count in rarest)
    subject = counted(len(rare), "class has", "classes have")
    return [
        Finding(
            "warning",
            f"{subject} less than one row in a batch of {batch_size}: {shown}.",
            {"count": len(rare), "classes": {str(k): v for k, v in rare.items()}},
            "Collect more, raise data.batch_size, or set data.balance (A50, A51, A107).",
        )
    ]


def _lists(names: Sequence[str]) -> list[str]:
    return [name for name in names if LISTED.fullmatch(name)]


def _combined(names: Sequence[str], mark: str | None) -> list[str]:
    """Return the labels whose parts are parts of others, too, or labels by themselves."""
    parts = {name: [part.strip() for part in name.split(mark)] for name in names}
    uses = Counter(part for own in parts.values() for part in set(own))
    combined = [name for name, own in parts.items() if len(set(own)) > 1]
    if mark is None:  # a blank is in many names: "New York", "very good"
        combined = [n for n in combined if not DEGREES & {part.lower() for part in parts[n]}]
        combined = [n for n in combined if all(uses[part] > 1 for part in parts[n])]
        return combined if any(part in parts for n in combined for part in parts[n]) else []
    return combined if any(uses[part] > 1 for n in combined for part in parts[n]) else []


def _visible(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each name with how it is written so that they can be told apart."""
    names = list(names)
    same = len({unicodedata.normalize("NFC", name) for name in names}) < len(names)
    return [(name, ascii(name) if same else repr(name)) for name in names]
