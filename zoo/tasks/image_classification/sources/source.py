"""The images of one source: while they are read, and as rows of a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.rows import Rows
from zoo.data.store import Split, Store
from zoo.data.targets import Targets
from zoo.finding import Finding
from zoo.tasks.image_classification.image import ImageInput

READ_IMAGES = 64  # in memory at a time
Pixels = np.ndarray | list[np.ndarray]  # uint8 `(images, height, width, 3)`, or of several sizes


@dataclasses.dataclass
class ImageSource:
    """The images of one part and their labels, not yet read.

    Args:
        where: the folder or file, or `data`, for messages.
        rows: each holds the path of an image, the bytes of its file, or an empty input where the
            image is in `pixels`.
        pixels: of all rows in their order; None for files.
        findings: on the source, complete once the rows are read.
    """

    where: str
    rows: Iterable[Rows]
    pixels: Pixels | None = None
    findings: list[Finding] = dataclasses.field(default_factory=list)


def image_inputs(store: Store, rows: np.ndarray, pixels: Pixels | None) -> Sequence[ImageInput]:
    """Return the images of some rows, in their order.

    Args:
        store: the rows that `ImageSource.rows` held.
        rows: positions in it.
        pixels: `ImageSource.pixels`.
    """
    if pixels is not None:
        return [pixels[row] for row in rows]
    contents = store.raw_inputs(rows)
    return contents if store.binary else [Path(path.decode("utf-8")) for path in contents]


@dataclasses.dataclass(frozen=True)
class ImageSplit:
    """The images of training, validation or test, and their classes.

    Args:
        split: rows and class ids.
        pixels: of all rows of its store; None for files.
    """

    split: Split
    pixels: Pixels | None = None

    def __len__(self) -> int:
        return len(self.split)

    @property
    def labels(self) -> np.ndarray:
        """Ids of the targets, int32."""
        return self.split.labels

    @property
    def targets(self) -> Targets:
        """What the ids stand for."""
        return self.split.targets

    def close(self) -> None:
        """Remove the rows from the disk."""
        self.split.close()

    def inputs(self, positions: Any) -> Sequence[ImageInput]:
        """Return the images at positions of the split, in their order."""
        rows = self.split.rows[np.asarray(positions, np.int64)]
        return image_inputs(self.split.store, rows, self.pixels)

    def iter_inputs(self, positions: np.ndarray) -> Iterator[ImageInput]:
        """Yield the images at positions in their order, some in memory at a time."""
        for start in range(0, len(positions), READ_IMAGES):
            yield from self.inputs(positions[start : start + READ_IMAGES])
