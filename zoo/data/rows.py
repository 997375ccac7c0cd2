"""Rows of text and label, and which columns of a table they come from. No files."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from zoo.data.columns import (
    LABEL_NAMES,
    PART_NAMES,
    TEXT_NAMES,
    Look,
    is_headless,
    not_there,
    not_told,
    numbers_rows,
)
from zoo.data.columns import quoted as quoted
from zoo.errors import ZooError, did_you_mean
from zoo.finding import Finding

BATCH_ROWS = 8192

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some consecutive rows of one file, numbered from 1; a header is not a row.

    Args:
        file: named in messages.
        first: number of the first row.
        texts: the texts.
        labels: None where a row has no label; None as a whole where no label was asked for.
        columns: of the table that the rows come from, if it has any.
        noted: numbers of rows that seem to be read wrongly, by what is wrong with them; the words
            for it are in `zoo.data.checks`.
        parts: what a column of the table says of each row's part; None without one.
        findings: what there is to say of the source, with its first rows.
        untyped: whether labels are text because the file has no types, as CSV has none.
    """

    file: str
    first: int
    texts: list[str]
    labels: list[str | None] | None
    columns: Columns | None = None
    noted: Mapping[str, Sequence[int]] = dataclasses.field(default_factory=dict)
    parts: list[str] | None = None
    findings: tuple[Finding, ...] = ()
    untyped: bool = False


@dataclasses.dataclass(frozen=True)
class ColumnRequest:
    """What a caller asked for: names of the columns or None, and whether labels are needed.

    `names` are what the text column may be called, and `kind` is what it holds: text, or a path.
    `trained` are the columns that a run was trained with: they are read where none are asked for.
    `convert` makes a text of a value of an Arrow column, if it is not `text_of`.
    """

    text: str | tuple[str, ...] | None = None
    label: str | None = None
    labelled: bool = True
    names: tuple[str, ...] = TEXT_NAMES
    kind: str = "text"
    trained: Columns | None = None
    convert: Callable[[Any], str] | None = None


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of a table are read, and which are not; `label` is None if none is wanted.

    `part` is one of those not read that may say the part of each row: train, validation or test.
    """

    texts: tuple[str, ...]
    label: str | None
    unread: tuple[str, ...] = ()
    part: str | None = None

    @property
    def names(self) -> list[str]:
        """All columns that are needed: of texts, then label and part where there are."""
        return [*self.texts, *(name for name in (self.label, self.part) if name is not None)]

    def to_dict(self) -> dict[str, Any]:
        """Return the columns that are read as JSON types."""
        return {"text": list(self.texts), "label": self.label}


def choose_columns(
    where: str,
    names: Sequence[str],
    wanted: ColumnRequest,
    looks: Mapping[str, Look] | None = None,
) -> Columns:
    """Return the columns asked for, or those whose names say what they are.

    Where no name says so, the one column that is left is taken: as the label, if it does not number
    the rows; as the text, if it is the only one that holds texts.

    Args:
        where: the table, named in errors.
        names: all columns.
        wanted: what was asked for.
        looks: what the first values of the columns are, where it is known.

    Raises:
        ZooError: no such column, none whose name says so, or several.
    """
    looks = looks or {}
    wanted = _as_trained(where, names, wanted, looks)
    texts = _asked_texts(where, names, wanted.text)
    label = wanted.label if wanted.labelled else None
    if label is not None:
        label = _there(where, names, label)
    elif wanted.labelled:
        label = _by_name(where, names, LABEL_NAMES, texts, "label")
    part = _part(names, [*texts, label])
    if not texts:
        texts = _texts(where, names, wanted, label, looks)
    if texts and wanted.labelled and label is None:
        rest = [name for name in names if name not in (*texts, part)]
        if len(rest) == 1 and not numbers_rows(rest[0]):
            label = rest[0]
    if not texts or (wanted.labelled and label is None):
        raise ZooError(not_told(where, names, "label" if texts else wanted.kind, looks))
    if label in texts:
        raise ZooError(f"{where}: column '{label}' cannot be both text and label.")
    read = [*texts, *([label] if label is not None else [])]
    for name in read:
        if list(names).count(name) > 1:
            raise ZooError(f"{where}: the header names '{name}' twice. Rename one.")
    unread = tuple(name for name in names if name not in read)
    return Columns(texts, label, unread, part if part in unread else None)


def label_text(value: Any) -> str | None:
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
    return mended(text_of(value)).strip() or None


def text_of(value: Any) -> str:
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


def mended(text: str) -> str:
    """Return a text with every half of a surrogate pair replaced: it has no form in UTF-8."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def converted(
    file: str, first: int, values: Iterable[Any], convert: Callable[[Any], T], what: str = "text"
) -> list[T]:
    """Return the converted values of consecutive rows.

    Raises:
        ZooError: a value cannot be converted; the message names its row.
    """
    found: list[T] = []
    for value in values:
        try:
            found.append(convert(value))
        except (TypeError, ValueError) as error:
            raise ZooError(f"{file}: row {first + len(found)}: {what}: {error}.") from error
    return found


