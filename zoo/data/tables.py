"""Rows of text and label from files, folders, arrays and tables, streamed.

Rows are numbered from 1 in each file; a header is not a row. Nothing is ever unpickled, and no text
becomes a missing value because it reads "None" or "NA".
"""

from __future__ import annotations

import dataclasses
import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from zoo.data.csvfile import read_csv
from zoo.errors import ZooError, did_you_mean

TEXT_NAMES = (
    "text", "texts", "sentence", "review", "content", "message", "title", "comment", "question",
    "document", "body", "tweet", "headline", "description", "utterance", "query", "sms", "email",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "sentiment", "tag", "intent", "topic", "y",
    "rating", "stars", "gold", "output",
)  # fmt: skip
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
COMPRESSIONS = (".gz", ".bz2", ".zst", ".lz4", ".xz")
BATCH_ROWS = 8192


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some consecutive rows of one file.

    `labels` holds None where a row has no label, and is None where no label was asked for.
    """

    file: str
    first: int
    texts: list[str]
    labels: list[str | None] | None


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which columns of a table are read; `label` is None when none is wanted."""

    texts: tuple[str, ...]
    label: str | None


def read_rows(
    source: Any, *, text: str | None = None, label: str | None = None, labelled: bool = True
) -> Iterator[Rows]:
    """Yield the rows of a source, some thousand at a time.

    Args:
        source: path or list of paths (files of `TABLES`, compressed or not, or folders of them, or
            a folder of class folders with .txt files); `(texts, labels)`; an object that speaks
            Arrow's C stream; a `tf.data.Dataset` of strings and labels.
        text: text column, or several separated by commas, joined by a space.
        label: label column.
        labelled: whether labels are needed.

    Raises:
        ZooError: the source is missing, empty, unreadable or has no such column.
    """
    if isinstance(source, str | Path):
        source = [source]
    if isinstance(source, tuple) and len(source) == 2:
        yield from _pairs(*source)
    elif hasattr(source, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(source)
        yield from _arrow("table", reader.schema.names, reader, text, label, labelled)
    elif hasattr(source, "element_spec"):
        yield from _dataset(source, labelled)
    elif isinstance(source, list) and source and all(isinstance(p, str | Path) for p in source):
        yield from _files([Path(part) for part in source], text, label, labelled)
    else:
        raise ZooError(
            f"data of type {type(source).__name__} cannot be read. Accepted: a path or a list of "
            "paths, (texts, labels), a table that speaks Arrow, or a tf.data.Dataset."
        )


def read_texts(path: str | Path, *, text: str | None = None) -> Iterator[str]:
    """Yield the texts of a file to predict: a table of `TABLES`, or lines of any other text file.

    Raises:
        ZooError: the file is missing or unreadable, or has no such column.
    """
    path = Path(path)
    if path.is_dir() or _kind(path):
        for rows in read_rows(path, text=text, labelled=False):
            yield from rows.texts
        return
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield line.rstrip("\n")
    except FileNotFoundError as error:
        raise ZooError(f"{path}: no such file.") from error
    except UnicodeDecodeError as error:
        raise ZooError(f"{path}: is not UTF-8 text: {error.reason}.") from error
    except OSError as error:
        raise ZooError(f"{path}: cannot be read: {error.strerror}.") from error


def label_text(value: Any) -> str | None:
    """Return a label as text; None for a missing one (null, NaN, or nothing but space)."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def choose_columns(
    where: str, names: list[str], text: str | None, label: str | None, labelled: bool
) -> Columns:
    """Return the columns asked for, or those whose names say what they are.

    Raises:
        ZooError: no such column, or none whose name says so.
    """
    for name in [*(text.split(",") if text else []), *([label] if label and labelled else [])]:
        if name not in names:
            raise ZooError(
                f"{where}: no column '{name}'.{did_you_mean(name, names)} "
                f"Columns: {', '.join(map(repr, names))}."
            )
    texts = tuple(text.split(",")) if text else None
    found = label if labelled else None
    if labelled and found is None:
        found = _by_name(names, LABEL_NAMES, texts or ())
    if texts is None:
        named = _by_name(names, TEXT_NAMES, (found,) if found else ())
        rest = [name for name in names if name != found]
        if named is None and len(rest) == 1:
            named = rest[0]
        texts = (named,) if named is not None else None
    if labelled and found is None and texts is not None:
        rest = [name for name in names if name not in texts]
        found = rest[0] if len(rest) == 1 else None
    if texts is None or (labelled and found is None):
        missing = "text" if texts is None else "label"
        raise ZooError(
            f"{where}: which column is the {missing}? Columns: {', '.join(map(repr, names))}. "
            f"Name it with --{missing} (the first line of a file is read as its header)."
        )
    return Columns(texts, found)


def _by_name(names: list[str], known: tuple[str, ...], taken: Iterable[str]) -> str | None:
    lowered = {name.strip().lower(): name for name in names if name not in tuple(taken)}
    return next((lowered[name] for name in known if name in lowered), None)


def _files(
    paths: list[Path], text: str | None, label: str | None, labelled: bool
) -> Iterator[Rows]:
    for path in paths:
        if not path.exists():
            raise ZooError(f"{path}: no such file or folder.")
        if path.is_file():
            yield from _file(path, text, label, labelled)
            continue
        classes = _class_folders(path)
        parts = [part for part in sorted(path.iterdir()) if part.is_file() and _kind(part)]
        if parts:
            yield from _files(parts, text, label, labelled)
        elif classes:
            for folder in classes:
                yield from _text_files(folder)
        else:
            raise ZooError(
                f"{path}: is empty: it holds neither tables ({', '.join(TABLES)}, compressed or "
                "not) nor class folders with .txt files."
            )


def _class_folders(folder: Path) -> list[Path]:
    found = [
        each for each in sorted(folder.iterdir()) if each.is_dir() and each.name[0] not in "._"
    ]
    return [each for each in found if any(each.glob("*.txt"))]


def _text_files(folder: Path) -> Iterator[Rows]:
    for path in sorted(folder.glob("*.txt")):
        try:
            yield Rows(str(path), 1, [path.read_text(encoding="utf-8")], [folder.name])
        except UnicodeDecodeError as error:
            raise ZooError(f"{path}: is not UTF-8 text: {error.reason}.") from error


def _kind(path: Path) -> str | None:
    """Return the ending that says what a file is, without its compression; None if unknown."""
    if path.name[0] in "._":
        return None
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in TABLES else None


def _file(path: Path, text: str | None, label: str | None, labelled: bool) -> Iterator[Rows]:
    kind = _kind(path)
    if kind is None:
        raise ZooError(
            f"{path}: is no table. Accepted: {', '.join(TABLES)}, also with "
            f"{', '.join(COMPRESSIONS)}."
        )
    if path.stat().st_size == 0:
        raise ZooError(f"{path}: is empty.")
    rows = 0
    try:
        for each in _readers()[kind](path, text, label, labelled):
            rows += len(each.texts)
            yield each
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, lzma.LZMAError, EOFError) as error:
        raise ZooError(f"{path}: cannot be read: {' '.join(str(error).split())[:300]}") from error
    except OSError as error:
        raise ZooError(f"{path}: cannot be read: {error}.") from error
    if not rows:
        raise ZooError(f"{path}: holds no rows, only a header.")


def _readers() -> dict[str, Callable[..., Iterator[Rows]]]:
    return {
        ".csv": _csv, ".tsv": _csv, ".jsonl": _json, ".ndjson": _json, ".json": _json,
        ".parquet": _parquet,
    }  # fmt: skip


def _open(path: Path) -> pa.NativeFile:
    if path.suffix.lower() == ".xz":
        return pa.PythonFile(lzma.open(path), mode="r")
    return pa.input_stream(str(path), compression="detect")


def _csv(path: Path, text: str | None, label: str | None, labelled: bool) -> Iterator[Rows]:
    def choose(names: list[str]) -> Columns:
        return choose_columns(str(path), names, text, label, labelled)

    delimiter = "\t" if _kind(path) == ".tsv" else ","
    for first, texts, labels in read_csv(path, lambda: _open(path), delimiter, choose):
        found = None if labels is None else [label_text(value) for value in labels]
        yield Rows(str(path), first, texts, found)


def _parquet(path: Path, text: str | None, label: str | None, labelled: bool) -> Iterator[Rows]:
    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        columns = choose_columns(str(path), names, text, label, labelled)
        wanted = [*columns.texts, *([columns.label] if columns.label else [])]
        batches = file.iter_batches(batch_size=BATCH_ROWS, columns=wanted)
        yield from _arrow(str(path), names, batches, text, label, labelled)


def _arrow(
    where: str,
    names: list[str],
    batches: Iterable[pa.RecordBatch],
    text: str | None,
    label: str | None,
    labelled: bool,
) -> Iterator[Rows]:
    columns = choose_columns(where, names, text, label, labelled)
    first = 1
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            part = batch.slice(start, BATCH_ROWS)
            found = [part.column(name).to_pylist() for name in columns.texts]
            texts = [join(values) for values in zip(*found, strict=True)]
            labels = None
            if columns.label is not None:
                labels = [label_text(value) for value in part.column(columns.label).to_pylist()]
            yield Rows(where, first, texts, labels)
            first += part.num_rows


def _json(path: Path, text: str | None, label: str | None, labelled: bool) -> Iterator[Rows]:
    columns: Columns | None = None
    texts: list[str] = []
    labels: list[str | None] = []
    first = number = 1
    with _open(path) as file:
        for number, line in enumerate(_json_lines(path, file), start=1):
            if columns is None:
                columns = choose_columns(str(path), list(line), text, label, labelled)
            for name in columns.texts:
                if name not in line:
                    raise ZooError(f"{path}: row {number} has no '{name}'.")
            texts.append(join([line[name] for name in columns.texts]))
            labels.append(label_text(line.get(columns.label)) if columns.label else None)
            if len(texts) == BATCH_ROWS:
                yield Rows(str(path), first, texts, labels if columns.label else None)
                first, texts, labels = number + 1, [], []
    if columns is not None and texts:
        yield Rows(str(path), first, texts, labels if columns.label else None)


def _json_lines(path: Path, file: pa.NativeFile) -> Iterator[dict[str, Any]]:
    number = 0
    for line in _lines(file):
        if not line.strip():
            continue
        number += 1
        try:
            document = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise ZooError(f"{path}: row {number} is not UTF-8.") from error
        except (ValueError, RecursionError) as error:
            raise ZooError(f"{path}: row {number} is no JSON: {error}.") from error
        if not isinstance(document, dict):
            raise ZooError(f"{path}: row {number} is no JSON object. JSON lines are expected.")
        yield document


def _lines(file: pa.NativeFile) -> Iterator[bytes]:
    rest = b""
    while block := file.read(1 << 20):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def join(values: Iterable[Any]) -> str:
    """Return the text columns of a row as one text; missing ones are left out."""
    return " ".join(
        value.decode("utf-8") if isinstance(value, bytes) else str(value)
        for value in values
        if value is not None and value == value
    )


def _pairs(texts: Any, labels: Any) -> Iterator[Rows]:
    texts, labels = np.asarray(texts, dtype=object), np.asarray(labels, dtype=object)
    if texts.shape != labels.shape or texts.ndim != 1:
        raise ZooError(
            f"(texts, labels) must be of the same length. Received: {len(texts)} and {len(labels)}."
        )
    for start in range(0, len(texts), BATCH_ROWS):
        part = [join([value]) for value in texts[start : start + BATCH_ROWS]]
        found = [label_text(value) for value in labels[start : start + BATCH_ROWS]]
        yield Rows("data", start + 1, part, found)


def _dataset(dataset: Any, labelled: bool) -> Iterator[Rows]:
    """Yield the elements of a `tf.data.Dataset` of (strings, labels), batched or not."""
    specification = dataset.element_spec
    pair = isinstance(specification, tuple) and len(specification) >= 2
    if labelled and not pair:
        raise ZooError(
            "the tf.data.Dataset must yield (text, label). Received: " + repr(specification)
        )
    rank = (specification[0] if pair else specification).shape.rank
    first = 1
    for element in (dataset if rank else dataset.batch(BATCH_ROWS)).as_numpy_iterator():
        raw = element[0] if pair else element
        texts = [join([value]) for value in raw.tolist()]
        labels = [label_text(value) for value in element[1].tolist()] if pair else None
        yield Rows("dataset", first, texts, labels)
        first += len(texts)
