"""Several labels a row as one text, so that rows with several are kept as those with one are.

The text of no label, or of several, begins with a mark that no label has in it: the labels of any
row can be told from its text, and equal sets have equal texts.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterable, Sequence

SEPARATORS = "|;,"  # that join labels, the most certain first
LIST = "list"  # the separator of texts that are lists
MARK = "\x1f"  # unit separator: space to `str.strip`, so that no label begins with it


def set_text(labels: Iterable[str]) -> str:
    """Return the text of a set of labels: the label itself where it is the only one.

    Example:
        >>> labels_in(set_text(["joy", "anger", "joy"]))
        ('anger', 'joy')
    """
    names = sorted(set(labels))
    return names[0] if len(names) == 1 else MARK + MARK.join(names)


def labels_in(text: str) -> tuple[str, ...]:
    """Return the labels of a row from its text; none where it has none."""
    if not text.startswith(MARK):
        return (text,)
    return tuple(filter(None, text.split(MARK)))


def shown_labels(text: str) -> str:
    """Return the labels of a row as a person reads them."""
    return SEPARATORS[0].join(labels_in(text)) or "no label"


def found_separator(names: Sequence[str], certain: bool = True) -> str | None:
    """Return what separates the labels in texts, `list` where all are lists, or None.

    `|` and `;` are no part of a name: where labels have one between parts that occur again, it
    separates them. A comma is, as in "Washington, DC": each part must occur again.

    Args:
        names: the labels as they are written.
        certain: whether it must be beyond doubt; else the first mark that is there will do.
    """
    if any(text.startswith(MARK) for text in names):
        return None
    lists = [_listed(name) for name in names]
    if all(labels is not None for labels in lists):
        if any(len(set(labels)) > 1 for labels in lists if labels is not None):
            return LIST
    for mark in SEPARATORS:
        parts = {name: _parts(name, mark) for name in names if mark in name}
        if not parts:
            continue
        if not certain:
            return mark
        uses = Counter(part for name in names for part in set(parts.get(name, [name.strip()])))
        again = [part for own in parts.values() if len(set(own)) > 1 for part in set(own)]
        enough = all if mark == "," else any
        if again and enough(uses[part] > 1 for part in again):
            return mark
    return None


def split_text(text: str, separator: str) -> str:
    """Return the text of the labels that another text joins.

    Args:
        text: as it is written; that of a set stays.
        separator: between the labels; `list` where the text is a list, or one label if it is none.
    """
    if text.startswith(MARK):
        return text
    if separator != LIST:
        return set_text(_parts(text, separator))
    listed = _listed(text)
    return text if listed is None else set_text(listed)


def _parts(text: str, mark: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(mark)) if part]


def _listed(text: str) -> list[str] | None:
    """Return the labels of a list that is written as JSON or as Python writes it; else None."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            values = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(values, list) and all(isinstance(v, str | int) for v in values):
            return [label for label in (str(value).strip() for value in values) if label]
    return None
