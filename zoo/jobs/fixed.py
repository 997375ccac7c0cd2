"""What was set of a preset, beside what the data decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset import Preset

CLASSES, VOCABULARY = "architecture.num_classes", "architecture.vocabulary_size"


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


def bounds_found(preset: Preset, fixed: Collection[str], sizes: Mapping[str, Any]) -> list[Finding]:
    """Return a finding where the data did not reach a vocabulary that was set.

    Args:
        preset: with what was set in it.
        fixed: the keys that were set.
        sizes: what the data decided.
    """
    if VOCABULARY not in fixed or sizes.get(VOCABULARY) == preset.architecture.vocabulary_size:
        return []
    asked, found = preset.architecture.vocabulary_size, sizes[VOCABULARY]
    what = f"{VOCABULARY} {asked:,} -> {found:,}: the training part has no more pieces."
    hint = "What is set is the most there may be."
    return [Finding("info", what, {VOCABULARY: [asked, found]}, hint)]
