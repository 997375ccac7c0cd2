"""What columns seem to hold beside what they are read for: paths of images, lists, numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from zoo.data.columns import are_real_numbers, quoted
from zoo.data.paths import IMAGES, UNREAD_IMAGES
from zoo.data.store import Store
from zoo.finding import Finding

LISTED = re.compile(
    r"[\[({](\s*['\"\d].*|.*,.*|\s*)[\])}]", re.DOTALL
)  # ["a", "b"], but not [none]
MANY_NUMBERS = 20  # more are no grades such as 0.5, 1, 1.5 ... 5
PROBED = 100  # texts that are looked at
LONGEST_PATH = 300  # characters
NAMED = 5
# Words that grade a label: "very good" beside "good" is one label, not two.
DEGREES = {
    "very", "not", "no", "non", "slightly", "somewhat", "extremely", "strongly", "more", "less",
    "most", "least", "high", "low", "highly", "mostly", "weakly", "moderately",
}  # fmt: skip


def image_paths(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when the texts are the paths of images."""
    return paths_in(store.file, list(store.iter_inputs(rows[:PROBED])))


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


def several_labels(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when labels seem to hold several each: lists, or shared parts."""
    names = _names(store, rows)
    several = _lists(names) or next(filter(None, (_combined(names, m) for m in ";|,")), [])
    several = several or _combined(names, None)
    if not several:
        return []
    what = (
        f"{store.file}: labels look like several in one: {quoted(several[:NAMED])} "
        f"({len(several):,} of {len(names):,})."
    )
    hint = "Each combination is read as a class of its own. Give one label a row."
    return [Finding("warning", what, {"labels": several[:100]}, hint)]


def measurements(store: Store, rows: np.ndarray) -> list[Finding]:
    """Return a finding when labels are real numbers, and more of them than there are grades."""
    names = _names(store, rows)
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


def _names(store: Store, rows: np.ndarray) -> list[str]:
    """Return the labels that rows have."""
    present = np.flatnonzero(np.bincount(store.labels[rows], minlength=len(store.names)))
    return [store.names[label] for label in present]


def _lists(names: Sequence[str]) -> list[str]:
    return [name for name in names if LISTED.fullmatch(name)]


def _combined(names: Sequence[str], mark: str | None) -> list[str]:
    """Return the labels whose parts are parts of others, too, or labels by themselves."""
    parts = {name: [part.strip() for part in name.split(mark)] for name in names}
    used = Counter(part for some in parts.values() for part in set(some))
    combined = [name for name, some in parts.items() if len(set(some)) > 1]
    if mark is None:  # a blank is in many names: "New York", "very good"
        combined = [n for n in combined if not DEGREES & {part.lower() for part in parts[n]}]
        whole = [n for n in combined if all(used[part] > 1 for part in parts[n])]
        return whole if any(part in parts for n in whole for part in parts[n]) else []
    return combined if any(used[part] > 1 for n in combined for part in parts[n]) else []
