"""The header of a table: which of its columns hold inputs, labels and parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from zoo.data.columns import (
    LABEL_NAMES,
    LONGEST_NAME,
    MOST_WORDS,
    PAIR_NAMES,
    PART_NAMES,
    TEXT_NAMES,
    ColumnRequest,
    Columns,
    ColumnSummary,
    is_number,
    is_row_number,
    quoted,
)
from zoo.errors import ZooError, did_you_mean


def choose_columns(
    where: str,
    names: Sequence[str],
    request: ColumnRequest,
    summaries: Mapping[str, ColumnSummary] | None = None,
) -> Columns:
    """Return the columns asked for, or those whose names say what they are.

    Two columns whose names say so are a pair of texts, where one is asked for or may be.

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
    inputs = header.asked_inputs(request) or header.named_pair(request)
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
    pair = header.is_pair(inputs, request)
    if len(labels) > 1:
        return Columns(inputs, None, unread, part, labels, pair)
    return Columns(inputs, labels[0] if labels else None, unread, part, pair=pair)


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
            request = dataclasses.replace(request, texts="pair" if trained.pair else "one")
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

    def named_pair(self, request: ColumnRequest) -> tuple[str, ...]:
        """Return the two columns whose names say that they are a pair of texts, if there are."""
        lowered = {name.strip().lower(): name for name in self.names}
        if request.texts == "one" or (request.texts == "auto" and TEXT_NAMES[0] in lowered):
            return ()
        pairs = (pair for pair in PAIR_NAMES if set(pair) <= set(lowered))
        return next((tuple(lowered[name] for name in pair) for pair in pairs), ())

    def is_pair(self, inputs: Sequence[str], request: ColumnRequest) -> bool:
        """Whether input columns are a pair of texts.

        Raises:
            ZooError: a pair is asked for, and the columns are not two.
        """
        if request.texts == "auto":
            return tuple(name.strip().lower() for name in inputs) in PAIR_NAMES
        if request.texts == "pair" and len(inputs) != 2:
            raise ZooError(
                f"{self.where}: a pair of texts is in two columns. Received: {quoted(inputs)}. "
                f"Name both with --text FIRST,SECOND. Columns: {quoted(self.names)}."
            )
        return request.texts == "pair"

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
        pair = request.texts == "pair"
        named = None if pair else self.by_name(request.input_names, taken, request.kind)
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
        return tuple(rest) if len(rest) == (2 if pair else 1) else ()

    def is_missing(self) -> bool:
        """Whether what stands for the names of the table is rather its first row."""
        return any(
            len(name) > LONGEST_NAME
            or len(name.split()) > MOST_WORDS
            or (bool(name.strip()) and is_number(name))
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
