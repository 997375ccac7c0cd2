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
from zoo.tasks.image_classification.image import AnySource
from zoo.tasks.image_classification.sources.arrays import arrays_of, eight_bits, scale
from zoo.tasks.image_classification.sources.encoded import MARK, EncodedImages
from zoo.tasks.image_classification.sources.tables import PATH_NAMES

ACCEPTED = (
    "Accepted: a list of files, folders, tables of paths, bytes of image files, arrays and PIL "
    "images; an array (images, height, width, channels); or a DataFrame of paths."
)


@dataclasses.dataclass(frozen=True)
class Given:
    """One image to predict.

    Args:
        name: its file, or words for its place.
        source: where it is.
        is_file: whether the name is that of a file.
        problem: why there is none; empty when there is.
    """

    name: str
    source: AnySource
    is_file: bool = True
    problem: str = ""


def given_images(
    images: Any,
    *,
    path: str | None = None,
    trained: Columns | None = None,
    findings: list[Finding] | None = None,
) -> Iterator[Given]:
    """Yield images in their order.

    Args:
        images: an iterable of the paths of files, of folders and of tables of paths, of the bytes
            of image files, of arrays and of PIL images; an array of images; or a table of paths
            in memory. Floats have one scale in the whole list.
        path: path column of tables.
        trained: columns that a run was trained with, read where none are named.
        findings: what there is to say is added to it.

    Raises:
        ZooError: something else is given, a table cannot be read, or arrays are no images.
    """
    tables = _Tables(path, trained, findings)
    if is_table(images):
        yield from tables.in_memory(images)
    elif _is_array(images) and len(images.shape) > 1:
        yield from _array(images)
    elif isinstance(images, str | Path):
        yield from _path(Path(images), tables)
    elif isinstance(images, bytes | Image.Image):
        raise ZooError("predict takes a list of images. Received one: wrap it in [].")
    elif isinstance(images, Iterable) and not isinstance(images, dict):
        yield from _each(_listed(images), tables)
    else:
        raise ZooError(f"images of type {type(images).__name__} cannot be read. {ACCEPTED}")


@dataclasses.dataclass(frozen=True)
class _Tables:
    """How the rows of tables of paths are read."""

    path: str | None
    trained: Columns | None
    findings: list[Finding] | None

    def in_memory(self, table: Any) -> Iterator[Given]:
        """Yield the images of a table in memory: paths are relative to the working directory."""
        if hasattr(table, "element_spec"):
            raise ZooError(
                "a tf.data.Dataset of images cannot be predicted as it is: give a list of arrays, "
                "list(dataset.unbatch().as_numpy_iterator())."
            )
        yield from self.rows(table, Path())

    def rows(self, table: Any, folder: Path) -> Iterator[Given]:
        """Yield the images of a table whose paths are relative to a folder."""
        images = EncodedImages()
        request = ColumnRequest(
            self.path, labelled=False, input_names=PATH_NAMES, kind="path", trained=self.trained,
            convert=images.take,
        )  # fmt: skip
        for some in read_rows(table, request):
            if self.findings is not None and some.first == 1:
                said = columns_read(some.file, some.columns, trained=self.trained, kind="path")
                self.findings.extend(said)
            for number, name in enumerate(some.inputs, some.first):
                place = f"{some.file}: row {number}"
                if name.startswith(MARK):
                    yield Given(place, images[int(name[len(MARK) :])], is_file=False)
                elif name.strip():
                    yield Given(str(folder / name), folder / name)
                else:
                    yield Given(place, Path(place), problem="the path is empty")


def _listed(images: Iterable[Any]) -> Iterable[Any]:
    """Return a column of paths as a list; all else as it is."""
    if hasattr(images, "to_pylist"):
        return images.to_pylist()
    return list(images) if _is_array(images) else images


def _array(images: Any) -> Iterator[Given]:
    array = np.asarray(images)
    if array.ndim == 3 and array.shape[-1] in (1, 3, 4):
        raise ZooError(
            f"predict takes a list of images. Received one of shape {array.shape}: wrap it in []."
        )
    pixels = arrays_of(array, "images")
    factor = scale(pixels, "images")
    for number, image in enumerate(pixels, 1):
        yield Given(f"image {number}", eight_bits(image[None], factor, "images")[0], is_file=False)


def _each(images: Iterable[Any], tables: _Tables) -> Iterator[Given]:
    factor = None
    if isinstance(images, list | tuple):  # more is known of it than of what streams
        floats = [each for each in images if _is_array(each)]
        if floats:
            pixels = arrays_of([np.asarray(each) for each in floats], "images")
            factor = scale(pixels, "images")
    for number, each in enumerate(images, 1):
        place = f"image {number}"
        if isinstance(each, str | Path):
            yield from _path(Path(each), tables)
        elif isinstance(each, bytes | Image.Image):
            yield Given(place, each, is_file=False)
        elif _is_array(each):
            yield Given(place, _pixels(each, factor, place), is_file=False)
        else:
            raise ZooError(f"{place}: is of type {type(each).__name__}. {ACCEPTED}")


def _is_array(image: Any) -> bool:
    return hasattr(image, "shape") and not isinstance(image, str | bytes | Image.Image)


def _pixels(image: Any, factor: float | None, place: str) -> np.ndarray:
    array = np.asarray(image)
    if factor is None and array.dtype != np.uint8:
        raise ZooError(
            f"{place}: an array of {array.dtype} in an iterator: whether white is 1 or 255 is told "
            "by all images. Give them in a list."
        )
    (pixels,) = arrays_of([array], place)
    return eight_bits(pixels[None], factor or 1.0, place)[0]


def _path(path: Path, tables: _Tables) -> Iterator[Given]:
    if path.is_dir():
        found = [each for each in Walk().files(path) if is_image(each)]
        if not found:
            problem = f"holds no images ({', '.join(IMAGES)})"
            yield Given(str(path), path, problem=problem)
        yield from (Given(str(each), each) for each in found)
    elif not path.exists():
        yield Given(str(path), path, problem="no such file or folder")
    elif table_kind(path):
        yield from tables.rows(path, path.parent)
    elif path.suffix.lower() == ".npz":
        raise ZooError(
            f"{path}: predict takes no .npz files: give their images to run.predict in Python, or "
            "score them with zoo evaluate."
        )
    else:
        yield Given(str(path), path)
