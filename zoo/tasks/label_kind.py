"""What differs between classifiers with one label a row and with several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from zoo.data.store import Store
from zoo.data.targets import Targets
from zoo.errors import ZooError
from zoo.preset.recipe import Recipe

LEAST = 1e-12  # probability


class Mistake(NamedTuple):
    """A row that was predicted wrongly, as a person reads it.

    Args:
        row: its number, from 0.
        label: its label, or several in one text.
        predicted: what was predicted instead.
        probability: of what was predicted.
    """

    row: int
    label: Any
    predicted: Any
    probability: float


class LabelKind(Protocol):
    """What differs between classifiers with one label a row and with several.

    Attributes:
        name: `one` or `several`, as in a preset's `data.labels`.
        primary: the score that classifiers are compared by.
        bayes: whether naive Bayes is a baseline of very many classes.
        monitors: scores that may pick the best epoch.
    """

    name: ClassVar[str]
    primary: ClassVar[str]
    bayes: ClassVar[bool]
    monitors: ClassVar[tuple[str, ...]]

    def facts(self) -> dict[str, Any]:
        """Return the values of the preset that it decides, by dotted key."""

    def read(self, store: Store) -> None:
        """Read the labels of data that are scored as those of the run were."""

    def targets(self, classes: list[Any]) -> Targets:
        """Return the targets of some classes."""

    def loss_and_metrics(self, recipe: Recipe, num_classes: int) -> tuple[Any, list[Any]]:
        """Return loss and metrics as `keras.Model.compile` takes them."""

    def tuned(self, part: Any, logits: np.ndarray) -> LabelKind:
        """Return the kind with what is learned from a validation part and its logits."""

    def scores(self, part: Any, logits: np.ndarray) -> dict[str, float]:
        """Return the scores of a part, or of a sample of one, from its logits."""

    def report(self, part: Any, logits: np.ndarray) -> dict[str, Any]:
        """Return the scores with those of each class, as plain JSON types."""

    def predictions(self, logits: np.ndarray, classes: list[Any]) -> Iterator[dict[str, Any]]:
        """Yield what is answered for each row of logits."""

    def mistakes(self, part: Any, logits: np.ndarray, most: int) -> tuple[list[Mistake], int]:
        """Return the most confident mistakes, worst first, and the number of all.

        Args:
            part: the rows that were scored.
            logits: `(rows, classes)`.
            most: how many to return at the most.
        """

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Return the probabilities of logits `(batch, classes)`, in a graph."""

    def serve(self, logits: tf.Tensor, classes: list[Any]) -> dict[str, tf.Tensor]:
        """Return the outputs of an exported model, in a graph."""

    def to_dict(self) -> dict[str, Any]:
        """Return what a saved classifier keeps of it; nothing of one label."""

    def linear(self, estimator: Any) -> Any:
        """Return a linear model of scikit-learn as a baseline of such rows."""

    def linear_targets(self, part: Any) -> Any:
        """Return what a linear model is fitted to."""

    def linear_logits(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the logits of a linear model's probabilities `(rows, classes)`."""

    def quality(self, part: Any, logits: np.ndarray) -> float:
        """Return the primary score of a part's logits, that linear models are chosen by."""


class Sample(NamedTuple):
    """Rows with their labels, without their inputs.

    Args:
        labels: ids of the targets, int32 `(rows,)`.
        targets: what the ids stand for.
    """

    labels: np.ndarray
    targets: Any


def check_monitor(kind: LabelKind, monitor: str) -> None:
    """Refuse a `recipe.monitor` that is no score of such rows.

    Raises:
        ZooError: the message names the scores that they have.
    """
    if monitor not in kind.monitors:
        labels = "label" if kind.name == "one" else "labels"
        raise ZooError(
            f"recipe.monitor={monitor} is no score of {kind.name} {labels} a row. Accepted: "
            f"{', '.join(kind.monitors)}."
        )
