"""One training from its data to its scores, in a folder that is ready."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import random
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.builders import build
from zoo.data.epochs import EpochCursor
from zoo.diagnosis.diagnose import training_findings
from zoo.distribute import (
    check_agreement,
    distributed,
    is_chief,
    raise_on_all,
    unused_gpus,
    workers,
)
from zoo.environment import environment
from zoo.errors import ZooError
from zoo.files import write_json, write_text
from zoo.finding import Finding
from zoo.memory import check_fits, report_exhausted
from zoo.preset.preset import Preset
from zoo.runs.folder import CHECKPOINTS, can_resume, checkpoints, outcome
from zoo.runs.notes import notes
from zoo.runs.resolve import Facts, check_classes, resolve, with_facts
from zoo.runs.resume import check_fingerprint, check_same, recorded_start
from zoo.runs.run import Run
from zoo.starts.initialise import initialise
from zoo.starts.pretrained import Pretrained
from zoo.starts.resolve import canonical, resolve_start
from zoo.tasks.prepared import Prepared, load_prepared
from zoo.tasks.request import Request
from zoo.tasks.task import Data, Task, load_task
from zoo.training.checkpoints.callback import Checkpoints, Unusable
from zoo.training.interruption import Stop, Stopped
from zoo.training.model import TrainingModel
from zoo.training.monitor import Monitor
from zoo.wheels import GLOVE

PREPARED = f"{CHECKPOINTS}/prepared"


@dataclasses.dataclass(frozen=True)
class Job:
    """One call of `train`.

    Args:
        loaded: the preset as it was written.
        changes: dotted keys and values that were set in it.
        request: the data and what is done with them.
        strategy: the devices.
        started: `time.perf_counter` at the call.
        note: why this run.
        verbose: whether progress is shown on stderr.
        resumed: the folder of the run that is resumed, or None.
        folder: to work in.
        stop: what Ctrl-C and SIGTERM ask for.
        findings: what was found before, which the run keeps.
    """

    loaded: Preset
    changes: Mapping[str, Any]
    request: Request
    strategy: tf.distribute.Strategy
    started: float
    note: str
    verbose: bool
    resumed: Path | None = None
    folder: Path = Path()
    stop: Stop = dataclasses.field(default_factory=Stop)
    findings: tuple[Finding, ...] = ()

    @property
    def task(self) -> Task:
        """What the model is for."""
        return load_task(self.loaded.task)

    def resolve(self, facts: Facts | None = None) -> tuple[Preset, list[Finding]]:
        """Return the preset that is trained; see `zoo.runs.resolve`."""
        replicas = self.strategy.num_replicas_in_sync
        return resolve(
            self.loaded,
            self.changes,
            fixed=self.request.fixed,
            replicas=replicas,
            facts=facts,
            start=self.start,
        )

    @functools.cached_property
    def start(self) -> Pretrained | None:
        """Where the weights come from; of a run that is resumed, what it has written down of it."""
        source = self.loaded.override(self.changes).recipe.init
        if (
            source is None or source == GLOVE
        ):  # vectors of words are the data block's, not a network's
            return None
        source = canonical(source)
        return recorded_start(self.resumed, source) or resolve_start(source)

    @functools.cached_property
    def preset(self) -> Preset:
        """The preset as far as it is known before the data are read."""
        return self.resolve()[0]

    @property
    def reading(self) -> Request:
        """The request with what the start decides: the data decide neither its pixels nor sizes."""
        decided = self.start.values if self.start is not None else ()
        return dataclasses.replace(self.request, fixed=(*self.request.fixed, *decided))

    @functools.cached_property
    def environment(self) -> dict[str, Any]:
        """Versions and machine, and how many workers and devices share the training."""
        shared = {"workers": workers(self.strategy), "devices": self.strategy.num_replicas_in_sync}
        return environment() | shared

    @property
    def resume_hint(self) -> str:
        """The command that resumes from the checkpoint; empty when there is none."""
        if not can_resume(self.folder):
            return ""
        folder = self.folder.absolute()  # the command works wherever it is typed
        words = ["zoo", "train", str(folder / "preset.yaml"), "--out", str(folder), "--resume"]
        command = shlex.join(words)
        if "<" in str(self.request.to_dict()["data"]):
            command = f'zoo.train(..., out="{folder}", resume=True)'
        return f"`{command}` resumes from its last checkpoint."


def finished_run(job: Job) -> Run:
    """Return a run that has nothing to resume.

    Raises:
        ZooError: it was made with other settings or data, or ended before its time.
    """
    folder = job.folder
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # a kill may have left them
    check_same(folder, job.preset, job.request.to_dict(), job.environment, finished=True)
    reason = (outcome(folder) or {}).get("stopped")
    if reason is not None:
        raise ZooError(
            f"{folder}: has no checkpoint to resume from; its training ended before its time: "
            f"{reason} Its best model is kept. To train again, pass --overwrite."
        )
    if job.verbose:
        print(f"{folder}: is finished; there is nothing to resume.", file=sys.stderr)
    return Run(folder)


def run_job(job: Job, resume: bool) -> Run:
    """Read the data, train, score and write everything down.

    Args:
        job: what to do, in a folder that is ready.
        resume: take what was prepared, and the last checkpoint, from the folder.

    Raises:
        ZooError: see `zoo.train`.
    """
    with contextlib.ExitStack() as stack:
        with raise_on_all(job.strategy):
            prepared = load_prepared(job.folder / PREPARED) if resume else None
            if resume and (prepared is not None or can_resume(job.folder)):
                check_same(job.folder, job.preset, job.request.to_dict(), job.environment)
            tokenizer = prepared.tokenizer if prepared else job.start and job.start.tokenizer
            data: Data = job.task.load(job.reading, job.preset, tokenizer)
            stack.enter_context(contextlib.closing(data))
            if prepared is None:
                prepared = _prepare(job, data)
            else:
                check_fingerprint(job.folder, data.fingerprint)
        try:
            with report_exhausted(job.preset):
                return _train_and_score(job, prepared, data)
        except ZooError as error:
            raise ZooError(f"{error} {job.resume_hint}".rstrip()) from error


def check_data(job: Job, data: Data) -> None:
    """Refuse data on which no training begins.

    Raises:
        ZooError: a finding is an error, or the classes are not those that were set.
    """
    errors = [str(finding) for finding in data.findings if finding.level == "error"]
    if errors:
        raise ZooError(" ".join(errors))
    check_classes(job.preset, job.request.fixed, data.classes)


def _prepare(job: Job, data: Data) -> Prepared:
    """Check the data, fit the baseline, and write down what a resumed run needs."""
    check_data(job, data)
    if job.verbose:
        print(f"baseline: fitting on {len(data.train):,} {job.task.info.unit}", file=sys.stderr)
    chief = is_chief(job.strategy)
    prepared = job.task.prepare_data(data, job.preset, job.request.seed, baseline=chief)
    facts = prepared.facts
    recorded = {key: facts[key] for key in job.task.recorded_facts if key in facts}
    written = with_facts(job.preset, job.request.fixed, recorded)
    write_text(job.folder / "preset.yaml", written.to_yaml())
    write_json(
        job.folder / "environment.json",
        job.environment
        | {
            "request": job.request.to_dict(),
            "columns": data.columns.to_dict() if data.columns else None,
            "fingerprint": data.fingerprint,
            "start": job.start.record() if job.start else None,
        },
    )
    prepared.save(job.folder / PREPARED)
    return prepared


def _train_and_score(job: Job, prepared: Prepared, data: Data) -> Run:
    folder, strategy, task = job.folder, job.strategy, job.task
    preset, findings = job.resolve(Facts(prepared.facts, len(data.validation)))
    findings += [
        *job.findings,
        *task.check_preset(preset),
        *data.findings,
        *check_fits(preset),
        *unused_gpus(),
    ]
    kept = checkpoints(folder)
    newest, passed_over = kept.newest()
    check_agreement(
        strategy,
        {
            "code": job.environment["code"],
            "versions": job.environment["versions"],
            "model": preset.model,
            "data": data.fingerprint,
            "seed": job.request.seed,
            "checkpoint": newest.get("step") if newest else None,
            **preset.values(),
        },
    )
    model, started = first_model(job, preset, data, restored=newest is not None)
    findings += started
    _write_findings(folder, findings)
    monitor = Monitor(job.started, folder / "history.csv", len(data.train), job.verbose)
    alone = strategy.num_replicas_in_sync == 1
    saved = Checkpoints(
        kept, EpochCursor(), job.stop, newest, writes=is_chief(strategy), within_epochs=alone
    )
    reason, failed = _fit(job, model, data, monitor, saved)
    if not is_chief(strategy):
        return Run(folder)
    metrics = {
        "model": preset.model,
        "preset": prepared.preset,
        **task.evaluate_and_save(_on_one_device(model, preset), preset, data, prepared, folder),
        "training": monitor.to_dict()
        | {
            "compiled_shapes": model.compilation.shapes,
            "compile_seconds": model.compilation.seconds,
            "parameters": model.count_params(),
            "train_examples": len(data.train),
            "checkpoint_seconds": saved.seconds,
            "interrupted": reason is not None,
            "stopped": reason,
        },
        "seconds": monitor.seconds_in_all,
    }
    findings += [*passed_over, *saved.findings, *model.findings, *monitor.findings()]
    findings += task.findings_on_epochs(data, preset, monitor.lines, monitor.best_epoch)
    findings += _verdict(job, preset, monitor, metrics)
    findings.append(task.compare_with_baseline(metrics))
    _write_findings(folder, findings)
    write_text(folder / "notes.yaml", notes(job.note, findings[-1]))
    write_json(folder / "metrics.json", metrics)
    if reason is None or failed:
        # A run that failed would fail again from its last checkpoint.
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    if reason is not None:
        raise ZooError(
            f"{reason} The best model so far (epoch {monitor.best_epoch}) is kept: "
            f"`zoo predict {folder}` uses it."
        )
    return Run(folder)


def first_model(
    job: Job, preset: Preset, data: Data, *, restored: bool = False
) -> tuple[TrainingModel, list[Finding]]:
    """Return the model as it is before its first step, with findings on its weights.

    Args:
        job: what is trained.
        preset: the resolved one.
        data: that it trains on.
        restored: whether a checkpoint has the weights, so that none come from a start.
    """
    # The same first weights whether the tokenizer was just learned or read.
    random.seed(job.request.seed)
    np.random.seed(job.request.seed)
    with job.strategy.scope():
        model = build(preset)
    findings = job.task.initialise_weights(model, preset, data, job.request.seed)
    if job.start is not None and not restored:
        start = job.start if job.start.weights else resolve_start(job.start.source)
        with job.strategy.scope():
            findings += initialise(model, preset, start, data.classes)
    return model, findings


def _verdict(
    job: Job, preset: Preset, monitor: Monitor, metrics: Mapping[str, Any]
) -> list[Finding]:
    """Return the verdict on the curves, and what else they warn of; nothing of a single epoch.

    The line of a head that was fitted before the first epoch has no loss of training.
    """
    if sum({"loss", "val_loss"} <= line.keys() for line in monitor.lines) < 2:
        return []
    first, *others = training_findings(monitor.lines, preset, metrics, job.folder)
    return [first, *(finding for finding in others if finding.level != "info")]


def _write_findings(folder: Path, findings: list[Finding]) -> None:
    write_json(folder / "findings.json", [finding.to_dict() for finding in findings])


def _on_one_device(model: TrainingModel, preset: Preset) -> TrainingModel:
    """Return a model with the same weights that no strategy holds, to be scored and saved."""
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return model
    single = build(preset)
    single.set_weights(model.get_weights())
    return single


def _fit(
    job: Job, model: TrainingModel, data: Data, monitor: Monitor, saved: Checkpoints
) -> tuple[str | None, bool]:
    """Train; return why it stopped early, if it did with a best epoch, and whether it failed."""
    job.stop.waits = True
    try:
        model.fit(
            distributed(job.strategy, functools.partial(data.dataset, "train", saved.cursor)),
            validation_data=distributed(
                job.strategy, functools.partial(data.dataset, "validation", None)
            ),
            callbacks=[monitor, *job.task.callbacks(data), saved],
            initial_epoch=saved.initial_epoch,
            epochs=saved.epochs,
            verbose=0,
        )
    except KeyboardInterrupt as error:
        reason, failed = f"interrupted in epoch {monitor.epochs + 1}.", False
        if isinstance(error, Stopped) and error.number == signal.SIGTERM and job.resume_hint:
            # Whoever sends it does not wait for scores.
            raise ZooError(reason) from None
    except Unusable:
        raise
    except ZooError as error:
        reason, failed = str(error), True
    else:
        return None, False
    finally:
        job.stop.waits = False
        monitor.close()
        saved.close()
    if model.best_epoch is None:
        nothing = "" if job.resume_hint else "No epoch had ended: nothing is kept."
        raise ZooError(f"{reason} {nothing}".rstrip())
    return reason, failed
