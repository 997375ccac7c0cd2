"""Rows on disk: texts in one temporary file, a few bytes a row in memory.

Texts are read back with `pread`, not through a memory map, so that resident memory stays flat
however large the file is; 20 bytes a row (place, label, hash) are kept.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.data.columns import regression
from zoo.data.part_column import MOST_VALUES, rows_of_parts
from zoo.data.rows import Columns, Rows, mended
from zoo.errors import ZooError
from zoo.finding import Finding

MISSING = -1
NAMED_ROWS = 5
MANY_LABELS = 1000  # a column with more, and more than one in two rows, holds something else
READ_ROWS = 4096
EMPTY_HASH = np.uint64(int.from_bytes(hashlib.blake2b(b"", digest_size=8).digest(), "little"))


class Store:
    """Texts and labels of a source, in its order; a context manager.

    Args:
        rows: read once and written to a temporary file that has no name, so that nothing stays
            behind however the process ends.

    Attributes:
        names: the labels as text, in order of appearance.
        labels: positions in `names`, int32; -1 where a row has none.
        hashes: uint64 of the texts without surrounding space: equal texts, equal hashes.
        noted: rows that seem to be read wrongly, by what is wrong with them (`Rows.noted`).
        part_values: what its column of parts holds, in order of appearance.
        part_codes: positions in `part_values`, int16; empty where there is no such column.
        findings: what there is to say of the source.
        untyped: whether all labels come from files without types, such as CSV.
        mended: rows whose text held half a surrogate pair, now replaced.

    Raises:
        ZooError: the rows cannot be read, or not be kept: the disk is full.
    """

    def __init__(self, rows: Iterable[Rows]):
        self.names: list[str] = []
        self._columns: Columns | None = None
        self.noted: dict[str, list[int]] = {}
        self.part_values: list[str] = []
        self.part_codes = np.zeros(0, np.int16)
        self.findings: list[Finding] = []
        self.untyped = True
        self.mended: list[int] = []
        self.labels = np.zeros(0, np.int32)
        self.hashes = np.zeros(0, np.uint64)
        self._ends = np.zeros(1, np.int64)
        self._rows = 0
        self._files: list[tuple[int, str, int]] = []  # first row here, file, its number there
        try:
            # Unbuffered: closing a buffer that did not fit on the disk would fail once more.
            self._file = tempfile.TemporaryFile(prefix="zoo-rows-", buffering=0)
        except OSError as error:
            raise ZooError(
                f"no place for temporary files: {error.strerror}. Set TMPDIR."
            ) from error
        try:
            self._fill(rows)
        except BaseException:
            self.close()
            raise

    def _fill(self, rows: Iterable[Rows]) -> None:
        known: dict[str, int] = {}
        # Lists of pieces: an array that grows by itself is copied, and held twice, again and again.
        sizes, labels, hashes, codes = [], [], [], []
        values: dict[str, int] = {}
        for part in rows:
            self._note_place(part)
            texts = [self._encoded(text, row) for row, text in enumerate(part.texts, self._rows)]
            self._write(b"".join(texts))
            sizes.append(np.fromiter(map(len, texts), np.int32, len(texts)))
            hashes.append(np.fromiter(map(_hash, texts), np.uint64, len(texts)))
            names = part.labels or [None] * len(texts)
            ids = (MISSING if n is None else known.setdefault(n, len(known)) for n in names)
            labels.append(np.fromiter(ids, np.int32, len(texts)))
            if len(values) <= MOST_VALUES:
                said = part.parts or itertools.repeat("", len(texts))
                found = (values.setdefault(value, len(values)) for value in said)
                codes.append(np.fromiter(found, np.int16, len(texts)))
            self._rows += len(texts)
            if len(known) > MANY_LABELS and 2 * len(known) > self._rows:
                raise ZooError(
                    f"{part.file}: {len(known):,} different labels in the first {self._rows:,} "
                    f"rows. Is this the label column? Name it with --label.{regression(known)}"
                )
        self.names = list(known)
        if 1 <= len(values) <= MOST_VALUES and values != {"": 0}:
            self.part_values, self.part_codes = list(values), _whole(codes)
        if self._rows:
            self.labels, self.hashes = _whole(labels), _whole(hashes)
            self._ends = np.zeros(self._rows + 1, np.int64)
            np.cumsum(_whole(sizes), out=self._ends[1:])
        pa.default_memory_pool().release_unused()

    def _note_place(self, part: Rows) -> None:
        last = self._files[-1] if self._files else None
        if last is None or last[1] != part.file or last[2] + self._rows - last[0] != part.first:
            self._files.append((self._rows, part.file, part.first))
        self._columns = self._columns or part.columns
        self.findings += part.findings
        self.untyped = self.untyped and part.untyped
        for what, rows in part.noted.items():
            self.noted.setdefault(what, []).extend(self._rows + row - part.first for row in rows)

    def _encoded(self, text: str, row: int) -> bytes:
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:
            self.mended.append(row)
            return mended(text).encode("utf-8")

    def _write(self, blob: bytes) -> None:
        left = memoryview(blob)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise ZooError(
                f"{tempfile.gettempdir()}: the rows cannot be kept there: {error.strerror}. "
                "Free some space, or set TMPDIR to another folder. Nothing was left behind."
            ) from error

    def __len__(self) -> int:
        return self._rows

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def raw(self, rows: np.ndarray) -> list[bytes]:
        """Return the UTF-8 texts of rows, in their order."""
        number = self._file.fileno()
        places = zip(self.size(rows).tolist(), self._ends[rows].tolist(), strict=True)
        return [os.pread(number, size, start) for size, start in places]

    def iter_texts(self, rows: np.ndarray) -> Iterator[str]:
        """Yield the texts of rows in their order, some thousand in memory at a time."""
        for start in range(0, len(rows), READ_ROWS):
            for text in self.raw(rows[start : start + READ_ROWS]):
                yield text.decode("utf-8")

    def rename(self, names: Mapping[str, str]) -> None:
        """Give labels other names; those of the same name become one."""
        known: dict[str, int] = {}
        ids = [known.setdefault(names[name], len(known)) for name in self.names]
        self.labels = np.array([*ids, MISSING], np.int32)[self.labels]
        self.names = list(known)

    def size(self, rows: np.ndarray) -> np.ndarray:
        """Return the bytes of the texts of rows, int64."""
        return self._ends[rows + 1] - self._ends[rows]

    def place(self, row: int) -> tuple[str, int]:
        """Return the file of a row and its number there, from 1."""
        position = bisect.bisect_right(self._files, row, key=lambda entry: entry[0]) - 1
        first, file, number = self._files[position]
        return file, number + row - first

    def named(self, rows: Any) -> str:
        """Return words for rows: `reviews.csv: rows 17, 203 and 3 more`."""
        places = [self.place(int(row)) for row in rows[:NAMED_ROWS]]
        files = dict.fromkeys(file for file, _ in places)
        more = f" and {len(rows) - NAMED_ROWS:,} more" if len(rows) > NAMED_ROWS else ""
        word = "row" if len(rows) == 1 else "rows"
        if len(files) == 1:
            return f"{places[0][0]}: {word} {', '.join(str(number) for _, number in places)}{more}"
        return f"{', '.join(f'{file}: row {number}' for file, number in places)}{more}"

    @functools.cached_property
    def parts(self) -> dict[str, np.ndarray]:
        """The rows of each part that a column of the table says; empty when none does.

        Raises:
            ZooError: it says so of some rows, and not of others.
        """
        column = self._columns.part if self._columns else None
        if not self.part_values or column is None:
            return {}
        return rows_of_parts(
            self.place(0)[0], column, self.part_values, self.part_codes, self.named
        )

    @property
    def columns(self) -> Columns | None:
        """Those of the first table that was read, or None; the one that tells parts is read."""
        if self._columns is None or not self.parts:
            return self._columns
        unread = tuple(name for name in self._columns.unread if name != self._columns.part)
        return dataclasses.replace(self._columns, unread=unread)

    def digest(self) -> bytes:
        """Return a hash of texts and labels in their order."""
        found = hashlib.blake2b(self.hashes.data, digest_size=16)
        found.update(self.labels.data)
        found.update("\0".join(self.names).encode("utf-8"))
        return found.digest()

    def drop_hashes(self) -> None:
        """Free the hashes: 8 bytes a row that are needed only to compare texts."""
        self.hashes = np.zeros(0, np.uint64)

    def close(self) -> None:
        """Remove the rows from the disk."""
        self._file.close()


def _whole(pieces: list[np.ndarray]) -> np.ndarray:
    """Return the pieces as one array, and let them go."""
    whole = np.concatenate(pieces)
    pieces.clear()
    return whole


def _hash(encoded: bytes) -> int:
    plain = encoded.strip()
    if not encoded.isascii():
        plain = encoded.decode("utf-8").strip().encode("utf-8")  # also wide and unbroken spaces
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "little")


class Split:
    """A part of a store: the rows of training, validation or test; a context manager.

    Args:
        store: where the rows are; closed with the split.
        rows: positions in the store, int32.
        labels: class ids, int32, as long as `rows`.
    """

    def __init__(self, store: Store, rows: np.ndarray, labels: np.ndarray):
        self.store, self.rows, self.labels = store, rows, labels

    def __len__(self) -> int:
        return len(self.rows)

    def texts(self, positions: Any) -> list[str]:
        """Return the texts at positions of the split, in their order."""
        found = self.store.raw(self.rows[np.asarray(positions, np.int64)])
        return [text.decode("utf-8") for text in found]

    def iter_texts(self) -> Iterator[str]:
        """Yield all texts in order, some thousand in memory at a time."""
        return self.store.iter_texts(self.rows)

    def row_number(self, position: int) -> int:
        """Return the number, from 1, of a row in its file."""
        return self.store.place(int(self.rows[position]))[1]

    def __enter__(self) -> Split:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
