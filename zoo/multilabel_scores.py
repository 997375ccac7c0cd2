"""Scores of a classifier with several labels a row: scikit-learn's, and the loss of logits.

A label is predicted where its probability reaches a threshold, one for all labels: the best one for
micro F1 is the same for each (Lipton 2014, https://arxiv.org/abs/1402.1892), and one of its own is
learned from the few rows of a rare label, to which it overfits (Yang 2001,
https://doi.org/10.1145/383952.383975).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn import metrics

MOST_SCORES = 20_000_000  # in double precision at a time
HALF = 0.5


class Rule(NamedTuple):
    """From probabilities to labels.

    Args:
        threshold: probability from which a label is predicted, in [0, 1].
        at_least_one: whether the most probable label is predicted where none reaches it.
    """

    threshold: float = HALF
    at_least_one: bool = True


def decide(logits: np.ndarray, rule: Rule) -> np.ndarray:
    """Return which labels are predicted, bool `(rows, classes)`.

    Args:
        logits: `(rows, classes)`.
        rule: from probabilities to labels.
    """
    chosen = np.empty(logits.shape, bool)
    for rows in _blocks(*logits.shape):
        chosen[rows] = expit(logits[rows].astype(np.float64)) >= rule.threshold
    if rule.at_least_one:
        chosen[np.arange(len(logits)), logits.argmax(axis=1)] |= ~chosen.any(axis=1)
    return chosen


def best_rule(labels: csr_matrix, logits: np.ndarray, at_least_one: bool) -> Rule:
    """Return the rule with the highest micro F1; half-way to the next probability.

    Args:
        labels: which labels rows have, `(rows, classes)`.
        logits: `(rows, classes)`.
        at_least_one: see `Rule`.
    """
    most = max(MOST_SCORES // max(logits.shape[1], 1), 1)
    if len(logits) > most:  # of very many rows and labels some rows tell as much
        rows = np.linspace(0, len(logits) - 1, most).astype(np.int64)
        labels, logits = labels[rows], logits[rows]
    probabilities = expit(logits.astype(np.float64))
    true = labels.toarray().astype(bool)
    forced = np.zeros(true.shape, bool)
    if at_least_one and len(true):
        forced[np.arange(len(true)), logits.argmax(axis=1)] = True
    order = np.argsort(-probabilities[~forced], kind="stable")
    ranked = probabilities[~forced][order]
    if not true.any() or not len(ranked):
        return Rule(HALF, at_least_one)
    hits = true[forced].sum() + np.concatenate([[0], np.cumsum(true[~forced][order])])
    predicted = forced.sum() + np.arange(len(ranked) + 1)
    f1 = 2 * hits / (predicted + true.sum())
    above = np.concatenate([[1.0], ranked])
    below = np.concatenate([ranked, [0.0]])
    f1[above == below] = -1.0  # no threshold is between equal probabilities
    best = int(f1.argmax())
    return Rule(float((above[best] + below[best]) / 2), at_least_one)


def scores(labels: csr_matrix, logits: np.ndarray, rule: Rule) -> dict[str, float]:
    """Return loss (nats a row, the sum over its labels), micro and macro F1, and exact match.

    Macro F1 averages the labels that occur or are predicted; an exact match is a row all of whose
    labels are right.

    Args:
        labels: which labels rows have, `(rows, classes)`.
        logits: `(rows, classes)`.
        rule: from probabilities to labels.

    Example:
        >>> logits = np.array([[2.0, -2.0], [2.0, 2.0]])
        >>> round(scores(csr_matrix([[1, 0], [0, 1]]), logits, Rule())["micro_f1"], 2)
        0.8
    """
    predicted = csr_matrix(decide(logits, rule))
    return _scores(labels, predicted, logits, _per_class(labels, predicted))


def report(
    labels: csr_matrix, logits: np.ndarray, rule: Rule, classes: list[Any]
) -> dict[str, Any]:
    """Return `scores` with those of each label, as plain JSON types.

    Args:
        labels: which labels rows have, `(rows, classes)`.
        logits: `(rows, classes)`.
        rule: from probabilities to labels.
        classes: the name of each label.

    Returns:
        The keys of `scores`; `examples`; `threshold`; and `classes`, label to `precision`,
        `recall`, `f1` and `support`.
    """
    predicted = csr_matrix(decide(logits, rule))
    per_class = _per_class(labels, predicted)
    columns = (values.tolist() for values in per_class)
    return {
        **_scores(labels, predicted, logits, per_class),
        "examples": labels.shape[0],
        "threshold": rule.threshold,
        "classes": {
            str(label): {"precision": precision, "recall": recall, "f1": f1, "support": support}
            for label, precision, recall, f1, support in zip(classes, *columns, strict=True)
        },
    }


def _per_class(labels: csr_matrix, predicted: csr_matrix) -> tuple[np.ndarray, ...]:
    """Return precision, recall, F1 and support of each label."""
    per_class: tuple[np.ndarray, ...] = metrics.precision_recall_fscore_support(
        labels.astype(int), predicted.astype(int), average=None, zero_division=0
    )
    return per_class


def _scores(
    labels: csr_matrix,
    predicted: csr_matrix,
    logits: np.ndarray,
    per_class: tuple[np.ndarray, ...],
) -> dict[str, float]:
    labels, predicted = labels.astype(int), predicted.astype(int)
    occurring = (labels.sum(axis=0) + predicted.sum(axis=0)).A1 > 0
    f1 = per_class[2][occurring]
    return {
        "loss": float(row_losses(labels, logits).mean()),
        "micro_f1": float(metrics.f1_score(labels, predicted, average="micro", zero_division=0)),
        "macro_f1": float(f1.mean()) if len(f1) else 0.0,
        "exact_match": float(metrics.accuracy_score(labels, predicted)),
    }


def row_losses(labels: csr_matrix, logits: np.ndarray) -> np.ndarray:
    """Return the loss of each row, the sum over all labels, in nats.

    Args:
        labels: which labels rows have, `(rows, classes)`.
        logits: `(rows, classes)`.
    """
    losses = np.empty(len(logits))
    for rows in _blocks(*logits.shape):
        block = logits[rows].astype(np.float64)
        losses[rows] = np.logaddexp(0.0, block).sum(axis=1)
        losses[rows] -= labels[rows].multiply(block).sum(axis=1).A1
    return losses


def predictions(logits: np.ndarray, rule: Rule, classes: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield `{"labels": [...], "probabilities": {label: probability}}` of each row of logits.

    Args:
        logits: `(rows, classes)`.
        rule: from probabilities to labels.
        classes: the name of each label.
    """
    for row, chosen in zip(expit(logits.astype(np.float64)), decide(logits, rule), strict=True):
        order = sorted(np.flatnonzero(chosen), key=lambda label: -row[label])
        yield {
            "labels": [classes[label] for label in order],
            "probabilities": {
                str(label): round(float(value), 6)
                for label, value in zip(classes, row, strict=True)
            },
        }


