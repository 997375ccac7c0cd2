"""A job with its data and its model, before the first step, for what looks at them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from zoo.distribute import strategy_for
from zoo.preset.preset import Preset
from zoo.runs.asked import asked
from zoo.runs.job import Job, check_data, first_model
from zoo.runs.resolve import Facts
from zoo.starts.initialise import INIT
from zoo.tasks.request import Request
from zoo.tasks.task import Data
from zoo.training.linear_probe import LinearProbe
from zoo.training.model import TrainingModel


def asked_job(
    model: str | Path,
    preset: str | Path,
    init: str | Path | None,
    changes: Mapping[str, Any] | None,
    request: Request,
    devices: str = "cpu",
) -> Job:
    """Return a job that writes nothing.

    Args:
        model: name of a model, or the path of a preset file, as `zoo.train` takes it.
        preset: name of a preset of the model, or path of a preset file.
        init: where weights come from; None for what the preset says.
        changes: dotted keys and values that override the preset.
        request: the data and what is done with them.
        devices: as of `zoo.train`.

    Raises:
        ZooError: there is no such model, preset or device.
    """
    changes = dict(changes or {}) | ({} if init is None else {INIT: str(init)})
    loaded, request = asked(model, preset, changes, request)
    keras.utils.set_random_seed(request.seed)
    strategy = strategy_for(devices)
    return Job(loaded, changes, request, strategy, time.perf_counter(), note="", verbose=False)


@contextlib.contextmanager
def ready(job: Job) -> Iterator[tuple[Data, Preset, TrainingModel]]:
    """Yield the data of a job, the preset that would be trained, and the model before a step.

    Raises:
        ZooError: data or preset are not usable.
    """
    tokenizer = job.start and job.start.tokenizer
    with contextlib.closing(job.task.load(job.reading, job.preset, tokenizer)) as data:
        check_data(job, data)
        prepared = job.task.prepare_data(data, job.preset, job.request.seed, baseline=False)
        preset, _ = job.resolve(Facts(prepared.facts, len(data.validation)))
        model, _ = first_model(job, preset, data)
        for callback in job.task.callbacks(data):
            if isinstance(callback, LinearProbe):  # steps begin with the head that it fits
                callback.set_model(model)
                callback.fit_head()
        yield data, preset, model
