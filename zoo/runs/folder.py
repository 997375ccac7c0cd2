"""The folder of a run while it is made: new, replaced or resumed."""

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
from zoo.training.checkpoints.files import CheckpointFiles

CHECKPOINTS = "checkpoints"
# Where a run lies while another one replaces it, inside the folder itself: the folder is locked
# from the first look at it to the end, which it could not be if it were renamed.
REPLACED = ".replaced"
MOVING = ".replacing"  # the same while its files are moved there, or back


def checkpoints(folder: Path) -> CheckpointFiles:
    """Return the checkpoints of a run."""
    return CheckpointFiles(folder / CHECKPOINTS)


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
def run_folder(
    folder: Path, *, overwrite: bool, resume: bool, numbered: bool = False
) -> Iterator[Path]:
    """Yield a run's folder, which no other process trains in meanwhile.

    At the end of the block it stays if it holds metrics or a checkpoint; else it goes, and what
    was there before is back.

    Args:
        folder: where.
        overwrite: set a run that is there aside, and remove it in the end.
        resume: leave what is there.
        numbered: take a name of its own, with a number behind it where the folder is there already.

    Raises:
        ZooError: another process trains in it, something is there that must not be touched, or
            nothing can be written.
    """
    lock: int | None = None
    try:
        with _as_zoo_error(folder):
            if numbered:
                folder = _new(folder)
            lock = _locked(folder)
            _recover(folder)
            if any(folder.iterdir()):
                _check(folder, overwrite, resume)
                if not resume:
                    _set_aside(folder)
            _try_writing(folder)
        try:
            yield folder
        finally:
            if _holds_training(folder):
                shutil.rmtree(folder / REPLACED, ignore_errors=True)
            elif (folder / REPLACED).is_dir():
                _put_back(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)
                if numbered:  # it was put there for this run, as far as it is empty
                    with contextlib.suppress(OSError):
                        folder.parent.rmdir()
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def _as_zoo_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ZooError(f"{folder}: cannot be written: {error.strerror or error}.") from error


def _new(folder: Path) -> Path:
    """Make a folder; of processes that begin in the same second each gets its own."""
    made, number = folder, 1
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            made.mkdir()
            return made
        except FileNotFoundError:  # another process has ended, and took it for empty
            continue
        except FileExistsError:
            number += 1
            made = folder.with_name(f"{folder.name}-{number}")


def _locked(folder: Path) -> int:
    """Make a folder unless it is there; return a handle that keeps others out until it is closed.

    The lock ends with the process, however that ends.
    """
    while True:
        if folder.exists() and not folder.is_dir():
            raise ZooError(f"{folder}: is a file. Choose another --out.")
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise ZooError(
                f"{folder}: another process is training in it. Wait for its end, or choose "
                "another --out."
            ) from None
        except OSError:  # a file system without locks
            return handle
        # A process that ended between the two lines above may have removed what was opened.
        if folder.is_dir() and os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
        os.close(handle)


def _holds_training(folder: Path) -> bool:
    return (folder / "metrics.json").is_file() or bool(checkpoints(folder).steps())


def _set_aside(folder: Path) -> None:
    """Move a run into `REPLACED`; killed in between, `_recover` moves it back."""
    (folder / MOVING).mkdir()
    try:
        for path in list(folder.iterdir()):
            if path.name != MOVING:
                path.rename(folder / MOVING / path.name)
        (folder / MOVING).rename(folder / REPLACED)
    except BaseException:
        _put_back(folder)
        raise


def _put_back(folder: Path) -> None:
    """Remove what is new in a folder, and move the run that was set aside back."""
    if (folder / REPLACED).is_dir():
        for path in list(folder.iterdir()):
            if path.name != REPLACED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / REPLACED).rename(folder / MOVING)
    for path in list((folder / MOVING).iterdir()):
        path.rename(folder / path.name)
    (folder / MOVING).rmdir()


def _recover(folder: Path) -> None:
    """Remove what a process that was killed left behind, or put back what it had set aside."""
    if (folder / MOVING).is_dir():
        _put_back(folder)
    elif (folder / REPLACED).is_dir():
        if _holds_training(folder):
            shutil.rmtree(folder / REPLACED)
        else:
            _put_back(folder)
    half_written = list(folder.glob(".*.part*"))
    if (folder / "preset.yaml").is_file():
        half_written = list(folder.rglob(".*.part*"))
    elif len(half_written) < len(list(folder.iterdir())):
        return  # not a run: what is in it is not ours
    for path in half_written:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _check(folder: Path, overwrite: bool, resume: bool) -> None:
    if not (folder / "preset.yaml").is_file():
        asked = "--resume" if resume else "--overwrite" if overwrite else ""
        left = f"is not a run, so {asked} leaves it alone" if asked else "is already there"
        raise ZooError(f"{folder}: {left}. Choose another --out.")
    if overwrite or resume:
        return
    if outcome(folder) is None or can_resume(folder):
        raise ZooError(
            f"{folder}: is already there, a run that is not finished. Pass --resume to finish "
            "it, --overwrite to begin again, or choose another --out."
        )
    raise ZooError(f"{folder}: is already there. Choose another --out, or pass --overwrite.")


def _try_writing(folder: Path) -> None:
    """Raise OSError now rather than at the end of the first epoch."""
    probe = folder / ".probe.part"
    probe.write_bytes(b"")
    probe.unlink()
