"""SavedModels and saved networks: written whole or not at all, read without running any code."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

import zoo.training.model  # noqa: F401  (the classes are registered with Keras by the import)
from zoo.errors import ZooError
from zoo.files import written_beside

NETWORK = "model.keras"


def save_network(network: keras.Model, folder: Path) -> None:
    """Write `model.keras` into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_beside(folder / NETWORK) as temporary:
        network.save(temporary)


def load_network(folder: Path) -> keras.Model:
    """Read the `model.keras` of a folder; no code in it is ever run (Keras' safe mode).

    Raises:
        ZooError: the file is missing, corrupt, or holds code such as a Lambda layer.
    """
    path = folder / NETWORK
    if not path.is_file():
        raise ZooError(f"{path}: is missing.")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, AttributeError, ImportError) as error:
        raise ZooError(f"{path}: {_why_not(error)}") from error
    except zipfile.BadZipFile as error:
        raise ZooError(f"{path}: is damaged or not a Keras model file.") from error


def _why_not(error: Exception) -> str:
    message = " ".join(str(error).split())
    if "ambda" in message or "unsafe" in message:
        return f"holds code, which is never run. {message[:200]}"
    return f"is damaged or not a model of the zoo: {message[:300]}"


def write_archive(
    archive: keras.export.ExportArchive,
    folder: Path,
    also: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """Write a SavedModel beside and rename it: an error leaves nothing half-written.

    Args:
        archive: with its endpoints.
        folder: a new or empty one.
        also: what else writes into the folder.

    Raises:
        ZooError: the folder exists and is not empty, or cannot be written.
    """
    _write_each_array_once(archive)
    with new_folder(folder) as beside:
        archive.write_out(str(beside), verbose=False)
        also(beside)
    return folder


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder beside, and rename it in the end: an error leaves nothing half-written.

    Args:
        folder: a new or empty one.

    Raises:
        ZooError: the folder exists and is not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ZooError(f"{folder}: is already there. Export to a new folder, or remove it first.")
    beside = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        yield beside
        if folder.exists():
            folder.rmdir()
        beside.replace(folder)
    except (OSError, tf.errors.OpError) as error:
        raise ZooError(
            f"{folder}: cannot be written: {_system_error(error)}. Free some space or choose "
            "another folder; nothing was left there."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_each_array_once(archive: keras.export.ExportArchive) -> None:
    """Let an archive list the variables of TensorFlow, which its graphs use.

    Keras 3.15.1 lists its own objects around them, so that the file would have each array twice.
    """
    for name in ("variables", "trainable_variables", "non_trainable_variables"):
        listed = getattr(archive._tf_trackable, name)
        setattr(archive._tf_trackable, name, [getattr(v, "_value", v) for v in listed])


def _system_error(error: Exception) -> str:
    """Return what the system said; TensorFlow puts names of its ops and paths around it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]", "", " ".join(str(error).split())).strip()
    known = [word for code in errno.errorcode if (word := os.strerror(code)) in message]
    return max(known, key=len, default=message.rstrip("."))
