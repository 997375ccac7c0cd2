"""What is wrong with a CSV file: rows that do not parse, and texts that parse to something else."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence

import pyarrow as pa

from zoo.data.columns import Columns

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
    """
    if columns.label is None:
        return []
    before = names.index(columns.inputs[0])
    place = names.index(columns.label)

    def broken(lines: list[list[str]]) -> bool:
        label = lines[0][place - before] if place > before else lines[-1][place]
        return label.strip('"\r ') in labels

    found = []
    for position, text in enumerate(texts):
        if "\n" in text and delimiter in text:
            lines = [line.split(delimiter) for line in text.split("\n")]
            inner = {len(fields) for fields in lines[1:-1]}
            ends = (len(lines[0]), len(lines[-1]))
            if ends == (len(names) - before, before + 1) and inner <= {len(names)}:
                if broken(lines):
                    found.append(position)
    return found


def backslashes(texts: Sequence[str]) -> list[int]:
    """Return the positions of texts that look as if backslashes escaped their quotation marks."""
    return [
        position
        for position, text in enumerate(texts)
        if text.endswith('"') and "\\" in text and ESCAPED.fullmatch(text)
    ]


def are_escaped(opened: Callable[[], pa.NativeFile], delimiter: str) -> bool:
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


def fault(
    message: str, opened: Callable[[], pa.NativeFile], delimiter: str, largest_row: int
) -> str:
    """Return pyarrow's words on a row that does not parse, with the row counted as we do.

    Args:
        message: of pyarrow.
        opened: opens the file, uncompressed.
        delimiter: between fields.
        largest_row: bytes that a row may have.
    """
    message = " ".join(message.split())
    row = re.search(r"Row #(\d+): ([^:]*): ?(.*)", message)
    if row:
        cause = _cause(row[2], row[3], delimiter)
        return f"row {int(row[1]) - 1} does not parse: {row[2]}: {row[3][:SHOWN]}.{cause}"
    if "straddling" in message:
        number = _long_row(opened, delimiter, largest_row)
        return (
            f"row {number} is longer than {largest_row:,} bytes. Is a quotation mark in it never "
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


def _long_row(opened: Callable[[], pa.NativeFile], delimiter: str, largest_row: int) -> int:
    """Return the number of the first row that does not fit into a block."""
    number = -1  # the header is none
    limit = csv.field_size_limit(largest_row)
    try:
        with opened() as file:
            lines = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
            for row in csv.reader(lines, delimiter=delimiter):
                number += bool(row)
                if LONGEST_CHARACTER * sum(map(len, row)) > largest_row:
                    if sum(len(field.encode()) for field in row) > largest_row:
                        return number
    except csv.Error:
        return number + 1
    finally:
        csv.field_size_limit(limit)
    return number
