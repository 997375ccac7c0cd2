"""Small runs whose weights must not depend on how many devices share them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.preset.schemas import architectures
from zoo.training.model import TrainingModel

ROWS, CLASSES, VOCABULARY = 37, 3, 50  # batches of 8: the last has 5 rows, 3 and 2 on two devices
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "lazy_adamw": {"weight_decay": 0.01},
    "adamw": {"weight_decay": 0.01},
    "adam": {},
    "sgd": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.001},
    "adadelta": {},
    "rmsprop": {},
}
# The families with the optimizer of most defaults, the others with the smallest.
CASES = [
    *((model, "lazy_adamw") for model in ("textcnn", "rcnn", "textrnn", "fasttext", "transformer")),
    *(("fasttext", optimizer) for optimizer in OPTIMIZERS if optimizer != "lazy_adamw"),
]
SMALL: dict[str, dict[str, Any]] = {
    "textcnn": {"filters": 4, "ngram_buckets": 40, "ngram_dropout": 0.0, "path_dropout": 0.0},
    "rcnn": {"context_dim": 4, "hidden_dim": 4},
    "textrnn": {"hidden_dim": 4},
    "fasttext": {"ngram_buckets": 40},
    "transformer": {"hidden_dim": 8, "feed_forward_dim": 12, "attention_dropout": 0.0},
}


def rows(count: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Return ids `(count, 7)`, many of them repeated, and labels."""
    generator = np.random.default_rng(0)
    ids = generator.integers(1, VOCABULARY, (count, 7)).astype("int32")
    ids[:, 3:5] = 3
    return ids, generator.integers(0, CLASSES, count).astype("int32")


def small(model: str, optimizer: str, **changes: Any) -> TrainingModel:
    """Build the default of a family, small, without dropout and with clipping always on."""
    architecture = {
        "vocabulary_size": VOCABULARY, "num_classes": CLASSES, "embedding_dim": 8, "dropout": 0.0,
        "embedding_dropout": 0.0, "word_dropout": 0.0, **SMALL[model],
    }  # fmt: skip
    known = architectures()[model].model_fields
    architecture = {key: value for key, value in architecture.items() if key in known}
    recipe = {"epochs": 4, "min_steps": 0, "global_clipnorm": 0.05, "ema": 0.9}
    block = {"name": optimizer, "learning_rate": 0.01, **OPTIMIZERS.get(optimizer, {})}
    preset = load_preset(
        model,
        "default",
        {f"architecture.{key}": value for key, value in architecture.items()}
        | {f"recipe.{key}": value for key, value in recipe.items()}
        | {f"recipe.optimizer.{key}": value for key, value in block.items()}
        | {"data.batch_size": 8}
        | changes,
    )
    keras.utils.set_random_seed(1)
    return build(preset)


def trained(
    strategy: tf.distribute.Strategy, model: str, optimizer: str, **changes: Any
) -> dict[str, Any]:
    """Train 20 steps; return weights, history and the figures of the last step."""
    x, y = rows()
    with strategy.scope():
        network = small(model, optimizer, **changes)
    history = network.fit(x, y, shuffle=False, verbose=0, validation_data=(x[:9], y[:9]))
    return {
        "weights": network.get_weights(),
        "history": history.history,
        "statistics": network.statistics.to_dict(),
        "predicted": network.predict(x, verbose=0),
        "steps": int(network.optimizer.iterations.numpy()),
    }
