"""The baseline of image classifiers: a linear model on small copies of the images."""

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

from zoo.tasks.image_classification.data import ImageDataset
from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.sources.source import ImageSplit
from zoo.tasks.label_kind import LabelKind, Sample

# The bounds that keep the fit to seconds, whatever the number of images.
SIDE = 12  # pixels of a small copy
MAX_TRAINED = 4000
MAX_SCORED = 10_000
STRENGTHS = (0.001, 0.01, 0.1)  # inverse L2 strengths
SECONDS = 60.0  # after half of which no further strength is tried


def fit_image_baseline(data: ImageDataset) -> dict[str, Any]:
    """Fit logistic regression on images of 12 x 12 pixels; validation picks the L2 strength.

    Of several labels a row it is one for each label.

    Returns:
        `validation` and `test` with the keys of `LabelKind.scores` (`test` is None without a test
        part), of samples of at most 10,000 images; and `rows`, `strength` and `seconds`.
    """
    started = time.perf_counter()
    center_crop, kind = data.transform.center_crop, data.kind
    x, y = _features(data.train, MAX_TRAINED, data.seed, center_crop)
    scored = {
        name: _features(part, MAX_SCORED, data.seed, center_crop)
        for name, part in (("validation", data.validation), ("test", data.test))
        if part is not None
    }
    validated = scored["validation"]
    chosen: tuple[float, float, Any] | None = None
    for strength in STRENGTHS:
        linear = kind.linear(LogisticRegression(C=strength, max_iter=60))
        model = make_pipeline(StandardScaler(), linear)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # bounded iterations are the point
            warnings.filterwarnings("ignore", "Label (not )?.* is present in all training examples")
            model.fit(x, kind.linear_targets(y))
        features, sample = validated
        quality = kind.quality(sample, _logits(model, features, len(data.classes), kind))
        if chosen is None or quality > chosen[0]:
            chosen = (quality, strength, model)
        if time.perf_counter() - started > SECONDS / 2:
            break
    _, strength, model = chosen  # type: ignore[misc]
    metrics = {}
    for name, (features, sample) in scored.items():
        logits = _logits(model, features, len(data.classes), kind)
        kind = kind.tuned(sample, logits) if name == "validation" else kind
        metrics[name] = kind.scores(sample, logits)
    return {
        "validation": metrics["validation"],
        "test": metrics.get("test"),
        "rows": len(x),
        "strength": strength,
        "seconds": time.perf_counter() - started,
    }


def _features(
    images: ImageSplit, most: int, seed: int, center_crop: CenterCrop
) -> tuple[np.ndarray, Sample]:
    """Return small copies of a sample of images, float32 `(rows, features)`, and their labels.

    Args:
        images: the whole part.
        most: images of the sample; a few more, so that every class is in it.
        seed: of the sample.
        center_crop: from an image to what the network sees of it.
    """
    rows, targets = np.arange(len(images)), images.targets
    if len(images) > most:
        chosen = np.random.default_rng(seed).choice(len(images), most, replace=False)
        present = np.flatnonzero(targets.counts(images.labels))
        rows = np.union1d(chosen, targets.first_rows(images.labels, present))
    copies = np.empty((len(rows), 3 * SIDE**2), np.float32)
    for position, image in enumerate(images.iter_inputs(rows)):
        crop = Image.fromarray(center_crop(image))
        copies[position] = np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BOX)).reshape(-1)
    return copies, Sample(images.labels[rows], targets)


def _logits(model: Any, features: np.ndarray, num_classes: int, kind: LabelKind) -> np.ndarray:
    known = kind.linear_logits(model.predict_proba(features))
    logits = np.full((len(features), num_classes), -27.6)  # the logarithm of 1e-12
    logits[:, model.classes_] = known
    return logits
