"""Arrays of Keras' weights files, by the layer they are of: read by h5py, no class is ever made.

Three forms: `.weights.h5`, the same inside of a `.keras` archive, and the older `.h5` with or
without a model around the weights.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from zoo.errors import ZooError, did_you_mean, reason

WEIGHTS = "model.weights.h5"  # in an archive of Keras, and in a folder of KerasHub
OLD_ROOTS = ("", "model_weights/")  # of weights alone, and of a model
# What h5py raises of damage: HDF5's errors by their kind, and names that are no text.
DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError)


@dataclasses.dataclass(frozen=True)
class Arrays:
    """The arrays of a file by the name of their layer.

    Args:
        path: of the file.
        paths: name to the path within the file. Names are such as `token_embedding/vars/0`, the
            number of a variable, or of older files `conv1_conv/kernel`.
        shapes: name to shape.
        content: the HDF5 file, where it is inside of an archive.
    """

    path: Path
    paths: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    content: bytes | None = None

    def read(self, name: str) -> np.ndarray:
        """Return an array as float32; it is read from the file alone.

        Raises:
            ZooError: the file is damaged, or the array holds no numbers.
        """
        inside = self.paths[name]
        with _opened(self.path, self.content) as file:
            return np.asarray(file[inside], np.float32)

    def reader(self, name: str, *shape: int) -> Callable[[], np.ndarray]:
        """Return what reads an array that must be there.

        Args:
            name: of the array.
            *shape: its own; -1 for any number.

        Raises:
            ZooError: it is missing or has another shape.
        """
        if name not in self.shapes:
            raise ZooError(f"{self.path}: '{name}' is missing.{did_you_mean(name, self.shapes)}")
        found = self.shapes[name]
        sizes = zip(shape, found, strict=False)
        if len(found) != len(shape) or any(size not in (-1, own) for size, own in sizes):
            raise ZooError(
                f"{self.path}: '{name}' has shape {found}, and config.json asks for {shape}."
            )
        return lambda: self.read(name)


def read_arrays(path: Path) -> Arrays:
    """Return the arrays of a file; links to other files are not followed.

    Raises:
        ZooError: the file is missing or damaged, or keeps its arrays in other files.
    """
    content = _archived(path) if path.suffix == ".keras" else None
    layers: dict[str, str] = {}
    found: dict[str, tuple[int, ...]] = {}

    def visit(name: str, entry: Any) -> None:
        parts = name.split("/")
        if isinstance(entry, h5py.Dataset):
            if entry.external or entry.is_virtual:
                raise ZooError(f"{path}: '{name}' lies in another file, which is not read.")
            found[name] = tuple(entry.shape)
        elif parts[0] == "layers" and parts[2:] == ["vars"]:
            layers[parts[1]] = str(entry.attrs.get("name", parts[1]))

    with _opened(path, content) as file:
        file.visititems(visit)
    named = _named(found, layers) if layers else _named_by_old_keras(found)
    return Arrays(path, named, {name: found[inside] for name, inside in named.items()}, content)


@contextlib.contextmanager
def _opened(path: Path, content: bytes | None) -> Iterator[Any]:
    """Open the file while it is read.

    Raises:
        ZooError: the file is missing or damaged, which may show at any part of it.
    """
    try:
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            yield file
    except DAMAGE as error:
        raise ZooError(f"{path}: is missing, damaged or no HDF5 file: {reason(error)}.") from error


def _archived(path: Path) -> bytes:
    """Return the HDF5 file of a `.keras` archive.

    Raises:
        ZooError: there is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(WEIGHTS)
    except (*DAMAGE, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ZooError(
            f"{path}: is missing, damaged or no archive with {WEIGHTS}: {reason(error)}."
        ) from error


def _named(found: Mapping[str, Any], layers: Mapping[str, str]) -> dict[str, str]:
    """Return where each array lies: groups are numbered by class, and say the layer's name."""
    paths = {}
    for inside in found:
        first, _, rest = inside.partition("/")
        group, _, variable = rest.partition("/")
        if first == "layers" and group in layers:
            paths[f"{layers[group]}/{variable}"] = inside
    return paths


def _named_by_old_keras(found: Mapping[str, Any]) -> dict[str, str]:
    """Return where each array lies: groups are layers, and a variable may end in `:0`."""
    root = OLD_ROOTS[any(inside.startswith(OLD_ROOTS[1]) for inside in found)]
    paths = {}
    for inside in found:
        if inside.startswith(root):
            layer, _, rest = inside.removeprefix(root).partition("/")
            paths[f"{layer}/{rest.rpartition('/')[2].removesuffix(':0')}"] = inside
    return paths
