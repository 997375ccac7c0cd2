"""Rows on disk: inputs in one temporary file; 20 bytes a row (position, label, hash) in memory."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from zoo.data.columns import Columns, regression_hint
from zoo.data.label_text import found_separator, labels_in, split_text
from zoo.data.parts import MOST_VALUES, rows_of_parts
from zoo.data.rows import Rows, replace_surrogates
from zoo.data.spool import Spool
from zoo.errors import ZooError
from zoo.finding import Finding, first_few

if TYPE_CHECKING:  # they know what a missing label is
    from zoo.data.targets import Targets

MISSING = -1
NAMED_ROWS = 5
MANY_LABELS = 1000  # a column with more, and more than one in two rows, holds something else
READ_ROWS = 4096
EMPTY_HASH = np.uint64(int.from_bytes(hashlib.blake2b(b"", digest_size=8).digest(), "little"))


class Store:
    """Inputs and labels of a source, in its order; a context manager.

    Args:
        rows: read once and written to a temporary file.
        several_labels: whether a row may have several, so that most rows may have a text of labels
            of their own.

    Attributes:
        names: the labels as text, in order of appearance.
        labels: positions in `names`, int32; -1 where a row has none.
        hashes: uint64 of the inputs, of texts without surrounding space: equal inputs, equal
            hashes.
        suspect: rows that seem to be read wrongly, by what is wrong with them (`Rows.suspect`).
        part_values: what its column of parts holds, in order of appearance.
        part_codes: positions in `part_values`, int16; empty where there is no such column.
        findings: on the source.
        untyped: whether all labels come from files without types, such as CSV.
        surrogates: rows whose text held half a surrogate pair, now replaced.
        binary: whether the inputs are bytes, not text.
        pairs: whether the inputs are pairs of texts.

    Raises:
        ZooError: the rows cannot be read, or not be kept: the disk is full.
    """

    def __init__(self, rows: Iterable[Rows], several_labels: bool = False):
        self._several_labels = several_labels
        self._judged = 0  # texts of labels, up to which they are known to be sets of few labels
        self.names: list[str] = []
        self._columns: Columns | None = None
        self.suspect: dict[str, list[int]] = {}
        self.part_values: list[str] = []
        self.part_codes = np.zeros(0, np.int16)
        self.findings: list[Finding] = []
        self.untyped = True
        self.surrogates: list[int] = []
        self.binary = self.pairs = False
        self.labels = np.zeros(0, np.int32)
        self.hashes = np.zeros(0, np.uint64)
        self._ends = np.zeros(1, np.int64)
        self._rows = 0
        self._files: list[tuple[int, str, int]] = []  # first row here, file, its number there
        self._spool = Spool("rows")
        try:
            self._fill(rows)
        except BaseException:
            self.close()
            raise

    def _fill(self, rows: Iterable[Rows]) -> None:
        ids: dict[str, int] = {}
        codes: dict[str, int] = {}
        # Lists of pieces: an array that grows by itself is copied, and held twice, again and again.
        sizes, labels, hashes, part_codes = [], [], [], []
        for block in rows:
            self._note_origin(block)
            inputs = [
                self._encoded(value, row) for row, value in enumerate(block.inputs, self._rows)
            ]
            count = len(inputs)
            self.pairs = self.pairs or block.pairs
            self.binary = self.binary or isinstance(next(iter(block.inputs), ""), bytes)
            for data in inputs if self.binary else [b"".join(inputs)]:
                self._spool.append(data)
            sizes.append(np.fromiter(map(len, inputs), np.int32, count))
            hash_input = _hash if self.binary else _text_hash
            hashes.append(np.fromiter(map(hash_input, inputs), np.uint64, count))
            names = block.labels or [None] * count
            block_ids = (MISSING if n is None else ids.setdefault(n, len(ids)) for n in names)
            labels.append(np.fromiter(block_ids, np.int32, count))
            if len(codes) <= MOST_VALUES:
                parts = block.parts or itertools.repeat("", count)
                block_codes = (codes.setdefault(value, len(codes)) for value in parts)
                part_codes.append(np.fromiter(block_codes, np.int16, count))
            self._rows += count
            if self._too_many(ids):
                raise ZooError(
                    f"{block.file}: {len(ids):,} different labels in the first {self._rows:,} "
                    f"rows. Is this the label column? Name it with --label.{regression_hint(ids)}"
                )
        self.names = list(ids)
        if 1 <= len(codes) <= MOST_VALUES and codes != {"": 0}:
            self.part_values, self.part_codes = list(codes), _concatenated(part_codes)
        if self._rows:
            self.labels, self.hashes = _concatenated(labels), _concatenated(hashes)
            self._ends = np.zeros(self._rows + 1, np.int64)
            np.cumsum(_concatenated(sizes), out=self._ends[1:])
        pa.default_memory_pool().release_unused()

    def _too_many(self, texts: Mapping[str, int]) -> bool:
        """Whether the texts of labels are so many that the column holds something else."""
        many = _many(len(texts), self._rows)
        if self._several_labels or not many or len(texts) <= self._judged:
            return False
        self._judged = 2 * len(texts)  # all are read again, so not after each block
        separator = found_separator(list(texts))
        sets = [split_text(text, separator) if separator else text for text in texts]
        return _many(len({label for text in sets for label in labels_in(text)}), self._rows)

    def _note_origin(self, block: Rows) -> None:
        last = self._files[-1] if self._files else None
        if last is None or last[1] != block.file or last[2] + self._rows - last[0] != block.first:
            self._files.append((self._rows, block.file, block.first))
        self._columns = self._columns or block.columns
        self.findings += block.findings
        self.untyped = self.untyped and block.untyped
        for fault, numbers in block.suspect.items():
            rows = (self._rows + number - block.first for number in numbers)
            self.suspect.setdefault(fault, []).extend(rows)

    def _encoded(self, value: str | bytes, row: int) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            return value.encode("utf-8")
        except UnicodeEncodeError:
            self.surrogates.append(row)
            return replace_surrogates(value).encode("utf-8")

    def __len__(self) -> int:
        return self._rows

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def raw_inputs(self, rows: np.ndarray) -> list[bytes]:
        """Return the inputs of rows, texts in UTF-8, in their order."""
        spans = zip(self._ends[rows].tolist(), self.sizes(rows).tolist(), strict=True)
        return [self._spool.read(start, size) for start, size in spans]

    def iter_inputs(self, rows: np.ndarray) -> Iterator[str]:
        """Yield the inputs of rows in their order, some thousand in memory at a time."""
        for start in range(0, len(rows), READ_ROWS):
            for value in self.raw_inputs(rows[start : start + READ_ROWS]):
                yield value.decode("utf-8")

    def rename(self, names: Mapping[str, str]) -> None:
        """Give labels other names; those of the same name become one."""
        ids: dict[str, int] = {}
        new_ids = [ids.setdefault(names[name], len(ids)) for name in self.names]
        self.labels = np.array([*new_ids, MISSING], np.int32)[self.labels]
        self.names = list(ids)

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Return the bytes of the inputs of rows, int64."""
        return self._ends[rows + 1] - self._ends[rows]

    def origin(self, row: int) -> tuple[str, int]:
        """Return the file of a row and its number there, from 1."""
        position = bisect.bisect_right(self._files, row, key=lambda entry: entry[0]) - 1
        first, file, number = self._files[position]
        return file, number + row - first

    @property
    def file(self) -> str:
        """The file of the first row."""
        return self.origin(0)[0]

    def describe(self, rows: Any) -> str:
        """Return words for rows: `reviews.csv: rows 17, 203 and 3 more`."""
        origins = [self.origin(int(row)) for row in rows[:NAMED_ROWS]]
        if len({file for file, _ in origins}) > 1:
            return first_few((f"{file}: row {number}" for file, number in origins), len(rows))
        word = "row" if len(rows) == 1 else "rows"
        return f"{origins[0][0]}: {word} {first_few((n for _, n in origins), len(rows))}"

    @functools.cached_property
    def parts(self) -> dict[str, np.ndarray]:
        """The rows of each part that a column of the table holds; empty without such a column.

        Raises:
            ZooError: it names the part of some rows, and not of others.
        """
        column = self._columns.part if self._columns else None
        if not self.part_values or column is None:
            return {}
        return rows_of_parts(self.file, column, self.part_values, self.part_codes, self.describe)

    @property
    def columns(self) -> Columns | None:
        """Those of the first table that was read, or None; the one that holds parts is read."""
        if self._columns is None or not self.parts:
            return self._columns
        unread = tuple(name for name in self._columns.unread if name != self._columns.part)
        return dataclasses.replace(self._columns, unread=unread)

    def digest(self) -> bytes:
        """Return a hash of inputs and labels in their order."""
        digest = hashlib.blake2b(self.hashes.data, digest_size=16)
        digest.update(self.labels.data)
        digest.update("\0".join(self.names).encode("utf-8"))
        return digest.digest()

    def drop_hashes(self) -> None:
        """Free the hashes: 8 bytes a row that are needed only to compare inputs."""
        self.hashes = np.zeros(0, np.uint64)

    def close(self) -> None:
        """Remove the rows from the disk."""
        self._spool.close()


