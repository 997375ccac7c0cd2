"""A look at labelled images before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.data.parts import parts_of
from zoo.tasks.image_classification.data import load_images
from zoo.tasks.image_classification.settings import ImageData
from zoo.tasks.image_classification.sheet import training_sheet
from zoo.tasks.inspection import Inspection, Line, class_counts, classes_shown, labels_a_row
from zoo.tasks.request import Request


def inspect_images(
    request: Request, settings: ImageData, image_size: int, sheet: Path | None = None
) -> Inspection:
    """Return a summary of images and the findings, as training would make them.

    Args:
        request: the images; what is accepted says `sources.find.find_images`.
        settings: the data block of the preset.
        image_size: largest height and width that the network is to see, in pixels.
        sheet: PNG file to write, of images as training sees them (A90); None for none.

    Returns:
        Its summary has the keys `rows`, `parts` (part to count), `classes` (label to count in all
        parts, the largest first), of several labels an image `labels_a_row` (number of labels to
        count), `image_size` and `sheet`.

    Raises:
        ZooError: the images cannot be read or trained on, or the sheet not be written.
    """
    with load_images(request, settings, image_size) as data:
        if sheet is not None:
            training_sheet(data, sheet)
        parts = parts_of(data)
        sizes = labels_a_row(parts.values())
        summary: dict[str, Any] = {
            "rows": sum(map(len, parts.values())),
            "parts": {name: len(part) for name, part in parts.items()},
            "classes": class_counts(parts.values()),
            **({"labels_a_row": sizes} if sizes else {}),
            "image_size": data.image_size,
            "sheet": None if sheet is None else str(sheet),
        }
        shown = classes_shown(summary["rows"], summary["classes"], sizes)
        if sheet is not None:
            shown.append(Line(f"what training sees: {sheet}"))
        return Inspection(summary, data.findings, shown)
