"""From a preset, what was set, devices and facts of the data to the values that are trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.batch_rule import FREEZE_NORM, NORM, frozen_norm, norm_for_batch
from zoo.preset.contrastive import BROUGHT
from zoo.preset.derived import BUCKETS, CLASSES, MONITOR, findings_on
from zoo.preset.preset import Preset
from zoo.preset.renamed import rename_keys
from zoo.preset.unread import unread
from zoo.starts.initialise import INIT, with_start
from zoo.starts.pretrained import Pretrained
from zoo.starts.resolve import canonical
from zoo.starts.word_vectors import with_word_vectors
from zoo.tasks.classifiers import FEW, kind_of
from zoo.tasks.label_kind import check_monitor
from zoo.training.precision import chosen_policy
from zoo.wheels import GLOVE

SMOOTHED = "smoothed-accuracy"


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the data decide.

    Args:
        values: of the preset, by dotted key.
        validation_rows: rows that pick the best epoch.
    """

    values: Mapping[str, Any]
    validation_rows: int


def resolve(
    preset: Preset,
    changes: Mapping[str, Any] | None = None,
    *,
    fixed: Collection[str] = (),
    replicas: int = 1,
    facts: Facts | None = None,
    start: Pretrained | None = None,
) -> tuple[Preset, list[Finding]]:
    """Return the preset that is trained, with findings on what follows from what.

    Args:
        preset: as it was loaded.
        changes: dotted keys and values that were set.
        fixed: other keys that were set, in the run that is repeated; neither data nor devices
            decide a key that was set.
        replicas: devices that share each batch.
        facts: what the data decide; None before they are read.
        start: where the weights come from; None for random ones.

    Raises:
        ZooError: a key does not exist, or a value is not accepted.
    """
    resolved = preset.override(changes or {})
    changes, _ = rename_keys(changes or {})
    fixed = {*changes, *fixed}
    resolved, started = with_word_vectors(resolved, fixed)
    files = {f"data.{name}": getattr(resolved.data, name) for name in resolved.data.paths}
    absolute = {
        key: str(Path(file).absolute()) for key, file in files.items() if file and file != GLOVE
    }
    if resolved.recipe.init is not None:
        absolute[INIT] = canonical(resolved.recipe.init)
    resolved = resolved.override(absolute)
    if start is not None:
        resolved, started = with_start(resolved, start, fixed)
    policy, findings = chosen_policy(resolved.recipe.dtype_policy, preset.architecture.sparse)
    findings += [*resolved.notices, *started]
    findings += findings_on(preset.values(), resolved.values(), changes)
    findings += unread(resolved.values(), changes)
    resolved = resolved.override({"recipe.dtype_policy": policy})
    small_batch = norm_for_batch(resolved.values(), replicas)
    if start is not None and NORM in start.values:  # another norm has no weights
        frozen, small_batch = frozen_norm(resolved.values(), replicas)
        findings += small_batch
        resolved = resolved if frozen is None else resolved.override({FREEZE_NORM: frozen})
    elif small_batch and NORM not in fixed:
        resolved = resolved.override({NORM: "group"})
        findings += small_batch
    if facts is None:
        return resolved, findings
    sized = with_facts(resolved, fixed, facts.values)
    findings += findings_on(resolved.values(), sized.values(), dict.fromkeys(fixed))
    monitored, smoothed = with_monitor(sized, facts.validation_rows, fixed)
    return monitored, findings + smoothed


def with_facts(preset: Preset, fixed: Collection[str], values: Mapping[str, Any]) -> Preset:
    """Return a preset with what the data decide; what was set does not follow it.

    Args:
        preset: with what was set in it.
        fixed: the keys that were set.
        values: dotted key to value.
    """
    held = {key: preset.values()[key] for key in (BUCKETS, MONITOR, *BROUGHT) if key in fixed}
    return preset.override({**held, **values})


def with_monitor(preset: Preset, rows: int, fixed: Collection[str]) -> tuple[Preset, list[Finding]]:
    """Return a preset whose epoch is picked by smoothed accuracy where one epoch's says little.

    In 13 runs on 500 rows, 50 of them validated, it picked weights that were better by .33
    points of accuracy (± .17) than one epoch's accuracy did; the loss, by .20 (± .41)
    (`python -m benchmarks run selection`).

    Args:
        preset: that is trained.
        rows: of the validation part.
        fixed: the keys that were set.

    Raises:
        ZooError: what is monitored is no score of rows with so many labels.
    """
    monitor, labels = preset.recipe.monitor, getattr(preset.data, "labels", None)
    if labels is not None:
        check_monitor(kind_of(labels), monitor)
    if monitor != "accuracy" or MONITOR in fixed or not 0 < rows < FEW:
        return preset, []
    if not preset.recipe.total_epochs(1):  # there is no epoch to pick
        return preset, []
    what = (
        f"{MONITOR} accuracy -> {SMOOTHED}: of {rows:,} rows of validation one is {100 / rows:.2g} "
        "points of accuracy, and the mean of three epochs says more."
    )
    finding = Finding("info", what, {"rows": rows}, f"Set {MONITOR} to choose another.")
    return preset.override({MONITOR: SMOOTHED}), [finding]


def check_classes(preset: Preset, fixed: Collection[str], classes: Sequence[Any] | None) -> None:
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
        some = ", ".join(f"'{name}'" for name in classes[:5]) + (", ..." if classes[5:] else "")
        raise ZooError(
            f"{CLASSES}={asked} was set, and the data have {len(classes):,} classes: {some}. "
            "Leave it out: the data decide it. To keep some of the classes, name them with "
            "--classes."
        )
