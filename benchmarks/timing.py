"""Contestants timed in turn, so that a busy neighbour slows all of them alike."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Timings:
    """How long a step of each contestant took.

    Attributes:
        seconds: of a step, by contestant, one value a round.
    """

    seconds: dict[str, list[float]]

    def milliseconds(self, name: str) -> float:
        """Return the median over the rounds."""
        return 1000 * statistics.median(self.seconds[name])

    def times(self, slow: str, fast: str) -> float:
        """Return the median of the ratios within a round: how many times `slow` takes `fast`."""
        pairs = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return statistics.median(a / b for a, b in pairs)


def time_in_turn(
    contestants: Mapping[str, Callable[[], Any]], rounds: int, *, calls: int = 1, steps: int = 1
) -> Timings:
    """Call contestants one after the other in every round.

    A first round, in which they compile, allocate and warm up, is not counted.

    Args:
        contestants: what is called, by name.
        rounds: rounds that count.
        calls: calls of a contestant in a round.
        steps: training steps of a call.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, call in contestants.items():
            started = time.perf_counter()
            for _ in range(calls):
                call()
            if number:
                seconds[name].append((time.perf_counter() - started) / (calls * steps))
    return Timings(seconds)