class WrongRow(NamedTuple):
    """A row some of whose labels were predicted wrongly.

    Args:
        row: its number, from 0.
        predicted: ids of the labels that were predicted.
        probability: that exactly these are right, the labels being independent.
    """

    row: int
    predicted: tuple[int, ...]
    probability: float


def mistakes(
    labels: csr_matrix, logits: np.ndarray, rule: Rule, most: int
) -> tuple[list[WrongRow], int]:
    """Return the most confident of the wrong predictions, worst first, and the number of all.

    Args:
        labels: which labels rows have, `(rows, classes)`.
        logits: `(rows, classes)`.
        rule: from probabilities to labels.
        most: how many to return at the most.
    """
    predicted = csr_matrix(decide(logits, rule))
    wrong = np.flatnonzero((labels.astype(int) != predicted.astype(int)).sum(axis=1).A1)
    losses = row_losses(predicted[wrong].astype(int), logits[wrong])
    order = np.argsort(losses, kind="stable")[:most]
    worst = [
        WrongRow(int(row), tuple(predicted[row].indices.tolist()), float(np.exp(-loss)))
        for row, loss in zip(wrong[order], losses[order], strict=True)
    ]
    return worst, len(wrong)


def _blocks(rows: int, classes: int) -> Iterator[slice]:
    size = max(MOST_SCORES // max(classes, 1), 1)
    for start in range(0, rows, size):
        yield slice(start, start + size)
