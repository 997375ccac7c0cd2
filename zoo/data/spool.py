"""A temporary file without a name: nothing stays behind however the process ends."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from zoo.errors import ZooError


class Spool:
    """Bytes that are appended, and read back from any position with `pread`.

    They are not mapped into memory, so that resident memory stays flat however many there are.

    Args:
        content: what is kept, for messages.

    Attributes:
        size: number of bytes.
        file: the open file.

    Raises:
        ZooError: there is no folder for temporary files.
    """

    def __init__(self, content: str):
        self._content = content
        self.size = 0
        try:
            # Unbuffered: closing a buffer that did not fit on the disk would fail once more.
            self.file: Any = tempfile.TemporaryFile(prefix=f"zoo-{content}-", buffering=0)
        except OSError as error:
            raise ZooError(
                f"no place for temporary files: {error.strerror}. Set TMPDIR."
            ) from error

    def append(self, data: Any) -> int:
        """Write bytes at the end; return the position where they begin.

        Raises:
            ZooError: the disk is full; nothing is appended.
        """
        start = end = self.size
        remaining = memoryview(data).cast("B")
        try:
            while remaining:
                written = os.pwrite(self.file.fileno(), remaining, end)
                remaining, end = remaining[written:], end + written
        except OSError as error:
            raise ZooError(
                f"{tempfile.gettempdir()}: the {self._content} cannot be kept there: "
                f"{error.strerror}. Free some space, or set TMPDIR to another folder. Nothing was "
                "left behind."
            ) from error
        self.size = end
        return start

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from a position; several threads may."""
        return os.pread(self.file.fileno(), size, start)

    def close(self) -> None:
        """Remove the bytes from the disk."""
        self.file.close()

    def __del__(self) -> None:
        if hasattr(self, "file"):
            self.close()
