"""Scores of a classifier from its labels and logits: scikit-learn's, and the loss of logits.

scikit-learn's `log_loss` takes probabilities and clips them, so the loss is taken here.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn import metrics

MOST_SCORES = 20_000_000  # in double precision at a time, so that many classes fit into the memory
MOST_CONFUSED = 1000  # classes of a confusion matrix that is written; a file of more is of no use


def scores(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Return loss (nats per example), accuracy, macro and weighted F1.

    Macro F1 averages the classes that occur in `labels` or among the predictions, so that a class
    absent from a small file does not count as a failure.

    Args:
        labels: integer class ids `(rows,)`.
        logits: `(rows, classes)`.

    Example:
        >>> round(scores(np.array([0, 1]), np.eye(2))["loss"], 4)
        0.3133
    """
    labels, logits = np.asarray(labels, dtype=np.int64), np.asarray(logits)
    predicted = logits.argmax(axis=1)
    return _scores(labels, predicted, logits, _per_class(labels, predicted))


def report(labels: np.ndarray, logits: np.ndarray, classes: list[Any]) -> dict[str, Any]:
    """Return `scores` plus per-class scores and the confusion matrix, as plain JSON types.

    A class that was never predicted, or never occurs, scores 0 where its ratio is undefined. The
    matrix is None where there are over a thousand classes.

    Args:
        labels: integer class ids `(rows,)`.
        logits: `(rows, classes)`.
        classes: the label of each class id.

    Returns:
        The keys of `scores`; `examples`; `classes`, label to `precision`, `recall`, `f1` and
        `support`; and `confusion_matrix`, counts `(classes, classes)`: row = true class.
    """
    labels, logits = np.asarray(labels, dtype=np.int64), np.asarray(logits)
    predicted = logits.argmax(axis=1)
    ids = np.arange(len(classes))
    per_class = _per_class(labels, predicted, ids)
    matrix = None
    if len(classes) <= MOST_CONFUSED:
        with _any_number_of_classes():
            matrix = metrics.confusion_matrix(labels, predicted, labels=ids).tolist()
    occurring = np.union1d(labels, predicted)
    columns = (values.tolist() for values in per_class)
    return {
        **_scores(labels, predicted, logits, [values[occurring] for values in per_class]),
        "examples": len(labels),
        "classes": {
            str(label): {"precision": precision, "recall": recall, "f1": f1, "support": support}
            for label, precision, recall, f1, support in zip(classes, *columns, strict=True)
        },
        "confusion_matrix": matrix,
    }


def _per_class(
    labels: np.ndarray, predicted: np.ndarray, ids: np.ndarray | None = None
) -> Sequence[np.ndarray]:
    """Return precision, recall, F1 and support of each class; of those that occur without `ids`."""
    with _any_number_of_classes():
        return metrics.precision_recall_fscore_support(
            labels, predicted, labels=ids, zero_division=0
        )


def _scores(
    labels: np.ndarray, predicted: np.ndarray, logits: np.ndarray, per_class: Sequence[np.ndarray]
) -> dict[str, float]:
    """Return the `scores` from `_per_class` of the classes that occur."""
    losses = np.empty(len(labels))
    for rows in _blocks(*logits.shape):
        block = _shifted(logits[rows])
        right = np.take_along_axis(block, labels[rows, None], axis=1)[:, 0]
        losses[rows] = np.log(np.exp(block, out=block).sum(axis=1)) - right
    _, _, f1, support = per_class
    return {
        "loss": float(losses.mean()),
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float(np.average(f1, weights=support)),
    }


def _shifted(logits: np.ndarray) -> np.ndarray:
    """Return a copy of logits in double precision, less the greatest of each row."""
    block = logits.astype(np.float64)
    block -= block.max(axis=1, keepdims=True)
    return block


def _blocks(rows: int, classes: int) -> Iterator[slice]:
    """Yield slices of the rows that are worked on at a time."""
    size = max(MOST_SCORES // max(classes, 1), 1)
    for start in range(0, rows, size):
        yield slice(start, start + size)


def predictions(logits: np.ndarray, classes: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield `{"label": ..., "probabilities": {label: probability}}` of each row of logits."""
    for row in softmax(logits.astype(np.float64), axis=1):
        yield {
            "label": classes[int(row.argmax())],
            "probabilities": {
                str(label): round(float(value), 6)
                for label, value in zip(classes, row, strict=True)
            },
        }


class Mistake(NamedTuple):
    """A row that was predicted wrongly.

    Args:
        row: its number, from 0.
        label: its class id.
        predicted: the class id of the prediction.
        probability: of the predicted class.
    """

    row: int
    label: int
    predicted: int
    probability: float


def mistakes(labels: np.ndarray, logits: np.ndarray, most: int) -> tuple[list[Mistake], int]:
    """Return the most confident of the wrong predictions, worst first, and the number of all.

    Args:
        labels: integer class ids `(rows,)`.
        logits: `(rows, classes)`.
        most: how many to return at the most.
    """
    predicted = logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = np.empty(len(wrong))
    for rows in _blocks(len(wrong), logits.shape[1]):
        block = _shifted(logits[wrong[rows]])
        confidence[rows] = 1 / np.exp(block, out=block).sum(axis=1)
    order = np.argsort(-confidence, kind="stable")[:most]
    worst = [
        Mistake(int(row), int(labels[row]), int(predicted[row]), float(share))
        for row, share in zip(wrong[order], confidence[order], strict=True)
    ]
    return worst, len(wrong)


@contextlib.contextmanager
def _any_number_of_classes() -> Iterator[None]:
    """Keep scikit-learn from taking few rows of many classes for a regression, in a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")
        yield
