"""The two files of a classifier's tokenizer: tokenizer.json, and its model or vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import write_json, written_beside

LARGEST_FILE = 256 * 2**20  # bytes; a vocabulary of millions of pieces is far below


def save_content(folder: Path, name: str, content: bytes, facts: Mapping[str, Any]) -> None:
    """Write a model or vocabulary, and tokenizer.json beside it.

    Args:
        folder: that both are written into.
        name: of the file of the content.
        content: the model or vocabulary.
        facts: what tokenizer.json says of it; the name and the sha256 are added.

    Raises:
        ZooError: a file cannot be written.
    """
    with written_beside(folder / name) as temporary:
        temporary.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    write_json(folder / "tokenizer.json", {**facts, "file": name, "sha256": digest})


def load_content(path: Path, facts: Mapping[str, Any]) -> bytes:
    """Return what `save_content` wrote.

    Args:
        path: of the content. The caller knows its name: one from a hostile file could point
            anywhere.
        facts: the document of tokenizer.json.

    Raises:
        ZooError: the file is missing, too large, or was changed after it was written.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ZooError(f"{path}: is larger than any tokenizer ({LARGEST_FILE} bytes).")
        content = path.read_bytes()
    except OSError as error:
        raise ZooError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(content).hexdigest() != facts.get("sha256"):
        raise ZooError(
            f"{path}: is corrupt: it is not the file that tokenizer.json was written with. "
            "Copy the folder again, or train again."
        )
    return content
