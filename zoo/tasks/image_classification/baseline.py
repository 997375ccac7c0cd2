"""The yardstick of every classifier of images: a linear model on small copies of them."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo import scores
from zoo.tasks.image_classification.batches import ImageSplit, ImageTransform
from zoo.tasks.image_classification.data import ImageDataset

# The bounds that keep the fit to seconds, whatever the number of images.
SIDE = 12  # pixels of a small copy
MAX_TRAINED = 4000
MAX_SCORED = 10_000
STRENGTHS = (0.001, 0.01, 0.1)  # inverse L2 strengths
SECONDS = 60.0  # after half of which no further strength is tried


def fit_image_baseline(data: ImageDataset) -> dict[str, Any]:
    """Fit logistic regression on images of 12 x 12 pixels; validation picks the L2 strength.

    Returns:
        `validation` and `test` with the keys of `zoo.scores.scores` (`test` is None without a test
        part), of samples of at most 10,000 images; and `rows`, `strength` and `seconds`.
    """
    started = time.perf_counter()
    view = data.view
    trained = _sample(data.train, MAX_TRAINED, data.seed)
    x, y = _small(data.train, trained, view), data.train.labels[trained]
    parts = {"validation": data.validation, "test": data.test}
    features = {}
    for name, part in parts.items():
        if part is not None:
            rows = _sample(part, MAX_SCORED, data.seed)
            features[name] = _small(part, rows, view), part.labels[rows]
    probe, labels = features["validation"]
    best: tuple[float, float, Any] | None = None
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=60))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # bounded iterations are the point
            model.fit(x, y)
        accuracy = float((model.predict(probe) == labels).mean())
        if best is None or accuracy > best[0]:
            best = (accuracy, strength, model)
        if time.perf_counter() - started > SECONDS / 2:
            break
    _, strength, model = best  # type: ignore[misc]
    found = {
        name: scores.scores(labels, _logits(model, some, len(data.classes)))
        for name, (some, labels) in features.items()
    }
    return {
        "validation": found["validation"],
        "test": found.get("test"),
        "rows": len(x),
        "strength": strength,
        "seconds": time.perf_counter() - started,
    }


def _sample(images: ImageSplit, most: int, seed: int) -> np.ndarray:
    if len(images) <= most:
        return np.arange(len(images))
    generator = np.random.default_rng(seed)
    rows = generator.choice(len(images), most, replace=False)
    first = np.unique(images.labels, return_index=True)[1]  # every class is seen at least once
    return np.union1d(rows, first)


def _small(images: ImageSplit, rows: np.ndarray, view: ImageTransform) -> np.ndarray:
    """Return float32 `(rows, features)` of small copies."""
    found = np.empty((len(rows), 3 * SIDE**2), np.float32)
    for number, source in enumerate(images.sources(rows)):
        image = Image.fromarray(view.center(source))
        found[number] = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX)).reshape(-1)
    return found


def _logits(model: Any, features: np.ndarray, num_classes: int) -> np.ndarray:
    logits = np.full((len(features), num_classes), -27.6)  # the logarithm of 1e-12
    logits[:, model.classes_] = np.log(np.maximum(model.predict_proba(features), 1e-12))
    return logits
