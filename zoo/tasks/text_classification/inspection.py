"""A look at labelled texts before training."""

from __future__ import annotations

from typing import Any

from zoo.data.parts import parts_of
from zoo.tasks.inspection import (
    SAMPLE_CHARACTERS,
    SAMPLES,
    Inspection,
    Line,
    Table,
    class_counts,
    classes_shown,
    labels_a_row,
)
from zoo.tasks.text_classification.checks import probe
from zoo.tasks.text_classification.data import Data
from zoo.text.pairs import shown_pair


def inspect_texts(data: Data, seed: int) -> Inspection:
    """Return a summary of labelled texts and the findings that training would make.

    Args:
        data: as training would read them.
        seed: of the samples that are shown.

    Returns:
        Its summary has the keys `rows` (of `source`), `classes` (label to count, the largest
        first), of several labels a row `labels_a_row` (number of labels to count), `lengths`
        (tokens: `median`, `90 %`, `99 %`, `longest`) and `samples` (row, label and the beginning of
        the text).
    """
    summary = _summary(data, seed)
    return Inspection(summary, data.findings, _shown(summary))


def _summary(data: Data, seed: int) -> dict[str, Any]:
    parts = [part for part in parts_of(data).values() if part.store is data.train.store]
    sizes, pairs = labels_a_row(parts), data.train.store.pairs
    lengths = next(f.evidence for f in data.findings if "max_length" in f.evidence)
    positions = probe(data.train, seed)[:SAMPLES]
    return {
        "rows": len(data.train.store),
        "classes": class_counts(parts),
        **({"labels_a_row": sizes} if sizes else {}),
        "lengths": {
            key: value
            for key, value in lengths.items()
            if key not in ("max_length", "cut_share", "texts")
        },
        "samples": [
            {
                "row": data.train.row_number(int(position)),
                "label": data.train.targets.shown(data.train.labels[position]),
                "text": (shown_pair(text) if pairs else text)[:SAMPLE_CHARACTERS],
            }
            for position, text in zip(positions, data.train.inputs(positions), strict=True)
        ],
    }


def _shown(summary: dict[str, Any]) -> list[Table | Line]:
    lengths = ", ".join(f"{name} {value:,}" for name, value in summary["lengths"].items())
    samples = [Line(row["text"][:100], f"  {row['label']}") for row in summary["samples"]]
    counts = classes_shown(summary["rows"], summary["classes"], summary.get("labels_a_row"))
    return [*counts, Line(f"tokens a text: {lengths}"), *samples]
