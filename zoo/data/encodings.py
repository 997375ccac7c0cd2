"""Files that are not UTF-8, told by how they begin."""

from __future__ import annotations

import codecs
from pathlib import Path

from zoo.errors import ZooError

# UTF-32 first: its mark begins as that of UTF-16 does.
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def check_encoding(path: Path, start: bytes) -> None:
    """Refuse a file that begins with the mark of another encoding.

    Raises:
        ZooError: names the encoding.
    """
    for mark, name in MARKS.items():
        if start.startswith(mark):
            raise ZooError(f"{path}: is not UTF-8 but {name}. Save the file as UTF-8.")
