"""Whether a network has a vector for every position of a text."""

from __future__ import annotations

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.preset import Preset


def check_positions(preset: Preset) -> list[Finding]:
    """Return nothing.

    Raises:
        ZooError: texts may be longer than the network has positions for.
    """
    architecture, longest = preset.architecture, preset.data.max_length
    rows = getattr(architecture, "max_positions", None)
    if rows is not None and longest > (most := rows - architecture.position_offset):
        raise ZooError(
            f"data.max_length {longest:,}: the network has vectors of {most:,} positions. Set "
            f"data.max_length to {most} or less, or raise architecture.max_positions."
        )
    return []
