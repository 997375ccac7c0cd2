"""Classifiers with several labels a row: a sigmoid each, F1, those above a threshold."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from scipy.special import logit
from sklearn.multiclass import OneVsRestClassifier

from zoo import multilabel_scores
from zoo.data.label_sets import has_sets, read_sets
from zoo.data.label_text import LIST, SEPARATORS, found_separator
from zoo.data.store import Store
from zoo.data.targets import SetTargets, Targets
from zoo.multilabel_scores import Rule
from zoo.preset.recipe import Recipe
from zoo.tasks.label_kind import LEAST, Mistake
from zoo.training.multilabel import MultilabelF1, make_multilabel_loss

HALF = Rule()


@dataclasses.dataclass(frozen=True)
class SeveralLabels:
    """Several labels a row: those whose probability reaches a threshold.

    Args:
        separator: between the labels of a text; None where lists or columns hold them.
        rule: the threshold, tuned on validation; and whether a row has one label at least.
    """

    separator: str | None = None
    rule: Rule = HALF

    name: ClassVar[str] = "several"
    primary: ClassVar[str] = "micro_f1"
    bayes: ClassVar[bool] = False
    monitors: ClassVar[tuple[str, ...]] = ("loss", "micro_f1", "macro_f1", "last")

    def facts(self) -> dict[str, Any]:
        """Return the values of the preset that it decides."""
        return {
            "data.labels.name": self.name,
            "data.labels.separator": self.separator,
            "data.labels.at_least_one": self.rule.at_least_one,
        }

    def read(self, store: Store) -> None:
        """Read the labels as sets."""
        separator = self.separator
        if separator is None and not has_sets(store):
            separator = found_separator(store.names)
        read_sets(store, separator)

    def targets(self, classes: list[Any]) -> Targets:
        """Return the targets of some labels."""
        return SetTargets(classes)

    def loss_and_metrics(self, recipe: Recipe, num_classes: int) -> tuple[Any, list[Any]]:
        """Return the loss of the recipe, label by label, and micro F1 with what is monitored."""
        at_least_one = self.rule.at_least_one
        metrics: list[Any] = [MultilabelF1(num_classes, "micro", at_least_one)]
        if recipe.monitor == "macro_f1":
            metrics.append(MultilabelF1(num_classes, "macro", at_least_one, name="macro_f1"))
        return make_multilabel_loss(recipe.loss), metrics

    def tuned(self, part: Any, logits: np.ndarray) -> SeveralLabels:
        """Return the kind with the threshold that has the best micro F1 on a part."""
        labels = part.targets.indicator(part.labels)
        rule = multilabel_scores.best_rule(labels, logits, self.rule.at_least_one)
        return dataclasses.replace(self, rule=rule)

    def scores(self, part: Any, logits: np.ndarray) -> dict[str, float]:
        """Return loss, micro and macro F1, and exact match."""
        labels = part.targets.indicator(part.labels)
        return multilabel_scores.scores(labels, logits, self.rule)

    def report(self, part: Any, logits: np.ndarray) -> dict[str, Any]:
        """Return the scores with those of each label."""
        labels = part.targets.indicator(part.labels)
        return multilabel_scores.report(labels, logits, self.rule, part.targets.classes)

    def predictions(self, logits: np.ndarray, classes: list[Any]) -> Iterator[dict[str, Any]]:
        """Yield `{"labels": [...], "probabilities": {label: probability}}`."""
        return multilabel_scores.predictions(logits, self.rule, classes)

    def mistakes(self, part: Any, logits: np.ndarray, most: int) -> tuple[list[Mistake], int]:
        """Return the most confident of the wrong sets.

        The arguments are those of `zoo.tasks.label_kind.LabelKind.mistakes`.
        """
        targets, labels = part.targets, part.targets.indicator(part.labels)
        worst, count = multilabel_scores.mistakes(labels, logits, self.rule, most)
        shown = [
            Mistake(
                wrong.row,
                targets.shown(part.labels[wrong.row]),
                targets.shown_set(wrong.predicted),
                wrong.probability,
            )
            for wrong in worst
        ]
        return shown, count

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Return that of each label."""
        return tf.sigmoid(logits)

    def serve(self, logits: tf.Tensor, classes: list[Any]) -> dict[str, tf.Tensor]:
        """Return `labels`, joined in one text, `predicted` and `probabilities` of each label."""
        probabilities = self.probabilities(logits)
        predicted = probabilities >= self.rule.threshold
        if self.rule.at_least_one:
            best = tf.one_hot(tf.argmax(logits, axis=1), len(classes), on_value=True,
                              off_value=False, dtype=tf.bool)  # fmt: skip
            none = tf.logical_not(tf.reduce_any(predicted, axis=1, keepdims=True))
            predicted = tf.logical_or(predicted, tf.logical_and(best, none))
        names = tf.constant([str(name) for name in classes])
        rows = tf.ragged.boolean_mask(tf.broadcast_to(names, tf.shape(predicted)), predicted)
        mark = SEPARATORS[0] if self.separator in (None, LIST) else self.separator
        joined = tf.strings.reduce_join(rows, axis=1, separator=mark)
        return {"labels": joined, "predicted": predicted, "probabilities": probabilities}

    def to_dict(self) -> dict[str, Any]:
        """Return separator and rule."""
        return {"several": {"separator": self.separator, **self.rule._asdict()}}

    def linear(self, estimator: Any) -> Any:
        """Return a model for each label."""
        one_a_class = isinstance(estimator, OneVsRestClassifier)
        return estimator if one_a_class else OneVsRestClassifier(estimator)

    def linear_targets(self, part: Any) -> Any:
        """Return 0 or 1 of each label, sparse `(rows, classes)`."""
        return part.targets.indicator(part.labels).astype(int)

    def linear_logits(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the logits of independent labels."""
        return logit(np.clip(probabilities, LEAST, 1.0 - LEAST))

    def quality(self, part: Any, logits: np.ndarray) -> float:
        """Return the best micro F1 of any threshold."""
        return self.tuned(part, logits).scores(part, logits)[self.primary]
