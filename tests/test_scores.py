"""Scores against numbers worked out by hand and against scikit-learn."""

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics

from zoo import scores


def test_scores_of_a_hand_worked_case() -> None:
    # three rows, two classes: right, right, wrong with logits (0, ln 3) for class 0
    logits = np.array([[math.log(3), 0.0], [0.0, math.log(3)], [0.0, math.log(3)]])
    found = scores.scores(np.array([0, 1, 0]), logits)
    assert found["loss"] == pytest.approx((2 * -math.log(0.75) - math.log(0.25)) / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx(2 / 3)


def test_f1_of_a_hand_worked_case() -> None:
    # class 0: precision 1, recall 2/3, F1 4/5; class 1: precision 1/2, recall 1, F1 2/3
    result = scores.scores(np.array([0, 0, 0, 1]), np.eye(2)[[0, 0, 1, 1]])
    assert result["accuracy"] == 0.75
    assert result["macro_f1"] == pytest.approx(11 / 15)
    assert result["weighted_f1"] == pytest.approx(23 / 30)


def test_a_row_of_the_confusion_matrix_is_a_true_class() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), [0, 1, 1, 1, 2, 2]
    matrix = scores.report(labels, np.eye(3)[predicted], list("abc"))["confusion_matrix"]
    assert matrix == [[1, 2, 0], [0, 1, 1], [0, 0, 1]]


def test_the_loss_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    labels, logits = generator.integers(0, 5, 300), generator.normal(size=(300, 5))
    loss = metrics.log_loss(labels, softmax(logits, axis=1))
    assert scores.scores(labels, logits)["loss"] == pytest.approx(loss)


def test_a_class_that_never_occurs_does_not_lower_macro_f1() -> None:
    logits = np.array([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    assert scores.scores(np.array([0, 1]), logits)["macro_f1"] == 1.0


def test_report_counts_each_class() -> None:
    logits = np.array([[5.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    found = scores.report(np.array([0, 1, 1]), logits, ["ham", "spam"])
    assert found["confusion_matrix"] == [[1, 0], [1, 1]]
    assert found["classes"]["spam"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "support": 2,
    }


def test_huge_logits_do_not_overflow() -> None:
    found = scores.scores(np.array([0]), np.array([[1e4, -1e4]]))
    assert found["loss"] == 0.0


def test_scores_in_pieces_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    labels, logits = (
        generator.integers(0, 5, 300),
        generator.normal(size=(300, 5)).astype("float32"),
    )
    whole = scores.report(labels, logits, list("abcde")), scores.mistakes(labels, logits, 20)
    monkeypatch.setattr(scores, "MOST_SCORES", 35)
    assert whole == (
        scores.report(labels, logits, list("abcde")),
        scores.mistakes(labels, logits, 20),
    )


def test_no_matrix_of_very_many_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_CONFUSED", 1)
    found = scores.report(np.array([0, 1]), np.eye(2), ["a", "b"])
    assert found["confusion_matrix"] is None
    assert found["classes"]["b"]["recall"] == 1.0


def test_no_mistakes() -> None:
    assert scores.mistakes(np.array([0, 1]), np.eye(2), 5) == ([], 0)
