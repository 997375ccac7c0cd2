"""The vectors of data as a Parquet file, written as they come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from zoo.errors import ZooError
from zoo.files import written_beside
from zoo.training.features import VECTOR

BLOCK = 4096  # rows in memory at a time


class Written(NamedTuple):
    """What was written.

    Args:
        rows: of the file.
        features: of each vector.
        columns: of the file, in order.
        problems: inputs that could not be read, with why; their vectors are null.
    """

    rows: int
    features: int
    columns: list[str]
    problems: list[str]


def new_file(out: Path | None, files: Sequence[str], overwrite: bool) -> Path:
    """Return the Parquet file to write, in the working directory where it is not named.

    Args:
        out: as it was asked for; None names it after the data.
        files: names of the data; none is standard input.
        overwrite: whether one that is there is replaced.

    Raises:
        ZooError: it is there already, or has another ending.
    """
    if out is None:
        named = [name for name in files if name != "-"]
        stem = Path(named[0]).resolve().name.split(".")[0] if named else "stdin"
        out = Path(f"{stem}-embeddings.parquet")
    if out.suffix != ".parquet":
        raise ZooError(f"{out}: must end with .parquet, which is what is written.")
    if out.exists() and not overwrite:
        raise ZooError(f"{out}: is already there. Choose another --out, or pass --overwrite.")
    return out


def write_embeddings(path: Path, rows: Iterable[Mapping[str, Any]]) -> Written:
    """Write vectors as a Parquet file, whole or not at all.

    Its columns are `row`, from 1; the inputs, such as `text` or `file`; and `embedding`, a list of
    float32 of fixed length, which pandas, polars, DuckDB and Hugging Face datasets read as vectors.

    Args:
        path: of the file.
        rows: see `zoo.tasks.task.Predictor.embeddings`.

    Raises:
        ZooError: there are no rows, or the file cannot be written.
    """
    remaining = iter(rows)
    problems: list[str] = []
    count = 0
    head = _block(remaining)
    known = next((row for row in head if VECTOR in row), None)
    if known is None:
        why = f": {_problem(head[0])}" if head else ""
        raise ZooError(f"{path}: not written: there is nothing to embed{why}.")
    features = len(known[VECTOR])
    inputs = [name for name in known if name != VECTOR]
    schema = pa.schema(
        [
            pa.field("row", pa.int64()),
            *(pa.field(name, pa.string()) for name in inputs),
            pa.field(VECTOR, pa.list_(pa.float32(), features)),
        ]
    )
    with (
        written_beside(path) as temporary,
        parquet.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        block = head
        while block:
            writer.write_batch(_batch(block, count + 1, inputs, schema))
            problems += [_problem(row) for row in block if VECTOR not in row]
            count += len(block)
            block = _block(remaining)
    return Written(count, features, schema.names, problems)


def _block(rows: Iterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list(itertools.islice(rows, BLOCK))


def _problem(row: Mapping[str, Any]) -> str:
    return f"{row.get('file', 'an input')}: {row['error']}"


def _batch(
    rows: list[Mapping[str, Any]], first: int, inputs: list[str], schema: pa.Schema
) -> pa.RecordBatch:
    features = schema.field(VECTOR).type.list_size
    nothing = np.zeros(features, np.float32)
    values = np.concatenate([row.get(VECTOR, nothing) for row in rows])
    missing = np.array([VECTOR not in row for row in rows])
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array(values, pa.float32()), features, mask=pa.array(missing)
    )
    numbers = pa.array(np.arange(first, first + len(rows)), pa.int64())
    columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in inputs]
    return pa.record_batch([numbers, *columns, vectors], schema=schema)
