"""Checkpoints on disk: raw arrays beside a JSON document, complete or not at all, never code.

`checkpoints/<step>/` holds `document.json` and one `.bin` file for each list of arrays in the
document. The document has the checksum of itself and of every file; a checkpoint of which anything
is missing, cut or changed is skipped for the one before it.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from zoo.errors import ZooError
from zoo.finding import Finding

KEPT = 2  # the newest; the weights of the best epoch are part of each
DOCUMENT = "document.json"
PART = ".part"  # what a folder's name ends in while it is written
DTYPES = {
    name: np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64",
    )
} | {"bfloat16": np.dtype(ml_dtypes.bfloat16)}  # fmt: skip
LARGEST_DOCUMENT = 64 * 2**20  # bytes; random states and histories take some ten thousand


class CheckpointFiles:
    """The checkpoints of a run.

    A list of arrays that is the very same object as in the checkpoint before is not written again:
    its file is linked. So the best weights cost nothing until there are better ones.

    Args:
        path: the folder, made by the first `save`.
    """

    def __init__(self, path: Path):
        self.path = path
        self._written: dict[str, tuple[Any, dict[str, Any], Path]] = {}

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, oldest first."""
        if not self.path.is_dir():
            return []
        return sorted(int(path.name) for path in self.path.iterdir() if path.name.isdecimal())

    def save(self, step: int, document: dict[str, Any]) -> None:
        """Write a checkpoint, and remove all but the newest `KEPT`.

        Args:
            step: names the checkpoint; one of the same step is replaced.
            document: JSON types, with lists of numpy arrays anywhere among them.

        Raises:
            ZooError: it cannot be written; the older ones are as they were.
        """
        final, temporary = self.path / str(step), self.path / f".{step}{PART}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            written: dict[str, tuple[Any, dict[str, Any], Path]] = {}
            text = json.dumps(self._stored(document, "", temporary, final, written))
            _write(temporary / DOCUMENT, [json.dumps([_digest(text), text]).encode()])
            _sync(temporary)
            if final.exists():
                # not over it: a folder that is not empty cannot be renamed over
                final.rename(self.path / f".{step}.old{PART}")
            temporary.rename(final)
            _sync(self.path)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise ZooError(f"{final}: cannot be written: {error.strerror or error}.") from error
        self._written = written
        self.clean()
        for old in self.steps()[:-KEPT]:
            shutil.rmtree(self.path / str(old), ignore_errors=True)

    def load(self, step: int) -> dict[str, Any]:
        """Return the document of a checkpoint, with its arrays.

        Raises:
            ZooError: a file is missing, cut or changed, or is not what a checkpoint holds.
        """
        folder = self.path / str(step)
        try:
            path = folder / DOCUMENT
            if path.stat().st_size > LARGEST_DOCUMENT:
                raise ValueError("the document is too large")
            digest, text = json.loads(path.read_text(encoding="utf-8"))
            if digest != _digest(text):
                raise ValueError("the document's checksum is wrong")
            document = self._restored(json.loads(text), folder)
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ZooError(f"{folder}: is damaged: {error}.") from error
        if not isinstance(document, dict):
            raise ZooError(f"{folder}: is damaged: it holds no object.")
        return document

    def newest(self) -> tuple[dict[str, Any] | None, list[Finding]]:
        """Return the newest undamaged checkpoint, or None; and a finding for each newer one."""
        findings: list[Finding] = []
        for step in reversed(self.steps()):
            try:
                return self.load(step), findings
            except ZooError as error:
                findings.append(
                    Finding(
                        "warning",
                        f"a checkpoint was passed over: {error}",
                        {"step": step},
                        "Training resumes from an older one; check the disk.",
                    )
                )
        return None, findings

    def clean(self) -> None:
        """Remove what writing left behind."""
        if self.path.is_dir():
            for path in self.path.iterdir():
                if path.name.startswith(".") and path.name.endswith(PART):
                    shutil.rmtree(path, ignore_errors=True)

    def _stored(
        self, value: Any, key: str, temporary: Path, final: Path, written: dict[str, Any]
    ) -> Any:
        """Return a value as JSON types; arrays go to files, and are described instead."""
        if isinstance(value, dict):
            return {
                name: self._stored(
                    item, f"{key}.{name}" if key else name, temporary, final, written
                )
                for name, item in value.items()
            }
        if not (isinstance(value, list) and value and isinstance(value[0], np.ndarray)):
            return value
        name = f"{key}.bin"
        if key in self._written and self._written[key][0] is value:
            described, source = self._written[key][1:]
            try:
                os.link(source, temporary / name)
            except OSError:  # a file system without links, or the file is gone
                described = _write_arrays(temporary / name, value)
        else:
            described = _write_arrays(temporary / name, value)
        written[key] = value, described, final / name
        return described

    def _restored(self, value: Any, folder: Path, key: str = "") -> Any:
        if not isinstance(value, dict):
            return value
        if "arrays" in value:
            if not re.fullmatch(r"[\w.-]+", key):  # a hostile name must not lead out of the folder
                raise ValueError(f"{key!r} is not a name of arrays")
            arrays = _read_arrays(folder / f"{key}.bin", value)
            self._written[key] = arrays, value, folder / f"{key}.bin"
            return arrays
        return {
            name: self._restored(item, folder, f"{key}.{name}" if key else name)
            for name, item in value.items()
        }


def _write_arrays(path: Path, arrays: Sequence[np.ndarray]) -> dict[str, Any]:
    contiguous = [np.ascontiguousarray(array) for array in arrays]
    digest = _write(path, [array.reshape(-1).view(np.uint8).data for array in contiguous])
    return {
        "arrays": [[array.dtype.name, *np.shape(array)] for array in arrays],
        "digest": digest,
    }


def _read_arrays(path: Path, described: dict[str, Any]) -> list[np.ndarray]:
    kinds = [(DTYPES[name], tuple(map(int, shape))) for name, *shape in described["arrays"]]
    sizes = [dtype.itemsize * math.prod(shape) for dtype, shape in kinds]
    if any(size < 0 for size in sizes):
        raise ValueError(f"{path.name} has a negative size")
    if path.stat().st_size != sum(sizes):
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes instead of {sum(sizes)}")
    content = path.read_bytes()
    if _digest(content) != described["digest"]:
        raise ValueError(f"the checksum of {path.name} is wrong")
    arrays, start = [], 0
    for (dtype, shape), size in zip(kinds, sizes, strict=True):
        array = np.frombuffer(content, dtype, count=math.prod(shape), offset=start)
        arrays.append(array.reshape(shape))
        start += size
    return arrays


def _write(path: Path, pieces: Sequence[Any]) -> str:
    """Write and sync a file; return its checksum."""
    checksum = 0
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            checksum = zlib.crc32(piece, checksum)
        file.flush()
        os.fsync(file.fileno())
    return f"{checksum:08x}"


def _digest(content: str | bytes) -> str:
    # It finds accidents, at 3 GB/s; a cryptographic one takes a third of the time of writing.
    return f"{zlib.crc32(content.encode() if isinstance(content, str) else content):08x}"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
