"""Texts without labels: of tables, files of lines, lists, and pipes that are never waited for."""

from __future__ import annotations

import itertools
import lzma
import numbers
import os
import select
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from zoo.data.checks import columns_read, paths_in, suspect_rows
from zoo.data.columns import UNLABELLED, ColumnRequest
from zoo.data.in_memory import in_list
from zoo.data.jsonfile import lines
from zoo.data.paths import check_encoding, exists, open_file, table_kind
from zoo.data.rows import convert_values, replace_surrogates, to_pair, to_text
from zoo.data.tables import check_text_file, is_table, read_rows
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.text.pairs import line_pair

BATCH = 4096  # texts tokenized and sorted by length together
IDLE = 0.02  # seconds without a byte after which lines that have come are answered
LONGEST_WAIT = 0.25  # seconds that a line waits for others at the most, while they go on coming


def text_batches(
    source: Any, request: ColumnRequest = UNLABELLED, findings: list[Finding] | None = None
) -> Iterator[list[str]]:
    """Yield texts to predict in their order, up to `BATCH` at a time.

    A missing value (None, NaN) is an empty text, as in training.

    Args:
        source: an iterable of strings, such as a list, an array or a column of a table; a table
            that speaks Arrow, a Hugging Face dataset or a `tf.data.Dataset`; the `Path` of a file
            (see `read_texts`); or an open binary stream of lines.
        request: which columns of a table.
        findings: findings on what is read are appended to it.

    Raises:
        ZooError: a value is no text, or the source cannot be read.
    """
    if hasattr(source, "read"):
        yield from _live(Path("standard input"), source, request)
    elif isinstance(source, Path) and _is_pipe(source):
        with source.open("rb", buffering=0) as file:
            yield from _live(source, file, request)
    elif isinstance(source, Path):
        yield from batched(read_texts(source, request, findings))
    elif is_table(source):
        yield from batched(_table_texts(source, request, findings))
    else:
        yield from batched(_values(source, request))


def read_texts(
    source: str | Path | BinaryIO,
    request: ColumnRequest = UNLABELLED,
    findings: list[Finding] | None = None,
) -> Iterator[str]:
    """Yield texts, one a row: of a table, or of the lines of any other file.

    Args:
        source: file (of `zoo.data.paths.TABLES`, or lines of text, compressed or not), folder, or
            open binary stream of lines; `-` is standard input.
        request: which columns of a table.
        findings: findings on what is read are appended to it.

    Raises:
        ZooError: the file is missing or unreadable, or has no such column.
    """
    if not isinstance(source, str | Path):
        yield from input_lines(Path("stream"), source, request)
    elif str(source) == "-":
        yield from input_lines(Path("standard input"), sys.stdin.buffer, request)
    elif table_kind(Path(source)) or (exists(Path(source)) and Path(source).is_dir()):
        yield from _table_texts(source, request, findings, file=True)
    else:
        path = Path(source)
        check_text_file(path)
        try:
            with open_file(path) as file:
                yield from input_lines(path, file, request)
        except FileNotFoundError as error:
            raise ZooError(f"{path}: no such file.") from error
        except (pa.ArrowException, lzma.LZMAError, EOFError, OSError) as error:
            raise ZooError(f"{path}: cannot be read: {error}.") from error


def text_lines(path: Path, file: Any) -> Iterator[str]:
    """Yield the lines of an open binary file, decoded.

    Raises:
        ZooError: a line is not UTF-8.
    """
    for number, line in enumerate(lines(path, file), start=1):
        if number == 1:
            check_encoding(path, line)
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ZooError(
                f"{path}: line {number} is not UTF-8 ({error.reason} at byte {error.start}). "
                "Texts are read as UTF-8, one a line."
            ) from error


def input_lines(path: Path, file: Any, request: ColumnRequest) -> Iterator[str]:
    """Yield the lines of an open binary file; of pairs two texts a line, with a tab between them.

    Args:
        path: named in errors.
        file: the open file.
        request: says whether the lines are pairs.

    Raises:
        ZooError: a line is not UTF-8, or no pair.
    """
    lines_read = text_lines(path, file)
    if request.texts != "pair":
        yield from lines_read
        return
    for number, line in enumerate(lines_read, start=1):
        yield line_pair(line, f"{path}: line {number}")


def batched(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the texts in lists of `BATCH`."""
    remaining = iter(texts)
    while batch := list(itertools.islice(remaining, BATCH)):
        yield batch


def _table_texts(
    source: Any, request: ColumnRequest, findings: list[Finding] | None, file: bool = False
) -> Iterator[str]:
    """Yield the texts of a table; of a file, also say what seems to be read wrongly."""
    for rows in read_rows(source, request):
        if findings is not None and rows.first == 1:
            findings += columns_read(rows.file, rows.columns, trained=request.trained)
            findings += paths_in(rows.file, rows.inputs) if file else []
        if findings is not None and file:
            findings += suspect_rows(rows)
        yield from map(replace_surrogates, rows.inputs)


def _values(source: Any, request: ColumnRequest) -> Iterator[str]:
    if isinstance(source, dict):
        raise ZooError(
            "texts of type dict cannot be read. Accepted: a list of texts or a table, such as "
            "pandas.DataFrame(data)."
        )
    if not isinstance(source, Iterator):
        source = in_list("texts", source)
    remaining = iter(source)
    convert = to_pair if request.texts == "pair" else _string
    first = 1
    while values := list(itertools.islice(remaining, BATCH)):
        yield from map(replace_surrogates, convert_values("data", first, values, convert))
        first += len(values)


def _string(value: Any) -> str:
    """Return a text; a number is none, though a column of a table may hold some."""
    text = to_text(value)
    if text and isinstance(value, numbers.Number):
        raise TypeError(f"a string was expected. Received {type(value).__name__}: {value!r:.80}")
    return text


def _is_pipe(path: Path) -> bool:
    """Whether a path is a pipe that has a name."""
    return path.exists() and not path.is_file() and not path.is_dir()


class _Pipe:
    """A stream that says whether reading on would wait.

    Args:
        file: a binary stream of the operating system, nothing of which was read before.

    Attributes:
        lines: line ends that were handed out.
    """

    def __init__(self, file: Any):
        self._number = file.fileno()
        self.lines = 0

    def read(self, size: int) -> bytes:
        """Return what has come, up to a size; wait only when nothing has."""
        block = os.read(self._number, size)
        blocks = [block]
        while block and (size := size - len(block)) > 0 and not self.waits(0.0):
            block = os.read(self._number, size)
            blocks.append(block)
        data = b"".join(blocks)
        self.lines += data.count(b"\n")
        return data

    def waits(self, seconds: float) -> bool:
        """Whether nothing more comes within some seconds."""
        return not select.select([self._number], [], [], seconds)[0]


def _live(path: Path, file: Any, request: ColumnRequest) -> Iterator[list[str]]:
    """Yield lines in batches, as large as they come fast: none is held back while nothing comes."""
    try:
        pipe = _Pipe(file)
    except OSError:  # a stream in memory
        yield from batched(input_lines(path, file, request))
        return
    batch: list[str] = []
    began = 0.0
    for number, line in enumerate(input_lines(path, pipe, request), start=1):
        began = began if batch else time.monotonic()
        batch.append(line)
        # Only after the last complete line that has come would the next one be waited for.
        waited = time.monotonic() - began > LONGEST_WAIT
        drained = number >= pipe.lines and (waited or pipe.waits(IDLE))
        if drained or len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
