"""Processes that get ready side by side, and compile and are measured one at a time."""

from __future__ import annotations

import fcntl
import itertools
import os
import statistics
import time
from pathlib import Path


class Turns:
    """Who has the GPU: nobody else compiles, tunes kernels or takes steps meanwhile.

    Args:
        path: a file that the processes of a benchmark share.
    """

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)

    def take(self) -> None:
        """Wait until nobody else compiles or measures; call it before the first step."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Let the others go on."""
        fcntl.flock(self._file, fcntl.LOCK_UN)


class Rounds:
    """Seconds of rounds of some steps; the first steps warm up, and so does the first round.

    Args:
        turns: whose turn it is.
        warm: steps before the measurement.
        steps: of a round.
        rounds: that count.
    """

    def __init__(self, turns: Turns, *, warm: int, steps: int, rounds: int):
        self.turns, self.warm, self.steps, self.rounds = turns, warm, steps, rounds
        self.total = warm + steps * (rounds + 1)  # steps to take
        self.first = 0.0  # seconds to the end of the first step
        self._begun = time.perf_counter()
        self._taken = 0
        self._times: list[float] = []

    def begin(self) -> None:
        """Begin once the GPU is free: the next step compiles."""
        self.turns.take()
        self._begun = time.perf_counter()

    @property
    def waits(self) -> bool:
        """Whether the step that is just being taken has to be waited for before `step`."""
        after = self._taken + 1 - self.warm
        return self._taken == 0 or (after >= 0 and after % self.steps == 0)

    def step(self) -> None:
        """Note that a step was taken."""
        waited = self.waits
        self._taken += 1
        if self._taken == 1:
            self.first = time.perf_counter() - self._begun
        if waited and self._taken >= self.warm:
            self._times.append(time.perf_counter())
        if self._taken == self.total:
            self.turns.leave()

    def result(self) -> dict[str, float]:
        """Return milliseconds a step, median and extremes over the rounds, and of the first."""
        ends = self._times[1:]
        each = [1000 * (b - a) / self.steps for a, b in itertools.pairwise(ends)]
        return {
            "milliseconds": statistics.median(each),
            "fastest_milliseconds": min(each),
            "slowest_milliseconds": max(each),
            "first_step_seconds": self.first,
        }
