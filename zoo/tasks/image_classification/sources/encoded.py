"""Images that stand in a table themselves, as the bytes of their files."""

from __future__ import annotations

from typing import Any

from zoo.data.rows import to_text
from zoo.data.spool import Spool

FIELDS = {"bytes", "path"}  # of an image in a table of the Hugging Face hub


MARK = "\0"  # before the number of an image, which no path has


class EncodedImages:
    """Bytes of image files in a temporary file, by their number."""

    def __init__(self) -> None:
        self._spool: Spool | None = None
        self._ends = [0]

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> bytes:
        """Return the bytes of the file of an image."""
        if self._spool is None:
            raise IndexError(number)
        start, end = self._ends[number : number + 2]
        return self._spool.read(start, end - start)

    def take(self, value: Any) -> str:
        """Return the path that a value of a table is, or `MARK` and the number of the image it is.

        Raises:
            TypeError: it is neither a path nor the bytes of a file.
        """
        if isinstance(value, dict) and value.keys() <= FIELDS:
            value = value.get("bytes") or value.get("path")
        if not isinstance(value, bytes):
            return to_text(value)
        self._spool = self._spool or Spool("images")
        self._spool.append(value)
        self._ends.append(self._spool.size)
        return f"{MARK}{len(self) - 1}"
