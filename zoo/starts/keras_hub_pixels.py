"""Pixels and sizes of KerasHub's image networks, whichever the backbone: image_converter.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import read_json

CONVERTER = "image_converter.json"


def converter_values(path: Path) -> dict[str, Any]:
    """Return what an image_converter.json says of pixels and sizes, by dotted key of a preset.

    Args:
        path: of the file: pixels are multiplied by its `scale`, then `offset` is added.

    Raises:
        ZooError: it is missing or damaged.
    """
    if not path.is_file():
        raise ZooError(
            f"{path}: is missing, and says the scale of pixels. "
            "`ImageConverter.from_preset(...).save_to_preset(folder)` of KerasHub writes it."
        )
    document = read_json(path)
    own = document.get("config") if isinstance(document, dict) else None
    if not isinstance(own, dict):
        raise ZooError(f"{path}: is damaged: it has no `config`.")
    scale, offset = _colours(own, "scale", 1.0, path), _colours(own, "offset", 0.0, path)
    values: dict[str, Any] = {
        "architecture.pixel_mean": tuple(
            round(-added / factor, 6) + 0.0 if factor else -1.0
            for factor, added in zip(scale, offset, strict=True)
        ),
        "architecture.pixel_std": tuple(
            round(1 / factor, 6) if factor else -1.0 for factor in scale
        ),
    }
    wrong = [key for key, colour in values.items() if not all(0 <= one <= 255 for one in colour)]
    if wrong or min(values["architecture.pixel_std"]) <= 0:
        raise ZooError(f"{path}: scale {scale} and offset {offset} are of no pixels in [0, 255].")
    size = own.get("image_size")
    if isinstance(size, list) and len(size) == 2 and size[0] == size[1] and 8 <= size[0] <= 1024:
        values["architecture.image_size"] = size[0]
    return values


def _colours(own: Mapping[str, Any], key: str, default: float, path: Path) -> tuple[float, ...]:
    """Return a number, or one a colour, as one a colour.

    Raises:
        ZooError: it is neither.
    """
    value = own.get(key)
    value = default if value is None else value
    values = value if isinstance(value, list) else [value] * 3
    if len(values) != 3 or not all(isinstance(one, int | float) for one in values):
        raise ZooError(f"{path}: '{key}' must be a number or three. Received: {value!r}.")
    return tuple(map(float, values))
