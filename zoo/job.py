"""Train a text classifier: files in; a run folder with model, metrics and findings out.

The module is not called `train`: importing it would put it in the place of `zoo.train`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import scores
from zoo.baseline import Baseline, fit_baseline
from zoo.builders import build
from zoo.data import Data, bundled, load_data
from zoo.distribute import (
    check_agreement,
    distributed,
    is_chief,
    others_watched,
    strategy_for,
    wait_for_all,
)
from zoo.environment import environment
from zoo.errors import ZooError
from zoo.evaluate import split_logits, write_mistakes
from zoo.files import read_json, write_json, write_text
from zoo.finding import Finding
from zoo.preset import Preset, load_preset
from zoo.run import Classifier, Run
from zoo.text.vectors import read_vectors
from zoo.training.model import TrainingModel
from zoo.training.monitor import Monitor


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked for; kept in `environment.json`, so that the run can be repeated."""

    data: Any
    validation: Any
    test: Any
    text: str | None
    label: str | None
    seed: int
    fraction: float
    classes: tuple[str, ...] | None
    drop_missing: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON types; data in memory is named by its type only."""
        document = dataclasses.asdict(
            dataclasses.replace(self, data=None, validation=None, test=None)
        )
        for name in ("data", "validation", "test"):
            document[name] = _described(getattr(self, name))
        return document


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
    note: str = "",
    verbose: bool = True,
) -> Run | None:
    """Train a model on files, a table or arrays, and return the run.

    Args:
        model: name of a model, or the path of a preset file, which names its model; the
            `preset.yaml` of a run repeats that run, with its data, seed, fraction and classes,
            when no data are given.
        data: path, list of paths or folder; `(texts, labels)`; a table that speaks Arrow; a
            `tf.data.Dataset` of strings and labels; None for the bundled example.
        preset: name of a preset of the model, or path of a preset file.
        set: dotted keys and values that override the preset, such as `{"recipe.epochs": 3}`.
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
        note: why this run (A27); kept in `notes.yaml`.
        verbose: whether progress is shown on stderr.

    Returns:
        The finished run; None on all workers but the first, which writes it.

    Raises:
        ZooError: data, preset or folder are not usable; or training was interrupted (the best
            model so far is kept), or its loss was no longer finite.
    """
    started = time.perf_counter()
    strategy = strategy_for(devices)
    resolved, repeated = _preset(model, preset, set)
    if data is None and repeated is not None:
        data, validation, test, text, label, seed, fraction, classes, drop_missing = repeated
    elif data is None:
        data = bundled(resolved.model)
    request = Request(
        data, validation, test, text, label, seed, fraction,
        tuple(classes) if classes is not None else None, drop_missing,
    )  # fmt: skip
    # Before any graph is made: a seed set later would unload the tokenizer's model.
    keras.utils.set_random_seed(seed)
    chief = is_chief(strategy)
    place = _run_folder(resolved, out, overwrite) if chief else _thrown_away()
    with place as folder, _loaded(request, resolved) as loaded, others_watched(strategy):
        run = _train(resolved, request, loaded, strategy, folder, started, note, verbose and chief)
        wait_for_all(strategy)
        return run if chief else None


def _train(
    preset: Preset,
    request: Request,
    data: Data,
    strategy: tf.distribute.Strategy,
    folder: Path,
    started: float,
    note: str,
    verbose: bool,
) -> Run:
    """Train; only the chief scores, and what the others write is thrown away."""
    findings = list(data.findings)
    serious = [str(finding) for finding in findings if finding.level == "error"]
    if serious:
        raise ZooError(" ".join(serious))
    if data.validation is None:
        raise ZooError("no validation part: give --validation, or a validation_fraction above 0.")
    resolved = preset.override({"architecture.num_classes": len(data.classes)})
    sized = preset.override(
        {
            "architecture.num_classes": len(data.classes),
            "architecture.vocabulary_size": data.tokenizer.vocabulary_size,
        }
    )
    about = environment()
    check_agreement(
        strategy,
        {
            "code": str(about["commit"]),
            "versions": str(about["versions"]),
            "preset": sized.to_yaml(),
            "data": data.fingerprint,
            "seed": str(request.seed),
        },
    )
    with strategy.scope():
        model = build(sized)
    if preset.data.vectors:
        findings.append(_start_from_vectors(model, preset, data, request.seed))
    write_text(folder / "preset.yaml", resolved.to_yaml())
    write_json(folder / "findings.json", [finding.to_dict() for finding in findings])
    write_json(
        folder / "environment.json",
        about | {"request": request.to_dict(), "fingerprint": data.fingerprint},
    )
    monitor = Monitor(started, folder / "history.csv", len(data.train), verbose)
    stopped = _fit(model, data, strategy, monitor)
    if not is_chief(strategy):
        return Run(folder)
    baseline = fit_baseline(
        data.train, data.validation, data.test, num_classes=len(data.classes), seed=request.seed
    )
    classifier = Classifier(
        _on_one_device(model, sized), data.tokenizer, data.classes, preset.data.max_length
    )
    classifier.save(folder / "model")
    metrics = {
        "model": preset.model,
        "preset": preset.name,
        **_scored(classifier, data, baseline, folder),
        "training": monitor.to_dict()
        | {
            "parameters": model.count_params(),
            "train_examples": len(data.train),
            "interrupted": stopped is not None,
        },
        "seconds": time.perf_counter() - started,
    }
    findings += [*monitor.findings(), _against_baseline(metrics)]
    write_json(folder / "findings.json", [finding.to_dict() for finding in findings])
    write_text(folder / "notes.yaml", _notes(note, findings[-1]))
    write_json(folder / "metrics.json", metrics)
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
    model: TrainingModel, data: Data, strategy: tf.distribute.Strategy, monitor: Monitor
) -> str | None:
    """Train; return why it stopped early, if it did and left a best epoch in the model."""
    train, steps = distributed(strategy, functools.partial(data.dataset, "train"))
    validation, validation_steps = distributed(
        strategy, functools.partial(data.dataset, "validation")
    )
    try:
        model.fit(
            train,
            validation_data=validation,
            steps_per_epoch=steps,
            validation_steps=validation_steps,
            callbacks=[monitor],
            verbose=0,
        )
    except KeyboardInterrupt:
        reason = f"interrupted in epoch {monitor.epochs + 1}."
    except ZooError as error:
        reason = str(error)
    else:
        return None
    finally:
        monitor.close()
    if model.best_epoch is None:
        raise ZooError(f"{reason} No epoch had ended: nothing is kept.")
    return reason


def _scored(classifier: Classifier, data: Data, baseline: Baseline, folder: Path) -> dict[str, Any]:
    """Score the kept weights on validation and test, and write the worst mistakes."""
    found: dict[str, Any] = {"validation": None, "test": None}
    for name, split in (("validation", data.validation), ("test", data.test)):
        if split is None:
            continue
        logits = split_logits(
            classifier.network, classifier.tokenizer, split, classifier.max_length
        )
        found[name] = scores.report(split.labels, logits, data.classes)
        # the last one written wins: test, where there is a test part
        found[name]["mistakes"] = write_mistakes(
            folder / "mistakes.csv", split, logits, data.classes
        )
    return found | {"baseline": baseline.to_dict()}


def _against_baseline(metrics: Mapping[str, Any]) -> Finding:
    """Say by how much the network beats the linear model on the same split, or that it does not."""
    part = "test" if metrics["test"] else "validation"
    network, linear = metrics[part]["accuracy"], metrics["baseline"][part]["accuracy"]
    points = 100 * (network - linear)
    numbers = f"{100 * network:.1f} % against {100 * linear:.1f} % accuracy on {part}"
    evidence = {"split": part, "network": network, "baseline": linear, "points": points}
    if points > 0:
        what = f"{metrics['model']} beats the linear baseline by {points:.1f} points: {numbers}."
        return Finding("info", what, evidence, "")
    what = (
        f"{metrics['model']} does not beat the linear baseline ({points:+.1f} points): {numbers}."
    )
    advice = (
        "Use the linear model, look at mistakes.csv, get more rows, or try other presets "
        f"(`zoo presets {metrics['model']}`)."
    )
    return Finding("warning", what, evidence, advice)


def _start_from_vectors(model: TrainingModel, preset: Preset, data: Data, seed: int) -> Finding:
    """Set the embedding tables from a vector file and report its coverage."""
    matrix, coverage = read_vectors(
        Path(str(preset.data.vectors)),
        data.tokenizer.pieces(),
        preset.architecture.embedding_dim,
        seed=seed,
    )
    for layer in model.layers:
        if layer.name in ("embedding", "embedding_static"):
            layer.set_weights([matrix])
    return Finding(
        "info" if coverage["share"] >= 0.5 else "warning",
        f"{preset.data.vectors}: vectors for {coverage['found']} of {coverage['pieces']} pieces "
        f"({100 * coverage['share']:.1f} %).",
        coverage,
        "" if coverage["share"] >= 0.5 else "Set data.tokenizer=words: vector files hold words.",
    )


def _preset(
    model: str | Path, preset: str | Path, changes: Mapping[str, Any] | None
) -> tuple[Preset, tuple[Any, ...] | None]:
    """Return the preset, and the data of the run when `model` is the preset file of a run."""
    path = Path(model)
    if path.suffix not in (".yaml", ".yml"):
        return load_preset(str(model), preset, changes), None
    loaded = load_preset(None, path, changes)
    beside = path.parent / "environment.json"
    if not beside.is_file():
        return loaded, None
    request = read_json(beside).get("request", {})
    try:
        return loaded, tuple(request[field.name] for field in dataclasses.fields(Request))
    except (KeyError, TypeError) as error:
        raise ZooError(f"{beside}: is damaged: it does not hold a run's request.") from error


@contextlib.contextmanager
def _loaded(request: Request, preset: Preset) -> Iterator[Data]:
    data = load_data(
        request.data,
        validation=request.validation,
        test=request.test,
        text=request.text,
        label=request.label,
        settings=preset.data,
        vocabulary_size=preset.architecture.vocabulary_size,
        seed=request.seed,
        fraction=request.fraction,
        classes=list(request.classes) if request.classes is not None else None,
        drop_missing=request.drop_missing,
    )
    try:
        yield data
    finally:
        data.close()


@contextlib.contextmanager
def _thrown_away() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zoo-worker-") as name:
        yield Path(name)


@contextlib.contextmanager
def _run_folder(preset: Preset, out: str | Path | None, overwrite: bool) -> Iterator[Path]:
    """Yield the run's folder; without a model in it at the end, what was there before is back."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = Path(out) if out else Path("runs") / f"{preset.model}-{Path(preset.name).stem}-{stamp}"
    replaced: Path | None = None
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if folder.exists():
            replaced = _set_aside(folder, overwrite)
        folder.mkdir(parents=True)
    except OSError as error:
        raise ZooError(f"{folder}: cannot be made: {error.strerror or error}.") from error
    try:
        yield folder
    finally:
        if not (folder / "metrics.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            if replaced is not None:
                replaced.rename(folder)
        elif replaced is not None:
            shutil.rmtree(replaced, ignore_errors=True)


def _set_aside(folder: Path, overwrite: bool) -> Path:
    if not overwrite:
        raise ZooError(f"{folder}: is already there. Choose another --out, or pass --overwrite.")
    if not (folder / "preset.yaml").is_file():
        raise ZooError(
            f"{folder}: is not a run, so --overwrite leaves it alone. Choose another --out."
        )
    aside = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    return aside


def _notes(note: str, result: Finding) -> str:
    """Return the text of notes.yaml: why this run, what it showed, what next (A27)."""
    import json  # a JSON string is a YAML string

    return (
        "# Why this run, what it showed, what next: yours to edit.\n"
        f"why: {json.dumps(note, ensure_ascii=False)}\n"
        f"showed: {json.dumps(result.what, ensure_ascii=False)}\n"
        f"next: {json.dumps(result.next, ensure_ascii=False)}\n"
    )


def _described(data: Any) -> Any:
    if data is None or isinstance(data, str):
        return data
    if isinstance(data, Path):
        return str(data)
    if isinstance(data, list) and all(isinstance(part, str | Path) for part in data):
        return [str(part) for part in data]
    if isinstance(data, np.ndarray | tuple | list):
        return f"<{type(data).__name__} in memory>"
    return f"<{type(data).__module__}.{type(data).__name__} in memory>"
