"""Scores of a classifier from its labels and logits. Pure maths on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

MOST_SCORES = 20_000_000  # in double precision at a time, so that many classes fit into the memory
MOST_CONFUSED = 1000  # classes of a confusion matrix that is written; a file of more is of no use


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities `(rows, classes)` of float32 or float64 logits of the same shape."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Return counts `(classes, classes)`: row = true class, column = predicted class."""
    cells = labels.astype(np.int64) * num_classes + predicted
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_scores(
    labels: np.ndarray, predicted: np.ndarray, num_classes: int
) -> dict[str, np.ndarray]:
    """Return precision, recall, f1 and support of each class, each of shape `(classes,)`.

    A class that was never predicted, or never occurs, scores 0 where its ratio is undefined. As
    `predicted` it also returns how often each was.
    """
    hits = np.bincount(labels[labels == predicted], minlength=num_classes).astype(np.float64)
    support = np.bincount(labels, minlength=num_classes)
    guesses = np.bincount(predicted, minlength=num_classes)
    precision = hits / np.maximum(guesses, 1)
    recall = hits / np.maximum(support, 1)
    total = precision + recall
    f1 = np.where(total > 0, 2 * precision * recall / np.where(total > 0, total, 1), 0.0)
    return {
        "precision": precision, "recall": recall, "f1": f1, "support": support,
        "predicted": guesses,
    }  # fmt: skip


def scores(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Return loss (nats per example), accuracy, macro and weighted F1.

    Macro F1 averages the classes that occur in `labels` or among the predictions, so that a class
    absent from a small file does not count as a failure.

    Args:
        labels: integer class ids `(rows,)`.
        logits: `(rows, classes)`.
    """
    labels, logits = np.asarray(labels, dtype=np.int64), np.asarray(logits)
    losses = np.empty(len(labels))
    for rows in _blocks(*logits.shape):
        some = logits[rows].astype(np.float64)
        some -= some.max(axis=1, keepdims=True)
        right = some[np.arange(len(some)), labels[rows]]
        losses[rows] = np.log(np.exp(some).sum(axis=1)) - right
    predicted = logits.argmax(axis=1)
    each = class_scores(labels, predicted, logits.shape[1])
    occurs = (each["support"] > 0) | (each["predicted"] > 0)
    return {
        "loss": float(losses.mean()),
        "accuracy": float((predicted == labels).mean()),
        "macro_f1": float(each["f1"][occurs].mean()),
        "weighted_f1": float((each["f1"] * each["support"]).sum() / max(len(labels), 1)),
    }


def report(labels: np.ndarray, logits: np.ndarray, classes: list[Any]) -> dict[str, Any]:
    """Return `scores` plus per-class scores and the confusion matrix, as plain JSON types.

    The matrix is None where there are over a thousand classes.
    """
    labels = np.asarray(labels, dtype=np.int64)
    predicted = np.asarray(logits).argmax(axis=1)
    each = class_scores(labels, predicted, len(classes))
    few = len(classes) <= MOST_CONFUSED
    return {
        **scores(labels, logits),
        "examples": len(labels),
        "classes": {
            str(name): {
                "precision": float(each["precision"][index]),
                "recall": float(each["recall"][index]),
                "f1": float(each["f1"][index]),
                "support": int(each["support"][index]),
            }
            for index, name in enumerate(classes)
        },
        "confusion_matrix": confusion_matrix(labels, predicted, len(classes)).tolist()
        if few
        else None,
    }


def _blocks(rows: int, classes: int) -> Iterator[slice]:
    """Yield slices of the rows that are worked on at a time."""
    some = max(MOST_SCORES // max(classes, 1), 1)
    for start in range(0, rows, some):
        yield slice(start, start + some)


def predictions(logits: np.ndarray, classes: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield `{"label": ..., "probabilities": {label: probability}}` of each row of logits."""
    for row in softmax(logits):
        yield {
            "label": classes[int(row.argmax())],
            "probabilities": {
                str(label): round(float(value), 6)
                for label, value in zip(classes, row, strict=True)
            },
        }


class Mistake(NamedTuple):
    """A row, from 0, that was predicted wrongly; labels and predictions are class ids."""

    row: int
    label: int
    predicted: int
    probability: float


def mistakes(labels: np.ndarray, logits: np.ndarray, most: int) -> tuple[list[Mistake], int]:
    """Return the most confident of the wrong predictions, worst first, and the number of all."""
    predicted = logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = np.empty(len(wrong))
    for rows in _blocks(len(wrong), logits.shape[1]):
        confidence[rows] = softmax(logits[wrong[rows]]).max(axis=1)
    order = np.argsort(-confidence, kind="stable")[:most]
    found = [
        Mistake(int(row), int(labels[row]), int(predicted[row]), float(share))
        for row, share in zip(wrong[order], confidence[order], strict=True)
    ]
    return found, len(wrong)
