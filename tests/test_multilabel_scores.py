"""Scores of several labels a row are scikit-learn's; the threshold is the best there is."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn import metrics

from zoo.multilabel_scores import (
    Rule,
    best_rule,
    decide,
    mistakes,
    predictions,
    report,
    row_losses,
    scores,
)

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.random((60, 5)) < [0.5, 0.2, 0.1, 0.02, 0.0]
LOGITS = RANDOM.normal(-1.5, 1.5, (60, 5)) + 2.0 * TRUE
LABELS = csr_matrix(TRUE)


@pytest.mark.parametrize("at_least_one", [True, False])
def test_scores_are_those_of_scikit_learn(at_least_one: bool) -> None:
    rule = Rule(0.4, at_least_one)
    predicted = expit(LOGITS) >= 0.4
    if at_least_one:
        for row in np.flatnonzero(~predicted.any(axis=1)):
            predicted[row, LOGITS[row].argmax()] = True
    np.testing.assert_array_equal(decide(LOGITS, rule), predicted)
    found = scores(LABELS, LOGITS, rule)
    occurring = (TRUE | predicted).any(axis=0)
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(TRUE, predicted, average="micro"))
    macro = metrics.f1_score(TRUE, predicted, average=None, zero_division=0)[occurring].mean()
    assert found["macro_f1"] == pytest.approx(macro)
    assert found["exact_match"] == pytest.approx((TRUE == predicted).all(axis=1).mean())
    cells = [
        metrics.log_loss(TRUE[:, k], expit(LOGITS[:, k]), labels=[False, True]) for k in range(5)
    ]
    assert found["loss"] == pytest.approx(sum(cells))


@pytest.mark.parametrize("at_least_one", [True, False])
def test_no_threshold_is_better(at_least_one: bool) -> None:
    rule = best_rule(LABELS, LOGITS, at_least_one)
    best = scores(LABELS, LOGITS, rule)["micro_f1"]
    for threshold in np.unique(expit(LOGITS)):
        other = scores(LABELS, LOGITS, Rule(float(threshold), at_least_one))
        assert other["micro_f1"] <= best + 1e-12


def test_the_threshold_is_half_the_f1_of_calibrated_probabilities() -> None:
    """Lipton 2014, theorem 1."""
    probability = np.random.default_rng(1).beta(0.5, 2.0, (20_000, 4))
    true = np.random.default_rng(2).random(probability.shape) < probability
    logits = np.log(probability / (1 - probability))
    rule = best_rule(csr_matrix(true), logits, at_least_one=False)
    f1 = scores(csr_matrix(true), logits, rule)["micro_f1"]
    assert rule.threshold == pytest.approx(f1 / 2, abs=0.02)


def test_thresholds_where_there_is_nothing_to_choose() -> None:
    nothing = csr_matrix((3, 2), dtype=bool)
    assert best_rule(nothing, np.zeros((3, 2)), True) == Rule(0.5, True)
    equal = np.zeros((2, 3))  # no threshold is between equal probabilities
    rule = best_rule(csr_matrix([[1, 0, 0], [0, 1, 0]], dtype=bool), equal, False)
    assert decide(equal, rule).all() or not decide(equal, rule).any()


def test_the_report_has_each_label() -> None:
    document = report(LABELS, LOGITS, Rule(0.4), list("abcde"))
    assert document["examples"] == 60 and document["threshold"] == 0.4
    assert document["classes"]["e"]["support"] == 0
    assert document["classes"]["a"]["support"] == TRUE[:, 0].sum()
    assert list(document["classes"]["b"]) == ["precision", "recall", "f1", "support"]


def test_predictions_begin_with_the_most_probable() -> None:
    logits = np.array([[0.5, 2.0, -3.0], [-3.0, -2.0, -4.0]])
    one, other = predictions(logits, Rule(0.5, True), ["a", "b", 7])
    assert one["labels"] == ["b", "a"] and other["labels"] == ["b"]
    assert one["probabilities"] == {"a": 0.622459, "b": 0.880797, "7": 0.047426}
    (_, none) = predictions(logits, Rule(0.5, False), ["a", "b", 7])
    assert none["labels"] == []


def test_mistakes_are_the_most_confident_wrong_sets() -> None:
    logits = np.array([[4.0, -4.0], [1.0, -1.0], [-4.0, 4.0]])
    labels = csr_matrix([[0, 1], [1, 1], [0, 1]], dtype=bool)
    worst, count = mistakes(labels, logits, Rule(0.5), 5)
    assert count == 2 and [wrong.row for wrong in worst] == [0, 1]
    assert worst[0].predicted == (0,)
    assert worst[0].probability == pytest.approx(expit(4.0) ** 2)


def test_rows_in_pieces_have_the_same_losses(monkeypatch) -> None:
    expected = row_losses(LABELS, LOGITS)
    monkeypatch.setattr("zoo.multilabel_scores.MOST_SCORES", 17)
    assert 0 < best_rule(LABELS, LOGITS, True).threshold < 1  # of three rows
    np.testing.assert_array_equal(row_losses(LABELS, LOGITS), expected)
