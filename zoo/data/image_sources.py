"""Where pictures and their labels come from: class folders, tables of paths, arrays."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.image_arrays import read_arrays, read_npz, read_tensorflow
from zoo.data.pictures import SUFFIXES
from zoo.data.rows import BATCH_ROWS, Rows, quoted
from zoo.data.tables import read_rows, table_kind
from zoo.errors import ZooError
from zoo.finding import Finding

PART_NAMES = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation",
    "validation": "validation", "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
PATH_NAMES = (
    "path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id", "img",
    "picture", "photo", "name", "id",
)  # fmt: skip
NAMED = 5  # files that a message names


@dataclasses.dataclass
class Found:
    """The pictures of one part.

    Args:
        where: the folder, file or `data`, for messages.
        rows: path of a picture, or its place in `arrays`, and its label.
        arrays: pixels, or None for files.
        findings: what there is to say of the source, complete once the rows are read.
    """

    where: str
    rows: Iterator[Rows] | list[Rows]
    arrays: np.ndarray | None = None
    findings: list[Finding] = dataclasses.field(default_factory=list)


def find_pictures(
    source: Any, *, path: str | None = None, label: str | None = None, training: bool = True
) -> dict[str, Found]:
    """Return the parts of a source: `train` alone, or with `validation` and `test`.

    Args:
        source: a folder of class folders, or of the parts `train`, `val`, `test` with class folders
            in them; a table of paths and labels (files of `zoo.data.tables.TABLES`); an .npz file;
            `(images, labels)`; or a `tf.data.Dataset` of them.
        path: path column of a table; paths are relative to the table's folder.
        label: label column of a table.
        training: whether an empty class folder is an error.

    Raises:
        ZooError: there are no pictures, or it cannot be told which class they have.
    """
    if isinstance(source, tuple) and len(source) == 2:
        rows, arrays = read_arrays(*source)
        return {"train": Found("data", rows, arrays)}
    if hasattr(source, "element_spec"):
        rows, arrays = read_tensorflow(source)
        return {"train": Found("dataset", rows, arrays)}
    if isinstance(source, str | Path):
        place = Path(source)
        if not place.exists():
            raise ZooError(f"{place}: no such file or folder.")
        if place.is_dir():
            return _folder(place, training)
        if place.suffix.lower() == ".npz":
            parts = read_npz(place)
            return {name: Found(str(place), *part) for name, part in parts.items()}
        if table_kind(place) is None:
            raise ZooError(
                f"{place}: is neither a folder of class folders, nor a table of paths and labels, "
                "nor an .npz file."
            )
        return {"train": Found(str(place), _table(place, path, label))}
    raise ZooError(
        f"pictures of type {type(source).__name__} cannot be read. Accepted: a folder of class "
        "folders, a table of paths and labels, an .npz file, (images, labels), or a "
        "tf.data.Dataset of them."
    )


def looks_like_pictures(source: Any) -> bool:
    """Whether a path is a folder with pictures somewhere in it, or an .npz file."""
    if not isinstance(source, str | Path) or not Path(source).exists():
        return False
    if Path(source).is_dir():
        return any(_is_picture(each) for each in Path(source).rglob("*"))
    return Path(source).suffix.lower() == ".npz"


def picture_files(paths: list[str]) -> Iterator[str]:
    """Yield files as they are, and of folders all the pictures in them, in order.

    Raises:
        ZooError: there is no such path, or a folder without pictures.
    """
    for given in map(Path, paths):
        if not given.is_dir():
            if not given.exists():
                raise ZooError(f"{given}: no such file or folder.")
            yield str(given)
            continue
        found = [each for each in _visible(given) if _is_picture(each)]
        if not found:
            raise ZooError(f"{given}: holds no pictures ({', '.join(SUFFIXES)}).")
        yield from map(str, found)


def _folder(folder: Path, training: bool) -> dict[str, Found]:
    folders = [each for each in sorted(folder.iterdir()) if each.is_dir()]
    shown = [each for each in folders if not _hidden(each)]
    parts = {PART_NAMES.get(each.name.lower(), ""): each for each in shown}
    if "train" not in parts or "" in parts:
        return {"train": _classes(folder, training)}
    if len(parts) < len(shown):
        raise ZooError(
            f"{folder}: two folders are the same part: {quoted(each.name for each in shown)}. "
            "Put them together, or take one away."
        )
    found = {name: _classes(each, training and name == "train") for name, each in parts.items()}
    found["train"].findings += _hidden_finding([each for each in folders if _hidden(each)])
    return found


def _classes(folder: Path, training: bool) -> Found:
    """Return the pictures of the class folders in a folder."""
    entries = sorted(folder.iterdir())
    folders = [each for each in entries if each.is_dir()]
    hidden = [each for each in folders if _hidden(each)]
    classes = [each for each in folders if not _hidden(each)]
    loose = [each for each in entries if _is_picture(each)]
    if not classes:
        what = f"holds {len(loose):,} pictures, but" if loose else "is empty: it holds"
        raise ZooError(
            f"{folder}: {what} no class folders. Put the pictures of each class into a folder of "
            "its name, or give a table of paths and labels."
        )
    found = Found(str(folder), [], None, _hidden_finding(hidden))
    found.rows = _class_rows(found, folder, classes, loose, training)
    return found


def _class_rows(
    found: Found, folder: Path, classes: list[Path], loose: list[Path], training: bool
) -> Iterator[Rows]:
    """Yield the pictures of one class folder after the other; add what there is to say of them."""
    others: Counter[str] = Counter()
    empty = []
    for each in classes:
        pictures = 0
        files = _visible(each)
        while some := [str(file) for file in itertools.islice(files, BATCH_ROWS)]:
            kept = [file for file in some if _has_suffix(Path(file))]
            passed = (Path(file) for file in some if not _has_suffix(Path(file)))
            others.update(file.suffix.lower() or file.name for file in passed)
            if kept:
                yield Rows(str(each), pictures + 1, kept, [each.name] * len(kept))
            pictures += len(kept)
        if not pictures:
            empty.append(str(each))
    if empty and (training or len(empty) == len(classes)):
        raise ZooError(
            f"{', '.join(empty[:NAMED])}: a class folder without pictures ({', '.join(SUFFIXES)}). "
            "Fill it, or take it away."
        )
    if empty:
        what = f"class folders without pictures: {', '.join(empty[:NAMED])}."
        found.findings.append(Finding("warning", what, {"count": len(empty)}, ""))
    if others or loose:
        found.findings.append(_passed_over(folder, others, loose))


def _passed_over(folder: Path, others: Counter[str], loose: list[Path]) -> Finding:
    said = [f"{count:,} {ending}" for ending, count in others.most_common(NAMED)]
    said += [f"{len(loose):,} pictures outside of the class folders"] if loose else []
    count = others.total() + len(loose)
    what = f"{folder}: {count:,} files are passed over: {', '.join(said)}."
    level: Any = "warning" if loose else "info"
    return Finding(level, what, {"count": count}, f"Pictures are {', '.join(SUFFIXES)}.")


def _hidden_finding(hidden: list[Path]) -> list[Finding]:
    if not hidden:
        return []
    names = [each.name for each in hidden]
    what = f"hidden folders are no classes and are ignored: {quoted(names[:NAMED])}."
    return [Finding("info", what, {"folders": names}, "")]


def _table(path: Path, column: str | None, label: str | None) -> Iterator[Rows]:
    """Yield the rows of a table, with paths as they are from here."""
    for rows in read_rows(path, text=column, label=label, names=PATH_NAMES, kind="path"):
        texts = [str(_beside(path, name, rows, number)) for number, name in enumerate(rows.texts)]
        yield dataclasses.replace(rows, texts=texts)


def _beside(table: Path, name: str, rows: Rows, number: int) -> Path:
    if not name.strip():
        raise ZooError(f"{rows.file}: row {rows.first + number}: the path is empty.")
    path = table.parent / name  # an absolute one stays what it is
    if not path.is_file():
        raise ZooError(
            f"{rows.file}: row {rows.first + number}: no such picture: {path}. Paths are relative "
            "to the table's folder."
        )
    return path


def _visible(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below, in order, without hidden ones."""
    for each in sorted(folder.iterdir()):
        if _hidden(each):
            continue
        if each.is_dir():
            yield from _visible(each)
        else:
            yield each


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.startswith("__")


def _is_picture(path: Path) -> bool:
    return _has_suffix(path) and not _hidden(path) and path.is_file()


def _has_suffix(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES
