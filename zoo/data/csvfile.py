"""CSV and TSV through pyarrow, in blocks; errors name the row."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from zoo.data.columns import (
    FIRST_VALUES,
    ColumnRequest,
    Columns,
    quoted,
    summarize,
)
from zoo.data.header import choose_columns
from zoo.data.parts import part_text
from zoo.data.paths import check_encoding
from zoo.data.rows import Rows, inputs_of, labels_of, split_columns
from zoo.errors import ZooError

BLOCK_BYTES = 2 << 20  # a row must fit into a block: posts of 200,000 characters exist
GROWTH = 8  # of the blocks, where a row does not fit
HEAD_BYTES = 1 << 16
LARGEST_ROW = 64 << 20  # bytes: a longer one is no row of anything
OTHER_DELIMITERS = "\t;|^~\x01,"
READ_BYTES = 1 << 20
SHOWN = 200  # characters of a fault
LONGEST_CHARACTER = 4  # bytes in UTF-8
# What is left of a field that begins "he said \"yes\" to, where a backslash is no escape: the first
# inner quotation mark ends the field, so that it is gone, and all others are part of the text.
ESCAPED = re.compile(r'[^"\\]*\\(?!")[^"]*(?:(?<=\\)"[^"]*)*"')
DOUBLED = (
    'Quotation marks inside a text are doubled (""), not escaped with backslashes: write the file '
    "so (pandas does; Spark with escape='\"')."
)

Opener = Callable[[], pa.NativeFile]  # opens the file, uncompressed


def read_csv(path: Path, opened: Opener, delimiter: str, request: ColumnRequest) -> Iterator[Rows]:
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
        name: summarize(name, (row[index] for row in rows if index < len(row)))
        for index, name in enumerate(names)
    }
    columns = choose_columns(str(path), names, request, summaries)
    escaped = functools.cache(lambda: are_escaped(opened, delimiter))
    known_labels: set[str | None] = set()
    first = 1
    try:
        for batch in _batches(opened, delimiter, columns.names):
            values = [_decoded(path, name, batch.column(name), first) for name in columns.names]
            parts = [part_text(value) for value in values.pop()] if columns.part else None
            values, of_labels = split_columns(columns, values)
            labels = labels_of(str(path), first, columns, of_labels)
            inputs = inputs_of(columns, values)
            known_labels.update(labels or ())
            suspect = {
                "swallowed": swallowed(values[0], names, columns, delimiter, known_labels),
                "backslashes": [row for column in values for row in backslashes(column)],
                "outer_quotes": [row for column in values for row in outer_quotes(column)],
            }
            if suspect["backslashes"] and not escaped():
                suspect["backslashes"] = []
            _check_swallowed(path, first, values[0], suspect["swallowed"])
            numbers = {
                kind: sorted({first + row for row in positions})
                for kind, positions in suspect.items()
                if positions
            }
            yield Rows(
                str(path), first, inputs, labels, columns, numbers, parts,
                untyped=True, pairs=columns.pair,
            )  # fmt: skip
            first += batch.num_rows
    except pa.ArrowInvalid as error:
        raise ZooError(f"{path}: {fault(str(error), opened, delimiter)}") from error


def _check_swallowed(path: Path, first: int, texts: Sequence[str], positions: list[int]) -> None:
    for position in positions:
        if len(texts[position]) > BLOCK_BYTES:
            raise ZooError(
                f"{path}: row {first + position} is longer than {BLOCK_BYTES:,} bytes and "
                "holds whole rows of the file. Is a quotation mark in it never closed?"
            )


def _batches(opened: Opener, delimiter: str, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the columns; where a row does not fit into a block, from there on in larger ones."""
    size, yielded = BLOCK_BYTES, 0
    while True:
        to_skip = yielded
        try:
            for batch in _blocks(opened, delimiter, names, size):
                skipped = min(to_skip, batch.num_rows)
                to_skip -= skipped
                yielded += batch.num_rows - skipped
                yield batch.slice(skipped)
            return
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error) or size >= LARGEST_ROW:
                raise
        size = min(GROWTH * size, LARGEST_ROW)


def _blocks(
    opened: Opener, delimiter: str, names: list[str], size: int
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


def _head(path: Path, opened: Opener, delimiter: str) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the fields of some first rows."""
    start = b""
    rows: list[list[str]] = []
    complete = False
    with opened() as file:
        # The last row that was read may be cut; with another behind it, the header is complete.
        while len(rows) < 2 and not complete:
            start += (block := file.read(max(HEAD_BYTES, len(start))))
            rows, ended = _first_rows(start, delimiter)
            complete = not block or ended or len(start) >= LARGEST_ROW
        complete = complete or not file.read(1)
    check_encoding(path, start)
    names = rows[0] if rows else []
    if not names:
        raise ZooError(f"{path}: is empty: it has no header.")
    if any("\ufffd" in name or "\0" in name for name in names):
        raise ZooError(f"{path}: its header is not UTF-8 text. Is it a table, saved as UTF-8?")
    return names, rows[1:] if complete else rows[1:-1]


def _first_rows(start: bytes, delimiter: str) -> tuple[list[list[str]], bool]:
    """Return the rows in the beginning of a file, and whether a field is too long to read on."""
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
    others = [mark for mark in OTHER_DELIMITERS if mark in names[0] and mark != delimiter]
    if others:
        raise ZooError(
            f"{path}: which column is the {request.kind}? Columns: {quoted(names)}. The fields "
            f"must be separated by commas, or by tabs in a .tsv file; here {others[0]!r} stands "
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


def swallowed(
    texts: Sequence[str],
    names: Sequence[str],
    columns: Columns,
    delimiter: str,
    labels: set[str | None],
) -> list[int]:
    """Return the positions of texts that read like the rest of a row, whole rows, and half a row.

    A quotation mark that opens a field and is not closed swallows the rows up to the next one,
    and the file still parses.

    Args:
        texts: of consecutive rows.
        names: of all columns, in order.
        columns: which are read.
        delimiter: between fields.
        labels: those read so far.
    """
    if columns.label is None:
        return []
    text_index, label_index = names.index(columns.inputs[0]), names.index(columns.label)

    def holds_rows(text: str) -> bool:
        lines = [line.split(delimiter) for line in text.split("\n")]
        inner = {len(fields) for fields in lines[1:-1]}
        ends = (len(lines[0]), len(lines[-1]))
        if ends != (len(names) - text_index, text_index + 1) or not inner <= {len(names)}:
            return False
        after = label_index - text_index
        label = lines[0][after] if after > 0 else lines[-1][label_index]
        return label.strip('"\r ') in labels

    return [
        position
        for position, text in enumerate(texts)
        if "\n" in text and delimiter in text and holds_rows(text)
    ]


def backslashes(texts: Sequence[str]) -> list[int]:
    """Return the positions of texts that look as if backslashes escaped their quotation marks."""
    return [
        position
        for position, text in enumerate(texts)
        if text.endswith('"') and "\\" in text and ESCAPED.fullmatch(text)
    ]


def are_escaped(opened: Opener, delimiter: str) -> bool:
    """Whether backslashes escape quotation marks somewhere in a file.

    A quotation mark that is no escaped one ends a field, or another follows it.
    """
    pattern = re.compile(rb'\\"[^"\r\n' + re.escape(delimiter.encode()) + rb"]")
    rest = b""
    with opened() as file:
        while block := file.read(READ_BYTES):
            if pattern.search(rest + block):
                return True
            rest = block[-2:]
    return False


def outer_quotes(texts: Sequence[str]) -> list[int]:
    """Return the positions of texts in quotation marks that a blank made part of the text."""
    return [
        position
        for position, text in enumerate(texts)
        if text[:1] == " " and (inner := text.strip(" "))[:1] == inner[-1:] == '"' and inner != '"'
    ]


def fault(message: str, opened: Opener, delimiter: str) -> str:
    """Return pyarrow's words on a row that does not parse, with the row counted as we do.

    Args:
        message: of pyarrow.
        opened: opens the file, uncompressed.
        delimiter: between fields.
    """
    message = " ".join(message.split())
    row = re.search(r"Row #(\d+): ([^:]*): ?(.*)", message)
    if row:
        cause = _cause(row[2], row[3], delimiter)
        return f"row {int(row[1]) - 1} does not parse: {row[2]}: {row[3][:SHOWN]}.{cause}"
    if "straddling" in message:
        number = _long_row(opened, delimiter)
        return (
            f"row {number} is longer than {LARGEST_ROW:,} bytes. Is a quotation mark in it never "
            "closed?"
        )
    if "Empty CSV" in message:
        return "holds no rows, only a header."
    return f"does not parse: {message[:SHOWN]}"


def _cause(what: str, row: str, delimiter: str) -> str:
    """Return the likely reason that a row does not parse, with a space before it, or nothing."""
    if re.search(rf'(^|{re.escape(delimiter)}) +"', row):
        return (
            " A blank stands before a quotation mark, which then opens no field: take the blanks "
            "away (pandas reads such files with skipinitialspace=True)."
        )
    if '\\"' in row:
        return f" {DOUBLED}"
    if row.startswith('"'):
        return " Is a quotation mark never closed?"
    counted = re.search(r"Expected (\d+) columns, got (\d+)", what)
    if counted and int(counted[2]) > int(counted[1]) and '"' not in row:
        return f" A text with {delimiter!r} in it stands in quotation marks."
    return ""


def _long_row(opened: Opener, delimiter: str) -> int:
    """Return the number of the first row that does not fit into a block."""
    number = -1  # the header is none
    limit = csv.field_size_limit(LARGEST_ROW)
    try:
        with opened() as file:
            lines = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
            for row in csv.reader(lines, delimiter=delimiter):
                number += bool(row)
                if LONGEST_CHARACTER * sum(map(len, row)) > LARGEST_ROW:
                    if sum(len(field.encode()) for field in row) > LARGEST_ROW:
                        return number
    except csv.Error:
        return number + 1
    finally:
        csv.field_size_limit(limit)
    return number
