"""Tensors of safetensors files, checked by the safetensors library and read one at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors

from zoo.errors import ZooError, did_you_mean, reason

FLOATS = ("F64", "F32", "F16", "BF16")
# What is unpickled can run any code, so that it is not even opened.
PICKLED = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib")


@dataclasses.dataclass(frozen=True)
class Tensors:
    """The tensors of files, by name.

    Args:
        files: name to the file that holds it.
        shapes: name to shape.
        where: the file or folder, for messages.
    """

    files: Mapping[str, Path]
    shapes: Mapping[str, tuple[int, ...]]
    where: Path

    def read(self, name: str) -> np.ndarray:
        """Return a tensor as float32; it is read from the file alone."""
        with safetensors.safe_open(self.files[name], framework="numpy") as file:
            return np.asarray(file.get_tensor(name), np.float32)

    def shape(self, name: str, *expected: int) -> tuple[int, ...]:
        """Return the shape of a tensor that must be there.

        Args:
            name: of the tensor.
            *expected: its shape; -1 for any number.

        Raises:
            ZooError: it is missing or has another shape.
        """
        if name not in self.shapes:
            hint = did_you_mean(name, self.shapes)
            raise ZooError(f"{self.where}: the tensor '{name}' is missing.{hint}")
        shape = self.shapes[name]
        fits = len(shape) == len(expected) and all(
            size in (-1, own) for size, own in zip(expected, shape, strict=True)
        )
        if not fits:
            asked = ", ".join("any" if size < 0 else f"{size:,}" for size in expected)
            raise ZooError(
                f"{self.where}: the tensor '{name}' has shape {shape}, and config.json asks for "
                f"({asked})."
            )
        return shape


def read_tensors(paths: Sequence[Path], where: Path) -> Tensors:
    """Return the tensors of safetensors files; their headers are checked, nothing else is read.

    Args:
        paths: the files.
        where: their folder, for messages.

    Raises:
        ZooError: a file is no safetensors file, is truncated, has tensors that overlap or leave
            gaps, or numbers of a kind that is not read.
    """
    files: dict[str, Path] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in paths:
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                for name in file.keys():
                    part = file.get_slice(name)
                    if part.get_dtype() in FLOATS:
                        files[name], shapes[name] = path, tuple(part.get_shape())
        except safetensors.SafetensorError as error:
            raise ZooError(
                f"{path}: is damaged or not a safetensors file: {reason(error)}. Copy it again."
            ) from error
        except OSError as error:
            raise ZooError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if not files:
        raise ZooError(f"{where}: holds no tensors of {', '.join(FLOATS)}.")
    return Tensors(files, shapes, where)


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder.

    Raises:
        ZooError: there are none.
    """
    whole = folder / "model.safetensors"
    files = [whole] if whole.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))
    if not files:
        pickled = [path.name for path in folder.iterdir() if path.suffix in PICKLED]
        why = f" {pickled[0]} is a pickle, which can run code, and is not read." if pickled else ""
        raise ZooError(
            f"{folder}: has no model.safetensors.{why} "
            "`model.save_pretrained(folder, safe_serialization=True)` of Hugging Face writes one."
        )
    return files
