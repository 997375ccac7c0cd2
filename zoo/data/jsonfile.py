"""JSON lines, streamed; every fault is told with its row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from zoo.data.columns import FIRST_VALUES, look_at
from zoo.data.part_column import part_text
from zoo.data.rows import (
    BATCH_ROWS,
    Rows,
    Wanted,
    choose_columns,
    converted,
    joined,
    label_text,
    text_of,
)
from zoo.errors import ZooError

READ_BYTES = 1 << 20
LINE_BYTES = 64 << 20  # a longer line is no row of anything


def read_json_lines(path: Path, file: pa.NativeFile, wanted: Wanted) -> Iterator[Rows]:
    """Yield the rows of a file with one JSON object a line; blank lines are no rows.

    Raises:
        ZooError: a line that is no JSON object, or has no such key, with its row.
    """
    where = str(path)
    first = 1
    columns = None
    for documents in _batched(path, file):
        if columns is None:
            # Not of the first alone: it may lack a key (huggingface/datasets#5726).
            names = list(dict.fromkeys(name for document in documents for name in document))
            some = documents[:FIRST_VALUES]
            looks = {name: look_at(name, [each.get(name) for each in some]) for name in names}
            columns = choose_columns(where, names, wanted, looks)
        parts = [
            converted(where, first, _values(where, first, documents, name), text_of, f"'{name}'")
            for name in columns.texts
        ]
        texts = [joined(each) for each in zip(*parts, strict=True)]
        labels = None
        if columns.label is not None:
            found = [document.get(columns.label) for document in documents]
            labels = converted(where, first, found, label_text, f"'{columns.label}'")
        said = None
        if columns.part is not None:
            said = [part_text(document.get(columns.part)) for document in documents]
        yield Rows(where, first, texts, labels, columns, parts=said)
        first += len(documents)


def lines(path: Path, file: pa.NativeFile) -> Iterator[bytes]:
    r"""Yield the lines of a file without their ends (`\n` or `\r\n`).

    Raises:
        ZooError: a line has no end.
    """
    rest = b""
    while block := file.read(READ_BYTES):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
        if len(rest) > LINE_BYTES:
            raise ZooError(f"{path}: a line is longer than {LINE_BYTES:,} bytes.")
    if rest:
        yield rest


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
        try:
            document = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise ZooError(
                f"{path}: row {number} is not UTF-8 ({error.reason} at byte {error.start}). "
                "Save the file as UTF-8."
            ) from error
        except (ValueError, RecursionError) as error:
            hint = ""
            if number == 1 and line.lstrip().startswith(b"["):
                hint = " A JSON array was found: write one object a line instead."
            raise ZooError(f"{path}: row {number} is no JSON object: {error}.{hint}") from error
        if not isinstance(document, dict):
            raise ZooError(
                f"{path}: row {number} is no JSON object: {line[:80].decode(errors='replace')}. "
                'One object a line is expected, such as {"text": ..., "label": ...}.'
            )
        yield document, len(line)


def _values(where: str, first: int, documents: list[dict[str, Any]], name: str) -> Iterator[Any]:
    for number, document in enumerate(documents, start=first):
        if name not in document:
            raise ZooError(f"{where}: row {number} has no '{name}'.")
        yield document[name]
