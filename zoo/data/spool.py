"""A temporary file without a name: nothing stays behind however the process ends."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from zoo.errors import ZooError


class Spool:
    """Bytes that are appended, and read back at any place.

    Args:
        what: is kept there, for messages.

    Raises:
        ZooError: there is no folder for temporary files.
    """

    def __init__(self, what: str):
        self._what = what
        self.size = 0
        try:
            # Unbuffered: closing a buffer that did not fit on the disk would fail once more.
            self.file: Any = tempfile.TemporaryFile(prefix=f"zoo-{what}-", buffering=0)
        except OSError as error:
            raise ZooError(
                f"no place for temporary files: {error.strerror}. Set TMPDIR."
            ) from error

    def append(self, blob: Any) -> None:
        """Write bytes at the end.

        Raises:
            ZooError: the disk is full.
        """
        left = memoryview(blob).cast("B")
        self.size += len(left)
        try:
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:
            raise ZooError(
                f"{tempfile.gettempdir()}: the {self._what} cannot be kept there: "
                f"{error.strerror}. Free some space, or set TMPDIR to another folder. Nothing was "
                "left behind."
            ) from error

    def read(self, start: int, size: int) -> bytes:
        """Return bytes from a place; several threads may."""
        return os.pread(self.file.fileno(), size, start)

    def close(self) -> None:
        """Remove it from the disk."""
        self.file.close()

    def __del__(self) -> None:
        if hasattr(self, "file"):
            self.close()
