"""What a training came to: scores, the linear model beside them, and words for both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import scores
from zoo.finding import Finding
from zoo.tasks.image_classification.predictor import ImageClassifier
from zoo.tasks.text_classification.predictor import TextClassifier


def scored(
    classifier: TextClassifier | ImageClassifier,
    parts: Mapping[str, Any],
    baseline: dict[str, Any],
    folder: Path,
) -> dict[str, Any]:
    """Score a classifier on parts of its data, None for none, and write the worst mistakes."""
    found: dict[str, Any] = {}
    for name, part in parts.items():
        if part is None:
            found[name] = None
            continue
        logits = classifier.logits_of(part)
        found[name] = scores.report(part.labels, logits, classifier.labels)
        # the last one written wins: test, where there is a test part
        found[name]["mistakes"] = classifier.write_mistakes(folder, part, logits)
    return found | {"baseline": baseline}


def against_baseline(metrics: Mapping[str, Any], mistakes: str = "mistakes.csv") -> Finding:
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
        f"Use the linear model, look at {mistakes}, get more examples, or try other presets "
        f"(`zoo presets {metrics['model']}`)."
    )
    return Finding("warning", what, evidence, advice)
