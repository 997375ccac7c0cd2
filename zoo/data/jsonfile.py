"""JSON lines, streamed; errors name the row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from zoo.data.columns import FIRST_VALUES, ColumnRequest, Columns, summarize
from zoo.data.header import choose_columns
from zoo.data.parts import part_text
from zoo.data.paths import check_encoding
from zoo.data.rows import BATCH_ROWS, Rows, convert_values, inputs_of, labels_of, to_text
from zoo.errors import ZooError

READ_BYTES = 1 << 20
ONE_A_LINE = (
    "write one object a line instead (pandas: frame.to_json(path, orient='records', lines=True))."
)
EXAMPLE = ' One object a line is expected, such as {"text": ..., "label": ...}.'
LINE_BYTES = 64 << 20  # a longer line is no row of anything


def read_json_lines(path: Path, file: pa.NativeFile, request: ColumnRequest) -> Iterator[Rows]:
    """Yield the rows of a file with one JSON object a line; blank lines are no rows.

    Args:
        path: named in errors.
        file: the open file, uncompressed.
        request: which columns.

    Raises:
        ZooError: a line that is no JSON object, or has no such key, with its row.
    """
    where = str(path)
    first = 1
    columns = None
    for documents in _batched(path, file):
        if columns is None:
            columns = _columns(where, documents, request)
        converted = [
            convert_values(
                where, first, _values(where, first, documents, name), to_text, f"'{name}'"
            )
            for name in columns.inputs
        ]
        inputs = inputs_of(columns, converted)
        values = [[document.get(name) for document in documents] for name in columns.labels]
        labels = labels_of(where, first, columns, values)
        parts = None
        if columns.part is not None:
            parts = [part_text(document.get(columns.part)) for document in documents]
        yield Rows(where, first, inputs, labels, columns, parts=parts, pairs=columns.pair)
        first += len(documents)


def lines(path: Path, file: pa.NativeFile) -> Iterator[bytes]:
    r"""Yield the lines of a file without their ends: `\n`, `\r\n` or `\r`.

    Raises:
        ZooError: a line has no end.
    """
    rest = b""
    while block := file.read(READ_BYTES):
        complete = (rest + block).splitlines(keepends=True)
        # What ends with \r may continue with \n in the next block.
        rest = b"" if complete[-1].endswith(b"\n") else complete.pop()
        for line in complete:
            yield line.removesuffix(b"\n").removesuffix(b"\r")
        if len(rest) > LINE_BYTES:
            raise ZooError(f"{path}: a line is longer than {LINE_BYTES:,} bytes.")
    if rest:
        yield rest.removesuffix(b"\r")


def _batched(path: Path, file: pa.NativeFile) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for document, length in _documents(path, file):
        batch.append(document)
        size += length
        if len(batch) == BATCH_ROWS or size > LINE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _documents(path: Path, file: pa.NativeFile) -> Iterator[tuple[dict[str, Any], int]]:
    number = 0
    for line in lines(path, file):
        if not line.strip():
            continue
        number += 1
        if number == 1:
            check_encoding(path, line)
        try:
            document = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise ZooError(
                f"{path}: row {number} is not UTF-8 ({error.reason} at byte {error.start}). "
                "Save the file as UTF-8."
            ) from error
        except (ValueError, RecursionError) as error:
            hint = _hint(line, error) if number == 1 else ""
            raise ZooError(f"{path}: row {number} is no JSON object: {error}.{hint}") from error
        if not isinstance(document, dict):
            hint = _hint(line) if number == 1 else ""
            raise ZooError(
                f"{path}: row {number} is no JSON object: {line[:80].decode(errors='replace')}."
                f"{hint or EXAMPLE}"
            )
        yield document, len(line)


def _hint(line: bytes, error: Exception | None = None) -> str:
    """Return what the first line of a document over several lines calls for."""
    if line.lstrip().startswith(b"["):
        return f" A JSON array was found: {ONE_A_LINE}"
    text = line.decode("utf-8-sig", errors="replace")
    if isinstance(error, json.JSONDecodeError) and error.pos >= len(text.rstrip()):
        return f" An object over several lines was found: {ONE_A_LINE}"
    return ""


def _columns(where: str, documents: list[dict[str, Any]], request: ColumnRequest) -> Columns:
    """Return the columns of the first rows: not of the first alone, as it may lack a key.

    A case of that is huggingface/datasets#5726.
    """
    nested = all(isinstance(value, dict | list) for value in documents[0].values())
    shape = _shape(documents[0]) if len(documents) == 1 else ""
    if nested and shape:
        raise ZooError(f"{where}: {shape}")
    names = list(dict.fromkeys(name for document in documents for name in document))
    values: dict[str, list[Any]] = {}
    for document in documents[:FIRST_VALUES]:
        for name, value in document.items():
            values.setdefault(name, []).append(value)
    summaries = {name: summarize(name, column) for name, column in values.items()}
    try:
        return choose_columns(where, names, request, summaries)
    except ZooError as error:
        raise (ZooError(f"{where}: {shape}") if shape else error) from None


def _shape(only: dict[str, Any]) -> str:
    """Return words for the one object of a file in which all its rows may be, or nothing."""
    for name, value in only.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return f"is one object, with the rows in '{name}': {ONE_A_LINE}"
    if any(isinstance(value, dict | list) for value in only.values()):
        return f"is one object, with a field for each column or row: {ONE_A_LINE}"
    return ""


def _values(where: str, first: int, documents: list[dict[str, Any]], name: str) -> Iterator[Any]:
    for number, document in enumerate(documents, start=first):
        if name not in document:
            raise ZooError(f"{where}: row {number} has no '{name}'.")
        yield document[name]
