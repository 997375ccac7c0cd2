"""What classifiers of texts and of images share: loss, scores and the linear model beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from zoo import scores
from zoo.finding import Finding
from zoo.preset.preset import Preset
from zoo.training.losses import Accuracy, MacroF1, make_loss
from zoo.training.model import TrainingModel

# Two epochs differ beyond chance (5 %, McNemar 1947, https://doi.org/10.1007/BF02295996) by four
# rows at the least: the number of rows on which they differ is at least the difference itself, and
# twice the square root of it is what chance does.
APART = 4
ENOUGH = 400  # rows of which four are one point of accuracy
FEW = 100  # rows of which one is


class Classifier(Protocol):
    """What scores a part and writes down its worst mistakes."""

    @property
    def labels(self) -> list[Any]:
        """The classes in the order of the logits."""

    def logits_of(self, part: Any) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of a part."""

    def write_mistakes(self, folder: Path, part: Any, logits: np.ndarray) -> int:
        """Write the most confident mistakes into a folder; return the number of all.

        Args:
            folder: of the run.
            part: the rows that were scored.
            logits: `(rows, num_classes)`.
        """


def training_model(network: keras.Model, preset: Preset) -> TrainingModel:
    """Return a network as the model that trains; its weights are shared."""
    return TrainingModel(network.input, network.output, name=network.name)


def check_preset(preset: Preset) -> list[Finding]:
    """Return nothing: the schema has checked it, and `zoo.preset.batch_rule` the norm."""
    return []


def loss_and_metrics(network: keras.Model, preset: Preset) -> tuple[Any, list[Any]]:
    """Return the loss of the recipe, and accuracy with what the recipe monitors.

    Args:
        network: to logits `(batch, classes)`.
        preset: whose recipe is compiled.
    """
    metrics: list[Any] = [Accuracy(name="accuracy")]
    if preset.recipe.monitor == "macro_f1":
        metrics.append(MacroF1(network.output.shape[-1]))
    return make_loss(preset.recipe.loss), metrics


def scores_of_parts(
    classifier: Classifier, parts: Mapping[str, Any], baseline: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Score a classifier on parts of its data and write the worst mistakes.

    Args:
        classifier: the trained one.
        parts: name to part, or to None where there is none; the mistakes of the last stay.
        baseline: scores of the linear model.
        folder: of the run.

    Returns:
        Part to scores, or to None, and `baseline`.
    """
    documents: dict[str, Any] = {}
    for name, part in parts.items():
        if part is None:
            documents[name] = None
            continue
        logits = classifier.logits_of(part)
        documents[name] = scores.report(part.labels, logits, classifier.labels)
        documents[name]["mistakes"] = classifier.write_mistakes(folder, part, logits)
    return documents | {"baseline": baseline}


def compare_with_linear(metrics: Mapping[str, Any], mistakes: str) -> Finding:
    """Return by how much the network beats the linear model on the same split, or that it does not.

    Args:
        metrics: the document of metrics.json.
        mistakes: name of the file of mistakes.
    """
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
    return few_validated(len(data.validation), history, preset.recipe.monitor, best)


def few_validated(
    rows: int, history: Sequence[Mapping[str, Any]], monitor: str, best_epoch: int | None
) -> list[Finding]:
    """Return a finding where a classifier was validated on too few rows to tell its epochs apart.

    Args:
        rows: of the validation part.
        history: a mapping an epoch.
        monitor: `recipe.monitor`, the score that picks the epoch.
        best_epoch: the epoch whose weights were kept, from 1.
    """
    if not 0 < rows < ENOUGH:
        return []
    score = "val_accuracy" if monitor == "smoothed-accuracy" else f"val_{monitor}"
    values = [epoch[score] for epoch in history if score in epoch]
    equal = sum(value == max(values) for value in values)
    what = (
        f"validation has {rows:,} rows: one is {100 / rows:.2g} points of accuracy, and epochs "
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
