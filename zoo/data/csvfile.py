"""CSV and TSV through pyarrow, in blocks; every fault is told with its row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv

from zoo.errors import ZooError

# A row must fit into a block; posts of some hundred thousand characters exist.
BLOCK_BYTES = 4 << 20


def read_csv(
    path: Path,
    opened: Callable[[], pa.NativeFile],
    delimiter: str,
    choose: Callable[[list[str]], Any],
) -> Iterator[tuple[int, list[str], list[str] | None]]:
    """Yield number of the first row, texts and labels, a block at a time.

    Args:
        path: named in errors.
        opened: opens the file, uncompressed.
        delimiter: between fields.
        choose: from the header's names to the columns to read (`texts`, `label`).

    Raises:
        ZooError: a row that does not parse or is not UTF-8, with its number.
    """
    names = _header(path, opened, delimiter)
    columns = choose(names)
    wanted = [*columns.texts, *([columns.label] if columns.label else [])]
    for name in wanted:
        if names.count(name) > 1:
            raise ZooError(f"{path}: the header names '{name}' twice.")
    first = 1
    try:
        with (
            opened() as file,
            arrow_csv.open_csv(
                file,
                # One thread: only then are the rows of a fault counted.
                arrow_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
                arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                # As bytes: no text is taken for a number or a missing value.
                arrow_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types={name: pa.binary() for name in wanted},
                    strings_can_be_null=False,
                    null_values=[],
                ),
            ) as reader,
        ):
            for batch in reader:
                found = [_decoded(path, name, batch.column(name), first) for name in wanted]
                labels = found.pop() if columns.label else None
                texts = found[0]
                if len(found) > 1:
                    texts = [" ".join(parts) for parts in zip(*found, strict=True)]
                yield first, texts, labels
                first += batch.num_rows
    except pa.ArrowInvalid as error:
        raise ZooError(f"{path}: {_fault(str(error))}") from error


def _header(path: Path, opened: Callable[[], pa.NativeFile], delimiter: str) -> list[str]:
    with opened() as file:
        start = file.read(1 << 16)
    text = start.decode("utf-8-sig", errors="replace")
    try:
        names = next((row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row), [])
    except csv.Error as error:
        raise ZooError(f"{path}: its header cannot be read: {error}.") from error
    if not names:
        raise ZooError(f"{path}: is empty: it has no header.")
    return names


def _decoded(path: Path, name: str, column: pa.Array, first: int) -> list[str]:
    try:
        return column.cast(pa.string()).to_pylist()
    except pa.ArrowInvalid:
        pass
    for number, value in enumerate(column.to_pylist(), start=first):
        try:
            value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ZooError(
                f"{path}: row {number}, column '{name}' is not UTF-8 ({error.reason} at byte "
                f"{error.start}). Save the file as UTF-8."
            ) from error
    raise ZooError(f"{path}: column '{name}' is not UTF-8.")


def _fault(message: str) -> str:
    """Return pyarrow's words on a row that does not parse, with the row counted as we do."""
    message = " ".join(message.split())
    row = re.search(r"Row #(\d+): (.*)", message)
    if row:
        return f"row {int(row[1]) - 1} does not parse: {row[2][:200]}"
    if "straddling" in message:
        return (
            f"a row is longer than {BLOCK_BYTES:,} bytes, or a quotation mark is never closed. "
            f"({message[:200]})"
        )
    if "Empty CSV" in message:
        return "is empty."
    return f"does not parse: {message[:300]}"
