"""Checks before training: of a preset's model on data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.epochs import EpochCursor
from zoo.diagnosis.checks import check_model
from zoo.diagnosis.subject import Subject
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.runs.ready import asked_job, ready
from zoo.tasks.request import Request, chosen_classes

ENOUGH = 32  # rows of a batch that says something
LOOKED_AT = 20  # batches, for one with so many


def check(
    model: str | Path,
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
) -> list[Finding]:
    """Check a model on data before it is trained: a minute that saves the hour.

    Values in range, the same batch twice, training against inference, the first loss, gradients,
    rows that change each other, padding, ranges of layers, a few rows learned by heart, and what a
    whole run will take. On one device; nothing is written.

    Args:
        model: name of a model, or the path of a preset file, as `zoo.train` takes it.
        data: as of `zoo.train`; None for the bundled example.
        preset: name of a preset of the model, or path of a preset file.
        init: where weights come from, as of `zoo.train`.
        set: dotted keys and values that override the preset.
        text: name of the text column, or several separated by commas.
        label: name of the label column.
        seed: fixes split, initial weights, dropout and order.
        fraction: share of the training part to use, in (0, 1].
        classes: the classes to keep; None keeps all.
        drop_missing: leave out rows without a label instead of refusing them.

    Returns:
        What the data warn of, then a finding for each check; `name` tells which.

    Raises:
        ZooError: data or preset are not usable.
    """
    request = Request(
        data, None, None, text, label, seed, fraction, chosen_classes(classes), drop_missing
    )
    job = asked_job(model, preset, init, set, request)
    with ready(job) as (read, resolved, network):
        batches = read.dataset("train", EpochCursor(), range(1), 1)
        steps = int(batches.cardinality())
        recipe = resolved.recipe
        first = list(batches.take(LOOKED_AT).as_numpy_iterator())
        subject = Subject(
            network,
            _first_large(first),
            recipe.optimizer.learning_rate,
            steps * recipe.total_epochs(steps),
            random=job.start is None,
            targets=[np.asarray(batch[1]) for batch in first],
        )
        warned = [finding for finding in read.findings if finding.level != "info"]
        return [*warned, *check_model(subject)]


def _first_large(batches: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the first batch that is not small, or the largest of some."""
    if not batches:
        raise ZooError("the training part has no batch: nothing can be checked.")
    large = next((batch for batch in batches if len(batch[1]) >= ENOUGH), None)
    return _from_the_beginning(large or max(batches, key=lambda batch: len(batch[1])))


def _from_the_beginning(batch: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a batch whose windows continue nothing, so that twice the same is the same."""
    x = batch[0]
    if isinstance(x, dict) and "reset" in x:
        return ({**x, "reset": x["reset"] | True}, *batch[1:])
    return batch
