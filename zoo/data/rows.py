"""Rows of inputs and labels, and their values as strings."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from zoo.data.columns import Columns
from zoo.data.label_text import set_text
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.text.pairs import pair_text, value_pair

BATCH_ROWS = 8192
# What columns of labels hold, of any library; empty is missing.
FLAGS = {
    "0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True, "": None,
}  # fmt: skip

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some consecutive rows of one file, numbered from 1; a header is not a row.

    Args:
        file: named in messages.
        first: number of the first row.
        inputs: what each row holds: a text, the path of an image, or the bytes of its file.
        labels: of each row as text, several as `zoo.data.label_text` has them; None where a row
            lacks one; None as a whole where no label was asked for.
        columns: of the table that the rows come from, if it has any.
        suspect: numbers of rows that seem to be read wrongly, by what is wrong with them; the words
            for it are in `zoo.data.checks`.
        parts: values of the column that holds each row's part; None without one.
        findings: on the source, with its first rows.
        untyped: whether labels are text because the file has no types, as CSV has none.
        pairs: whether the inputs are pairs of texts (`zoo.text.pairs`).
    """

    file: str
    first: int
    inputs: list[Any]
    labels: list[str | None] | None
    columns: Columns | None = None
    suspect: Mapping[str, Sequence[int]] = dataclasses.field(default_factory=dict)
    parts: list[str] | None = None
    findings: tuple[Finding, ...] = ()
    untyped: bool = False
    pairs: bool = False


def to_label(value: Any) -> str | None:
    """Return a label as text; None for a missing one (null, NaN, or nothing but space).

    A list of labels becomes the text of their set, see `zoo.data.label_text`.

    Raises:
        TypeError: the value is neither a string nor a number.
        ValueError: bytes that are not UTF-8.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple | set | np.ndarray):
        nested = any(isinstance(label, list | tuple | set | np.ndarray) for label in value)
        labels = [] if nested else [to_label(label) for label in value]
        if nested or None in labels:
            raise TypeError(f"a list of labels was expected. Received: {value!r:.80}")
        return set_text(map(str, labels))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool):
        return str(value)
    return replace_surrogates(to_text(value)).strip() or None


def to_text(value: Any) -> str:
    """Return a value as text; a missing one (null, NaN) is empty.

    Raises:
        TypeError: the value is neither a string nor a number.
        ValueError: bytes that are not UTF-8.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"is not UTF-8 ({error.reason} at byte {error.start})") from error
    if _missing(value):
        return ""
    if isinstance(value, numbers.Number) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"a string was expected. Received {type(value).__name__}: {value!r:.80}")


def replace_surrogates(text: str) -> str:
    """Return a text with every half of a surrogate pair replaced: it has no form in UTF-8."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def convert_values(
    file: str, first: int, values: Iterable[Any], convert: Callable[[Any], T], what: str = "text"
) -> list[T]:
    """Return the converted values of consecutive rows.

    Args:
        file: named in errors.
        first: number of the first row.
        values: one a row.
        convert: from a value to what is returned of it.
        what: the values are, for messages.

    Raises:
        ZooError: a value cannot be converted; the message names its row.
    """
    converted: list[T] = []
    for value in values:
        try:
            converted.append(convert(value))
        except (TypeError, ValueError) as error:
            raise ZooError(f"{file}: row {first + len(converted)}: {what}: {error}.") from error
    return converted


def split_columns(columns: Columns, values: list[T]) -> tuple[list[T], list[T]]:
    """Return the values of the input columns, and those of the label columns."""
    return values[: len(columns.inputs)], values[len(columns.inputs) :]


def labels_of(
    file: str, first: int, columns: Columns, values: Sequence[Iterable[Any]]
) -> list[str | None] | None:
    """Return the labels of consecutive rows; None where none are read.

    Args:
        file: named in errors.
        first: number of the first row.
        columns: of the table.
        values: of each of its label columns, one a row.

    Raises:
        ZooError: a value is no label; the message names its row.
    """
    if columns.flags:
        return flagged_labels(file, first, columns.flags, [list(column) for column in values])
    if columns.label is None:
        return None
    return convert_values(file, first, values[0], to_label, f"'{columns.label}'")


def flagged_labels(
    file: str, first: int, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> list[str | None]:
    """Return the labels of consecutive rows from columns of 0 and 1.

    Args:
        file: named in errors.
        first: number of the first row.
        names: of the columns, which are the labels.
        columns: the values of each, one a row.

    Returns:
        The text of the labels whose column is 1; None of a row whose columns are all empty.

    Raises:
        ZooError: a value is neither 0 nor 1; the message names its row and column.
    """
    flags = [
        [_flag(file, first + row, name, value) for row, value in enumerate(values)]
        for name, values in zip(names, columns, strict=True)
    ]
    labels: list[str | None] = []
    for row, values in enumerate(zip(*flags, strict=True)):
        empty = [name for name, value in zip(names, values, strict=True) if value is None]
        if empty and len(empty) < len(names):
            raise ZooError(
                f"{file}: row {first + row}: '{empty[0]}' is empty, and other labels are not. "
                "Write 0 or 1."
            )
        chosen = (name for name, value in zip(names, values, strict=True) if value)
        labels.append(None if empty else set_text(chosen))
    return labels


def _flag(file: str, row: int, name: str, value: Any) -> bool | None:
    with contextlib.suppress(TypeError, ValueError):  # neither text nor number
        text = to_text(str(value) if isinstance(value, bool) else value).strip().lower()
        if text in FLAGS:
            return FLAGS[text]
    raise ZooError(
        f"{file}: row {row}: '{name}' must be 0 or 1, as one of several columns of labels. "
        f"Received: {value!r:.80}. Name the column of labels with --label."
    )


def inputs_of(columns: Columns, values: Sequence[list[Any]]) -> list[Any]:
    """Return the inputs of consecutive rows: of one column, of several joined, or pairs.

    Args:
        columns: of the table.
        values: of each of its input columns, one a row.
    """
    if columns.pair:
        return [pair_text(*texts) for texts in zip(*values, strict=True)]
    if len(values) > 1:
        return [join_columns(texts) for texts in zip(*values, strict=True)]
    return values[0]


def to_pair(value: Any) -> str:
    """Return a tuple or list of two texts as one (`zoo.text.pairs`).

    Raises:
        TypeError: it is no such thing.
        ValueError: bytes that are not UTF-8.
    """
    texts = value_pair(value)
    if texts is None:
        raise TypeError(
            f"a pair of texts was expected. Received {type(value).__name__}: {value!r:.80}"
        )
    return pair_text(*map(to_text, texts))


def join_columns(values: Iterable[str]) -> str:
    """Return the input columns of a row as one string; empty ones are left out."""
    return " ".join(value for value in values if value)


def _missing(value: Any) -> bool:
    # pandas' missing values are neither None nor NaN; their class cannot be named without pandas
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)
