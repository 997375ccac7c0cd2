"""Rows that are in memory or stream from another library: lists, Arrow tables, `tf.data`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from zoo.data.columns import FIRST_VALUES, ColumnRequest, ColumnSummary, summarize
from zoo.data.header import choose_columns
from zoo.data.labels import WEIGHTS, class_labels
from zoo.data.parts import part_text
from zoo.data.rows import (
    BATCH_ROWS,
    Rows,
    convert_values,
    inputs_of,
    labels_of,
    split_columns,
    to_label,
    to_pair,
    to_text,
)
from zoo.errors import ZooError, reason
from zoo.text.pairs import value_pair


def read_pairs(texts: Any, labels: Any) -> Iterator[Rows]:
    """Yield the rows of texts and labels: lists, arrays or columns of the same length.

    Texts may be pairs, a tuple or list of two each.

    Raises:
        ZooError: they are not of the same length, or not of strings and of strings or numbers.
    """
    if getattr(labels, "ndim", 1) == 2:
        labels = class_labels(labels, "data")
    texts, labels = in_list("texts", texts), in_list("labels", labels)
    if len(texts) != len(labels):
        raise ZooError(
            "(texts, labels) must be of the same length. "
            f"Received: {len(texts):,} texts and {len(labels):,} labels."
        )
    pairs = bool(len(texts)) and value_pair(texts[0]) is not None
    convert = to_pair if pairs else to_text
    for start in range(0, len(texts), BATCH_ROWS):
        end = start + BATCH_ROWS
        yield Rows(
            "data",
            start + 1,
            convert_values("data", start + 1, texts[start:end], convert),
            convert_values("data", start + 1, labels[start:end], to_label, "label"),
            pairs=pairs,
        )


def read_arrow(
    where: str,
    schema: pa.Schema,
    read: Callable[[list[str]], Iterable[pa.RecordBatch | pa.Table]],
    request: ColumnRequest,
) -> Iterator[Rows]:
    """Yield the rows of Arrow batches.

    Args:
        where: named in errors.
        schema: of the whole table.
        read: from names of columns to batches that hold them.
        request: which columns.

    Raises:
        ZooError: the table has no such column, or it holds neither strings nor numbers.
    """
    summaries = {field.name: _summary(field.type) for field in schema}
    try:
        columns = choose_columns(where, schema.names, request, summaries)
    except ZooError:
        # Once more with what the numbers are: several columns of 0 and 1 are labels.
        columns = choose_columns(where, schema.names, request, summaries | _flags(schema, read))
    first = 1
    for batch in read(columns.names):
        for start in range(0, batch.num_rows, BATCH_ROWS):
            block = batch.slice(start, BATCH_ROWS)
            values = [block.column(name).to_pylist() for name in columns.names]
            parts = [part_text(value) for value in values.pop()] if columns.part else None
            values, of_labels = split_columns(columns, values)
            labels = labels_of(where, first, columns, of_labels)
            converted = [
                convert_values(where, first, column, request.convert or to_text, f"'{name}'")
                for name, column in zip(columns.inputs, values, strict=True)
            ]
            inputs = inputs_of(columns, converted)
            yield Rows(where, first, inputs, labels, columns, parts=parts, pairs=columns.pair)
            first += block.num_rows


def read_stream(source: Any, request: ColumnRequest) -> Iterator[Rows]:
    """Yield the rows of a table that speaks Arrow's C stream: pandas, polars, pyarrow, duckdb.

    Raises:
        ZooError: the table cannot be read as Arrow or has no such column.
    """
    try:
        reader = pa.RecordBatchReader.from_stream(source)
        yield from read_arrow("table", reader.schema, lambda _: reader, request)
    except (pa.ArrowException, ValueError) as error:  # of pandas: a name is there twice
        raise ZooError(f"table: cannot be read as Arrow: {reason(error)}.") from error


def read_hugging_face(source: Any, request: ColumnRequest) -> Iterator[Rows]:
    """Yield the rows of a `datasets.Dataset`, in the order of its indices.

    Its class has no Arrow C stream of its own, but hands out Arrow tables.
    """
    tables = source.with_format("arrow").iter(BATCH_ROWS)
    head = next(tables, None)
    if head is None:
        raise ZooError("dataset: holds no rows.")
    yield from read_arrow(
        "dataset", head.schema, lambda _: itertools.chain([head], tables), request
    )


def read_tensorflow(dataset: tf.data.Dataset, labelled: bool) -> Iterator[Rows]:
    """Yield the elements of a `tf.data.Dataset` of (strings, labels), batched or not.

    `class_names`, as Keras' `text_dataset_from_directory` gives them, name integer labels.

    Raises:
        ZooError: its elements are something else, it never ends, or reading it fails.
    """
    texts_spec, pair = _text_spec(dataset.element_spec, labelled)
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ZooError("dataset: never ends. Leave out repeat().")
    first, names = 1, getattr(dataset, "class_names", None)
    try:
        for element in dataset if texts_spec.shape.rank else dataset.batch(BATCH_ROWS):
            texts = (element[0] if pair else element).numpy().tolist()
            labels = None
            if pair:
                values = class_labels(element[1], "dataset", names, first).tolist()
                labels = convert_values("dataset", first, values, to_label, "label")
            yield Rows("dataset", first, convert_values("dataset", first, texts, to_text), labels)
            first += len(texts)
    except tf.errors.OpError as error:
        raise ZooError(f"dataset: cannot be read: {error.message}") from error


def _text_spec(specification: Any, labelled: bool) -> tuple[tf.TensorSpec, bool]:
    if isinstance(specification, tuple) and len(specification) == 3:
        raise ZooError(f"dataset: yields (text, label, weight): {WEIGHTS}")
    pair = isinstance(specification, tuple) and len(specification) == 2
    specs: list[Any] = list(specification) if pair else [specification]
    fits = all(isinstance(spec, tf.TensorSpec) for spec in specs)
    if fits:
        fits = specs[0].dtype == tf.string and specs[0].shape.rank in (0, 1)
        fits = fits and all(_is_label(spec, specs[0].shape.rank) for spec in specs[1:])
    if not fits or (labelled and not pair):
        raise ZooError(
            "dataset: must yield (text, label): a string, and a string or integer; or batches of "
            f"them. Received: {specification!r:.300}"
        )
    return specs[0], pair


def _is_label(spec: tf.TensorSpec, rank: int) -> bool:
    """Whether a specification is one of labels, one a text, or one-hot."""
    if spec.shape.rank == rank + 1:
        return bool(spec.dtype.is_integer or spec.dtype.is_floating)
    return spec.shape.rank == rank and (spec.dtype == tf.string or spec.dtype.is_integer)


def in_list(what: str, values: Any) -> list[Any] | tuple[Any, ...] | np.ndarray:
    """Return a column of any library as something that can be cut by position."""
    for method in ("to_pylist", "to_list", "numpy"):  # pyarrow; pandas and polars; tensors
        if hasattr(values, method):
            values = getattr(values, method)()
            break
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise ZooError(f"{what} must have one dimension. Received: shape {values.shape}.")
    if not isinstance(values, list | tuple | np.ndarray):
        raise ZooError(f"{what} must be a list or an array. Received: {type(values).__name__}.")
    return values


def _flags(
    schema: pa.Schema, read: Callable[[list[str]], Iterable[pa.RecordBatch | pa.Table]]
) -> dict[str, ColumnSummary]:
    """Return what the first values of some columns of integers are."""
    names = [field.name for field in schema if pa.types.is_integer(field.type)]
    names = [name for name in names if schema.names.count(name) == 1][:FIRST_VALUES]
    head = next(iter(read(names)), None) if names else None
    if head is None:
        return {}
    head = head.slice(0, FIRST_VALUES)
    return {name: summarize(name, head.column(name).to_pylist()) for name in names}


def _summary(kind: pa.DataType) -> ColumnSummary:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return ColumnSummary("flag")
    if pa.types.is_struct(kind):
        fields = tuple(field.name for field in kind)
        return ColumnSummary("nested", images={"bytes", "path"} <= set(fields), fields=fields)
    if pa.types.is_nested(kind):
        return ColumnSummary("nested")
    texts = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_binary, pa.types.is_large_binary,
    )  # fmt: skip
    return ColumnSummary("text" if any(check(kind) for check in texts) else "number")
