"""What classifiers of texts and of images share.

Whether rows have one label or several, the loss, the scores and the linear model beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from zoo.data.label_sets import read_label_sets
from zoo.data.label_text import MARK
from zoo.data.store import Store
from zoo.finding import Finding, counted
from zoo.multilabel_scores import Rule
from zoo.preset.labels import LabelledData
from zoo.preset.preset import Preset
from zoo.preset.task_info import TaskInfo
from zoo.tasks.label_kind import LabelKind
from zoo.tasks.one_label import OneLabel
from zoo.tasks.several_labels import SeveralLabels
from zoo.training.model import TrainingModel

# Two epochs differ beyond chance (5 %, McNemar 1947, https://doi.org/10.1007/BF02295996) by four
# rows at the least: the number of rows on which they differ is at least the difference itself, and
# twice the square root of it is what chance does.
APART = 4
ENOUGH = 400  # rows of which four are one point of accuracy
FEW = 100  # rows of which one is
AT_LEAST_ONE = "data.labels.at_least_one"
LABEL_FACTS = ("data.labels.name", "data.labels.separator", AT_LEAST_ONE)


class Classifier(Protocol):
    """What scores a part and writes down its worst mistakes."""

    @property
    def kind(self) -> LabelKind:
        """One label a row or several."""

    def with_kind(self, kind: LabelKind) -> Classifier:
        """Return the classifier with another threshold of several labels."""

    def save(self, folder: Path) -> None:
        """Write everything that serves into a folder."""

    def logits_of(self, part: Any) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of a part."""

    def write_mistakes(self, folder: Path, part: Any, logits: np.ndarray) -> int:
        """Write the most confident mistakes into a folder; return the number of all.

        Args:
            folder: of the run.
            part: the rows that were scored.
            logits: `(rows, num_classes)`.
        """


def kind_of(settings: Any) -> OneLabel | SeveralLabels:
    """Return the kind of a preset's `data.labels`; what is not yet known has one."""
    if settings.name != "several":
        return OneLabel()
    return SeveralLabels(settings.separator, Rule(at_least_one=settings.at_least_one))


def read_kind(
    stores: Mapping[str, Store],
    settings: LabelledData,
    fixed: Sequence[str],
    findings: list[Finding],
) -> OneLabel | SeveralLabels:
    """Return whether the rows of data have one label or several; their labels are read so.

    Args:
        stores: the parts, `train` among them.
        settings: the preset's data block.
        fixed: the keys of the preset that were set.
        findings: findings on the labels are appended to it.

    Raises:
        ZooError: rows have several labels, or none, and are to have one.
    """
    name, separator, found = read_label_sets(stores, settings.labels)
    findings += found
    if name == "one":
        return OneLabel()
    train, at_least_one = stores["train"], getattr(settings.labels, "at_least_one", True)
    if at_least_one and AT_LEAST_ONE not in fixed and MARK in train.names:
        at_least_one = False
        rows = np.flatnonzero(train.labels == train.names.index(MARK))
        what = f"{counted(len(rows), 'row has', 'rows have')} no label: {train.describe(rows)}."
        hint = f"So a text may be answered with none; {AT_LEAST_ONE}=true answers one at least."
        findings.append(Finding("info", what, {"count": len(rows)}, hint))
    return SeveralLabels(separator, Rule(at_least_one=at_least_one))


def saved_kind(document: Mapping[str, Any]) -> OneLabel | SeveralLabels:
    """Return the kind that `to_dict` has put into a document.

    Raises:
        KeyError: a value is missing.
        TypeError: it is no mapping.
    """
    several = document.get("several")
    if several is None:  # also of runs from before there were several
        return OneLabel()
    rest = {key: several[key] for key in Rule._fields}
    return SeveralLabels(several["separator"], Rule(**rest))


def training_model(network: keras.Model, preset: Preset) -> TrainingModel:
    """Return a network as the model that trains; its weights are shared."""
    return TrainingModel(network.input, network.output, name=network.name)


def callbacks(data: Any) -> list[keras.callbacks.Callback]:
    """Return nothing: the recipe's callbacks know all that is needed."""
    return []


def check_preset(preset: Preset) -> list[Finding]:
    """Return nothing: the schema has checked it, and `zoo.preset.batch_rule` the norm."""
    return []


def loss_and_metrics(network: keras.Model, preset: Preset) -> tuple[Any, list[Any]]:
    """Return the loss of the recipe, and metrics with what the recipe monitors.

    Args:
        network: to logits `(batch, classes)`.
        preset: whose recipe is compiled.
    """
    kind = kind_of(preset.data.labels)
    return kind.loss_and_metrics(preset.recipe, network.output.shape[-1])


