"""Whether a classifier has one label a row or several, by its preset, its data or its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.data.label_sets import read_label_sets
from zoo.data.label_text import MARK
from zoo.data.store import Store
from zoo.finding import Finding, counted
from zoo.multilabel_scores import Rule
from zoo.preset.labels import LabelledData
from zoo.tasks.one_label import OneLabel
from zoo.tasks.several_labels import SeveralLabels

AT_LEAST_ONE = "data.labels.at_least_one"
LABEL_FACTS = ("data.labels.name", "data.labels.separator", AT_LEAST_ONE)


def kind_of(settings: Any) -> OneLabel | SeveralLabels:
    """Return the kind of a preset's `data.labels`; what is not yet known has one."""
    if settings.name != "several":
        return OneLabel()
    return SeveralLabels(settings.separator, Rule(at_least_one=settings.at_least_one))


def read_kind(
    stores: Mapping[str, Store],
    settings: LabelledData,
    fixed: Sequence[str],
    findings: list[Finding],
) -> OneLabel | SeveralLabels:
    """Return whether the rows of data have one label or several; their labels are read so.

    Args:
        stores: the parts, `train` among them.
        settings: the preset's data block.
        fixed: the keys of the preset that were set.
        findings: findings on the labels are appended to it.

    Raises:
        ZooError: rows have several labels, or none, and are to have one.
    """
    name, separator, found = read_label_sets(stores, settings.labels)
    findings += found
    if name == "one":
        return OneLabel()
    train, at_least_one = stores["train"], getattr(settings.labels, "at_least_one", True)
    if at_least_one and AT_LEAST_ONE not in fixed and MARK in train.names:
        at_least_one = False
        rows = np.flatnonzero(train.labels == train.names.index(MARK))
        what = f"{counted(len(rows), 'row has', 'rows have')} no label: {train.describe(rows)}."
        hint = f"So a text may be answered with none; {AT_LEAST_ONE}=true answers one at least."
        findings.append(Finding("info", what, {"count": len(rows)}, hint))
    return SeveralLabels(separator, Rule(at_least_one=at_least_one))


def saved_kind(document: Mapping[str, Any]) -> OneLabel | SeveralLabels:
    """Return the kind that `to_dict` has put into a document.

    Raises:
        TypeError: a value is missing, or another's.
    """
    several = document.get("several")
    if several is None:  # also of runs from before there were several
        return OneLabel()
    rest = {key: several[key] for key in Rule._fields}
    return SeveralLabels(several["separator"], Rule(**rest))
