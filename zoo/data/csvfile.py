"""CSV and TSV through pyarrow, in blocks; every fault is told with its row."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from zoo.data.columns import FIRST_VALUES, ColumnRequest, choose_columns, quoted, summarize
from zoo.data.csvfaults import are_escaped, backslashes, fault, outer_quotes, swallowed
from zoo.data.parts import part_text
from zoo.data.paths import check_encoding
from zoo.data.rows import Rows, join_columns, to_label
from zoo.errors import ZooError

BLOCK_BYTES = 2 << 20  # a row must fit into a block: posts of 200,000 characters exist
GROWTH = 8  # of the blocks, where a row does not fit
HEAD_BYTES = 1 << 16
LARGEST_ROW = 64 << 20  # bytes: a longer one is no row of anything
OTHER_DELIMITERS = "\t;|^~\x01,"


def read_csv(
    path: Path, opened: Callable[[], pa.NativeFile], delimiter: str, request: ColumnRequest
) -> Iterator[Rows]:
    """Yield the rows of a CSV or TSV file, a block at a time.

    Args:
        path: named in errors.
        opened: opens the file, uncompressed.
        delimiter: between fields.
        request: which columns.

    Raises:
        ZooError: a row that does not parse or is not UTF-8, with its number.
    """
    names, rows = _head(path, opened, delimiter)
    _check_separated(path, names, delimiter, request)
    summaries = {
        name: summarize(name, (row[place] for row in rows if place < len(row)))
        for place, name in enumerate(names)
    }
    columns = choose_columns(str(path), names, request, summaries)
    escaped = functools.cache(lambda: are_escaped(opened, delimiter))
    seen: set[str | None] = set()
    first = 1
    try:
        for batch in _batches(opened, delimiter, columns.names):
            parts = [_decoded(path, name, batch.column(name), first) for name in columns.names]
            said = [part_text(value) for value in parts.pop()] if columns.part else None
            labels = [to_label(value) for value in parts.pop()] if columns.label else None
            texts = parts[0]
            if len(parts) > 1:
                texts = [join_columns(each) for each in zip(*parts, strict=True)]
            seen.update(labels or ())
            noted = {
                "swallowed": swallowed(parts[0], names, columns, delimiter, seen),
                "backslashes": [row for part in parts for row in backslashes(part)],
                "outer_quotes": [row for part in parts for row in outer_quotes(part)],
            }
            if noted["backslashes"] and not escaped():
                noted["backslashes"] = []
            for position in noted["swallowed"]:
                if len(parts[0][position]) > BLOCK_BYTES:
                    raise ZooError(
                        f"{path}: row {first + position} is longer than {BLOCK_BYTES:,} bytes and "
                        "holds whole rows of the file. Is a quotation mark in it never closed?"
                    )
            found = {what: sorted({first + row for row in each}) for what, each in noted.items()}
            told = {what: each for what, each in found.items() if each}
            yield Rows(str(path), first, texts, labels, columns, told, said, untyped=True)
            first += batch.num_rows
    except pa.ArrowInvalid as error:
        raise ZooError(f"{path}: {fault(str(error), opened, delimiter, LARGEST_ROW)}") from error


def _batches(
    opened: Callable[[], pa.NativeFile], delimiter: str, names: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns; where a row does not fit into a block, from there on in larger ones."""
    size, given = BLOCK_BYTES, 0
    while True:
        before = given
        try:
            for batch in _blocks(opened, delimiter, names, size):
                skipped = min(before, batch.num_rows)
                before -= skipped
                given += batch.num_rows - skipped
                yield batch.slice(skipped)
            return
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error) or size >= LARGEST_ROW:
                raise
        size = min(GROWTH * size, LARGEST_ROW)


def _blocks(
    opened: Callable[[], pa.NativeFile], delimiter: str, names: list[str], size: int
) -> Iterator[pa.RecordBatch]:
    with (
        opened() as file,
        arrow_csv.open_csv(
            file,
            # One thread: only then are the rows of a fault counted.
            arrow_csv.ReadOptions(block_size=size, use_threads=False),
            arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            # As bytes: no text is taken for a number or a missing value.
            arrow_csv.ConvertOptions(
                include_columns=names,
                column_types={name: pa.binary() for name in names},
                strings_can_be_null=False,
                null_values=[],
            ),
        ) as reader,
    ):
        yield from reader


def _head(
    path: Path, opened: Callable[[], pa.NativeFile], delimiter: str
) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the fields of some first rows."""
    start = b""
    rows: list[list[str]] = []
    whole = False
    with opened() as file:
        # The last row that was read may be cut; with another behind it, the header is whole.
        while len(rows) < 2 and not whole:
            start += (block := file.read(max(HEAD_BYTES, len(start))))
            rows, ended = _first_rows(start, delimiter)
            whole = not block or ended or len(start) >= LARGEST_ROW
        whole = whole or not file.read(1)
    check_encoding(path, start)
    names = rows[0] if rows else []
    if not names:
        raise ZooError(f"{path}: is empty: it has no header.")
    if any("\ufffd" in name or "\0" in name for name in names):
        raise ZooError(f"{path}: its header is not UTF-8 text. Is it a table, saved as UTF-8?")
    return names, rows[1:] if whole else rows[1:-1]


def _first_rows(start: bytes, delimiter: str) -> tuple[list[list[str]], bool]:
    """Return the rows in the beginning of a file, and whether a field is too long to go on."""
    text = io.StringIO(start.decode("utf-8-sig", errors="replace"), newline=None)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(text, delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > FIRST_VALUES + 1:
                break
    except csv.Error:
        return rows, True
    return rows, False


def _check_separated(path: Path, names: list[str], delimiter: str, request: ColumnRequest) -> None:
    """Refuse a file whose fields something else separates: each line would be one field."""
    if len(names) > 1 or request.inputs == names[0]:
        return
    found = [mark for mark in OTHER_DELIMITERS if mark in names[0] and mark != delimiter]
    if found:
        raise ZooError(
            f"{path}: which column is the {request.kind}? Columns: {quoted(names)}. The fields "
            f"must be separated by commas, or by tabs in a .tsv file; here {found[0]!r} stands "
            "between them."
        )


def _decoded(path: Path, name: str, column: pa.Array, first: int) -> list[str]:
    try:
        return column.cast(pa.string()).to_pylist()
    except pa.ArrowInvalid:
        for number, value in enumerate(column.to_pylist(), start=first):
            try:
                value.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ZooError(
                    f"{path}: row {number}, column '{name}' is not UTF-8 ({error.reason} at byte "
                    f"{error.start}). Save the file as UTF-8."
                ) from error
        raise
