"""What was set of a preset, beside what the data decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.derived import BUCKETS, CLASSES, findings_on
from zoo.preset.loading import Preset


def check_fixed(preset: Preset, fixed: Collection[str], classes: Sequence[Any] | None) -> None:
    """Refuse a number of classes that is not that of the data.

    Args:
        preset: with what was set in it.
        fixed: the keys that were set.
        classes: those of the data; None where there are none.

    Raises:
        ZooError: another number was set.
    """
    if CLASSES not in fixed or classes is None:
        return
    asked = preset.architecture.num_classes
    if asked != len(classes):
        some = ", ".join(f"'{each}'" for each in classes[:5]) + (", ..." if classes[5:] else "")
        raise ZooError(
            f"{CLASSES}={asked} was set, and the data have {len(classes):,} classes: {some}. "
            "Leave it out: the data decide it. To keep some of the classes, name them with "
            "--classes."
        )


def with_sizes(preset: Preset, fixed: Collection[str], sizes: Mapping[str, Any]) -> Preset:
    """Return a preset with the sizes that the data decided; what was set does not follow them.

    Args:
        preset: with what was set in it.
        fixed: the keys that were set.
        sizes: what the data decided.
    """
    held = {key: preset.values()[key] for key in (BUCKETS,) if key in fixed}
    return preset.override({**held, **sizes})


def brought_along(
    preset: Preset, fixed: Collection[str], sizes: Mapping[str, Any]
) -> list[Finding]:
    """Return findings where sizes of the data bring others.

    Args:
        preset: with what was set in it.
        fixed: the keys that were set.
        sizes: what the data decided.
    """
    sized = with_sizes(preset, fixed, sizes)
    return findings_on(preset.values(), sized.values(), dict.fromkeys(fixed))
