"""Lines of plain text, from files of any size: streamed, and checked to be text."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.data.rows import Columns
from zoo.data.tables import COMPRESSIONS, TABLES, open_file, read_rows, read_texts
from zoo.data.tables import table_kind as kind_of_table
from zoo.errors import ZooError

PARTS = {"train": "train", "valid": "validation", "validation": "validation", "val": "validation",
         "dev": "validation", "test": "test"}  # fmt: skip
BLOCK = 1 << 20  # bytes


def text_files(source: Any) -> list[Path]:
    """Return the files that a path, a list of paths or a folder names, in order of name.

    Raises:
        ZooError: there is none.
    """
    given = [source] if isinstance(source, str | Path) else list(source)
    found: list[Path] = []
    for each in map(Path, given):
        if each.is_dir():
            found += sorted(
                path
                for path in each.rglob("*")
                if path.is_file() and path.name[0] not in "._" and _is_text_name(path)
            )
        elif each.is_file():
            found.append(each)
        else:
            raise ZooError(f"{each}: no such file or folder.")
    if not found:
        raise ZooError(
            f"{source}: holds no text: files of .txt, .text, {', '.join(TABLES)}, also with "
            f"{', '.join(COMPRESSIONS)}."
        )
    return found


def parts_of(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each part of a folder that holds a train file and others; else nothing.

    Parts are told by their names: `train`, `valid` (or `validation`, `val`, `dev`) and `test`, with
    anything after a dot, such as `train.txt.gz`.
    """
    found: dict[str, list[Path]] = {}
    for path in text_files(folder):
        stem = path.relative_to(folder).parts[0].lower().split(".")[0]
        part = PARTS.get(stem)
        if part is None:
            return {}
        found.setdefault(part, []).append(path)
    return found if "train" in found and len(found) > 1 else {}


def corpus_columns(
    source: Any, *, text: str | None = None, trained: Columns | None = None
) -> tuple[str, Columns | None]:
    """Return the first table of a corpus, and which of its columns are read; None without one.

    Raises:
        ZooError: it has no such column.
    """
    tables = [] if is_in_memory(source) else [p for p in text_files(source) if kind_of_table(p)]
    if not tables:
        return "", None
    rows = read_rows(tables[0], text=text, labelled=False, trained=trained)
    return str(tables[0]), next(rows).columns


def read_lines(
    source: Any, *, text: str | None = None, trained: Columns | None = None
) -> Iterator[str]:
    """Yield the lines of a corpus; a text of a table may hold several.

    Args:
        source: path, list of paths or folder (see `text_files`), or an array of texts.
        text: text column of a table.
        trained: columns that a run was trained with, read where none are named.

    Raises:
        ZooError: a file is missing or unreadable, or is no text: not UTF-8, or with zero bytes.
    """
    if is_in_memory(source):
        for each in source:
            if not isinstance(each, str):
                raise ZooError(f"a corpus is made of strings. Received: {type(each).__name__}.")
            yield from each.split("\n")
        return
    for path in text_files(source):
        before = None
        for line in read_texts(path, text=text, trained=trained):
            if "\x00" in line:
                raise ZooError(f"{path}: is no text: it holds zero bytes. Give a text file.")
            if kind_of_table(path):
                yield from line.split("\n")
            else:
                yield line
            before = line
        if before is None:
            raise ZooError(f"{path}: is empty.")


def content_digest(source: Any) -> str:
    """Return a text that differs where the contents of the files do, whatever their names."""
    found = hashlib.blake2b(digest_size=16)
    if is_in_memory(source):
        for each in source:
            found.update(str(each).encode("utf-8", "surrogatepass"))
            found.update(b"\n")
        return found.hexdigest()
    for path in text_files(source):
        try:
            # Unpacked: the same text is the same corpus however it is compressed.
            with open_file(path) as file:
                while block := file.read(BLOCK):
                    found.update(block)
        except (OSError, pa.ArrowException, lzma.LZMAError, EOFError) as error:
            raise ZooError(f"{path}: cannot be read: {error}.") from error
        found.update(b"\x00")
    return found.hexdigest()


def is_in_memory(source: Any) -> bool:
    """Whether a corpus is texts rather than paths: an array or another iterable of strings."""
    if isinstance(source, str | Path):
        return False
    if isinstance(source, list | tuple) and source:
        return not all(isinstance(each, str | Path) and Path(each).exists() for each in source)
    return isinstance(source, np.ndarray | Iterable)


def _is_text_name(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in (".txt", ".text", *TABLES)