def joined(parts: Iterable[str]) -> str:
    """Return the text columns of a row as one text; empty ones are left out."""
    return " ".join(part for part in parts if part)


def _missing(value: Any) -> bool:
    # pandas' missing values are neither None nor NaN; their class cannot be named without pandas
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _as_trained(
    where: str, names: Sequence[str], wanted: ColumnRequest, looks: Mapping[str, Look]
) -> ColumnRequest:
    """Return what is wanted, with the columns of the run where none are asked for."""
    if wanted.trained is None:
        return wanted
    text, label = wanted.text, wanted.label
    if text is None:
        texts = wanted.trained.texts
        text = tuple(_trained(where, names, name, wanted.kind, looks) for name in texts)
    if label is None and wanted.labelled and wanted.trained.label is not None:
        label = _trained(where, names, wanted.trained.label, "label", looks)
    return dataclasses.replace(wanted, text=text, label=label)


def _trained(
    where: str, names: Sequence[str], name: str, what: str, looks: Mapping[str, Look]
) -> str:
    """Return the column of a name that a run was trained with, however its case is written."""
    alike = [each for each in names if each.strip().lower() == name.strip().lower()]
    if name in names or len(alike) == 1:
        return name if name in names else alike[0]
    if is_headless(names, looks):
        raise ZooError(not_told(where, names, what, looks))
    raise ZooError(
        f"{where}: no column '{name}': the run was trained with the {what} column '{name}'."
        f"{did_you_mean(name, names)} Columns here: {quoted(names)}. Name another with "
        f"--{'label' if what == 'label' else 'text'}."
    )


def _asked_texts(
    where: str, names: Sequence[str], text: str | tuple[str, ...] | None
) -> tuple[str, ...]:
    if text is None:
        return ()
    if isinstance(text, str):
        text = (text,) if text in names else tuple(part.strip() for part in text.split(","))
    return tuple(_there(where, names, name) for name in text)


def _there(where: str, names: Sequence[str], name: str) -> str:
    """Return the column of a name; a blank beside it in the header does not count."""
    if name in names:
        return name
    found = [each for each in names if each.strip() == name.strip()]
    if not found:
        raise ZooError(not_there(where, names, name))
    return found[0]


def _texts(
    where: str,
    names: Sequence[str],
    wanted: ColumnRequest,
    label: str | None,
    looks: Mapping[str, Look],
) -> tuple[str, ...]:
    """Return the text column that a name says, or the only one that can be it; else nothing."""
    taken: tuple[str, ...] = () if label is None else (label,)
    named = _by_name(where, names, wanted.names, taken, wanted.kind)
    if named is not None:
        return (named,)
    if not wanted.labelled:
        taken = tuple(name for name in names if name.strip().lower() in LABEL_NAMES)
    if not taken and is_headless(names, looks):
        return ()
    rest = [
        name
        for name in names
        if name not in taken
        and name.strip().lower() not in PART_NAMES
        and not numbers_rows(name)
        and (name not in looks or looks[name].kind == "text")
    ]
    return (rest[0],) if len(rest) == 1 else ()


def _part(names: Sequence[str], taken: Sequence[str | None]) -> str | None:
    """Return the column that may say the part of each row, if there is one."""
    lowered = {name.strip().lower(): name for name in names if name not in taken}
    found = (lowered[name] for name in PART_NAMES if name in lowered)
    return next((name for name in found if list(names).count(name) == 1), None)


def _by_name(
    where: str, names: Sequence[str], known: Sequence[str], taken: Iterable[str], what: str
) -> str | None:
    lowered = {name.strip().lower(): name for name in names if name not in tuple(taken)}
    found = [lowered[name] for name in known if name in lowered]
    if len(found) > 1 and known[0] not in lowered:
        several = f" (several are joined: --text {','.join(found)})" if what == "text" else ""
        option = "--label" if what == "label" else "--text"
        raise ZooError(
            f"{where}: which column is the {what}: {quoted(found)}? Name it with {option}{several}."
        )
    return found[0] if found else None
