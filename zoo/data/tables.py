"""Rows of inputs and labels from files, folders, arrays and tables, streamed.

Rows are numbered from 1 in each file; a header is not a row. Nothing is ever unpickled, and no text
becomes a missing value because it reads "None" or "NA".
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from zoo.data.columns import ColumnRequest, quoted
from zoo.data.csvfile import read_csv
from zoo.data.folders import folder_paths, read_folder
from zoo.data.in_memory import (
    read_arrow,
    read_hugging_face,
    read_pairs,
    read_stream,
    read_tensorflow,
)
from zoo.data.jsonfile import read_json_lines
from zoo.data.labels import WEIGHTS
from zoo.data.parts import SourcePaths
from zoo.data.paths import (
    COMPRESSIONS,
    TABLES,
    check_names,
    exists,
    is_archive,
    looks_like_image,
    open_file,
    table_kind,
)
from zoo.data.rows import BATCH_ROWS, Rows
from zoo.errors import ZooError, reason

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
        yield from _read_paths([Path(path) for path in source], request)
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
        advice = _dict_advice(source) if isinstance(source, dict) else ""
        raise ZooError(
            f"data of type {type(source).__name__} cannot be read. Accepted: a path or a list of "
            "paths, (texts, labels), a table that speaks Arrow (pandas, polars, pyarrow, Hugging "
            f"Face datasets), or a tf.data.Dataset of strings and labels.{advice}"
        )


def is_table(source: Any) -> bool:
    """Whether something in memory has columns: a DataFrame, an Arrow table, a dataset."""
    arrow = hasattr(source, "__arrow_c_stream__")  # a column of pandas or polars speaks it as well
    columns = hasattr(source, "columns") or hasattr(source, "schema")
    return (arrow and columns) or hasattr(source, "element_spec") or hasattr(source, "with_format")


def table_paths(source: Any) -> SourcePaths:
    """Return the files and folders of a source of rows, for `zoo.data.parts`.

    Raises:
        ZooError: one of them does not exist.
    """
    given = [source] if isinstance(source, str | Path) else source
    if not _are_paths(given):
        return SourcePaths("the data")
    paths = [path for pattern in given for path in expand(Path(pattern))]
    if len(paths) > 1:
        return SourcePaths.of_list(paths)
    return folder_paths(paths[0]) if paths[0].is_dir() else SourcePaths(str(paths[0]))


def expand(path: Path) -> list[Path]:
    """Return the path itself, or the files that a pattern such as `data/*.csv` matches.

    Raises:
        ZooError: there is none.
    """
    if exists(path):
        check_names([path])
        return [path]
    files: list[Path] = []
    if any(mark in str(path) for mark in "*?["):
        files = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    if not files:
        raise ZooError(f"{path}: no such file or folder.")
    return files


def check_text_file(path: Path) -> None:
    """Refuse what holds no lines of text: packed folders and images.

    Raises:
        ZooError: the file is one of them.
    """
    if is_archive(path):
        raise ZooError(f"{path}: is an archive. Unpack it, and give the folder.")
    if path.is_file() and looks_like_image(path):
        raise ZooError(f"{path}: is an image, no text. For images: zoo train resnet.")


def _are_paths(source: Any) -> bool:
    return (
        isinstance(source, list | tuple)
        and len(source) > 0
        and all(isinstance(item, str | Path) for item in source)
    )


def _dict_advice(source: dict[Any, Any]) -> str:
    """Return what to do with a dictionary: of columns, or of data sets."""
    if source and all(isinstance(value, list | tuple) for value in source.values()):
        return " A dictionary of columns becomes one with pandas.DataFrame(data)."
    return f" Choose one of {quoted(map(str, source))}."


def _read_paths(paths: list[Path], request: ColumnRequest) -> Iterator[Rows]:
    for path in (path for pattern in paths for path in expand(pattern)):
        if path.is_dir():
            yield from read_folder(path, request.labelled, lambda file: _read_file(file, request))
        else:
            yield from _read_file(path, request)


def _read_file(path: Path, request: ColumnRequest) -> Iterator[Rows]:
    kind = table_kind(path)
    if kind is None:
        check_text_file(path)
        raise ZooError(
            f"{path}: is no table. Accepted: {', '.join(TABLES)}, also with "
            f"{', '.join(COMPRESSIONS)}. Lines of plain text are a corpus, for a language model: "
            "zoo train lstm_lm, zoo data --preset lstm_lm/default."
        )
    count = 0
    try:
        if path.stat().st_size == 0:
            raise ZooError(f"{path}: is empty.")
        for rows in _read_table(path, kind, request):
            count += len(rows.inputs)
            yield rows
    except (pa.ArrowException, lzma.LZMAError, EOFError, OSError) as error:
        raise ZooError(f"{path}: cannot be read: {reason(error)}.") from error
    if not count:
        header = ", only a header" if kind in (".csv", ".tsv") else ""
        raise ZooError(f"{path}: holds no rows{header}.")


def _read_table(path: Path, kind: str, request: ColumnRequest) -> Iterator[Rows]:
    if kind in (".csv", ".tsv"):
        yield from read_csv(path, lambda: open_file(path), "\t" if kind == ".tsv" else ",", request)
    elif kind == ".parquet":
        yield from _read_parquet(path, request)
    else:
        with open_file(path) as file:
            yield from read_json_lines(path, file, request)


def _read_parquet(path: Path, request: ColumnRequest) -> Iterator[Rows]:
    if path.suffix.lower() in COMPRESSIONS:
        raise ZooError(f"{path}: Parquet files are compressed inside. Unpack {path.suffix} first.")
    # Buffered: else the columns of a row group, often of the whole file, are held in memory.
    with parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:

        def read(names: list[str]) -> Iterator[pa.RecordBatch]:
            types = [file.schema_arrow.field(name).type for name in names]
            large = any(pa.types.is_struct(kind) or pa.types.is_binary(kind) for kind in types)
            rows = BATCH_FILES if large else BATCH_ROWS
            return file.iter_batches(batch_size=rows, columns=names, use_threads=False)

        yield from read_arrow(str(path), file.schema_arrow, read, request)
