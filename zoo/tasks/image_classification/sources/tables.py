"""Tables of the paths of images, or of the bytes of their files, and labels."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.data.columns import ColumnRequest, Columns
from zoo.data.paths import IMAGES, LONGEST_SHOWN, is_file, list_folder
from zoo.data.rows import Rows, to_text
from zoo.data.tables import read_rows
from zoo.errors import ZooError
from zoo.finding import Finding, counted, first_few
from zoo.tasks.image_classification.sources.source import ImageSource

PATH_NAMES = (
    "path", "file", "filename", "file_name", "filepath", "file_path", "image", "images",
    "image_path", "image_name", "image_file", "image_filename", "image_id", "img", "img_path",
    "img_name", "picture", "photo", "name", "id",
)  # fmt: skip
HUB_FIELDS = {"bytes", "path"}  # of an image in a table of the Hugging Face hub
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
        path: path column; None finds it by name.
        label: label column; None finds it by name.
        drop_missing: whether rows whose file is not there are left out, with a finding.
        trained: columns that a run was trained with, read where none are named.
        folder: what paths are relative to.

    Raises:
        ZooError: while its rows are read: the table cannot be read, or files are not there.
    """
    where = str(source) if isinstance(source, str | Path) else "table"
    request = ColumnRequest(
        path, label, input_names=PATH_NAMES, kind="path", trained=trained, convert=path_or_bytes
    )
    findings: list[Finding] = []
    rows = _of_one_kind(read_rows(source, request))
    return ImageSource(where, _existing(rows, folder, drop_missing, findings), findings=findings)


def path_or_bytes(value: Any) -> str | bytes:
    """Return the path that a value of a table is, or the bytes of the image file that it holds.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, dict) and value.keys() <= HUB_FIELDS:
        value = value.get("bytes") or value.get("path")
    return value if isinstance(value, bytes) else to_text(value)


def _of_one_kind(blocks: Iterator[Rows]) -> Iterator[Rows]:
    """Yield the rows; refuse paths beside images themselves."""
    kinds: set[bool] = set()
    for rows in blocks:
        kinds |= {isinstance(value, bytes) for value in rows.inputs if value}
        if len(kinds) > 1:
            raise ZooError(
                f"{rows.file}: some rows hold images themselves, others paths. Give one kind."
            )
        yield rows


def _existing(
    blocks: Iterator[Rows], folder: Path, drop_missing: bool, findings: list[Finding]
) -> Iterator[Rows]:
    """Yield the rows whose images exist, with paths that hold from the working directory."""
    missing: list[str] = []
    where, advice = "", ""
    for rows in blocks:
        paths = [None if isinstance(v, bytes) else folder / v for v in rows.inputs]
        exists = [
            path is None or (bool(value.strip()) and is_file(path))
            for value, path in zip(rows.inputs, paths, strict=True)
        ]
        for position in (p for p, there in enumerate(exists) if not there):
            name, label = rows.inputs[position], (rows.labels or [""])[position] or ""
            where, advice = where or rows.file, advice or _advice(folder, name, label)
            shown = f"'{_shortened(name)}'" if name.strip() else "an empty path"
            missing.append(f"row {rows.first + position} {shown}")
        inputs = [
            value if path is None else str(path)
            for value, path in zip(rows.inputs, paths, strict=True)
        ]
        yield from _kept(dataclasses.replace(rows, inputs=inputs), exists)
    if not missing:
        return
    count = counted(len(missing), "image is", "images are")
    what = f"{where}: {count} not there: {first_few(missing, len(missing))}."
    if not drop_missing:
        origin = "the folder of the table" if folder != Path() else "the working directory"
        raise ZooError(
            f"{what}{advice} Paths are relative to {origin}. Mend them, or pass "
            "--drop-missing to leave these rows out."
        )
    left = "It is" if len(missing) == 1 else "They are"
    findings.append(Finding("warning", f"{what} {left} left out.", {"count": len(missing)}))


def _kept(rows: Rows, kept: list[bool]) -> Iterator[Rows]:
    """Yield the rows that are kept, in blocks of consecutive ones."""
    start = 0
    for keep, group in itertools.groupby(kept):
        end = start + len(list(group))
        if keep:
            yield dataclasses.replace(
                rows,
                first=rows.first + start,
                inputs=rows.inputs[start:end],
                labels=None if rows.labels is None else rows.labels[start:end],
                parts=None if rows.parts is None else rows.parts[start:end],
            )
        start = end


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."


def _advice(folder: Path, name: str, label: str) -> str:
    """Return, with a space before it, which path would exist instead; or an empty string."""
    if URL.match(name):
        return " These are addresses: download the files, and give their paths."
    for candidate in _candidates(folder, name.strip(), label):
        if candidate and candidate != name and is_file(folder / candidate):
            return f" Did you mean '{candidate}'?"
    return ""


def _candidates(folder: Path, name: str, label: str) -> Iterator[str]:
    """Yield what a path may be meant to be: other spaces, slashes, endings, folders."""
    plain = name.replace("\\", "/")
    yield name
    yield plain
    yield _in_any_case(folder, plain)
    parts = Path(plain).parts
    tails = ["/".join(parts[start:]) for start in range(1, len(parts))]  # of another machine
    for stem in [plain, f"{label}/{plain}", *tails]:
        yield stem
        for ending in IMAGES:
            yield stem + ending
            yield stem + ending.upper()
    if is_file(Path(plain)):
        yield str(Path(plain).resolve())  # relative to the working directory
    for depth in ("*", "*/*"):
        for inner in sorted(folder.glob(f"{depth}/")):
            for ending in ("", *IMAGES):
                yield str((inner / (plain + ending)).relative_to(folder))


def _in_any_case(folder: Path, name: str) -> str:
    """Return the path that differs only in small and capital letters; or an empty string."""
    path = folder
    for part in Path(name).parts:
        entries = list_folder(path) if path.is_dir() else []
        alike = [entry for entry, _ in entries if entry.name.lower() == part.lower()]
        if not alike:
            return ""
        path = alike[0]
    return str(path.relative_to(folder))
