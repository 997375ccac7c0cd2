"""Rows of text and label, and which columns of a table they come from. No files."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from zoo.errors import ZooError, did_you_mean

# The first of each is taken even where others are there; of the others only one may be.
TEXT_NAMES = (
    "text", "texts", "sentence", "review", "content", "message", "title", "comment", "question",
    "document", "body", "tweet", "headline", "description", "utterance", "query", "sms", "email",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "sentiment", "tag", "intent", "topic", "y",
    "rating", "stars", "gold", "output",
)  # fmt: skip
BATCH_ROWS = 8192
LOOKS_LIKE_DATA = 40  # characters that no column name has, but a text

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some consecutive rows of one file, numbered from 1; a header is not a row.

    Args:
        file: named in messages.
        first: number of the first row.
        texts: the texts.
        labels: None where a row has no label; None as a whole where no label was asked for.
        unread: columns of the table that are neither text nor label.
        swallowed: numbers of rows whose text seems to hold other rows.
    """

    file: str
    first: int
    texts: list[str]
    labels: list[str | None] | None
    unread: tuple[str, ...] = ()
    swallowed: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a caller asked for: names of the columns or None, and whether labels are needed.

    `names` are what the text column may be called, and `kind` is what it holds: text, or a path.
    """

    text: str | None = None
    label: str | None = None
    labelled: bool = True
    names: tuple[str, ...] = TEXT_NAMES
    kind: str = "text"


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of a table are read; `label` is None when none is wanted."""

    texts: tuple[str, ...]
    label: str | None
    unread: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """All columns that are read, the label last."""
        return [*self.texts, *([self.label] if self.label is not None else [])]


def choose_columns(
    where: str, names: Sequence[str], wanted: Wanted, strings: Sequence[str] | None = None
) -> Columns:
    """Return the columns asked for, or those whose names say what they are.

    Args:
        where: the table, named in errors.
        names: all columns.
        wanted: what was asked for.
        strings: the columns that hold strings, where the table says so.

    Raises:
        ZooError: no such column, none whose name says so, or several.
    """
    texts = _asked_texts(where, names, wanted.text)
    label = wanted.label if wanted.labelled else None
    if label is not None:
        _check_there(where, names, label)
    elif wanted.labelled:
        label = _by_name(where, names, LABEL_NAMES, texts, "label")
    if not texts:
        taken = () if label is None else (label,)
        named = _by_name(where, names, wanted.names, taken, wanted.kind)
        rest = [name for name in (strings or names) if name not in taken]
        if named is None and len(rest) == 1:
            named = rest[0]
        texts = () if named is None else (named,)
    if texts and wanted.labelled and label is None:
        rest = [name for name in names if name not in texts]
        label = rest[0] if len(rest) == 1 else None
    if not texts or (wanted.labelled and label is None):
        raise ZooError(_not_found(where, names, "label" if texts else wanted.kind))
    if label in texts:
        raise ZooError(f"{where}: column '{label}' cannot be both text and label.")
    read = [*texts, *([label] if label is not None else [])]
    for name in read:
        if list(names).count(name) > 1:
            raise ZooError(f"{where}: the header names '{name}' twice. Rename one.")
    return Columns(texts, label, tuple(name for name in names if name not in read))


def label_text(value: Any) -> str | None:
    """Return a label as text; None for a missing one (null, NaN, or nothing but space).

    Raises:
        TypeError: the value is neither a string nor a number.
        ValueError: bytes that are not UTF-8.
    """
    if isinstance(value, np.generic):
        value = value.item()
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


def quoted(names: Iterable[str]) -> str:
    """Return names in quotation marks, separated by commas."""
    return ", ".join(f"'{name}'" for name in names)


def _missing(value: Any) -> bool:
    # pandas' missing values are neither None nor NaN; their class cannot be named without pandas
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _asked_texts(where: str, names: Sequence[str], text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    texts = (text,) if text in names else tuple(part.strip() for part in text.split(","))
    for name in texts:
        _check_there(where, names, name)
    return texts


def _check_there(where: str, names: Sequence[str], name: str) -> None:
    if name not in names:
        raise ZooError(
            f"{where}: no column '{name}'.{did_you_mean(name, names)} Columns: {quoted(names)}."
        )


def _by_name(
    where: str, names: Sequence[str], known: Sequence[str], taken: Iterable[str], what: str
) -> str | None:
    lowered = {name.strip().lower(): name for name in names if name not in tuple(taken)}
    found = [lowered[name] for name in known if name in lowered]
    if len(found) > 1 and known[0] not in lowered:
        several = f" (several are joined: --text {','.join(found)})" if what == "text" else ""
        raise ZooError(
            f"{where}: which column is the {what}: {quoted(found)}? Name it with "
            f"{_option(what)}{several}."
        )
    return found[0] if found else None


def _not_found(where: str, names: Sequence[str], what: str) -> str:
    message = f"{where}: which column is the {what}? Columns: {quoted(n[:60] for n in names)}. "
    if len(names) == 1 and any(mark in names[0] for mark in ";|\t"):
        return f"{message}The fields must be separated by commas, or by tabs in a .tsv file."
    if any(len(name) > LOOKS_LIKE_DATA or name.strip().isdigit() for name in names):
        return f"{message}The first line looks like data: put a header such as text,label above it."
    return f"{message}Name it with {_option(what)}."


def _option(what: str) -> str:
    return "--label" if what == "label" else "--text"
