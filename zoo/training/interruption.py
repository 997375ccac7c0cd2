"""Ctrl-C and SIGTERM: what runs is brought to an end that can be resumed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """The process was asked to stop.

    Args:
        number: the signal.
    """

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """Whether the process was asked to stop.

    Args:
        asked: the signal that came, or None.
        waits: whether a first signal is only noted, since what runs looks at `asked` itself; a
            second one always raises `Stopped`.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self.waits = False

    def check(self) -> None:
        """Raise `Stopped` if a signal has come."""
        if self.asked is not None:
            raise Stopped(self.asked)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked is not None, number
        if again or not self.waits:
            raise Stopped(number)


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn Ctrl-C and SIGTERM into `Stopped`; the handlers from before are back afterwards.

    Outside the main thread, where Python allows no handlers, nothing is changed.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number in SIGNALS:
            if before[number] is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, stop._receive)
        yield stop
    finally:
        for number, handler in before.items():
            # None: set by C code, which Python cannot set
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
