"""Sheets of images: what the network sees (A90, A142), and what it got wrong (A26)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo.data.label_text import set_text, shown_labels
from zoo.files import written_beside
from zoo.tasks.image_classification.data import ImageDataset

CELL = 112  # pixels; smaller images are enlarged by whole factors
LINE = 13  # pixels of a line of text
COLUMNS = 8
SHOWN = 48  # training images


def write_sheet(path: Path, images: Sequence[np.ndarray], captions: Sequence[str]) -> None:
    """Write images in rows of eight, with up to two lines of text under each, as PNG.

    Args:
        path: of the PNG file.
        images: uint8 `(height, width, 3)`, of any sizes.
        captions: one an image; a line break begins the second line.

    Raises:
        ZooError: the file cannot be written.
    """
    rows = -(-len(images) // COLUMNS)
    height = CELL + 2 * LINE + 6
    sheet = Image.new("RGB", (COLUMNS * (CELL + 6) + 6, max(rows, 1) * height + 6), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (pixels, caption) in enumerate(zip(images, captions, strict=True)):
        left = 6 + number % COLUMNS * (CELL + 6)
        upper = 6 + number // COLUMNS * height
        sheet.paste(_fitted(pixels), (left, upper))
        for line, text in enumerate(caption.split("\n")[:2]):
            position = (left, upper + CELL + line * LINE)
            draw.text(position, _short(draw, text, font), "black", font)
    with written_beside(path) as temporary:
        sheet.save(temporary, "PNG")


def training_sheet(data: ImageDataset, path: Path) -> None:
    """Write a sheet of what training sees: the first images of an epoch, augmented."""
    images: list[np.ndarray] = []
    captions: list[str] = []
    for batch, labels, *_ in data.dataset("train"):
        for image, label in zip(np.asarray(batch), np.asarray(labels), strict=True):
            images.append(image.clip(0, 255).astype(np.uint8))
            captions.append(_caption(label, data.classes))
        if len(images) >= SHOWN:
            break
    write_sheet(path, images[:SHOWN], captions[:SHOWN])


def _caption(label: Any, classes: Sequence[Any]) -> str:
    """Return the class, all of several labels, or the two largest of a blend with their shares."""
    if np.ndim(label) == 0:
        return str(classes[int(label)])
    if np.isin(label, (0, 1)).all():
        names = (str(name) for name, share in zip(classes, label, strict=True) if share)
        return shown_labels(set_text(names))
    largest = np.argsort(-label, kind="stable")[:2]
    return "\n".join(f"{classes[i]} {label[i]:.2f}" for i in largest if label[i] > 0)


def _fitted(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels)
    longer = max(image.size)
    if longer * 2 <= CELL:
        factor = CELL // longer
        image = image.resize(
            (image.width * factor, image.height * factor), Image.Resampling.NEAREST
        )
    image.thumbnail((CELL, CELL))
    return image


def _short(draw: ImageDraw.ImageDraw, text: str, font: Any) -> str:
    while len(text) > 1 and draw.textlength(text, font) > CELL:
        text = text[:-2] + "…"
    return text
