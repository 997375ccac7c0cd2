"""A finding: one judgement about data or a run, with its evidence and the next thing to do."""

from __future__ import annotations

import dataclasses
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
    """

    level: Level
    what: str
    evidence: dict[str, Any] = dataclasses.field(default_factory=dict)
    next: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON types."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """Return `what. next` as one line."""
        return f"{self.what} {self.next}".strip()