def facts_on_labels(data: Any) -> dict[str, Any]:
    """Return the values of the preset that the labels of data decide, by dotted key.

    Args:
        data: with `classes` and `kind`.
    """
    return {"architecture.num_classes": len(data.classes), **data.kind.facts()}


def save_and_score(
    classifier: Classifier, data: Any, baseline: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Save a trained classifier, score it on the parts of its data, and write the worst mistakes.

    Args:
        classifier: the trained one.
        data: with `validation` and `test`, or None where there is none; the mistakes of the last
            stay. The threshold of several labels is the best on validation.
        baseline: scores of the linear model.
        folder: of the run.

    Returns:
        Part to scores, or to None, and `baseline`; and `labels` where a row has several.
    """
    logits = classifier.logits_of(data.validation)
    classifier = classifier.with_kind(classifier.kind.tuned(data.validation, logits))
    classifier.save(folder / "model")
    documents: dict[str, Any] = {"validation": None, "test": None}
    for name, part in (("validation", data.validation), ("test", data.test)):
        if part is None:
            continue
        logits = logits if name == "validation" else classifier.logits_of(part)
        documents[name] = classifier.kind.report(part, logits)
        documents[name]["mistakes"] = classifier.write_mistakes(folder, part, logits)
    named = {"labels": classifier.kind.name} if classifier.kind.to_dict() else {}
    return documents | {"baseline": baseline} | named


def compare_with_linear(metrics: Mapping[str, Any], info: TaskInfo, mistakes: str) -> Finding:
    """Return by how much the network beats the linear model on the same split, or that it does not.

    Args:
        metrics: the document of metrics.json.
        info: of the task.
        mistakes: name of the file of mistakes.
    """
    part = "test" if metrics["test"] else "validation"
    metric = info.of_labels(metrics.get("labels", "one")).primary_metric
    network, linear = metrics[part][metric], metrics["baseline"][part][metric]
    points = 100 * (network - linear)
    words = metric.replace("_f1", " F1")
    numbers = f"{100 * network:.1f} % against {100 * linear:.1f} % {words} on {part}"
    evidence = {"split": part, "network": network, "baseline": linear, "points": points}
    if points > 0:
        what = f"{metrics['model']} beats the linear baseline by {points:.1f} points: {numbers}."
        return Finding("info", what, evidence, "")
    what = (
        f"{metrics['model']} does not beat the linear baseline ({points:+.1f} points): {numbers}."
    )
    advice = (
        f"Use the linear model, look at {mistakes}, get more examples, or try other presets "
        f"(`zoo presets {metrics['model']}`)."
    )
    return Finding("warning", what, evidence, advice)


def findings_on_epochs(
    data: Any, preset: Preset, history: Sequence[Mapping[str, Any]], best: int | None
) -> list[Finding]:
    """Return a finding where few rows are validated.

    Args:
        data: that was trained on.
        preset: the resolved one.
        history: a mapping an epoch, as history.csv.
        best: the epoch whose weights were kept, from 1; None without validation.
    """
    if not preset.recipe.total_epochs(1):
        return []
    monitor, primary = preset.recipe.monitor, data.kind.primary
    return few_validated(len(data.validation), history, monitor, best, primary)


def few_validated(
    rows: int,
    history: Sequence[Mapping[str, Any]],
    monitor: str,
    best_epoch: int | None,
    primary: str = "accuracy",
) -> list[Finding]:
    """Return a finding where a classifier was validated on too few rows to tell its epochs apart.

    Args:
        rows: of the validation part.
        history: a mapping an epoch.
        monitor: `recipe.monitor`, the score that picks the epoch.
        best_epoch: the epoch whose weights were kept, from 1.
        primary: the score of one label a row, `accuracy`, or of several.
    """
    if not 0 < rows < ENOUGH or monitor == "last":
        return []
    score = "val_accuracy" if monitor == "smoothed-accuracy" else f"val_{monitor}"
    values = [epoch[score] for epoch in history if score in epoch]
    equal = sum(value == max(values) for value in values)
    what = (
        f"validation has {rows:,} rows: one is {100 / rows:.2g} points of "
        f"{'accuracy' if primary == 'accuracy' else 'exact matches'}, and epochs "
        f"that differ by fewer than {APART} ({min(100 * APART / rows, 100):.3g} points) cannot be "
        "told apart."
    )
    if equal > 1 and monitor != "loss":
        name = score.removeprefix("val_")
        what += (
            f" {equal} of {len(values)} epochs have the best {name}; epoch {best_epoch} is kept."
        )
    evidence = {"rows": rows, "equal_epochs": equal, "epochs": len(values)}
    hint = "Give more: --validation, or a larger data.validation_fraction."
    return [Finding("warning" if rows < FEW else "info", what, evidence, hint)]
