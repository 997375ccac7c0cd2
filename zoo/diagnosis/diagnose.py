"""A diagnosis in words: of a run, or of the history of any training."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.diagnosis.curves import Curves, guessing, smoothed_floor
from zoo.diagnosis.histories import history_curves, read_csv, read_events
from zoo.diagnosis.verdicts import Verdict, verdicts
from zoo.errors import ZooError
from zoo.files import read_json
from zoo.finding import Finding
from zoo.preset.loading import load_preset
from zoo.preset.preset import Preset

HISTORY = "history.csv"
MODELS = (".keras", ".h5", ".hdf5", ".pb", ".tflite", ".safetensors", ".pth", ".pt", ".ckpt")
RATE, EPOCHS = "recipe.optimizer.learning_rate", "recipe.epochs"


def diagnose(source: Any, *, classes: int | None = None) -> list[Finding]:
    """Return what the curves of a training run say, the verdict first.

    Args:
        source: a `zoo.Run`, or its folder, finished or not; the history of another run: a CSV
            file with a line an epoch, as Keras' CSVLogger writes it, the folder of Keras'
            TensorBoard callback, what `fit` of a Keras model returns, or a mapping of its form.
        classes: number of them, of another run that minimises the cross-entropy of one label
            a row: what a guess would lose is known then.

    Returns:
        The verdict and whatever else was seen, each with its numbers and the next step; behind
        them what a run's own findings warn of. `name` and `advice` of a finding tell which it is.

    Raises:
        ZooError: there is no history in it, or one without losses of training and validation, or
            of one epoch.

    Example:
        >>> zoo.diagnose({"loss": [0.7, 0.4, 0.2], "val_loss": [0.6, 0.5, 0.8]})[1].name
        'overfitted'
    """
    known: dict[str, Any] = {}
    if classes is not None:
        if classes < 2:
            raise ZooError(f"classes must be 2 or more. Received: {classes}.")
        known = {"chance": math.log(classes), "chance_score": 1 / classes}
    history = getattr(source, "history", source)  # of Keras
    if isinstance(history, Mapping):
        return _findings(history_curves(history, "the history", **known))
    path = Path(getattr(source, "path", source)).expanduser()
    if not path.exists():
        raise ZooError(f"{path}: does not exist. Name a run's folder, or a history in CSV.")
    if path.is_dir() and (path / "preset.yaml").is_file():
        return _diagnose_run(path)
    if path.is_dir():
        return _findings(history_curves(read_events(path), str(path), **known))
    if path.suffix in MODELS:
        raise ZooError(
            f"{path}: is a model, which does not tell how it was trained. Name the run's folder, "
            "or the history: a CSV file with a line an epoch."
        )
    return _findings(history_curves(read_csv(path), str(path), **known))


def training_findings(
    lines: Sequence[Mapping[str, Any]],
    preset: Preset,
    metrics: Mapping[str, Any],
    folder: Path,
) -> list[Finding]:
    """Return what the curves of one of the zoo's own training runs say.

    Args:
        lines: of history.csv, an epoch each.
        preset: the resolved one.
        metrics: the document of metrics.json; empty of a run that has not ended.
        folder: of the run.

    Raises:
        ZooError: there is no loss of validation, or one epoch only.
    """
    names = dict.fromkeys(name for line in lines for name in line)
    columns = {name: [line.get(name) for line in lines] for name in names}
    curves = history_curves(columns, str(folder / HISTORY), **_known(preset, metrics))
    return _findings(curves, preset, folder)


def _diagnose_run(folder: Path) -> list[Finding]:
    if not (folder / HISTORY).is_file():
        raise ZooError(f"{folder}: has no {HISTORY}: its first epoch has not ended.")
    columns = read_csv(folder / HISTORY)
    lines = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    metrics = read_json(folder / "metrics.json") if (folder / "metrics.json").is_file() else {}
    if metrics.get("training", {}).get("epochs") == 0:
        raise ZooError(
            f"{folder}: has no curves: the head alone was fitted, in no epoch. Its scores are in "
            "metrics.json."
        )
    findings = training_findings(lines, load_preset(None, folder / "preset.yaml"), metrics, folder)
    own = folder / "findings.json"
    entries = read_json(own) if own.is_file() else []
    told = {finding.name for finding in findings}
    others = [Finding(**entry) for entry in entries if entry.get("name", "") not in told]
    return findings + [finding for finding in others if finding.level != "info"]


def _known(preset: Preset, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a run's curves beside them, as arguments of `Curves`."""
    training = metrics.get("training", {})
    known: dict[str, Any] = {
        "steps": training.get("steps"),
        "kept_epoch": training.get("best_epoch"),
    }
    scores = metrics.get("validation") or {}
    baseline = (metrics.get("baseline") or {}).get("validation") or {}
    if "perplexity" in scores and "perplexity" in baseline:
        known["behind_baseline"] = scores["perplexity"] > baseline["perplexity"]
    if "accuracy" in scores and "accuracy" in baseline:
        known["baseline_score"] = baseline["accuracy"]
        known["behind_baseline"] = scores["accuracy"] < baseline["accuracy"]
    values = preset.values()
    if "perplexity" in scores:
        known["chance"] = math.log(values["architecture.vocabulary_size"])
    loss = preset.recipe.loss
    one_label = metrics.get("labels", "one") == "one" and "classes" in scores
    if one_label and loss.name == "cross-entropy":
        counts = [entry["support"] for entry in scores["classes"].values()]
        shares = [count / sum(counts) for count in counts]
        known["floor"] = smoothed_floor(loss.label_smoothing, len(shares))
        known["chance"] = guessing(shares, loss.label_smoothing)
        known["chance_score"] = max(shares)
    return known


def _findings(
    curves: Curves, preset: Preset | None = None, folder: Path | None = None
) -> list[Finding]:
    return [
        Finding(
            verdict.level,
            verdict.what,
            dict(verdict.evidence),
            _next(verdict, curves, preset, folder),
            verdict.name,
            verdict.advice,
        )
        for verdict in verdicts(curves)
    ]


def _next(verdict: Verdict, curves: Curves, preset: Preset | None, folder: Path | None) -> str:
    """Return the next step: a command for a run, words for another one."""
    steps = []
    for key, factor in verdict.changes.items():
        if preset is not None and folder is not None:
            name = {"learning_rate": RATE, "epochs": EPOCHS}[key]
            old = curves.epochs if key == "epochs" else preset.values()[name]
            new = f"{max(1, round(old * factor))}" if key == "epochs" else f"{old * factor:.3g}"
            file = shlex.quote(str(folder / "preset.yaml"))
            steps.append(f"`zoo train {file} --set {name}={new}`")
        elif key == "epochs":
            steps.append(f"Train {max(1, round(curves.epochs * factor))} epochs.")
        else:
            change = f"a learning rate of {factor:g} times" if factor < 1 else "a rate of ten times"
            steps.append(f"Try {change} that of now.")
    return " ".join([*steps, verdict.hint]).strip()
