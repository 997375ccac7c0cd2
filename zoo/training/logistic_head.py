"""The head of a classifier by logistic regression on the features before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
from scipy.special import log_expit, log_softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

MOST_ITERATIONS = 2000  # of the solver, which takes a few dozen
TOLERANCE = 1e-6  # scikit-learn's 1e-4 leaves the third digit of the head to rounding
ABSENT = float(np.log(1e-12))  # logit of a class without a row
FOLDS = 5


class LogisticHead(NamedTuple):
    """Weights from features to logits.

    Args:
        kernel: `(features, classes)`.
        bias: `(classes,)`.
    """

    kernel: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the logits `(rows, classes)` of features `(rows, features)`."""
        logits: np.ndarray = features @ self.kernel + self.bias
        return logits

    def put_into(self, layer: keras.layers.Dense) -> None:
        """Set the weights of a layer."""
        layer.set_weights([self.kernel, self.bias])


def regressions(
    features: np.ndarray,
    labels: np.ndarray,
    strengths: Sequence[float] = (1.0,),
    weights: np.ndarray | None = None,
) -> Iterator[LogisticRegression]:
    """Yield logistic regressions, each from the one before; it is the same object each time.

    Args:
        features: `(rows, features)`.
        labels: class of each row, `(rows,)`, of two at least.
        strengths: C of scikit-learn, in rising order: the larger, the weaker the penalty.
        weights: of the rows, `(rows,)`; None is 1.
    """
    regression = LogisticRegression(tol=TOLERANCE, max_iter=MOST_ITERATIONS, warm_start=True)
    for strength in strengths:
        regression.C = strength
        yield regression.fit(features.astype(np.float64), labels, weights)


def head_of(regression: LogisticRegression, num_classes: int) -> LogisticHead:
    """Return the head that answers as a regression does.

    Args:
        regression: fitted.
        num_classes: of the head; it may have more than the rows had.
    """
    kernel, bias = regression.coef_.T, regression.intercept_
    if len(regression.classes_) == 2:  # the one logit is the second class' over the first
        kernel, bias = np.hstack([-kernel / 2, kernel / 2]), np.hstack([-bias / 2, bias / 2])
    head = _constant(len(kernel), np.full(num_classes, ABSENT))
    head.kernel[:, regression.classes_], head.bias[regression.classes_] = kernel, bias
    return head


def logistic_heads(
    features: np.ndarray,
    targets: np.ndarray,
    num_classes: int,
    penalties: Sequence[float],
    weights: np.ndarray | None = None,
) -> Iterator[LogisticHead]:
    """Yield a head for each penalty: the mean loss of the rows plus half of it times the squares.

    Args:
        features: `(rows, features)`.
        targets: classes `(rows,)`; or, of several labels a row, 0 or 1 `(rows, num_classes)`, each
            of which has a regression of its own.
        num_classes: of the head.
        penalties: in falling order.
        weights: `(rows,)`, or those of each label `(rows, num_classes)`; None is 1.
    """
    strengths = [1.0 / (penalty * len(features)) for penalty in penalties]
    if targets.ndim == 1:
        present = np.unique(targets)
        if len(present) == 1:
            bias = np.full(num_classes, ABSENT)
            bias[present] = 0.0
            yield from [_constant(features.shape[1], bias)] * len(strengths)
            return
        for regression in regressions(features, targets, strengths, weights):
            yield head_of(regression, num_classes)
        return
    # All or no rows have some labels.
    heads = [_constant(features.shape[1], np.full(num_classes, ABSENT)) for _ in strengths]
    for label in range(num_classes):
        has = targets[:, label] > 0
        if has.all():
            for head in heads:
                head.bias[label] = -ABSENT
        if has.all() or not has.any():
            continue
        own = weights[:, label] if weights is not None and weights.ndim == 2 else weights
        for head, regression in zip(
            heads, regressions(features, has.astype(int), strengths, own), strict=True
        ):
            head.kernel[:, label], head.bias[label] = regression.coef_[0], regression.intercept_[0]
    yield from heads


