"""Test scores of a linear SVM on words and characters: what to try before any network.

TF-IDF of words 1 to 2 and characters 2 to 5, of Chinese characters 1 to 4; words alone where texts
are long or have several labels. C is the best on three tenths of the training part, each by itself,
or on the validation part where one is official; the model is then fitted to the training part. Of
several labels a row there is an SVM for each, and the best label is predicted where none is.
Options: data=trec,mr,...
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

from benchmarks.datasets import SEPARATORS, TEXTS, files, read_rows
from zoo.text.spacing import LONGEST_WORD, characters_a_word

STRENGTHS = (0.1, 0.3, 1.0, 3.0)  # inverse L2 strengths
TENTHS = 3  # a tenth alone tells strengths apart by chance
LONG = 500  # characters of a text, in the mean
FEATURES = 1_000_000
Rows = tuple[Sequence[str], Sequence[str]]  # texts and labels


def measure(data: str = ",".join(TEXTS)) -> Iterator[dict[str, Any]]:
    """Yield one entry a set."""
    for name in data.split(","):
        with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
            parts = {part: read_rows(path) for part, path in files(name, Path(folder)).items()}
        yield {"id": name, "data": name, **scores(parts, SEPARATORS.get(name))}


def scores(parts: dict[str, Rows], separator: str | None = None) -> dict[str, Any]:
    """Choose C without the test part, fit, and score the test part once.

    Args:
        parts: texts and labels of `data`, `test` and, where it is official, `validation`.
        separator: between the labels of a row; None where a row has one.
    """
    started = time.perf_counter()
    judged = _judged(parts)
    tried = dict.fromkeys(STRENGTHS, 0.0)
    for fitted, judge in judged:
        for strength, model in fits(*fitted, STRENGTHS, separator).items():
            tried[strength] += next(iter(model.scores(*judge).values())) / len(judged)
    best = max(tried, key=lambda strength: tried[strength])
    test = fits(*parts["data"], [best], separator)[best].scores(*parts["test"])
    return {
        "strength": best,
        "validation": tried[best],
        **test,
        "minutes": (time.perf_counter() - started) / 60,
    }


def _judged(parts: dict[str, Rows]) -> list[tuple[Rows, Rows]]:
    """Return what is fitted and what it is judged by."""
    if "validation" in parts:
        return [(parts["data"], parts["validation"])]
    texts, labels = parts["data"]
    cuts = (
        train_test_split(texts, labels, test_size=0.1, stratify=labels, random_state=seed)
        for seed in range(TENTHS)
    )
    return [((a, c), (b, d)) for a, b, c, d in cuts]


@dataclasses.dataclass(frozen=True)
class Svm:
    """A linear SVM on n-grams.

    Args:
        features: from texts to n-grams, fitted.
        model: from n-grams to labels, fitted.
        labels: from sets of labels to 0 and 1 of each; None where a text has one label.
        separator: between the labels of a text.
    """

    features: FeatureUnion
    model: Any
    labels: MultiLabelBinarizer | None = None
    separator: str | None = None

    def scores(self, texts: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
        """Return accuracy; of several labels micro and macro F1 and the share of exact matches."""
        found = self.features.transform(texts)
        if self.labels is None:
            return {"accuracy": float(self.model.score(found, np.asarray(labels)))}
        margins = self.model.decision_function(found)
        predicted = margins > 0
        predicted[np.arange(len(predicted)), margins.argmax(axis=1)] |= ~predicted.any(axis=1)
        true = self.labels.transform([label.split(self.separator) for label in labels])
        return {
            f"{kind}_f1": float(f1_score(true, predicted, average=kind, zero_division=0))
            for kind in ("micro", "macro")
        } | {"exact_match": float((true == predicted).all(axis=1).mean())}


def fits(
    texts: Sequence[str],
    labels: Sequence[str],
    strengths: Sequence[float],
    separator: str | None = None,
) -> dict[float, Svm]:
    """Return a model of each strength.

    Args:
        texts: what is learned from.
        labels: one a text, or several with a separator between them.
        strengths: inverse L2 strengths, C.
        separator: between the labels of a text; None where it has one.
    """
    features = _features(texts, words_alone=separator is not None)
    found = features.fit_transform(texts)
    sets, targets = None, labels
    if separator is not None:
        sets = MultiLabelBinarizer()
        targets = sets.fit_transform([label.split(separator) for label in labels])
    models = {}
    for strength in strengths:
        model = LinearSVC(C=strength, random_state=0)
        if sets is not None:
            model = OneVsRestClassifier(model)
        models[strength] = Svm(features, model.fit(found, targets), sets, separator)
    return models


def _features(texts: Sequence[str], *, words_alone: bool) -> FeatureUnion:
    sizes = {"word": (1, 2), "char": (2, 5)}
    if characters_a_word(list(texts)) > LONGEST_WORD:
        sizes = {"char": (1, 4)}
    elif words_alone or statistics.mean(map(len, texts)) > LONG:
        sizes = {"word": (1, 2)}
    vectorizers = [
        TfidfVectorizer(
            analyzer=analyzer,
            ngram_range=size,
            sublinear_tf=True,
            token_pattern=r"(?u)\b\w+\b" if analyzer == "word" else None,
            max_features=FEATURES,
            dtype=np.float32,
        )
        for analyzer, size in sizes.items()
    ]
    return FeatureUnion(list(zip(sizes, vectorizers, strict=True)))
