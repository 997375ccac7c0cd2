"""The process around a command: its streams, its signals and its exit code.

0: done. 1: an error, told in one message on stderr. 2: a command or an option that does not exist.
130: Ctrl-C. 143: SIGTERM.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from zoo.errors import Interrupted, ZooError
from zoo.training.interruption import Stopped, stop_signals


def ended(command: Callable[[], object]) -> int:
    """Run a command; return its exit code, after its message if it failed.

    Args:
        command: it may raise `SystemExit`, `ZooError`, or OSError of a file.
    """
    try:
        run(command)
    except ZooError as error:
        if isinstance(error, Interrupted):
            # A second Ctrl-C, while threads end, is no traceback.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        print(f"zoo: {error}", file=sys.stderr)
        return error.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"zoo: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


def run(command: Callable[[], object]) -> None:
    """Run a command with its streams prepared, and write its output to the end.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came.
        ZooError: the output cannot be written, or the command raised it.
        SystemExit: the command raised it.
    """
    with _streams(), stop_signals():
        try:
            command()
        except ReaderGone:
            return
        except (SystemExit, KeyboardInterrupt) as end:
            number = _signal_behind(end)
            if number is None:
                raise
            raise Interrupted("interrupted.", number) from None


def _signal_behind(end: BaseException) -> int | None:
    """Return the signal that ended a command; Typer makes SystemExit of KeyboardInterrupt."""
    error: BaseException | None = end
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return error.number if isinstance(error, Stopped) else signal.SIGINT
        error = error.__cause__ or error.__context__
    return None


class ReaderGone(Exception):
    """Whoever read the output has enough: `zoo predict ... | head`."""


class _Output(io.FileIO):
    """Standard output, whose failures are told from those of files. After one it takes nothing."""

    failed = False

    def write(self, data: Any) -> int:
        if self.failed:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:
            self.failed = True
            raise ReaderGone from None
        except OSError as error:
            self.failed = True
            raise ZooError(f"standard output: cannot be written: {error.strerror}.") from error


def standard_input() -> BinaryIO:
    """Return the bytes of stdin.

    Raises:
        ZooError: it is closed.
    """
    if sys.stdin is None:
        raise ZooError("standard input is closed. Pipe lines into the command, or name a file.")
    return sys.stdin.buffer


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Make stdout and stderr what commands rely on: there, and UTF-8 whatever the locale.

    A terminal keeps its own encoding. What cannot be encoded, such as a file name that is not
    UTF-8, is escaped as JSON does it.

    Raises:
        ZooError: stdout is closed, or cannot be written.
    """
    # A closed stream leaves its number to the next file that is opened; what the system's
    # libraries print would go into that file.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")
    if isinstance(sys.stderr, io.TextIOWrapper) and not sys.stderr.isatty():
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    before = sys.stdout
    if before is None:
        raise ZooError("standard output is closed. Send it somewhere, as to /dev/null.")
    with contextlib.suppress(OSError, AttributeError):  # a stand-in without a file, of a notebook
        output = _Output(before.fileno(), "w", closefd=False)
        unbuffered = isinstance(before.buffer, io.FileIO)  # PYTHONUNBUFFERED
        before.flush()
        sys.stdout = io.TextIOWrapper(
            output if unbuffered else io.BufferedWriter(output),
            encoding=before.encoding if before.isatty() else "utf-8",
            errors="backslashreplace",
            line_buffering=before.isatty(),
            write_through=unbuffered,
        )
    try:
        yield
    finally:
        try:
            with contextlib.suppress(ReaderGone):
                sys.stdout.flush()
        finally:
            sys.stdout = before
