"""Every classifier of the zoo, as small as it can be, and inputs for it."""

from typing import Any

import numpy as np

from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.preset.schemas import architectures
from zoo.training.model import TrainingModel

SMALL = {
    "vocabulary_size": 50, "embedding_dim": 8, "filters": 8, "ngram_buckets": 16, "context_dim": 4,
    "hidden_dim": 8, "num_heads": 2, "feed_forward_dim": 16, "max_positions": 32, "image_size": 16,
    "depth": 8, "width_factor": 0.1, "depth_factor": 0.1, "num_classes": 3,
}  # fmt: skip
CLASSIFIERS = [n for n, schema in architectures().items() if "num_classes" in schema.model_fields]


def small_classifier(model: str, changes: dict[str, Any]) -> TrainingModel:
    """Return a compiled classifier of three classes, with changes of its preset."""
    preset = load_preset(model, "default")
    known = preset.values()
    small = SMALL | ({"filters": [8, 8, 8]} if model == "resnet" else {})
    sizes = {f"architecture.{k}": v for k, v in small.items() if f"architecture.{k}" in known}
    return build(preset.override(sizes | changes))


def small_inputs(model: str, rows: int) -> np.ndarray:
    """Return random images or token ids that a small classifier takes."""
    generator = np.random.default_rng(0)
    if "image_size" in architectures()[model].model_fields:
        return generator.integers(1, 255, (rows, 16, 16, 3)).astype("float32")
    return generator.integers(1, 50, (rows, 12)).astype("int32")
