"""What files are, by the endings of their names."""

from __future__ import annotations

import lzma
from pathlib import Path

import pyarrow as pa

from zoo.data.listing import check_names

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".xz": "xz"}
TEXTS = (".txt", ".text")
ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar")


def table_kind(path: Path) -> str | None:
    """Return the ending that says what a file is, without its compression; None if unknown."""
    ending = plain_ending(path)
    return ending if ending in TABLES else None


def is_archive(path: Path) -> bool:
    """Whether a file is a packed folder."""
    return plain_ending(path) in ARCHIVES


def plain_ending(path: Path) -> str:
    """Return the last ending of a name in small letters, without its compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def open_file(path: Path) -> pa.NativeFile:
    """Return an open file, unpacked if its name ends as one of `COMPRESSIONS`.

    Raises:
        ZooError: its name is not UTF-8.
    """
    check_names([path])
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression == "xz":
        return pa.PythonFile(lzma.open(path), mode="r")
    return pa.input_stream(str(path), compression=compression)
