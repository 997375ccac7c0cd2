"""Find a learning rate: a sweep on a preset's model and data, or on a model of one's own."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.data.epochs import EpochCursor
from zoo.diagnosis.lr_sweep import FACTOR, HIGHEST, LOWEST, LrSweep, sweep
from zoo.distribute import distributed
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.linear_probe import FIRST, LINEAR_PROBE, ONLY
from zoo.preset.loading import load_preset
from zoo.runs.folder import can_resume
from zoo.runs.job import Job
from zoo.runs.ready import asked_job, ready
from zoo.tasks.request import Request, chosen_classes
from zoo.training.model import TrainingModel

AUTO = "auto"
RATE = "recipe.optimizer.learning_rate"


def find_lr(
    model: str | Path | keras.Model,
    data: Any = None,
    *,
    preset: str | Path = "default",
    init: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    text: str | None = None,
    label: str | None = None,
    seed: int = 0,
    fraction: float = 1.0,
    classes: Sequence[str] | None = None,
    drop_missing: bool = False,
    devices: str = "auto",
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    factor: float = FACTOR,
) -> LrSweep:
    """Sweep the learning rate from tiny to huge, and return where the loss falls (A12).

    Args:
        model: name of a model, or the path of a preset file, as `zoo.train` takes it; or any
            compiled `keras.Model`, which is left as it was, bit for bit.
        data: as of `zoo.train`; with a Keras model a `tf.data.Dataset` of its batches.
        preset: name of a preset of the model, or path of a preset file.
        init: where weights come from, as of `zoo.train`.
        set: dotted keys and values that override the preset.
        text: name of the text column, or several separated by commas.
        label: name of the label column.
        seed: fixes split, initial weights, dropout and order.
        fraction: share of the training part to use, in (0, 1].
        classes: the classes to keep; None keeps all.
        drop_missing: leave out rows without a label instead of refusing them.
        devices: as of `zoo.train`.
        lowest: learning rate of the first step.
        highest: learning rate at which the sweep ends, if the loss has not blown up before.
        factor: from one step to the next, above 1.

    Returns:
        Rates, losses and what three rules suggest.

    Raises:
        ZooError: data or preset are not usable, the model is not compiled, or the rates make no
            sweep.
    """
    limits = {"lowest": lowest, "highest": highest, "factor": factor}
    if isinstance(model, keras.Model):
        return _own_model(model, data, limits)
    request = Request(
        data, None, None, text, label, seed, fraction, chosen_classes(classes), drop_missing
    )
    job = asked_job(model, preset, init, set, request, devices)
    return sweep_job(job, **limits)


def sweep_job(job: Job, **limits: float) -> LrSweep:
    """Sweep the rate of what a job trains, on a model of its own.

    Args:
        job: its data, preset and devices.
        **limits: `lowest`, `highest` and `factor` of `zoo.diagnosis.lr_sweep.sweep`.

    Raises:
        ZooError: see `find_lr`.
    """
    with ready(job) as (data, preset, model):
        if not preset.recipe.total_epochs(1):
            raise ZooError(
                f"{LINEAR_PROBE} is {ONLY}: no step is taken, so there is no rate to find. Set "
                f"{LINEAR_PROBE}={FIRST} to train all after the head."
            )
        read = functools.partial(data.dataset, "train", EpochCursor())
        batches = functools.partial(distributed, job.strategy, read)
        return sweep(model, batches, preset_rate=preset.values()[RATE], **limits)


def with_found_rate(job: Job) -> Job:
    """Return a job at the learning rate that a sweep suggests; its folder gets the sweep.

    Raises:
        ZooError: the loss falls at no rate.
    """
    found = sweep_job(job)
    rate = float(f"{found.rate:.2g}")
    found.save(job.folder)
    listed = ", ".join(f"{rule} {value:.2g}" for rule, value in found.suggested.items())
    finding = Finding(
        "info",
        f"{RATE} {AUTO}: {rate:.2g}, the preset has {found.preset_rate:.2g}. {listed}; "
        f"{len(found.rates)} steps in {found.seconds:.0f} s.",
        {"rate": rate, "preset": found.preset_rate, **found.suggested},
        name="learning-rate-found",
        advice=("A12",),
    )
    request = dataclasses.replace(job.request, fixed=(*job.request.fixed, RATE))
    changes = {**job.changes, RATE: rate}
    findings = (*job.findings, finding)
    return dataclasses.replace(job, changes=changes, request=request, findings=findings)


def with_rate(
    changes: Mapping[str, Any] | None, learning_rate: float | str | None, resumed: Path | None
) -> dict[str, Any]:
    """Return what is set, with the learning rate; a run that is resumed knows what `auto` was.

    Args:
        changes: dotted keys and values that were set.
        learning_rate: a number, `auto`, which is not known yet, or None.
        resumed: folder of the run that is resumed, or None.

    Raises:
        ZooError: the rate was set twice, or is neither a number nor `auto`.
    """
    set = dict(changes or {})
    if learning_rate is None:
        return set
    if RATE in set:
        raise ZooError(f"the learning rate is given twice: {RATE}={set[RATE]} and {learning_rate}.")
    if learning_rate == AUTO:
        if resumed is not None and can_resume(resumed):
            return set | {RATE: load_preset(None, resumed / "preset.yaml").values()[RATE]}
        return set
    try:
        return set | {RATE: float(learning_rate)}
    except ValueError as error:
        raise ZooError(
            f"the learning rate is a number or `{AUTO}`. Received: '{learning_rate}'."
        ) from error


def _own_model(model: keras.Model, data: Any, limits: Mapping[str, float]) -> LrSweep:
    if not isinstance(data, tf.data.Dataset | tf.distribute.DistributedDataset):
        raise ZooError(
            "a Keras model is swept on a tf.data.Dataset of batches, as its fit takes them. "
            f"Received: {type(data).__name__}."
        )
    strategy = model.distribute_strategy
    if isinstance(data, tf.data.Dataset) and strategy.num_replicas_in_sync > 1:
        data = strategy.experimental_distribute_dataset(data)
    rate = None
    if isinstance(model, TrainingModel) and model.recipe is not None:
        rate = model.recipe.optimizer.learning_rate
    return sweep(model, lambda: data, preset_rate=rate, **limits)
