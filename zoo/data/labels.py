"""Labels that look alike, labels that are no class, and whole numbers written with a point."""

from __future__ import annotations

import csv
import io
import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from zoo.data.columns import quoted
from zoo.data.parts import part_of
from zoo.data.store import Store
from zoo.finding import Finding

NAMED = 5  # groups, classes or labels that a message names
WHOLE = re.compile(r"[+-]?\d+\.0+")  # as pandas writes integers beside missing values
ENDS = ".,;:!?\u2026"  # marks that are written after a word


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
    counts = np.bincount(store.labels[rows], minlength=len(store.names)).tolist()
    groups: dict[str, dict[str, int]] = {}
    for name, count in zip(store.names, counts, strict=True):
        if count:
            groups.setdefault(plain_form(name), {})[name] = count
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return []
    shown = "; ".join(
        ", ".join(f"{name} ({group[each]:,})" for each, name in _visible(group))
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
    said = [
        " looks like ".join(name for _, name in _visible(dict.fromkeys(pair)))
        for pair in pairs[:NAMED]
    ]
    return f"{', '.join(said)}: write them as in training." if said else ""


def whole_labels(store: Store, findings: list[Finding], classes: Sequence[Any] = ()) -> None:
    """Read the labels of a CSV file as integers, as from Parquet, where all are such as `1.0`.

    Args:
        store: whose labels they are.
        findings: what there is to say is added to it.
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


def absent_classes(
    labels: np.ndarray, classes: Sequence[Any], name: str, one: str
) -> list[Finding]:
    """Return a finding when a part has no row of some class.

    Args:
        labels: class ids of the part.
        classes: the label of each.
        name: of the part.
        one: what a row is: a row, or an image.
    """
    counts = np.bincount(labels, minlength=len(classes))
    missing = [str(each) for each, count in zip(classes, counts, strict=True) if not count]
    if not missing:
        return []
    what = f"{name} has no {one} of {quoted(missing[:NAMED])}"
    what += f" and {len(missing) - NAMED:,} more." if len(missing) > NAMED else "."
    hint = "Its scores say nothing of these classes."
    kept = [str(each) for each in classes if str(each) not in missing]
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


def _visible(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each name with how it is written so that they can be told apart."""
    names = list(names)
    same = len({unicodedata.normalize("NFC", name) for name in names}) < len(names)
    return [(name, ascii(name) if same else repr(name)) for name in names]
