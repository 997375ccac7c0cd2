"""Files written whole or not at all: beside, fsync, rename."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import ZooError


@contextlib.contextmanager
def written_beside(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` when the block succeeds.

    A crash, a full disk or an error inside the block leaves `path` as it was and nothing beside it.

    Args:
        path: the file.
        durable: whether to wait until it is on the disk, which can take as long as many steps of a
            training. Otherwise a power failure may take it away.

    Raises:
        ZooError: the file cannot be written; the message names the file and the reason.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=f".part{path.suffix}")
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o644)
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ZooError(
            f"{path}: cannot be written: {error.strerror or error}. "
            "Free some space or choose another folder; what was there before is unchanged."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, durable: bool = True) -> None:
    r"""Write a UTF-8 text file, whole or not at all.

    Args:
        path: the file.
        text: its content; half a surrogate pair, as of a file name that is not UTF-8, is escaped
            as JSON does it: `\udce9`.
        durable: whether to wait for the disk.
    """
    with written_beside(path, durable) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file, whole or not at all; NaN is refused by JSON and becomes null."""
    write_text(path, json.dumps(finite(document), indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ZooError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ZooError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ZooError(f"{path}: is not a JSON document: {error}.") from error


def finite(document: Any) -> Any:
    """Return the document with every NaN or infinity replaced by None."""
    if isinstance(document, dict):
        return {str(key): finite(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in document]
    if hasattr(document, "item") and getattr(document, "ndim", 1) == 0:
        return finite(document.item())
    if isinstance(document, float) and (document != document or abs(document) == float("inf")):
        return None
    return document
