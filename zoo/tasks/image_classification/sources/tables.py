"""Tables of the paths of images and their labels."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.data.columns import ColumnRequest, Columns
from zoo.data.paths import IMAGES, NAMED, list_folder
from zoo.data.rows import Rows
from zoo.data.tables import read_rows
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.image_classification.sources.encoded import MARK, EncodedImages
from zoo.tasks.image_classification.sources.folders import ImageSource

PATH_NAMES = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "images",
    "image_path", "image_name", "image_file", "image_filename", "image_id", "img", "img_path",
    "img_name", "picture", "photo", "name", "id",
)  # fmt: skip
URL = re.compile(r"\w{2,}://")


def read_table(
    source: Any,
    *,
    path: str | None,
    label: str | None,
    drop_missing: bool,
    trained: Columns | None,
    folder: Path,
) -> ImageSource:
    """Return the rows of a table of paths and labels.

    Args:
        source: what `zoo.data.tables.read_rows` takes. Instead of paths it may hold images: bytes,
            or `{"bytes": ..., "path": ...}` as tables of the Hugging Face hub do.
        path: the column of paths.
        label: the column of labels.
        drop_missing: whether rows whose file is not there are left out, with a finding.
        trained: columns that a run was trained with, read where none are named.
        folder: what paths are relative to.

    Raises:
        ZooError: while its rows are read: the table cannot be read, or files are not there.
    """
    where = str(source) if isinstance(source, str | Path) else "table"
    found = ImageSource(where, [])
    images = EncodedImages()
    request = ColumnRequest(
        path, label, input_names=PATH_NAMES, kind="path", trained=trained, convert=images.take
    )
    rows = read_rows(source, request)
    found.rows = _located(_images_of(rows, images, found), folder, drop_missing, found.findings)
    return found


def _images_of(tables: Iterator[Rows], images: EncodedImages, found: ImageSource) -> Iterator[Rows]:
    """Yield the rows; keep the images that stand in the table themselves with what was found.

    Raises:
        ZooError: other rows hold paths.
    """
    for rows in tables:
        paths = any(name and not name.startswith(MARK) for name in rows.inputs)
        if len(images) and paths:
            raise ZooError(
                f"{rows.file}: some rows hold images themselves, others paths. Give one kind."
            )
        found.arrays = images if len(images) else None
        yield rows


def _located(
    tables: Iterator[Rows], folder: Path, drop: bool, findings: list[Finding]
) -> Iterator[Rows]:
    """Yield the rows with paths as they are from here; those whose file is not there are named."""
    missing: list[str] = []
    where, advice = "", ""
    for rows in tables:
        paths = [folder / name for name in rows.inputs]  # an absolute one stays what it is
        there = [
            name.startswith(MARK) or (bool(name.strip()) and path.is_file())
            for name, path in zip(rows.inputs, paths, strict=True)
        ]
        found = [
            name[1:] if name.startswith(MARK) else str(path)
            for name, path in zip(rows.inputs, paths, strict=True)
        ]
        for number in (each for each, kept in enumerate(there) if not kept):
            name, label = rows.inputs[number], (rows.labels or [""])[number] or ""
            where, advice = where or rows.file, advice or _advice(folder, name, label)
            said = f"'{name}'" if name.strip() else "an empty path"
            missing.append(f"row {rows.first + number} {said}")
        yield from _pieces(dataclasses.replace(rows, inputs=found), there)
    if not missing:
        return
    more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
    count = "1 image is" if len(missing) == 1 else f"{len(missing):,} images are"
    what = f"{where}: {count} not there: {', '.join(missing[:NAMED])}{more}."
    if not drop:
        raise ZooError(
            f"{what}{advice} Paths are relative to {_place(folder)}. Mend them, or pass "
            "--drop-missing to leave these rows out."
        )
    left = "It is" if len(missing) == 1 else "They are"
    findings.append(Finding("warning", f"{what} {left} left out.", {"count": len(missing)}))


def _pieces(rows: Rows, there: list[bool]) -> Iterator[Rows]:
    """Yield the rows that are kept, each piece of consecutive ones."""
    start = 0
    for kept, group in itertools.groupby(there):
        end = start + len(list(group))
        if kept:
            yield dataclasses.replace(
                rows,
                first=rows.first + start,
                inputs=rows.inputs[start:end],
                labels=None if rows.labels is None else rows.labels[start:end],
                parts=None if rows.parts is None else rows.parts[start:end],
            )
        start = end


def _place(folder: Path) -> str:
    return "the folder of the table" if folder != Path() else "the working directory"


def _advice(folder: Path, name: str, label: str) -> str:
    """Return what would exist instead of a path, with a space before it, or nothing."""
    if URL.match(name):
        return " These are addresses: download the files, and give their paths."
    for candidate in _candidates(folder, name.strip(), label):
        if candidate and candidate != name and (folder / candidate).is_file():
            return f" Did you mean '{candidate}'?"
    return ""


def _candidates(folder: Path, name: str, label: str) -> Iterator[str]:
    """Yield what a path may have been meant to be: its spaces, slashes, ending, folder."""
    plain = name.replace("\\", "/")
    yield name
    yield plain
    yield _in_any_case(folder, plain)
    parts = Path(plain).parts
    tails = ["/".join(parts[start:]) for start in range(1, len(parts))]  # of another machine
    for each in [plain, f"{label}/{plain}", *tails]:
        yield each
        for ending in IMAGES:
            yield each + ending
            yield each + ending.upper()
    if Path(plain).is_file():
        yield str(Path(plain).resolve())  # relative to the working directory
    for depth in ("*", "*/*"):
        for place in sorted(folder.glob(f"{depth}/")):
            for ending in ("", *IMAGES):
                yield str((place / (plain + ending)).relative_to(folder))


def _in_any_case(folder: Path, name: str) -> str:
    """Return what is there of the same letters, small or capital; or an empty string."""
    place = folder
    for part in Path(name).parts:
        entries = list_folder(place) if place.is_dir() else []
        alike = [each for each, _ in entries if each.name.lower() == part.lower()]
        if not alike:
            return ""
        place = alike[0]
    return str(place.relative_to(folder))
