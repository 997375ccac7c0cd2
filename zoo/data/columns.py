"""Columns of a table: which hold inputs, labels and parts, by their names and first values."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from zoo.data.paths import IMAGES

# The first of each is taken even if the table has others; of the others only one may be there.
TEXT_NAMES = (
    "text", "texts", "sentence", "review", "content", "message", "title", "comment", "question",
    "document", "body", "tweet", "headline", "description", "utterance", "query", "sms", "email",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "sentiment", "tag", "intent", "topic", "y",
    "rating", "stars", "gold", "output",
)  # fmt: skip
# Columns that hold the two texts of a pair, and that no single text has for a name.
PAIR_NAMES = (
    ("sentence1", "sentence2"), ("sentence_a", "sentence_b"), ("text_a", "text_b"),
    ("text1", "text2"), ("sent1", "sent2"), ("question1", "question2"), ("premise", "hypothesis"),
)  # fmt: skip
# Columns that number the rows and hold nothing to learn from.
ID_NAMES = (
    "", "#", "id", "ids", "index", "idx", "key", "uid", "uuid", "guid", "row", "rowid", "number",
    "num", "no", "nr",
)  # fmt: skip
# Columns that may hold the part of each row; `fold` comes last: it mostly holds numbers.
PART_NAMES = ("split", "partition", "subset", "set", "fold")
FIRST_VALUES = 100  # of a column, that are summarized
LONGEST_NAME = 40  # characters: no column name has more, but a text
MOST_WORDS = 5  # of a column name
NAMED = 20  # names in a message
NAMED_CHARACTERS = 60  # of each


@dataclasses.dataclass(frozen=True)
class ColumnSummary:
    """What the first values of a column are.

    Args:
        kind: `text`; `number`; `flag`, where all are 0 or 1; `nested`, where one is a list or an
            object.
        holds_name: whether the column's name is among its own values: then it is no name.
        images: whether all are images, or names of image files.
        fields: names of the fields of nested objects.
    """

    kind: Literal["text", "number", "flag", "nested"] = "text"
    holds_name: bool = False
    images: bool = False
    fields: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ColumnRequest:
    """Which columns a caller asks for, and what to do where none are named.

    Args:
        inputs: the input column, several separated by commas, or a tuple of them; None finds it by
            name.
        label: the label column, or several of 0 and 1, a label each, separated by commas or in a
            tuple; None finds it by name.
        labelled: whether labels are needed.
        input_names: what the input column may be called.
        kind: what the input column holds, for messages: `text` or `path`.
        trained: columns that a run was trained with, read where none are named.
        texts: whether a row has `one` text, joined of several columns, or a `pair` of two; `auto`
            is a pair where two columns are named so.
        convert: from a value of an Arrow column to an input; None is `zoo.data.rows.to_text`.
    """

    inputs: str | tuple[str, ...] | None = None
    label: str | tuple[str, ...] | None = None
    labelled: bool = True
    input_names: tuple[str, ...] = TEXT_NAMES
    kind: str = "text"
    trained: Columns | None = None
    texts: str = "one"
    convert: Callable[[Any], Any] | None = None


UNLABELLED = ColumnRequest(labelled=False)


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of a table are read, and which are not.

    Args:
        inputs: the input columns.
        label: the label column; None if none is needed, or where `flags` hold the labels.
        unread: the others.
        part: one of those that may hold the part of each row: train, validation or test.
        flags: columns of 0 and 1, each of which says whether a row has the label of its name.
        pair: whether the two input columns are a pair of texts, not one text in two columns.
    """

    inputs: tuple[str, ...]
    label: str | None
    unread: tuple[str, ...] = ()
    part: str | None = None
    flags: tuple[str, ...] = ()
    pair: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of labels: one, several of 0 and 1, or none."""
        return self.flags if self.label is None else (self.label,)

    @property
    def names(self) -> list[str]:
        """The columns that are needed: inputs, then labels and part where there are."""
        return [*self.inputs, *self.labels, *([] if self.part is None else [self.part])]

    def to_dict(self) -> dict[str, Any]:
        """Return the columns that are read as JSON types; several of labels are a list."""
        document = {"text": list(self.inputs), "label": list(self.flags) or self.label}
        return document | ({"pair": True} if self.pair else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Columns:
        """Return the columns of `to_dict`."""
        label = document["label"]
        flags = tuple(label) if isinstance(label, list) else ()
        pair = bool(document.get("pair", False))  # older runs do not say
        return cls(tuple(document["text"]), None if flags else label, flags=flags, pair=pair)


def summarize(name: str, values: Iterable[Any]) -> ColumnSummary:
    """Return what some values of a column are; missing ones (None, empty) do not count."""
    values = [value for value in values if value is not None and value != ""]
    fields = dict.fromkeys(str(key) for value in values if isinstance(value, dict) for key in value)
    if any(isinstance(value, list | tuple | dict) for value in values):
        return ColumnSummary("nested", fields=tuple(fields))
    if not values or not all(is_number(value) for value in values):
        endings = (str(value).strip().lower().endswith(IMAGES) for value in values)
        return ColumnSummary(
            "text", holds_name=name in values, images=bool(values) and all(endings)
        )
    flags = {str(value).strip().lower() for value in values} <= {"0", "1", "true", "false"}
    return ColumnSummary("flag" if flags else "number", holds_name=name in values)


def is_row_number(name: str) -> bool:
    """Whether a name says that a column numbers the rows: `id`, `review_id`, `Unnamed: 0`.

    A class may be numbered as well: `label_id` does not.
    """
    plain = name.strip().lower()
    if plain in ID_NAMES or plain.startswith(("unnamed:", "__index_level")):
        return True
    ends = re.search(r"[^a-z]id$", plain) or re.search(r"[a-z]I[dD]$", name.strip())
    return bool(ends) and not plain.startswith(LABEL_NAMES)


def are_real_numbers(labels: Iterable[str]) -> bool:
    """Whether labels are real numbers, some of them with a fraction."""
    fraction = False
    for label in labels:
        try:
            value = float(label)
        except ValueError:
            return False
        if not math.isfinite(value):
            return False
        fraction = fraction or value != int(value)
    return fraction


def regression_hint(labels: Iterable[str]) -> str:
    """Return words, with a space before them, for labels that are real numbers; else nothing."""
    if not are_real_numbers(labels):
        return ""
    return " The labels look like numbers: regression is not supported."


def quoted(names: Iterable[str]) -> str:
    """Return names in quotation marks, separated by commas: the first of many, each cut if long."""
    names = [str(name) for name in names]
    shown = ", ".join(
        f"'{name[:NAMED_CHARACTERS]}{'...' if len(name) > NAMED_CHARACTERS else ''}'"
        for name in names[:NAMED]
    )
    more = len(names) - NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def is_number(value: Any) -> bool:
    """Whether a value is a number, or the text of one or of a bool."""
    try:
        float(value)
    except (TypeError, ValueError):
        return str(value).strip().lower() in ("true", "false")
    return True