def _many(labels: int, rows: int) -> bool:
    return labels > MANY_LABELS and 2 * labels > rows


def _concatenated(pieces: list[np.ndarray]) -> np.ndarray:
    """Return the pieces as one array, and free them."""
    array = np.concatenate(pieces)
    pieces.clear()
    return array


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _text_hash(encoded: bytes) -> int:
    if encoded.isascii():
        return _hash(encoded.strip())
    return _hash(encoded.decode("utf-8").strip().encode("utf-8"))  # also wide and unbroken spaces


class Split:
    """The rows of training, validation or test in a store; a context manager.

    Args:
        store: where the rows are; closed with the split.
        rows: positions in the store, int32.
        labels: ids of the targets, int32, as long as `rows`.
        targets: what the ids stand for.
    """

    def __init__(self, store: Store, rows: np.ndarray, labels: np.ndarray, targets: Targets):
        self.store, self.rows, self.labels, self.targets = store, rows, labels, targets

    def __len__(self) -> int:
        return len(self.rows)

    def inputs(self, positions: Any) -> list[str]:
        """Return the inputs at positions of the split, in their order."""
        raw = self.store.raw_inputs(self.rows[np.asarray(positions, np.int64)])
        return [value.decode("utf-8") for value in raw]

    def iter_inputs(self) -> Iterator[str]:
        """Yield all inputs in order, some thousand in memory at a time."""
        return self.store.iter_inputs(self.rows)

    def row_number(self, position: int) -> int:
        """Return the number, from 1, of a row in its file."""
        return self.store.origin(int(self.rows[position]))[1]

    def close(self) -> None:
        """Remove the rows from the disk."""
        self.store.close()

    def __enter__(self) -> Split:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
