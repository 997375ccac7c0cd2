"""Rows on disk: texts in one temporary file, a few bytes a row in memory.

Texts are read back with `pread`, not through a memory map, so that resident memory stays flat
however large the file is; 20 bytes a row (place, label, hash) are kept.
"""

from __future__ import annotations

import array
import bisect
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from zoo.data.tables import Rows
from zoo.errors import ZooError

MISSING = -1
NAMED_ROWS = 5


class Store:
    """Texts and labels of a source, in its order.

    `labels` are positions in `names`, the labels as text in order of appearance; -1 where a row has
    none. `hashes` are 64-bit hashes of the texts without surrounding space: equal texts, equal
    hashes.
    """

    def __init__(self, rows: Iterable[Rows]):
        self.names: list[str] = []
        self._ends = array.array("q", [0])
        self._labels = array.array("i")
        self._hashes = array.array("Q")
        self._files: list[tuple[int, str, int]] = []  # first row here, file, its number there
        try:
            self._file = tempfile.TemporaryFile(prefix="zoo-rows-")
        except OSError as error:
            raise ZooError(
                f"no place for temporary files: {error.strerror}. Set TMPDIR."
            ) from error
        try:
            self._fill(rows)
        except OSError as error:
            self.close()
            raise ZooError(
                f"{tempfile.gettempdir()}: the rows cannot be kept there: {error.strerror}. "
                "Free some space, or set TMPDIR to another folder."
            ) from error
        except BaseException:
            self.close()
            raise
        self.labels = (
            np.frombuffer(self._labels, np.int32) if self._labels else np.zeros(0, np.int32)
        )
        self.hashes = (
            np.frombuffer(self._hashes, np.uint64) if self._hashes else np.zeros(0, np.uint64)
        )

    def _fill(self, rows: Iterable[Rows]) -> None:
        known: dict[str, int] = {}
        end = 0
        for part in rows:
            last = self._files[-1] if self._files else None
            here = len(self._hashes)
            if last is None or last[1] != part.file or last[2] + here - last[0] != part.first:
                self._files.append((here, part.file, part.first))
            encoded = [text.encode("utf-8", "surrogatepass") for text in part.texts]
            self._file.write(b"".join(encoded))
            for text in encoded:
                end += len(text)
                self._ends.append(end)
                digest = hashlib.blake2b(text.strip(), digest_size=8).digest()
                self._hashes.append(int.from_bytes(digest, "little"))
            for label in part.labels or [None] * len(encoded):
                self._labels.append(
                    MISSING if label is None else known.setdefault(label, len(known))
                )
        self._file.flush()
        self.names = list(known)

    def __len__(self) -> int:
        return len(self._hashes)

    def text(self, row: int) -> str:
        """Return one text."""
        start, end = self._ends[row], self._ends[row + 1]
        return os.pread(self._file.fileno(), end - start, start).decode("utf-8", "surrogatepass")

    def raw(self, rows: np.ndarray) -> list[bytes]:
        """Return the UTF-8 texts of rows, in their order."""
        number, ends = self._file.fileno(), self._ends
        return [os.pread(number, ends[row + 1] - ends[row], ends[row]) for row in rows.tolist()]

    def iter_raw(self, rows: np.ndarray, size: int = 4096) -> Iterator[list[bytes]]:
        """Yield the UTF-8 texts of rows in their order, `size` at a time."""
        for start in range(0, len(rows), size):
            yield self.raw(rows[start : start + size])

    def lengths(self) -> np.ndarray:
        """Return the UTF-8 bytes of each text, int64."""
        return np.diff(np.frombuffer(self._ends, np.int64))

    def place(self, row: int) -> tuple[str, int]:
        """Return the file of a row and its number there, from 1."""
        position = bisect.bisect_right(self._files, row, key=lambda entry: entry[0]) - 1
        first, file, number = self._files[position]
        return file, number + row - first

    def named(self, rows: np.ndarray) -> str:
        """Return words for rows: `reviews.csv: rows 17, 203 and 3 more`."""
        places = [self.place(int(row)) for row in rows[:NAMED_ROWS]]
        files = dict.fromkeys(file for file, _ in places)
        more = f" and {len(rows) - NAMED_ROWS:,} more" if len(rows) > NAMED_ROWS else ""
        word = "row" if len(rows) == 1 else "rows"
        if len(files) == 1:
            return f"{places[0][0]}: {word} {', '.join(str(number) for _, number in places)}{more}"
        return f"{', '.join(f'{file}: row {number}' for file, number in places)}{more}"

    def digest(self) -> bytes:
        """Return a hash of texts and labels in their order."""
        found = hashlib.blake2b(self.hashes.tobytes(), digest_size=16)
        found.update(self.labels.tobytes())
        found.update("\0".join(self.names).encode("utf-8", "surrogatepass"))
        return found.digest()

    def close(self) -> None:
        """Remove the rows from the disk."""
        self._file.close()


class Split:
    """A part of a store: the rows of training, validation or test.

    Args:
        store: where the rows are.
        rows: positions in the store, int64.
        labels: class ids, int32, as long as `rows`.
    """

    def __init__(self, store: Store, rows: np.ndarray, labels: np.ndarray):
        self.store, self.rows, self.labels = store, rows, labels

    def __len__(self) -> int:
        return len(self.rows)

    def texts(self, positions: np.ndarray) -> list[str]:
        """Return the texts at positions of the split, in their order."""
        found = self.store.raw(self.rows[np.asarray(positions, np.int64)])
        return [text.decode("utf-8", "replace") for text in found]

    def iter_texts(self) -> Iterator[str]:
        """Yield all texts in order, some thousand in memory at a time."""
        for part in self.store.iter_raw(self.rows):
            for text in part:
                yield text.decode("utf-8", "replace")

    def row_number(self, position: int) -> int:
        """Return the number, from 1, of a row in its file."""
        return self.store.place(int(self.rows[position]))[1]

    def __enter__(self) -> Split:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()
