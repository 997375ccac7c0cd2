"""Where images and their labels come from: class folders, tables of paths, arrays."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.columns import Columns
from zoo.data.labels import WEIGHTS
from zoo.data.paths import exists, holds_image, is_archive, looks_like_image, table_kind
from zoo.errors import ZooError
from zoo.finding import first_few
from zoo.tasks.image_classification.sources.arrays import read_arrays, read_npz
from zoo.tasks.image_classification.sources.folders import Folder
from zoo.tasks.image_classification.sources.source import ImageSource
from zoo.tasks.image_classification.sources.tables import read_table
from zoo.tasks.image_classification.sources.tf_data import read_tensorflow


def find_images(
    source: Any,
    *,
    path: str | None = None,
    label: str | None = None,
    training: bool = True,
    drop_missing: bool = False,
    trained: Columns | None = None,
) -> dict[str, ImageSource]:
    """Return the parts of a source: `train` alone, or several of `zoo.data.parts.PARTS`.

    Args:
        source: a folder of class folders, or of the parts `train`, `val`, `test` with class folders
            in them; a table of paths and labels (a file of `zoo.data.paths.TABLES`, a list or
            pattern of some in one folder, or one that speaks Arrow); an .npz file;
            `(images, labels)` or `(paths, labels)`; two pairs of images and labels, for training
            and test; or a `tf.data.Dataset` of (image, label).
        path: path column of a table; None finds it by name. Paths are relative to the table's
            folder, and of a table in memory to the working directory.
        label: label column of a table; None finds it by name.
        training: whether an empty class folder is an error, and a training part is needed.
        drop_missing: whether the rows of a table whose file is not there are left out.
        trained: columns that a run was trained with, read where none are named.

    Returns:
        A source for each part; their rows are not yet read.

    Raises:
        ZooError: there are no images, or it cannot be told which class they have.
    """
    table = functools.partial(
        read_table, path=path, label=label, drop_missing=drop_missing, trained=trained
    )
    if isinstance(source, str | Path):
        return _file_or_folder(Path(source), training, table)
    if isinstance(source, list) and source and all(map(_is_table, source)):
        folders = {Path(table).parent for table in source}
        if len(folders) == 1:
            return {"train": table(source, folder=folders.pop())}
    if hasattr(source, "element_spec"):
        return {"train": read_tensorflow(source)}
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "with_format"):
        return {"train": table(source, folder=Path())}
    if isinstance(source, tuple) and len(source) == 2 and not _is_path(source[0]):
        return _in_memory(source, table)
    raise ZooError(_not_accepted(source))


def _in_memory(source: tuple[Any, Any], table: Any) -> dict[str, ImageSource]:
    """Return `(images, labels)`, `(paths, labels)`, or two pairs as Keras' data sets give them."""
    pairs = all(isinstance(pair, tuple) and len(pair) == 2 for pair in source)
    if pairs and np.ndim(source[1][0]) >= 3:
        named = zip(("train", "test"), source, strict=True)
        return {name: read_arrays(images, labels, name) for name, (images, labels) in named}
    images, labels = source
    if len(images) and _is_path(images[0] if isinstance(images, list) else next(iter(images))):
        return {"train": table((list(map(str, images)), labels), folder=Path())}
    return {"train": dataclasses.replace(read_arrays(images, labels), where="data")}


def _is_table(value: Any) -> bool:
    return _is_path(value) and table_kind(Path(value)) is not None


def _is_path(value: Any) -> bool:
    return isinstance(value, str | Path)


def _not_accepted(source: Any) -> str:
    accepted = (
        "Accepted: a folder of class folders, a table of paths and labels (a file or a DataFrame), "
        "an .npz file, (images, labels), (paths, labels), or a tf.data.Dataset of (image, label)."
    )
    if isinstance(source, list | tuple) and source and all(map(_is_path, source)):
        return (
            f"several paths are no labelled images: {first_few(source, len(source))}. Give the one "
            f"folder that holds a folder for each class. {accepted}"
        )
    if isinstance(source, tuple) and len(source) == 3:
        return f"(images, labels, weights): {WEIGHTS}"
    return f"images of type {type(source).__name__} cannot be read. {accepted}"


def _file_or_folder(path: Path, training: bool, table: Any) -> dict[str, ImageSource]:
    if not exists(path):
        if _is_table(path) and "*" in path.name:
            return {"train": table(path, folder=path.parent)}
        raise ZooError(f"{path}: no such file or folder.")
    if path.is_dir():
        return Folder(path, training, lambda file: table(file, folder=file.parent)).parts()
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    if is_archive(path):
        raise ZooError(f"{path}: is an archive. Unpack it, and give the folder.")
    if table_kind(path) is None:
        raise ZooError(
            f"{path}: is neither a folder of class folders, nor a table of paths and labels, "
            "nor an .npz file."
        )
    return {"train": table(path, folder=path.parent)}


def looks_like_images(source: Any) -> bool:
    """Whether a path is a folder with images somewhere in it, an image, or an .npz file."""
    if isinstance(source, list):
        return any(map(looks_like_images, source))
    if not isinstance(source, str | Path) or not exists(Path(source)):
        return False
    if Path(source).is_dir():
        return holds_image(Path(source))
    return Path(source).suffix.lower() == ".npz" or looks_like_image(Path(source))
