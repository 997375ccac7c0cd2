"""The baseline of every text classifier: a linear model on TF-IDF n-grams, fitted in seconds.

Without pre-trained vectors a bag of bigrams with a linear model beats many networks on short
English texts (Wang and Manning 2012, https://aclanthology.org/P12-2018), so a network has to show
that it is worth its training (A63, A68).
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from zoo.data.store import Split
from zoo.tasks.label_kind import LabelKind, Sample
from zoo.tasks.one_label import OneLabel
from zoo.text.pairs import split_pair
from zoo.text.spacing import LONGEST_WORD, characters_a_word

# The bounds that keep the fit to seconds and its memory flat, whatever the size of the file.
MAX_ROWS = 50_000
MAX_CHARACTERS = 16_000_000
MAX_FEATURES = 300_000
MAX_WEIGHTS = 50_000_000  # classes times features: many classes get fewer features
# Classes times values of the features: logistic regression has one fit a class, and takes about a
# minute for so many. Beyond it naive Bayes, which is linear too, does all classes in one pass.
MAX_WORK = 200_000_000
MAX_SCORES = 20_000_000  # in memory at a time
STRENGTHS = (3.0, 10.0, 1.0)  # inverse L2 strengths, the most often best first
SMOOTHINGS = (0.1, 0.01, 1.0)  # of naive Bayes, likewise
SECONDS = 20.0  # after which no further strength is tried
ONE = OneLabel()
CHUNK = 20_000  # rows scored at a time, and rows that pick the strength


@dataclasses.dataclass(frozen=True)
class Baseline:
    """Scores of the linear model on the splits the network is scored on.

    Args:
        validation: with the keys of `zoo.tasks.label_kind.LabelKind.scores`.
        test: likewise; None without a test part.
        rows: training rows it saw.
        features: n-grams.
        analyzer: `word` or `char`.
        model: `logistic regression` or `naive Bayes`.
        strength: inverse L2 strength of the one, smoothing of the other.
        seconds: that it took.
    """

    validation: dict[str, float]
    test: dict[str, float] | None
    rows: int
    features: int
    analyzer: str
    model: str
    strength: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the baseline as plain JSON types."""
        return dataclasses.asdict(self)


