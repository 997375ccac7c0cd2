"""Rows of inputs and labels, and their values as strings."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from zoo.data.columns import Columns
from zoo.errors import ZooError
from zoo.finding import Finding

BATCH_ROWS = 8192

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some consecutive rows of one file, numbered from 1; a header is not a row.

    Args:
        file: named in messages.
        first: number of the first row.
        inputs: what each row holds: a text, the path of an image, or the bytes of its file.
        labels: None where a row has no label; None as a whole where no label was asked for.
        columns: of the table that the rows come from, if it has any.
        suspect: numbers of rows that seem to be read wrongly, by what is wrong with them; the words
            for it are in `zoo.data.checks`.
        parts: values of the column that holds each row's part; None without one.
        findings: on the source, with its first rows.
        untyped: whether labels are text because the file has no types, as CSV has none.
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


def to_label(value: Any) -> str | None:
    """Return a label as text; None for a missing one (null, NaN, or nothing but space).

    Raises:
        TypeError: the value is neither a string nor a number.
        ValueError: bytes that are not UTF-8.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple | set | np.ndarray):
        raise TypeError(
            f"several labels a row are not supported: give one. Received: {value!r:.80}"
        )
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


def join_columns(values: Iterable[str]) -> str:
    """Return the input columns of a row as one string; empty ones are left out."""
    return " ".join(value for value in values if value)


def _missing(value: Any) -> bool:
    # pandas' missing values are neither None nor NaN; their class cannot be named without pandas
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)
