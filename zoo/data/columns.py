"""Columns of a table: which hold inputs, labels and parts, by their names and first values."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from zoo.data.paths import IMAGES
from zoo.errors import ZooError, did_you_mean

# The first of each is taken even if the table has others; of the others only one may be there.
TEXT_NAMES = (
    "text", "texts", "sentence", "review", "content", "message", "title", "comment", "question",
    "document", "body", "tweet", "headline", "description", "utterance", "query", "sms", "email",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "sentiment", "tag", "intent", "topic", "y",
    "rating", "stars", "gold", "output",
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
        convert: from a value of an Arrow column to an input; None is `zoo.data.rows.to_text`.
    """

    inputs: str | tuple[str, ...] | None = None
    label: str | tuple[str, ...] | None = None
    labelled: bool = True
    input_names: tuple[str, ...] = TEXT_NAMES
    kind: str = "text"
    trained: Columns | None = None
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
    """

    inputs: tuple[str, ...]
    label: str | None
    unread: tuple[str, ...] = ()
    part: str | None = None
    flags: tuple[str, ...] = ()

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
        return {"text": list(self.inputs), "label": list(self.flags) or self.label}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Columns:
        """Return the columns of `to_dict`."""
        label = document["label"]
        flags = tuple(label) if isinstance(label, list) else ()
        return cls(tuple(document["text"]), None if flags else label, flags=flags)


def choose_columns(
    where: str,
    names: Sequence[str],
    request: ColumnRequest,
    summaries: Mapping[str, ColumnSummary] | None = None,
) -> Columns:
    """Return the columns asked for, or those whose names say what they are.

    Where no name says so, the one column that is left is taken: as the label, if it does not number
    the rows; as the input, if it is the only one that holds texts. Several columns of 0 and 1 are
    labels, where nothing else is.

    Args:
        where: the table, named in errors.
        names: all columns.
        request: which are asked for.
        summaries: what the first values of the columns are, where it is known.

    Raises:
        ZooError: no such column, none whose name says so, or several.
    """
    header = _Header(where, names, summaries or {})
    request = header.with_trained(request)
    inputs = header.asked_inputs(request)
    labels = header.asked_labels(request)
    if request.labelled and not labels:
        named = header.by_name(LABEL_NAMES, inputs, "label")
        labels = () if named is None else (named,)
    part = header.part_column([*inputs, *labels])
    if not inputs:
        inputs = header.guessed_inputs(request, labels)
    if inputs and request.labelled and not labels:
        labels = header.guessed_labels([name for name in names if name not in (*inputs, part)])
    if not inputs or (request.labelled and not labels):
        raise ZooError(header.unclear("label" if inputs else request.kind))
    for name in labels:
        if name in inputs:
            raise ZooError(f"{where}: column '{name}' cannot be both text and label.")
    read = [*inputs, *labels]
    for name in read:
        if list(names).count(name) > 1:
            raise ZooError(f"{where}: the header names '{name}' twice. Rename one.")
    unread = tuple(name for name in names if name not in read)
    part = part if part in unread else None
    if len(labels) > 1:
        return Columns(inputs, None, unread, part, flags=labels)
    return Columns(inputs, labels[0] if labels else None, unread, part)


def summarize(name: str, values: Iterable[Any]) -> ColumnSummary:
    """Return what some values of a column are; missing ones (None, empty) do not count."""
    values = [value for value in values if value is not None and value != ""]
    fields = dict.fromkeys(str(key) for value in values if isinstance(value, dict) for key in value)
    if any(isinstance(value, list | tuple | dict) for value in values):
        return ColumnSummary("nested", fields=tuple(fields))
    if not values or not all(_is_number(value) for value in values):
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


@dataclasses.dataclass(frozen=True)
class _Header:
    """The columns of a table, and what their first values are, where it is known."""

    where: str
    names: Sequence[str]
    summaries: Mapping[str, ColumnSummary]

    def with_trained(self, request: ColumnRequest) -> ColumnRequest:
        """Return the request with the columns of the run where it names none."""
        trained = request.trained
        if trained is None:
            return request
        inputs, label = request.inputs, request.label
        if inputs is None:
            inputs = tuple(self._trained_name(name, request.kind) for name in trained.inputs)
        if label is None and request.labelled and trained.labels:
            label = tuple(self._trained_name(name, "label") for name in trained.labels)
        return dataclasses.replace(request, inputs=inputs, label=label)

    def _trained_name(self, name: str, kind: str) -> str:
        """Return the column of a name that a run was trained with, however its case is written."""
        alike = [other for other in self.names if other.strip().lower() == name.strip().lower()]
        if name in self.names or len(alike) == 1:
            return name if name in self.names else alike[0]
        if self.is_missing():
            raise ZooError(self.unclear(kind))
        raise ZooError(
            f"{self.where}: no column '{name}': the run was trained with the {kind} column "
            f"'{name}'.{did_you_mean(name, self.names)} Columns here: {quoted(self.names)}. Name "
            f"another with --{'label' if kind == 'label' else 'text'}."
        )

    def asked_inputs(self, request: ColumnRequest) -> tuple[str, ...]:
        """Return the input columns that are named; several of text are separated by commas."""
        inputs = request.inputs
        if inputs is None:
            return ()
        if isinstance(inputs, str):
            several = tuple(name.strip() for name in inputs.split(","))
            inputs = (inputs,) if inputs in self.names else several
        if request.kind == "path" and len(inputs) > 1:
            raise ZooError(
                f"{self.where}: images are read from one column. Received: {quoted(inputs)}. Name "
                "one with --text."
            )
        return tuple(map(self.exact_name, inputs))

    def asked_labels(self, request: ColumnRequest) -> tuple[str, ...]:
        """Return the label columns that are named; several are separated by commas."""
        label = request.label
        if label is None or not request.labelled:
            return ()
        if isinstance(label, str):
            several = tuple(name.strip() for name in label.split(","))
            label = several if set(several) <= set(self.names) else (label,)
        return tuple(map(self.exact_name, label))

    def guessed_labels(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the only one of some columns, or those that hold 0 and 1 if several do."""
        if len(names) == 1:
            return () if is_row_number(names[0]) else (names[0],)
        known = [name for name in names if name in self.summaries and not is_row_number(name)]
        flags = tuple(name for name in known if self.summaries[name].kind == "flag")
        return flags if len(flags) > 1 else ()

    def exact_name(self, name: str) -> str:
        """Return the column of a name; a blank beside it in the header does not count."""
        if name in self.names:
            return name
        alike = [other for other in self.names if other.strip() == name.strip()]
        if alike:
            return alike[0]
        near = did_you_mean(name[:LONGEST_NAME], self.names)
        raise ZooError(f"{self.where}: no column '{name}'.{near} Columns: {quoted(self.names)}.")

    def by_name(self, known: Sequence[str], taken: Iterable[str], kind: str) -> str | None:
        """Return the column whose name is among those known, without the columns taken."""
        lowered = {name.strip().lower(): name for name in self.names if name not in tuple(taken)}
        candidates = [lowered[name] for name in known if name in lowered]
        if len(candidates) > 1 and known[0] not in lowered:
            option = "--label" if kind == "label" else "--text"
            joined = f" (several are joined: --text {','.join(candidates)})"
            raise ZooError(
                f"{self.where}: which column is the {kind}: {quoted(candidates)}? Name it with "
                f"{option}{joined if kind == 'text' else ''}."
            )
        return candidates[0] if candidates else None

    def part_column(self, taken: Sequence[str | None]) -> str | None:
        """Return the column that may hold the part of each row, if there is one."""
        lowered = {name.strip().lower(): name for name in self.names if name not in taken}
        candidates = (lowered[name] for name in PART_NAMES if name in lowered)
        return next((name for name in candidates if list(self.names).count(name) == 1), None)

    def guessed_inputs(self, request: ColumnRequest, taken: tuple[str, ...]) -> tuple[str, ...]:
        """Return the input column that a name says, or the only one that can be it, if any."""
        named = self.by_name(request.input_names, taken, request.kind)
        if named is not None:
            return (named,)
        if not request.labelled:
            taken = tuple(name for name in self.names if name.strip().lower() in LABEL_NAMES)
        if not taken and self.is_missing():
            return ()
        rest = [
            name
            for name in self.names
            if name not in taken
            and name.strip().lower() not in PART_NAMES
            and not is_row_number(name)
            and (name not in self.summaries or self.summaries[name].kind == "text")
        ]
        return (rest[0],) if len(rest) == 1 else ()

    def is_missing(self) -> bool:
        """Whether what stands for the names of the table is rather its first row."""
        return any(
            len(name) > LONGEST_NAME
            or len(name.split()) > MOST_WORDS
            or (bool(name.strip()) and _is_number(name))
            or (name in self.summaries and self.summaries[name].holds_name)
            for name in self.names
        )

    def unclear(self, kind: str) -> str:
        """Return the message for a table in which nothing says which column is of a kind.

        Args:
            kind: `label`, or what the inputs are.
        """
        message = f"{self.where}: which column is the {kind}? Columns: {quoted(self.names)}. "
        if all(name.isdigit() for name in self.names):
            return (
                f"{message}They have numbers for names, as without a header: call them text and "
                "label, or name them with --text and --label."
            )
        if self.is_missing():
            header = "path,label" if kind == "path" else "text,label"
            return (
                f"{message}The first line looks like data: put a header such as {header} above it."
            )
        known = {name: self.summaries[name] for name in self.names if name in self.summaries}
        images = [name for name, summary in known.items() if summary.images]
        if images and kind == "text":
            return (
                f"{message}{quoted(images)} holds images or paths of images: for those, zoo train "
                "resnet, and zoo data with --preset resnet/default."
            )
        fields = [f"{name}.{field}" for name, summary in known.items() for field in summary.fields]
        if fields:
            return (
                f"{message}Nested fields ({quoted(fields)}) are not read: write them as columns of "
                "their own, such as pandas.json_normalize does."
            )
        row_numbers = [name for name in self.names if is_row_number(name)]
        hint = f" ({quoted(row_numbers)} numbers the rows.)" if len(row_numbers) == 1 else ""
        return f"{message}Name it with {'--label' if kind == 'label' else '--text'}.{hint}"


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return str(value).strip().lower() in ("true", "false")
    return True
