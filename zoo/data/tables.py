"""Rows of text and label from files, folders, arrays and tables, streamed.

Rows are numbered from 1 in each file; a header is not a row. Nothing is ever unpickled, and no text
becomes a missing value because it reads "None" or "NA".
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as parquet

from zoo.data.checks import columns_read, paths_in, suspect_rows
from zoo.data.columns import ColumnRequest, Columns, quoted
from zoo.data.csvfile import read_csv
from zoo.data.folders import folder_paths, read_folder
from zoo.data.in_memory import (
    read_arrow,
    read_hugging_face,
    read_pairs,
    read_stream,
    read_tensorflow,
)
from zoo.data.jsonfile import lines, read_json_lines
from zoo.data.labels import WEIGHTS
from zoo.data.parts import SourcePaths
from zoo.data.paths import (
    COMPRESSIONS,
    TABLES,
    check_encoding,
    check_names,
    exists,
    is_archive,
    looks_like_image,
    open_file,
    table_kind,
)
from zoo.data.rows import BATCH_ROWS, Rows, replace_surrogates
from zoo.errors import ZooError
from zoo.finding import Finding

BATCH_FILES = 128  # rows that hold a file each, such as an image
ANY_COLUMNS = ColumnRequest()  # an input and a label, found by their names
BUFFER_BYTES = 1 << 20  # of a Parquet column read at once


def read_rows(source: Any, request: ColumnRequest = ANY_COLUMNS) -> Iterator[Rows]:
    """Yield the rows of a source, some thousand at a time.

    Args:
        source: path, pattern or list of paths (files of `TABLES`, compressed or not, or folders of
            them, or a folder of class folders with .txt files, or with files that have no ending);
            `(texts, labels)`; a table that speaks Arrow's C stream (pandas, polars, pyarrow); a
            Hugging Face dataset; a `tf.data.Dataset` of strings and labels.
        request: which columns; several input columns are joined by a space.

    Raises:
        ZooError: the source is missing, empty, unreadable or has no such column.
    """
    if isinstance(source, str | Path):
        source = [source]
    if _are_paths(source):
        yield from _files([Path(part) for part in source], request)
    elif isinstance(source, tuple) and len(source) == 2:
        yield from read_pairs(*source)
    elif hasattr(source, "__arrow_c_stream__"):
        yield from read_stream(source, request)
    elif hasattr(source, "element_spec"):
        yield from read_tensorflow(source, request.labelled)
    elif hasattr(source, "with_format") and hasattr(source, "iter"):
        yield from read_hugging_face(source, request)
    elif isinstance(source, tuple) and len(source) == 3:
        raise ZooError(f"(texts, labels, weights): {WEIGHTS}")
    else:
        several = _of_dict(source) if isinstance(source, dict) else ""
        raise ZooError(
            f"data of type {type(source).__name__} cannot be read. Accepted: a path or a list of "
            "paths, (texts, labels), a table that speaks Arrow (pandas, polars, pyarrow, Hugging "
            f"Face datasets), or a tf.data.Dataset of strings and labels.{several}"
        )


def read_texts(
    source: str | Path | BinaryIO,
    *,
    text: str | None = None,
    trained: Columns | None = None,
    findings: list[Finding] | None = None,
) -> Iterator[str]:
    """Yield texts to predict, one a row: of a table, or of the lines of any other file.

    Args:
        source: file (of `TABLES`, or lines of text, compressed or not), folder, or open binary
            stream of lines; `-` is standard input.
        text: text column of a table, or several separated by commas.
        trained: columns that a run was trained with, read where none are named.
        findings: what there is to say is added to it.

    Raises:
        ZooError: the file is missing or unreadable, or has no such column.
    """
    if not isinstance(source, str | Path):
        yield from text_lines(Path("stream"), source)
    elif str(source) == "-":
        yield from text_lines(Path("standard input"), sys.stdin.buffer)
    elif table_kind(Path(source)) or (exists(Path(source)) and Path(source).is_dir()):
        for rows in read_rows(source, ColumnRequest(text, labelled=False, trained=trained)):
            if findings is not None:
                if rows.first == 1:
                    findings += columns_read(rows.file, rows.columns, trained=trained)
                    findings += paths_in(rows.file, rows.inputs)
                findings += suspect_rows(rows)
            yield from map(replace_surrogates, rows.inputs)
    else:
        path = Path(source)
        _check_no_other(path)
        try:
            with open_file(path) as file:
                yield from text_lines(path, file)
        except FileNotFoundError as error:
            raise ZooError(f"{path}: no such file.") from error
        except (pa.ArrowException, lzma.LZMAError, EOFError, OSError) as error:
            raise ZooError(f"{path}: cannot be read: {error}.") from error


def table_paths(source: Any) -> SourcePaths:
    """Return the files and folders of a source of rows, for `zoo.data.parts`.

    Raises:
        ZooError: one of them is not there.
    """
    given = [source] if isinstance(source, str | Path) else source
    if not _are_paths(given):
        return SourcePaths("the data")
    paths = [path for part in given for path in matching(Path(part))]
    if len(paths) > 1:
        return SourcePaths.of_list(paths)
    return folder_paths(paths[0]) if paths[0].is_dir() else SourcePaths(str(paths[0]))


def _of_dict(source: dict[Any, Any]) -> str:
    """Return what to do with a dictionary: of columns, or of data sets."""
    if source and all(isinstance(each, list | tuple) for each in source.values()):
        return " A dictionary of columns becomes one with pandas.DataFrame(data)."
    return f" Choose one of {quoted(map(str, source))}."


def _are_paths(source: Any) -> bool:
    return (
        isinstance(source, list | tuple)
        and len(source) > 0
        and all(isinstance(part, str | Path) for part in source)
    )


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


def _files(paths: list[Path], request: ColumnRequest) -> Iterator[Rows]:
    for given in paths:
        for path in matching(given):
            if path.is_dir():
                yield from read_folder(path, request.labelled, lambda file: _file(file, request))
            else:
                yield from _file(path, request)


def matching(path: Path) -> list[Path]:
    """Return the path itself, or the files that a pattern such as `data/*.csv` matches."""
    if exists(path):
        check_names([path])
        return [path]
    found: list[Path] = []
    if any(mark in str(path) for mark in "*?["):
        found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    if not found:
        raise ZooError(f"{path}: no such file or folder.")
    return found


def _check_no_other(path: Path) -> None:
    """Refuse what holds no lines of text: packed folders and images."""
    if is_archive(path):
        raise ZooError(f"{path}: is an archive. Unpack it, and give the folder.")
    if path.is_file() and looks_like_image(path):
        raise ZooError(f"{path}: is an image, no text. For images: zoo train resnet.")


def _file(path: Path, request: ColumnRequest) -> Iterator[Rows]:
    kind = table_kind(path)
    if kind is None:
        _check_no_other(path)
        raise ZooError(
            f"{path}: is no table. Accepted: {', '.join(TABLES)}, also with "
            f"{', '.join(COMPRESSIONS)}. Lines of plain text are a corpus, for a language model: "
            "zoo train lstm_lm, zoo data --preset lstm_lm/default."
        )
    rows = 0
    try:
        if path.stat().st_size == 0:
            raise ZooError(f"{path}: is empty.")
        for each in _table(path, kind, request):
            rows += len(each.inputs)
            yield each
    except (pa.ArrowException, lzma.LZMAError, EOFError, OSError) as error:
        raise ZooError(f"{path}: cannot be read: {' '.join(str(error).split())[:300]}.") from error
    if not rows:
        raise ZooError(
            f"{path}: holds no rows{', only a header' if kind in ('.csv', '.tsv') else ''}."
        )


def _table(path: Path, kind: str, request: ColumnRequest) -> Iterator[Rows]:
    if kind in (".csv", ".tsv"):
        yield from read_csv(path, lambda: open_file(path), "\t" if kind == ".tsv" else ",", request)
    elif kind == ".parquet":
        yield from _parquet(path, request)
    else:
        with open_file(path) as file:
            yield from read_json_lines(path, file, request)


def _parquet(path: Path, request: ColumnRequest) -> Iterator[Rows]:
    if path.suffix.lower() in COMPRESSIONS:
        raise ZooError(f"{path}: Parquet files are compressed inside. Unpack {path.suffix} first.")
    # Buffered: else the columns of a row group, often of the whole file, are held in memory.
    with parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:

        def read(names: list[str]) -> Iterator[pa.RecordBatch]:
            kinds = [file.schema_arrow.field(name).type for name in names]
            large = any(pa.types.is_struct(kind) or pa.types.is_binary(kind) for kind in kinds)
            rows = BATCH_FILES if large else BATCH_ROWS
            return file.iter_batches(batch_size=rows, columns=names, use_threads=False)

        yield from read_arrow(str(path), file.schema_arrow, read, request)
