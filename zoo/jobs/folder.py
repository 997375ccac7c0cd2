"""The folder of a run while it is made: new, replaced, or gone on with."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import read_json
from zoo.training.checkpoint import Folder

CHECKPOINTS = "checkpoints"


def checkpoints(folder: Path) -> Folder:
    """Return the checkpoints of a run."""
    return Folder(folder / CHECKPOINTS)


def outcome(folder: Path) -> dict[str, Any] | None:
    """Return what a run's metrics say of its training, or None when it has not come to an end."""
    if not (folder / "metrics.json").is_file():
        return None
    document = read_json(folder / "metrics.json")
    training = document.get("training") if isinstance(document, dict) else None
    if not isinstance(training, dict):
        raise ZooError(f"{folder / 'metrics.json'}: is damaged. Pass --overwrite to train again.")
    return training


def can_resume(folder: Path) -> bool:
    """Whether a run is unfinished and has a checkpoint."""
    training = outcome(folder)
    if training is not None and not training.get("interrupted"):
        return False
    return bool(checkpoints(folder).steps())


@contextlib.contextmanager
def run_folder(folder: Path, *, overwrite: bool, resume: bool) -> Iterator[Path]:
    """Yield a run's folder.

    At the end of the block it stays if it holds metrics or a checkpoint; else it goes, and what
    was there before is back.

    Args:
        folder: where.
        overwrite: set a run that is there aside, and remove it in the end.
        resume: leave what is there.

    Raises:
        ZooError: something is there that must not be touched, or nothing can be written.
    """
    aside = folder.with_name(f".{folder.name}.replaced")
    replaced: Path | None = None
    try:
        _recover(folder, aside)
        if folder.exists() and _has_content(folder):
            _check(folder, overwrite, resume)
            if not resume:
                folder.rename(aside)
                replaced = aside
        folder.mkdir(parents=True, exist_ok=True)
        _try_writing(folder)
    except OSError as error:
        raise ZooError(f"{folder}: cannot be written: {error.strerror or error}.") from error
    lock = _locked(folder)
    try:
        yield folder
    finally:
        os.close(lock)
        if not (folder / "metrics.json").is_file() and not checkpoints(folder).steps():
            shutil.rmtree(folder, ignore_errors=True)
            if replaced is not None:
                replaced.rename(folder)
        elif replaced is not None:
            shutil.rmtree(replaced, ignore_errors=True)


def _locked(folder: Path) -> int:
    """Return a handle that keeps other processes out of the folder until it is closed."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ZooError(f"{folder}: another process is training in it. Wait for its end.") from None
    except OSError:  # a file system without locks
        return handle
    return handle


def _recover(folder: Path, aside: Path) -> None:
    """Remove what a process that was killed left behind, or put back what it had set aside."""
    if aside.is_dir():
        if (folder / "metrics.json").is_file() or checkpoints(folder).steps():
            shutil.rmtree(aside)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            aside.rename(folder)
    if folder.is_dir():
        for each in folder.glob(".*.part*"):
            each.unlink()
        if (folder / "preset.yaml").is_file():
            for each in list(folder.rglob(".*.part*")):
                shutil.rmtree(each) if each.is_dir() else each.unlink(missing_ok=True)


def _has_content(folder: Path) -> bool:
    return not folder.is_dir() or any(folder.iterdir())


def _check(folder: Path, overwrite: bool, resume: bool) -> None:
    if not (folder / "preset.yaml").is_file():
        asked = "--resume" if resume else "--overwrite" if overwrite else ""
        left = f"is not a run, so {asked} leaves it alone" if asked else "is already there"
        raise ZooError(f"{folder}: {left}. Choose another --out.")
    if overwrite or resume:
        return
    if outcome(folder) is None or can_resume(folder):
        raise ZooError(
            f"{folder}: is already there, a run that is not finished. Pass --resume to go on with "
            "it, --overwrite to begin again, or choose another --out."
        )
    raise ZooError(f"{folder}: is already there. Choose another --out, or pass --overwrite.")


def _try_writing(folder: Path) -> None:
    """Raise OSError now rather than at the end of the first epoch."""
    probe = folder / ".probe.part"
    probe.write_bytes(b"")
    probe.unlink()
