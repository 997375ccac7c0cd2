"""What a column of a table is, by its name and its first values."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from zoo.data.listing import SUFFIXES
from zoo.errors import did_you_mean

# The first of each is taken even where others are there; of the others only one may be.
TEXT_NAMES = (
    "text", "texts", "sentence", "review", "content", "message", "title", "comment", "question",
    "document", "body", "tweet", "headline", "description", "utterance", "query", "sms", "email",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "sentiment", "tag", "intent", "topic", "y",
    "rating", "stars", "gold", "output",
)  # fmt: skip
# What numbers rows and says nothing of them.
ID_NAMES = (
    "", "#", "id", "ids", "index", "idx", "key", "uid", "uuid", "guid", "row", "rowid", "number",
    "num", "no", "nr",
)  # fmt: skip
# What may say the part of each row; `fold` comes last: it mostly holds numbers.
PART_NAMES = ("split", "partition", "subset", "set", "fold")
FIRST_VALUES = 100  # of a column, that are looked at
LONGEST_NAME = 40  # characters: no column name has more, but a text
MOST_WORDS = 5  # of a column name
NAMED = 20  # names in a message
NAMED_CHARACTERS = 60  # of each
ONE = "pandas: frame[['a', 'b']].idxmax(axis=1)"


@dataclasses.dataclass(frozen=True)
class Look:
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


def look_at(name: str, values: Iterable[Any]) -> Look:
    """Return what some values of a column are; missing ones (None, empty) do not count."""
    found = [value for value in values if value is not None and value != ""]
    fields = dict.fromkeys(str(key) for value in found if isinstance(value, dict) for key in value)
    if any(isinstance(value, list | tuple | dict) for value in found):
        return Look("nested", fields=tuple(fields))
    if not found or not all(_is_number(value) for value in found):
        images = bool(found) and all(str(each).strip().lower().endswith(SUFFIXES) for each in found)
        return Look("text", holds_name=name in found, images=images)
    flags = {str(value).strip().lower() for value in found} <= {"0", "1", "true", "false"}
    return Look("flag" if flags else "number", holds_name=name in found)


def numbers_rows(name: str) -> bool:
    """Whether a name says that a column numbers the rows: `id`, `review_id`, `Unnamed: 0`.

    A class may be numbered as well: `label_id` does not.
    """
    plain = name.strip().lower()
    if plain in ID_NAMES or plain.startswith(("unnamed:", "__index_level")):
        return True
    ends = re.search(r"[^a-z]id$", plain) or re.search(r"[a-z]I[dD]$", name.strip())
    return bool(ends) and not plain.startswith(LABEL_NAMES)


def are_measured(labels: Iterable[str]) -> bool:
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


def regression(labels: Iterable[str]) -> str:
    """Return words, with a space before them, for labels that are real numbers; else nothing."""
    if not are_measured(labels):
        return ""
    return " The labels look like numbers: regression is not supported."


def quoted(names: Iterable[str]) -> str:
    """Return names in quotation marks, separated by commas: the first of many, each cut if long."""
    listed = [str(name) for name in names]
    shown = ", ".join(
        f"'{name[:NAMED_CHARACTERS]}{'...' if len(name) > NAMED_CHARACTERS else ''}'"
        for name in listed[:NAMED]
    )
    more = len(listed) - NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def not_there(where: str, names: Sequence[str], name: str) -> str:
    """Return the message for a column that was asked for and is not there."""
    near = did_you_mean(name[:LONGEST_NAME], names)
    message = f"{where}: no column '{name}'.{near} Columns: {quoted(names)}."
    parts = [part.strip() for part in name.split(",")]
    if len(parts) > 1 and all(part in names for part in parts):
        return f"{message} One column holds the label: columns of 0 and 1 are made one with {ONE}."
    return message


def not_told(where: str, names: Sequence[str], what: str, looks: Mapping[str, Look]) -> str:
    """Return the message for a table in which nothing says which column is the text or the label.

    Args:
        where: the table.
        names: its columns.
        what: `label`, or what the texts are.
        looks: what the first values of the columns are, where it is known.
    """
    message = f"{where}: which column is the {what}? Columns: {quoted(names)}. "
    option = "--label" if what == "label" else "--text"
    if all(name.isdigit() for name in names):
        return (
            f"{message}They have numbers for names, as without a header: call them text and label, "
            "or name them with --text and --label."
        )
    if is_headless(names, looks):
        header = "path,label" if what == "path" else "text,label"
        return f"{message}The first line looks like data: put a header such as {header} above it."
    images = [name for name in names if name in looks and looks[name].images]
    if images and what == "text":
        return (
            f"{message}{quoted(images)} holds images or paths of images: for those, zoo train "
            "resnet, and zoo data with --preset resnet/default."
        )
    flags = [name for name in names if name in looks and looks[name].kind == "flag"]
    if what == "label" and len(flags) > 1:
        return (
            f"{message}{quoted(flags)} hold 0 and 1, one column a class. One column with the label "
            f"is read: make it with {ONE}. Several labels a row are not supported."
        )
    fields = [f"{name}.{field}" for name in names if name in looks for field in looks[name].fields]
    if fields:
        return (
            f"{message}Nested fields ({quoted(fields)}) are not read: write them as columns of "
            "their own, such as pandas.json_normalize does."
        )
    numbering = [name for name in names if numbers_rows(name)]
    hint = f" ({quoted(numbering)} numbers the rows.)" if len(numbering) == 1 else ""
    return f"{message}Name it with {option}.{hint}"


def is_headless(names: Sequence[str], looks: Mapping[str, Look]) -> bool:
    """Whether what stands for the names of a table is rather its first row."""
    return any(
        len(name) > LONGEST_NAME
        or len(name.split()) > MOST_WORDS
        or (bool(name.strip()) and _is_number(name))
        or (name in looks and looks[name].holds_name)
        for name in names
    )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return str(value).strip().lower() in ("true", "false")
    return True
