"""Images to predict: files, folders, tables of paths, and what is in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo.data.checks import columns_read
from zoo.data.columns import ColumnRequest, Columns
from zoo.data.paths import IMAGES, Walk, is_image, table_kind
from zoo.data.tables import is_table, read_rows
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.image_classification.image import AnyImage
from zoo.tasks.image_classification.sources.arrays import find_scale, to_arrays, to_rgb_bytes
from zoo.tasks.image_classification.sources.tables import PATH_NAMES, path_or_bytes

ACCEPTED = (
    "Accepted: a list of files, folders, tables of paths, bytes of image files, arrays and PIL "
    "images; an array (images, height, width, channels); or a DataFrame of paths."
)


@dataclasses.dataclass(frozen=True)
class NamedImage:
    """An image to predict.

    Args:
        name: its file, or words for its position.
        image: where it is; None where there is a problem.
        is_file: whether the name is that of a file.
        problem: why there is no image; empty when there is.
    """

    name: str
    image: AnyImage | None
    is_file: bool = True
    problem: str = ""


def named_images(
    images: Any,
    *,
    path: str | None = None,
    trained: Columns | None = None,
    findings: list[Finding] | None = None,
) -> Iterator[NamedImage]:
    """Yield images to predict, in their order.

    Args:
        images: an iterable of the paths of files, of folders and of tables of paths, of the bytes
            of image files, of arrays and of PIL images; an array of images; or a table of paths
            in memory. Floats have one scale in the whole list.
        path: path column of tables; None finds it by name.
        trained: columns that a run was trained with, read where none are named.
        findings: findings on the columns that are read are appended to it.

    Raises:
        ZooError: something else is given, a table cannot be read, or arrays are no images.
    """
    tables = _TableReader(path, trained, findings)
    if is_table(images):
        if hasattr(images, "element_spec"):
            raise ZooError(
                "a tf.data.Dataset of images cannot be predicted as it is: give a list of arrays, "
                "list(dataset.unbatch().as_numpy_iterator())."
            )
        yield from tables.read(images, Path())
    elif _is_array(images) and len(images.shape) > 1:
        yield from _array(images)
    elif isinstance(images, str | Path):
        yield from _path(Path(images), tables)
    elif isinstance(images, bytes | Image.Image):
        raise ZooError("predict takes a list of images. Received one: wrap it in [].")
    elif isinstance(images, Iterable) and not isinstance(images, dict):
        yield from _iterable(_column_values(images), tables)
    else:
        raise ZooError(f"images of type {type(images).__name__} cannot be read. {ACCEPTED}")


@dataclasses.dataclass(frozen=True)
class _TableReader:
    """Which columns of tables are read."""

    path: str | None
    trained: Columns | None
    findings: list[Finding] | None

    def read(self, table: Any, folder: Path) -> Iterator[NamedImage]:
        """Yield the images of a table whose paths are relative to a folder."""
        request = ColumnRequest(
            self.path, labelled=False, input_names=PATH_NAMES, kind="path", trained=self.trained,
            convert=path_or_bytes,
        )  # fmt: skip
        for rows in read_rows(table, request):
            if self.findings is not None and rows.first == 1:
                self.findings.extend(
                    columns_read(rows.file, rows.columns, trained=self.trained, kind="path")
                )
            for number, value in enumerate(rows.inputs, rows.first):
                row = f"{rows.file}: row {number}"
                if isinstance(value, bytes):
                    yield NamedImage(row, value, is_file=False)
                elif value.strip():
                    yield NamedImage(str(folder / value), folder / value)
                else:
                    yield NamedImage(row, None, problem="the path is empty")


def _column_values(images: Iterable[Any]) -> Iterable[Any]:
    """Return a column of paths as a list; all else as it is."""
    if hasattr(images, "to_pylist"):
        return images.to_pylist()
    return list(images) if _is_array(images) else images


def _array(images: Any) -> Iterator[NamedImage]:
    array = np.asarray(images)
    if array.ndim == 3 and array.shape[-1] in (1, 3, 4):
        raise ZooError(
            f"predict takes a list of images. Received one of shape {array.shape}: wrap it in []."
        )
    pixels = to_arrays(array, "images")
    scale = find_scale(pixels, "images")
    for number, image in enumerate(pixels, 1):
        rgb = to_rgb_bytes(image[None], scale, "images")[0]
        yield NamedImage(f"image {number}", rgb, is_file=False)


def _iterable(images: Iterable[Any], tables: _TableReader) -> Iterator[NamedImage]:
    scale = None
    if isinstance(images, list | tuple):  # all of it is known, unlike of what streams
        arrays = [np.asarray(image) for image in images if _is_array(image)]
        if arrays:
            scale = find_scale(to_arrays(arrays, "images"), "images")
    for number, image in enumerate(images, 1):
        name = f"image {number}"
        if isinstance(image, str | Path):
            yield from _path(Path(image), tables)
        elif isinstance(image, bytes | Image.Image):
            yield NamedImage(name, image, is_file=False)
        elif _is_array(image):
            yield NamedImage(name, _pixels(image, scale, name), is_file=False)
        else:
            raise ZooError(f"{name}: is of type {type(image).__name__}. {ACCEPTED}")


def _is_array(image: Any) -> bool:
    return hasattr(image, "shape") and not isinstance(image, str | bytes | Image.Image)


def _pixels(image: Any, scale: float | None, name: str) -> np.ndarray:
    array = np.asarray(image)
    if scale is None and array.dtype != np.uint8:
        raise ZooError(
            f"{name}: an array of {array.dtype} in an iterator: whether white is 1 or 255 is told "
            "by all images. Give them in a list."
        )
    (pixels,) = to_arrays([array], name)
    return to_rgb_bytes(pixels[None], scale or 1.0, name)[0]


def _path(path: Path, tables: _TableReader) -> Iterator[NamedImage]:
    if path.is_dir():
        files = [file for file in Walk().files(path) if is_image(file)]
        if not files:
            yield NamedImage(str(path), None, problem=f"holds no images ({', '.join(IMAGES)})")
        yield from (NamedImage(str(file), file) for file in files)
    elif not path.exists():
        yield NamedImage(str(path), None, problem="no such file or folder")
    elif table_kind(path):
        yield from tables.read(path, path.parent)
    elif path.suffix.lower() == ".npz":
        raise ZooError(
            f"{path}: predict takes no .npz files: give their images to run.predict in Python, or "
            "score them with zoo evaluate."
        )
    else:
        yield NamedImage(str(path), path)
