"""Labelled images that a trained classifier is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.data.checks import columns_read
from zoo.data.classes import classified, labelled_rows
from zoo.data.columns import Columns
from zoo.data.labels import whole_labels
from zoo.data.parts import SCORED, rows_of_part, scored_part
from zoo.data.store import Store
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.image_classification import checks as image_checks
from zoo.tasks.image_classification.batches import ImageSplit
from zoo.tasks.image_classification.checks import look
from zoo.tasks.image_classification.sources.find import find_images


def load_labelled_images(
    source: Any,
    *,
    classes: Sequence[Any],
    path: str | None = None,
    label: str | None = None,
    trained: Columns | None = None,
    drop_missing: bool = False,
    findings: list[Finding] | None = None,
) -> ImageSplit:
    """Read labelled images to be scored; of a folder with parts, its test part.

    Args:
        source: what is accepted says `zoo.tasks.image_classification.sources.find.find_images`.
        classes: the labels of the run.
        path: path column of a table.
        label: label column of a table.
        trained: the columns of the run, read where none are named.
        drop_missing: leave out what has no label or cannot be read, instead of refusing it.
        findings: what there is to say is added to it.

    Raises:
        ZooError: they cannot be read, or hold a label that is not among the classes.
    """
    findings = [] if findings is None else findings
    found = find_images(
        source, path=path, label=label, training=False, drop_missing=drop_missing, trained=trained
    )
    part = next(part for part in SCORED if part in found)
    chosen = found[part]
    if len(found) > 1:
        findings.append(scored_part(str(source), part, found))
    store = Store(chosen.rows)
    try:
        whole_labels(store, findings, classes)
        rows = rows_of_part(store, SCORED, findings)
        rows = labelled_rows(store, rows, drop_missing, findings)
        findings += chosen.findings + store.findings
        findings += columns_read(chosen.where, store.columns, trained=trained, kind="path")
        rows = look(store, rows, chosen.arrays, drop=drop_missing, findings=findings).rows
        if not len(rows):
            raise ZooError(f"{chosen.where}: holds no images.")
        split, strangers, labels = classified(store, rows, classes)
        if len(strangers):
            where = chosen.where
            said = image_checks.unknown_labels(store, strangers, labels, where, classes)
            raise ZooError(str(said))
    except BaseException:
        store.close()
        raise
    return ImageSplit(split, chosen.arrays)
