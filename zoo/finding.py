"""A finding: one judgement about data or a run, with its evidence and the next thing to do."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any, Literal

Level = Literal["info", "warning", "error"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One judgement.

    Args:
        level: `info` (good to know), `warning` (look at it) or `error` (training refuses to start).
        what: what was found, in one sentence with its numbers.
        evidence: the numbers behind it: counts, row numbers, values.
        next: what to do about it, in one sentence.
        name: of the judgement, for programs, such as `overfitted`; empty where it has none.
        advice: ids of the guides' advice behind it (`zoo advice ID`).
    """

    level: Level
    what: str
    evidence: dict[str, Any] = dataclasses.field(default_factory=dict)
    next: str = ""
    name: str = ""
    advice: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "advice", tuple(self.advice))  # JSON has a list

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON types."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """Return `what. next` as one line."""
        return f"{self.what} {self.next}".strip()


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    Args:
        number: of things.
        one: words for one thing.
        many: words for several; empty for `one` with an s.

    Example:
        >>> counted(1, "image is", "images are"), counted(1200, "image")
        ('1 image is', '1,200 images')
    """
    return f"1 {one}" if number == 1 else f"{number:,} {many or f'{one}s'}"


def first_few(names: Iterable[Any], count: int, most: int = 5) -> str:
    """Return the first names of many, and how many more there are.

    Args:
        names: all of them, or the first.
        count: of all.
        most: names that are listed.

    Example:
        >>> first_few("abcdefg", 7)
        'a, b, c, d, e and 2 more'
    """
    listed = ", ".join(map(str, itertools.islice(names, most)))
    return f"{listed} and {count - most:,} more" if count > most else listed
