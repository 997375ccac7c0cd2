"""The linear baseline: real scores, bounded, every class seen."""

import numpy as np
import pytest
from conftest import sentences
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.naive_bayes import MultinomialNB

from zoo.tasks.request import Request
from zoo.tasks.text_classification import baseline
from zoo.tasks.text_classification.data import load_split


def split_of(rows):
    texts, labels = zip(*rows, strict=True)
    return load_split(Request((list(texts), list(labels))), sorted(set(labels)))


def test_it_learns_what_is_learnable() -> None:
    with split_of(sentences(200)) as train, split_of(sentences(60, seed=1)) as held_out:
        found = baseline.fit_baseline(train, held_out, held_out, num_classes=2, seed=0)
    assert found.validation["accuracy"] > 0.95
    assert set(found.validation) == {"loss", "accuracy", "macro_f1", "weighted_f1"}
    assert found.test == found.validation
    assert (found.rows, found.analyzer) == (200, "word")


def test_texts_without_spaces_get_characters() -> None:
    rows = [("今天股市大涨收盘创新高点再现", "a"), ("球队昨晚客场大胜对手晋级决赛", "b")]
    rows = [(text + chr(0x4E00 + index), label) for index in range(20) for text, label in rows]
    with split_of(rows) as train:
        found = baseline.fit_baseline(train, train, None, num_classes=2, seed=0)
    assert found.analyzer == "char"
    assert found.validation["accuracy"] == 1.0
    assert found.test is None


def test_more_than_two_classes_and_texts_without_words() -> None:
    rows = [(mark * (1 + index % 3), mark) for index in range(30) for mark in "!?%"]
    with split_of(rows) as train:
        found = baseline.fit_baseline(train, train, None, num_classes=3, seed=0)
    assert found.validation["accuracy"] == 1.0


def test_a_sample_is_bounded_and_keeps_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_ROWS", 50)
    rows = [*sentences(2000), ("something else altogether", "rare")]
    with split_of(rows) as train:
        found = baseline.fit_baseline(train, train, None, num_classes=3, seed=0)
    assert 50 <= found.rows <= 51
    assert np.isfinite(found.validation["loss"])


def test_very_many_classes_get_naive_bayes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        (f"word{label} and w{number} here", label) for number in range(4) for label in range(60)
    ]
    with split_of(rows) as train:
        usual = baseline.fit_baseline(train, train, None, num_classes=60, seed=0)
        monkeypatch.setattr(baseline, "MAX_WORK", 1000)
        monkeypatch.setattr(baseline, "MAX_SCORES", 7 * 60)  # rows come in pieces
        quick = baseline.fit_baseline(train, train, train, num_classes=60, seed=0)
    assert (usual.model, quick.model) == ("logistic regression", "naive Bayes")
    assert usual.validation["accuracy"] == quick.validation["accuracy"] == 1.0
    assert quick.test == quick.validation
    assert quick.strength in baseline.SMOOTHINGS


def test_naive_bayes_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    features = csr_matrix(generator.poisson(0.5, (40, 12)).astype("float32"))
    labels = np.arange(40) % 5
    own, other = baseline._NaiveBayes(0.1, 5), MultinomialNB(alpha=0.1)
    own.fit(features, labels)
    other.fit(features, labels)
    shares = softmax(own.logits(features), axis=1)
    np.testing.assert_allclose(shares, other.predict_proba(features), rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_ten_thousand_classes_take_seconds() -> None:
    rows = [(f"word{label} w{number}", label) for label in range(10_000) for number in range(3)]
    with split_of(rows) as train, split_of(rows[:9000]) as part:
        found = baseline.fit_baseline(train, part, None, num_classes=10_000, seed=0)
    assert found.features * 10_000 <= baseline.MAX_WEIGHTS
    assert found.model == "naive Bayes"
