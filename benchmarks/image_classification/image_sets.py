"""The image sets of benchmarks as folders of class folders."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.datasets import folder_of

# The parts of a detection set that are learned from, and that is scored.
PARTS = {"data": "trainval", "test": "test"}
SIDES = ("xmin", "ymin", "xmax", "ymax")
SMALLEST = 5  # pixels; two boxes of bccd are empty


def image_parts(name: str, folder: Path) -> dict[str, Path]:
    """Return the folders `data` and `test` of a set, each of class folders.

    Of bccd, a set of detection, these are the cells that its boxes hold: as many of each class as
    of the rarest, drawn by a fixed seed.

    Args:
        name: `cifar10_folder` or `bccd`.
        folder: to write into.
    """
    source = folder_of(name)
    if name == "cifar10_folder":
        return {"data": source / "train", "test": source / "test"}
    return {part: _crops(source, listed, folder / part) for part, listed in PARTS.items()}


def class_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each class folder, in the order of their names."""
    return {path.name: sorted(path.iterdir()) for path in sorted(folder.iterdir()) if path.is_dir()}


def _crops(source: Path, part: str, target: Path) -> Path:
    """Write what the boxes of a part hold as PNG files into class folders; return their folder."""
    from PIL import Image

    boxes: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for name, label, box in _boxes(source, part):
        boxes.setdefault(label, []).append((name, box))
    fewest = min(map(len, boxes.values()))
    for label, own in sorted(boxes.items()):
        (target / label).mkdir(parents=True)
        for number in sorted(np.random.default_rng(0).permutation(len(own))[:fewest].tolist()):
            name, box = own[number]
            with Image.open(source / "JPEGImages" / f"{name}.jpg") as image:
                image.crop(box).save(target / label / f"{name}-{number:04}.png")
    return target


def _boxes(source: Path, part: str) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield image, class and box of each object: left, upper, right and lower side in pixels."""
    names = (source / "ImageSets" / "Main" / f"{part}.txt").read_text(encoding="utf-8").split()
    for name in names:
        tree = ElementTree.parse(source / "Annotations" / f"{name}.xml")
        for item in tree.iter("object"):
            sides = [float(item.findtext(f"bndbox/{key}", "0")) for key in SIDES]
            left, upper, right, lower = (round(side) for side in sides)
            if min(right - left, lower - upper) >= SMALLEST:
                yield name, item.findtext("name", ""), (left, upper, right, lower)
