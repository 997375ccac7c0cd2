"""Train a model: files in; a run folder with model, metrics and findings out.

The module is not called `train`: importing it would put it in the place of `zoo.train`.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.builders import build
from zoo.data.epochs import EpochCursor
from zoo.distribute import (
    check_agreement,
    distributed,
    gathered_texts,
    is_chief,
    others_watched,
    strategy_for,
    told_once,
    wait_for_all,
)
from zoo.errors import Interrupted, ZooError, check_seed
from zoo.files import write_json, write_text
from zoo.memory import check_fits
from zoo.preset.loading import Preset
from zoo.preset.renamed import current_key
from zoo.runs.fixed import brought_along, check_fixed, with_sizes
from zoo.runs.folder import CHECKPOINTS, can_resume, checkpoints, outcome, run_folder
from zoo.runs.job import Job
from zoo.runs.notes import notes
from zoo.runs.resolve import resolve
from zoo.runs.resume import check_fingerprint, check_same
from zoo.runs.run import Run
from zoo.runs.validated import few_validated, with_best
from zoo.tasks.prepared import Prepared, load_prepared
from zoo.tasks.request import Request, chosen_classes
from zoo.tasks.task import load_task
from zoo.training.checkpoints.callback import Checkpoints, Unusable
from zoo.training.interruption import Stopped, stop_signals
from zoo.training.model import TrainingModel
from zoo.training.monitor import Monitor

_NOTHING = "No epoch had ended: nothing is kept."


def train(
    model: str | Path,
    data: Any = None,
    *,
    preset: str | Path = "default",
    set: Mapping[str, Any] | None = None,
    validation: Any = None,
    test: Any = None,
    text: str | None = None,
    label: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    fraction: float = 1.0,
    classes: Sequence[str] | None = None,
    drop_missing: bool = False,
    devices: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    note: str = "",
    verbose: bool = True,
) -> Run:
    """Train a model on files, a table or arrays, and return the run.

    Args:
        model: name of a model, or the path of a preset file, which names its model; the
            `preset.yaml` of a run repeats that run, with its data, seed, fraction and classes,
            when no data are given.
        data: path, list of paths or folder; `(texts, labels)`; a table that speaks Arrow; a
            `tf.data.Dataset` of strings and labels; None for the bundled example.
        preset: name of a preset of the model, or path of a preset file.
        set: dotted keys and values that override the preset, such as `{"recipe.epochs": 3}`. What
            is set holds: where the data decide otherwise, it is refused.
        validation: data that pick the best epoch; else a stratified part of `data`.
        test: data scored once at the end.
        text: name of the text column, or several separated by commas.
        label: name of the label column.
        out: the run's folder; `runs/<model>-<preset>-<time>` unless given.
        seed: fixes split, initial weights, dropout and order.
        fraction: share of the training part to use, stratified, in (0, 1] (A04, A30).
        classes: the classes to keep (A31); None keeps all.
        drop_missing: leave out rows without a label instead of refusing them.
        devices: `auto`, `cpu`, `gpu`, `gpu:0,1`; see `zoo.distribute.strategy_for`. Several share
            each batch by row, and train as one would.
        overwrite: replace the run that is already in `out`.
        resume: go on with the run in `out` that was interrupted, to the same weights as if it had
            not been; begin where there is none, and return one that is finished.
        note: why this run (A27); kept in `notes.yaml`.
        verbose: whether progress is shown on stderr.

    Returns:
        The finished run. Of several workers the first writes it, and the others return the same
        folder, which they can read if they share it.

    Raises:
        ZooError: data, preset or folder are not usable; the run to go on with had other settings,
            data or versions; or training was interrupted by Ctrl-C or SIGTERM (`resume` goes on
            with it), or its loss blew up.
    """
    started = time.perf_counter()
    check_seed(seed)
    strategy = strategy_for(devices)
    with others_watched(strategy), told_once(strategy):
        fixed = tuple(set or {})
        resolved, about, repeated = resolve(model, preset, set, strategy.num_replicas_in_sync)
        if data is None and repeated is not None:
            *given, before = repeated
            data, validation, test, text, label, seed, fraction, classes, drop_missing = given
            fixed += tuple(before)
        elif data is None:
            data = load_task(resolved.task).bundled(resolved.model)
        request = Request(
            data, validation, test, text, label, seed, fraction,
            chosen_classes(classes), drop_missing,
            tuple(dict.fromkeys(map(current_key, fixed))),
        )  # fmt: skip
        folder = _folder(resolved, out, overwrite, resume)
    # Before any graph is made: a seed set later would unload the tokenizer's model.
    keras.utils.set_random_seed(seed)
    chief = is_chief(strategy)
    with (
        stop_signals() as stop,
        others_watched(strategy),
        _place(folder, strategy, overwrite, resume, numbered=out is None) as place,
    ):
        shown = verbose and chief
        job = Job(resolved, about, request, place, started, note, shown, stop, strategy)
        try:
            if resume and outcome(place) is not None and not can_resume(place):
                with told_once(strategy):
                    run = _ended(job)
            else:
                run = _train(job, resume)
        except KeyboardInterrupt as error:
            kept = job.resume_hint or "Nothing is kept."
            number = error.number if isinstance(error, Stopped) else signal.SIGINT
            said = f"{place}: interrupted. {kept}" if chief else "interrupted."
            raise Interrupted(said, number) from None
        except ZooError as error:
            if stop.asked is None:
                raise
            raise Interrupted(str(error) if chief else "interrupted.", stop.asked) from error
        written = gathered_texts(strategy, str(place.absolute()))[0]
        return run if chief else Run(Path(written))


@contextlib.contextmanager
def _place(
    folder: Path,
    strategy: tf.distribute.Strategy,
    overwrite: bool,
    resume: bool,
    numbered: bool,
) -> Iterator[Path]:
    """Yield the folder to work in: the run's for the chief, one to throw away for the others.

    To resume, they begin with a copy of the run.
    """
    with contextlib.ExitStack() as stack:
        with told_once(strategy):
            if is_chief(strategy):
                made = run_folder(folder, overwrite=overwrite, resume=resume, numbered=numbered)
                place = stack.enter_context(made)
            else:
                other = tempfile.TemporaryDirectory(prefix="zoo-worker-")
                place = Path(stack.enter_context(other))
        # Now the others may look at it; the first waits until they have.
        if resume and folder.is_dir() and not is_chief(strategy):
            shutil.copytree(folder, place, dirs_exist_ok=True)
        wait_for_all(strategy)
        yield place


def _folder(preset: Preset, out: str | Path | None, overwrite: bool, resume: bool) -> Path:
    if resume and overwrite:
        raise ZooError("--resume and --overwrite: choose one. The first goes on, the other begins.")
    if out is not None:
        return Path(out)
    if resume:
        raise ZooError("--resume needs --out: the folder of the run to go on with.")
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{preset.model}-{Path(preset.name).stem}-{stamp}"


def _ended(job: Job) -> Run:
    """Return a run there is nothing to go on with."""
    folder = job.folder
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # a kill may have left them
    check_same(folder, job.preset, job.request.to_dict(), job.environment, finished=True)
    reason = (outcome(folder) or {}).get("stopped")
    if reason is not None:
        raise ZooError(
            f"{folder}: has no checkpoint to go on from; its training ended before its time: "
            f"{reason} Its best model is kept. To train again, pass --overwrite."
        )
    if job.verbose:
        print(f"{folder}: is finished; there is nothing to resume.", file=sys.stderr)
    return Run(folder)


def _begun(job: Job) -> Prepared | None:
    """Return what the run in the folder began with, or None when it has to begin."""
    start = load_prepared(job.folder / CHECKPOINTS / "start")
    if start is not None:
        check_same(job.folder, job.preset, job.request.to_dict(), job.environment)
    return start


def _train(job: Job, resume: bool) -> Run:
    with contextlib.ExitStack() as stack:
        with told_once(job.strategy):
            start = _begun(job) if resume else None
            tokenizer = start.tokenizer if start else None
            data = job.kind.load(job.request, job.preset, tokenizer)
            stack.enter_context(contextlib.closing(data))
            if start is None:
                start = _start(job, data)
            else:
                check_fingerprint(job.folder, data.fingerprint)
        try:
            return _trained(job, start, data)
        except ZooError as error:
            raise ZooError(f"{error} {job.resume_hint}".rstrip()) from error


def _start(job: Job, data: Any) -> Prepared:
    """Check the data, fit the baseline, and write down what the run begins with."""
    chief = is_chief(job.strategy)
    errors = [str(finding) for finding in data.findings if finding.level == "error"]
    if errors:
        raise ZooError(" ".join(errors))
    check_fixed(job.preset, job.request.fixed, getattr(data, "classes", None))
    if job.verbose:
        print(f"baseline: fitting on {len(data.train):,} examples", file=sys.stderr)
    start = job.kind.begin(data, job.preset, job.request.seed, chief)
    resolved = with_sizes(job.preset, job.request.fixed, job.kind.decided(start))
    write_text(job.folder / "preset.yaml", resolved.to_yaml())
    write_json(
        job.folder / "environment.json",
        job.environment
        | {
            "request": job.request.to_dict(),
            "columns": data.columns.to_dict() if data.columns else None,
            "fingerprint": data.fingerprint,
        },
    )
    start.save(job.folder / CHECKPOINTS / "start")
    return start


def _trained(job: Job, start: Prepared, data: Any) -> Run:
    folder, strategy = job.folder, job.strategy
    findings = [*job.findings, *job.kind.judged(job.preset), *data.findings]
    sizes = job.kind.sizes(start)
    findings += brought_along(job.preset, job.request.fixed, sizes)
    sized = with_sizes(job.preset, job.request.fixed, sizes)
    if start.classes:
        sized, said = with_best(sized, len(data.validation), job.request.fixed)
        findings += said
    findings += check_fits(sized)
    kept = checkpoints(folder)
    found, passed_over = kept.newest()
    about = job.environment
    check_agreement(
        strategy,
        {
            "code": about["code"],
            "versions": about["versions"],
            "model": sized.model,
            "data": data.fingerprint,
            "seed": job.request.seed,
            "checkpoint": found.get("step") if found else None,
            **sized.values(),
        },
    )
    # The same first weights whether the tokenizer was just learned or read.
    random.seed(job.request.seed)
    np.random.seed(job.request.seed)
    with strategy.scope():
        model = build(sized)
    findings += job.kind.prepare(model, job.preset, data, job.request.seed)
    write_json(folder / "findings.json", [finding.to_dict() for finding in findings])
    monitor = Monitor(job.started, folder / "history.csv", len(data.train), job.verbose)
    alone = strategy.num_replicas_in_sync == 1
    saved = Checkpoints(
        kept, EpochCursor(), job.stop, found, writes=is_chief(strategy), within_epochs=alone
    )
    stopped, failed = _fit(job, model, data, monitor, saved)
    if not is_chief(strategy):
        return Run(folder)
    network = _on_one_device(model, sized)
    metrics = {
        "model": job.preset.model,
        "preset": start.preset,
        **job.kind.finish(network, job.preset, data, start, folder),
        "training": monitor.to_dict()
        | {
            "parameters": model.count_params(),
            "train_examples": len(data.train),
            "checkpoint_seconds": saved.seconds,
            "interrupted": stopped is not None,
            "stopped": stopped,
        },
        "seconds": monitor.seconds_in_all,
    }
    findings += [*passed_over, *saved.findings, *model.findings, *monitor.findings()]
    if start.classes:
        best = sized.recipe.monitor
        findings += few_validated(len(data.validation), monitor.lines, best, monitor.best_epoch)
    findings.append(job.kind.verdict(metrics))
    write_json(folder / "findings.json", [finding.to_dict() for finding in findings])
    write_text(folder / "notes.yaml", notes(job.note, findings[-1]))
    write_json(folder / "metrics.json", metrics)
    if stopped is None or failed:
        # A training that failed would fail again from its last checkpoint.
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    if stopped is not None:
        raise ZooError(
            f"{stopped} The best model so far (epoch {monitor.best_epoch}) is kept: "
            f"`zoo predict {folder}` uses it."
        )
    return Run(folder)


def _on_one_device(model: TrainingModel, preset: Preset) -> TrainingModel:
    """Return a model with the same weights that no strategy holds, to be scored and saved."""
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return model
    single = build(preset)
    single.set_weights(model.get_weights())
    return single


def _fit(
    job: Job, model: TrainingModel, data: Any, monitor: Monitor, saved: Checkpoints
) -> tuple[str | None, bool]:
    """Train; return why it stopped early, if it did with a best epoch, and whether it failed."""
    job.stop.waits = True
    try:
        model.fit(
            distributed(job.strategy, functools.partial(data.dataset, "train", saved.cursor)),
            validation_data=distributed(
                job.strategy, functools.partial(data.dataset, "validation", None)
            ),
            callbacks=[monitor, saved],
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
        raise ZooError(f"{reason} {'' if job.resume_hint else _NOTHING}".rstrip())
    return reason, failed
