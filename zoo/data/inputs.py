"""Texts to predict, in batches: of a file, a table, a list, or a pipe that is never waited for."""

from __future__ import annotations

import itertools
import numbers
import os
import select
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zoo.data.checks import columns_read
from zoo.data.columns import ColumnRequest, Columns
from zoo.data.in_memory import in_list
from zoo.data.rows import convert_values, replace_surrogates, to_text
from zoo.data.tables import read_rows, read_texts, text_lines
from zoo.errors import ZooError
from zoo.finding import Finding

BATCH = 4096  # texts tokenized and sorted by length together
IDLE = 0.02  # seconds without a byte after which lines that have come are answered
LONGEST = 0.25  # seconds that a line waits for others at the most, while they go on coming
READ_BYTES = 1 << 20


def text_batches(
    source: Any,
    *,
    text: str | None = None,
    trained: Columns | None = None,
    findings: list[Finding] | None = None,
) -> Iterator[list[str]]:
    """Yield texts in their order, up to `BATCH` at a time.

    A missing value (None, NaN) is an empty text, as in training.

    Args:
        source: an iterable of strings, such as a list, an array or a column of a table; a table
            that speaks Arrow, a Hugging Face dataset or a `tf.data.Dataset`; the `Path` of a file
            (see `zoo.data.tables.read_texts`); or an open binary stream of lines.
        text: text column of a table, or several separated by commas.
        trained: columns that a run was trained with, read where none are named.
        findings: what there is to say is added to it.

    Raises:
        ZooError: a value is no text, or the source cannot be read.
    """
    if hasattr(source, "read"):
        yield from _live(Path("standard input"), source)
    elif isinstance(source, Path):
        yield from _file(source, text, trained, findings)
    elif is_table(source):
        yield from batched(_column(source, text, trained, findings))
    else:
        yield from batched(_values(source))


def is_table(source: Any) -> bool:
    """Whether something in memory has columns: a DataFrame, an Arrow table, a dataset."""
    arrow = hasattr(source, "__arrow_c_stream__")  # a column of pandas or polars speaks it as well
    columns = hasattr(source, "columns") or hasattr(source, "schema")
    return (arrow and columns) or hasattr(source, "element_spec") or hasattr(source, "with_format")


def _file(
    path: Path, text: str | None, trained: Columns | None, findings: list[Finding] | None
) -> Iterator[list[str]]:
    if path.exists() and not path.is_file() and not path.is_dir():  # a pipe that has a name
        with path.open("rb", buffering=0) as file:
            yield from _live(path, file)
    else:
        yield from batched(read_texts(path, text=text, trained=trained, findings=findings))


def _column(
    source: Any, text: str | None, trained: Columns | None, findings: list[Finding] | None
) -> Iterator[str]:
    for rows in read_rows(source, ColumnRequest(text, labelled=False, trained=trained)):
        if findings is not None and rows.first == 1:
            findings += columns_read(rows.file, rows.columns, trained=trained)
        yield from map(replace_surrogates, rows.inputs)


def _values(source: Any) -> Iterator[str]:
    if isinstance(source, dict):
        raise ZooError(
            "texts of type dict cannot be read. Accepted: a list of texts or a table, such as "
            "pandas.DataFrame(data)."
        )
    if not isinstance(source, Iterator):
        source = in_list("texts", source)
    remaining = iter(source)
    first = 1
    while some := list(itertools.islice(remaining, BATCH)):
        yield from map(replace_surrogates, convert_values("data", first, some, _text))
        first += len(some)


def _text(value: Any) -> str:
    """Return a text; a number is none, though a column of a table may hold some."""
    text = to_text(value)
    if text and isinstance(value, numbers.Number):
        raise TypeError(f"a string was expected. Received {type(value).__name__}: {value!r:.80}")
    return text


def batched(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the texts in lists of `BATCH`."""
    remaining = iter(texts)
    while batch := list(itertools.islice(remaining, BATCH)):
        yield batch


class _Pipe:
    """A stream that says whether reading on would wait.

    Args:
        file: a binary stream of the operating system, nothing of which was read before.
    """

    def __init__(self, file: Any):
        self._number = file.fileno()
        self.lines = 0  # line ends that were handed out

    def read(self, size: int) -> bytes:
        """Return what is there, up to a size; wait only when there is nothing."""
        block = os.read(self._number, size)
        pieces = [block]
        while block and (size := size - len(block)) > 0 and not self.waits(0.0):
            block = os.read(self._number, size)
            pieces.append(block)
        whole = b"".join(pieces)
        self.lines += whole.count(b"\n")
        return whole

    def waits(self, seconds: float) -> bool:
        """Whether nothing more comes within some seconds."""
        return not select.select([self._number], [], [], seconds)[0]


def _live(path: Path, file: Any) -> Iterator[list[str]]:
    """Yield lines in batches, as large as they come fast: none is held back while nothing comes."""
    try:
        pipe = _Pipe(file)
    except OSError:  # a stream in memory
        yield from batched(text_lines(path, file))
        return
    batch: list[str] = []
    began = 0.0
    for number, line in enumerate(text_lines(path, pipe), start=1):
        began = began if batch else time.monotonic()
        batch.append(line)
        # Only after the last whole line that has come would the next one be waited for.
        drained = number >= pipe.lines and (time.monotonic() - began > LONGEST or pipe.waits(IDLE))
        if drained or len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
