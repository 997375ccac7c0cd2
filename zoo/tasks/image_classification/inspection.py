"""A look at labelled images before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.parts import PARTS
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.image_classification.settings import ImageData
from zoo.tasks.image_classification.sheet import training_sheet
from zoo.tasks.inspection import Inspection, Line, class_counts, classes_shown


def inspect_images(
    source: Any,
    *,
    settings: ImageData,
    image_size: int,
    path: str | None = None,
    label: str | None = None,
    seed: int = 0,
    drop_missing: bool = False,
    sheet: Path | None = None,
) -> Inspection:
    """Return a summary of images and the findings, as training would make them.

    Args:
        source: the images; what is accepted says `sources.find.find_images`.
        settings: the data block of the preset.
        image_size: largest height and width that the network is to see.
        path: path column of a table.
        label: label column of a table.
        seed: of the augmentation.
        drop_missing: leave out what has no label or cannot be read.
        sheet: PNG file to write, of images as training sees them (A90); None for none.

    Returns:
        Its summary has the keys `rows`, `parts` (part to count), `classes` (label to count in all
        parts, the largest first), `image_size` and `sheet`.

    Raises:
        ZooError: the images cannot be read or trained on, or the sheet not be written.
    """
    with load_images(
        source, settings=settings, image_size=image_size, path=path, label=label, seed=seed,
        drop_missing=drop_missing,
    ) as data:  # fmt: skip
        if sheet is not None:
            training_sheet(data, sheet)
        parts = {name: getattr(data, name) for name in PARTS if getattr(data, name) is not None}
        labels = np.concatenate([part.labels for part in parts.values()])
        summary: dict[str, Any] = {
            "rows": sum(map(len, parts.values())),
            "parts": {name: len(part) for name, part in parts.items()},
            "classes": class_counts(labels, data.classes),
            "image_size": data.image_size,
            "sheet": None if sheet is None else str(sheet),
        }
        shown = classes_shown(summary["rows"], summary["classes"])
        if sheet is not None:
            shown.append(Line(f"what training sees: {sheet}"))
        return Inspection(summary, data.findings, shown)
