"""Classifiers with one label a row: softmax, accuracy, the most probable class."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from zoo import scores
from zoo.data.store import Store
from zoo.data.targets import ClassTargets, Targets
from zoo.preset.recipe import Recipe
from zoo.tasks.label_kind import LEAST, Mistake
from zoo.training.losses import Accuracy, MacroF1, make_loss


@dataclasses.dataclass(frozen=True)
class OneLabel:
    """One label a row: the class of the largest logit."""

    name: ClassVar[str] = "one"
    primary: ClassVar[str] = "accuracy"
    bayes: ClassVar[bool] = True
    monitors: ClassVar[tuple[str, ...]] = (
        "loss", "accuracy", "smoothed-accuracy", "macro_f1", "last",
    )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return the values of the preset that it decides."""
        return {"data.labels.name": self.name}

    def read(self, store: Store) -> None:
        """Leave the labels as they are."""

    def targets(self, classes: list[Any]) -> Targets:
        """Return the targets of some classes."""
        return ClassTargets(classes)

    def loss_and_metrics(self, recipe: Recipe, num_classes: int) -> tuple[Any, list[Any]]:
        """Return the loss of the recipe, and accuracy with what the recipe monitors."""
        metrics: list[Any] = [Accuracy(name="accuracy")]
        if recipe.monitor == "macro_f1":
            metrics.append(MacroF1(num_classes))
        return make_loss(recipe.loss), metrics

    def tuned(self, part: Any, logits: np.ndarray) -> OneLabel:
        """Return itself: nothing is learned."""
        return self

    def scores(self, part: Any, logits: np.ndarray) -> dict[str, float]:
        """Return loss, accuracy, macro and weighted F1."""
        return scores.scores(part.labels, logits)

    def report(self, part: Any, logits: np.ndarray) -> dict[str, Any]:
        """Return the scores with those of each class and the confusion matrix."""
        return scores.report(part.labels, logits, part.targets.classes)

    def predictions(self, logits: np.ndarray, classes: list[Any]) -> Iterator[dict[str, Any]]:
        """Yield `{"label": ..., "probabilities": {label: probability}}`."""
        return scores.predictions(logits, classes)

    def mistakes(self, part: Any, logits: np.ndarray, most: int) -> tuple[list[Mistake], int]:
        """Return the most confident of the wrong classes.

        The arguments are those of `zoo.tasks.label_kind.LabelKind.mistakes`.
        """
        worst, count = scores.mistakes(part.labels, logits, most)
        classes = part.targets.classes
        shown = [
            Mistake(m.row, classes[m.label], classes[m.predicted], m.probability) for m in worst
        ]
        return shown, count

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Return those of the classes, whose sum is 1."""
        return tf.nn.softmax(logits)

    def serve(self, logits: tf.Tensor, classes: list[Any]) -> dict[str, tf.Tensor]:
        """Return `label` and `probabilities` `(batch, classes)`."""
        probabilities = self.probabilities(logits)
        label = tf.gather(tf.constant(classes), tf.argmax(probabilities, axis=1))
        return {"label": label, "probabilities": probabilities}

    def to_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def linear(self, estimator: Any) -> Any:
        """Return the model."""
        return estimator

    def linear_targets(self, part: Any) -> Any:
        """Return class ids."""
        return part.labels

    def linear_logits(self, probabilities: np.ndarray) -> np.ndarray:
        """Return logarithms."""
        return np.log(np.maximum(probabilities, LEAST))

    def quality(self, part: Any, logits: np.ndarray) -> float:
        """Return the accuracy."""
        return float((logits.argmax(axis=1) == part.labels).mean())