class Choice(NamedTuple):
    """A head, and how its penalty was chosen.

    Args:
        head: for features as they are.
        penalty: on its weights.
        losses: mean loss of rows held out, by penalty; empty where there was nothing to choose.
    """

    head: LogisticHead
    penalty: float
    losses: dict[float, float]


def fitted_head(
    views: Sequence[np.ndarray],
    targets: np.ndarray,
    num_classes: int,
    penalties: Sequence[float],
    weights: np.ndarray | None = None,
) -> Choice:
    """Return a head whose penalty is that of the least loss in cross-validation on the rows.

    The penalty is on features that are shifted to mean 0 and scaled by one number, so that the mean
    square of their norm is 1: the same penalties do for any network.

    Args:
        views: float32 `(rows, features)` of the rows, and of further views of them, such as
            mirrored ones; all views of a row are in one fold, and the first is what scores it.
        targets: as of `logistic_heads`.
        num_classes: of the head.
        penalties: in falling order; where there is but one, it is taken.
        weights: as of `logistic_heads`.

    One thread does it: the products are small, and waiting for another costs more than it does.

    Source: Kornblith 2019, https://arxiv.org/abs/1805.08974, section 3 (logistic regression by
        L-BFGS on features without augmentation, the penalty chosen among powers of ten). Differs:
        cross-validation in place of a validation part, which few rows are too few for.
    """
    rows = np.concatenate(views).astype(np.float64)
    mean = rows.mean(axis=0)
    scale = np.sqrt(np.square(rows - mean).sum(axis=1).mean()) or 1.0
    scaled = [(view - mean) / scale for view in views]

    def stacked(part: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return features, targets and weights of all views of some rows."""
        parts = [part] * len(views)
        features = np.concatenate([view[part] for view in scaled])
        some = None if weights is None else np.concatenate([weights[part] for part in parts])
        return features, np.concatenate([targets[part] for part in parts]), some

    losses: dict[float, float] = {}
    with threadpool_limits(1):
        if len(penalties) > 1 and len(targets) > 1:
            sums = np.zeros(len(penalties))
            folds = _folds(targets)
            for fold in range(folds.max() + 1):
                held_out = folds == fold
                features, own, some = stacked(~held_out)
                heads = logistic_heads(features, own, num_classes, penalties, some)
                sums += [
                    loss(targets[held_out], head.logits(scaled[0][held_out])) for head in heads
                ]
            losses = dict(zip(penalties, (sums / len(targets)).tolist(), strict=True))
        penalty = min(losses, key=losses.__getitem__) if losses else penalties[0]
        features, own, some = stacked(np.ones(len(targets), bool))
        (head,) = logistic_heads(features, own, num_classes, [penalty], some)
    kernel = head.kernel / scale
    return Choice(LogisticHead(kernel, head.bias - mean @ kernel), penalty, losses)


def loss(targets: np.ndarray, logits: np.ndarray) -> float:
    """Return the cross-entropy of rows, summed over them and over the labels of each.

    Args:
        targets: as of `logistic_heads`.
        logits: `(rows, classes)`.
    """
    if targets.ndim == 1:
        return -float(log_softmax(logits, axis=1)[np.arange(len(targets)), targets].sum())
    return -float((targets * log_expit(logits) + (1 - targets) * log_expit(-logits)).sum())


def _folds(targets: np.ndarray) -> np.ndarray:
    """Return the fold of each row, int `(rows,)`: of one label, each class is in all alike."""
    order = np.random.default_rng(0).permutation(len(targets))  # the same in every run
    if targets.ndim == 1:
        order = order[np.argsort(targets[order], kind="stable")]
    folds = np.empty(len(targets), np.int64)
    folds[order] = np.arange(len(targets)) % min(FOLDS, len(targets))
    return folds


def _constant(features: int, bias: np.ndarray) -> LogisticHead:
    return LogisticHead(np.zeros((features, len(bias))), bias)