def fit_baseline(
    train: Split,
    validation: Split,
    test: Split | None,
    *,
    num_classes: int,
    seed: int,
    kind: LabelKind = ONE,
) -> Baseline:
    """Fit logistic regression on TF-IDF n-grams; the L2 strength is the best on validation.

    Of very many classes it is naive Bayes, whose smoothing is picked likewise. Of several labels a
    row it is a logistic regression for each label, of fewer rows where there are many labels.

    Of a pair of texts it sees both, what they share and where they differ, as Conneau 2017
    (https://arxiv.org/abs/1705.02364) has it of vectors.

    Texts written without spaces get character 1- to 3-grams, others word 1- to 2-grams.

    Args:
        train: the part to learn from; a seeded sample of it beyond the bounds of this module.
        validation: the part that picks the strength.
        test: the part scored at the end, or None.
        num_classes: number of classes; labels are in [0, num_classes).
        seed: seed of the sample and of the solver.
        kind: one label a row or several.
    """
    started = time.perf_counter()
    rows = _sample(train, seed)
    texts, labels = (
        train.inputs(rows),
        kind.linear_targets(Sample(train.labels[rows], train.targets)),
    )
    vectorizer, features = _fit_vectorizer(texts, num_classes)
    if train.store.pairs:
        vectorizer = _PairVectorizer(vectorizer)
        features = vectorizer.transform(texts)
    probe = np.arange(min(len(validation), CHUNK, max(MAX_SCORES // num_classes, 100)))
    probe_features = vectorizer.transform(validation.inputs(probe))
    work = num_classes * features.nnz
    quick = work > MAX_WORK and kind.bayes
    if work > MAX_WORK and not kind.bayes:
        kept = max(int(len(texts) * MAX_WORK / work), 2)
        few = np.random.default_rng(seed).choice(len(texts), kept, replace=False)
        features, labels = features[few], labels[few]
    highest = -1.0
    chosen: tuple[float, Any] = (STRENGTHS[0], None)
    for strength in SMOOTHINGS if quick else STRENGTHS:
        model = (
            _NaiveBayes(strength, num_classes)
            if quick
            else kind.linear(_linear(strength, seed, num_classes))
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # bounded iterations are the point
            warnings.filterwarnings("ignore", "Label (not )?.* is present in all training examples")
            model.fit(features, labels)
        logits = _logits(model, probe_features, num_classes, kind)
        quality = kind.quality(Sample(validation.labels[probe], validation.targets), logits)
        if quality > highest:
            highest, chosen = quality, (strength, model)
        if time.perf_counter() - started > SECONDS / 2:
            break
    strength, model = chosen
    logits = _logits_of(validation, vectorizer, model, num_classes, kind)
    kind = kind.tuned(validation, logits)
    return Baseline(
        validation=kind.scores(validation, logits),
        test=None
        if test is None
        else kind.scores(test, _logits_of(test, vectorizer, model, num_classes, kind)),
        rows=features.shape[0],
        features=features.shape[1],
        analyzer=vectorizer.analyzer,
        model="naive Bayes" if quick else "logistic regression",
        strength=strength,
        seconds=time.perf_counter() - started,
    )


class _PairVectorizer:
    """Features of pairs of texts by a vectorizer of single ones: a, b, |a - b| and a * b.

    Args:
        vectorizer: fitted.
    """

    def __init__(self, vectorizer: TfidfVectorizer):
        self.vectorizer, self.analyzer = vectorizer, vectorizer.analyzer

    def transform(self, texts: list[str]) -> Any:
        """Return features `(pairs, features)`, sparse float32."""
        first, second = zip(*map(split_pair, texts), strict=True)
        one, other = self.vectorizer.transform(first), self.vectorizer.transform(second)
        return hstack([one, other, abs(one - other), one.multiply(other)], format="csr")


def _fit_vectorizer(texts: list[str], num_classes: int) -> tuple[TfidfVectorizer, Any]:
    """Return the vectorizer, and features `(texts, features)`, sparse float32."""
    analyzer = "char" if characters_a_word(texts) > LONGEST_WORD else "word"
    vectorizer = TfidfVectorizer(
        analyzer=analyzer,
        ngram_range=(1, 3) if analyzer == "char" else (1, 2),
        token_pattern=r"(?u)\b\w+\b" if analyzer == "word" else None,
        sublinear_tf=True,
        min_df=2 if len(texts) > 1000 else 1,
        max_features=min(MAX_FEATURES, max(MAX_WEIGHTS // num_classes, 1)),
        dtype=np.float32,
    )
    try:
        return vectorizer, vectorizer.fit_transform(texts)
    except ValueError:  # no word at all: punctuation, digits of one kind, emoji
        vectorizer.set_params(analyzer="char", ngram_range=(1, 3), min_df=1, token_pattern=None)
        return vectorizer, vectorizer.fit_transform(texts)


def _sample(train: Split, seed: int) -> np.ndarray:
    """Return positions of the rows to learn from; every class is among them."""
    order = np.arange(len(train))
    if len(train) > MAX_ROWS:
        order = np.sort(np.random.default_rng(seed).choice(len(train), MAX_ROWS, replace=False))
    share = min(1.0, MAX_CHARACTERS / max(_characters(train, order), 1))
    if share < 1.0:
        kept = max(int(len(order) * share), 2)
        order = np.sort(np.random.default_rng(seed).choice(order, kept, replace=False))
    targets = train.targets
    present, sampled = (targets.counts(ids) > 0 for ids in (train.labels, train.labels[order]))
    missing = np.flatnonzero(present & ~sampled)
    if len(missing):
        order = np.concatenate([order, targets.first_rows(train.labels, missing)])
    return order


def _characters(train: Split, order: np.ndarray) -> int:
    probe = order[:: max(len(order) // 1000, 1)]
    return int(np.mean([len(text) for text in train.inputs(probe)]) * len(order))


def _logits_of(
    split: Split, vectorizer: Any, model: Any, num_classes: int, kind: LabelKind
) -> np.ndarray:
    logits = [
        _logits(model, vectorizer.transform(split.inputs(rows)), num_classes, kind)
        for rows in np.array_split(np.arange(len(split)), -(-len(split) // CHUNK))
    ]
    return np.concatenate(logits)


def _linear(strength: float, seed: int, num_classes: int) -> Any:
    model = LogisticRegression(
        C=strength, solver="liblinear", dual=True, max_iter=50, random_state=seed
    )
    return model if num_classes == 2 else OneVsRestClassifier(model)


class _NaiveBayes:
    """Multinomial naive Bayes; scikit-learn 1.9's makes a dense matrix of rows by classes first.

    Source: Manning, Raghavan and Schütze 2008, https://nlp.stanford.edu/IR-book, chapter 13.
    """

    def __init__(self, smoothing: float, num_classes: int):
        self.smoothing, self.num_classes = smoothing, num_classes

    def fit(self, features: Any, labels: np.ndarray) -> None:
        """Count features `(rows, features)` by class, and rows."""
        rows, shape = np.arange(len(labels)), (self.num_classes, len(labels))
        member = csr_matrix((np.ones(len(labels), np.float32), (labels, rows)), shape=shape)
        counts = (member @ features).toarray() + np.float32(self.smoothing)
        self.weights = np.log(counts / counts.sum(axis=1, keepdims=True)).T.copy()
        rows_of_class = np.bincount(labels, minlength=self.num_classes)
        self.bias = np.log(np.maximum(rows_of_class, 0.5) / len(labels)).astype(np.float32)

    def logits(self, features: Any) -> np.ndarray:
        """Return the logits of the classes `(rows, classes)`."""
        logits: np.ndarray = features @ self.weights
        logits += self.bias
        return logits


def _logits(model: Any, features: Any, num_classes: int, kind: LabelKind) -> np.ndarray:
    """Return logits `(rows, classes)`, made some rows at a time."""
    if isinstance(model, LogisticRegression):
        margin = model.decision_function(features)
        return np.stack([np.zeros_like(margin), margin], axis=1)
    many = isinstance(model, _NaiveBayes)
    logits = np.empty((features.shape[0], num_classes), np.float32 if many else np.float64)
    rows = max(MAX_SCORES // num_classes, 1)
    for start in range(0, features.shape[0], rows):
        part = features[start : start + rows]
        if many:
            logits[start : start + rows] = model.logits(part)
        else:
            logits[start : start + rows] = kind.linear_logits(model.predict_proba(part))
    return logits
