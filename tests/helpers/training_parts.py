"""A small network and rows that it learns in seconds, shared by the tests of training."""

import keras
import numpy as np

from zoo.builders import compile_model
from zoo.preset.loading import load_preset
from zoo.training.model import TrainingModel

QUIET = {
    "recipe.epochs": 3,
    "recipe.min_steps": 0,
    "recipe.optimizer.name": "lazy_adamw",
    "recipe.optimizer.learning_rate": 0.01,
    "recipe.schedule.name": "constant",
    "recipe.schedule.warmup_fraction": 0.0,
    "recipe.loss.label_smoothing": 0.0,
    "recipe.ema": None,
    "recipe.monitor": "loss",
    "data.batch_size": 16,
}


def network(vocabulary: int = 20, seed: int = 0) -> keras.Model:
    """Mean of word vectors, then a linear layer."""
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(vocabulary, 4, name="embedding")(tokens)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, keras.layers.Dense(2, name="logits")(x))


def compiled(*, vocabulary: int = 20, seed: int = 0, **changes) -> TrainingModel:
    """Compile it with the default preset, without what is not asked for."""
    preset = load_preset("textcnn", "default", QUIET | changes)
    return compile_model(network(vocabulary, seed), preset)


def arrays(rows: int, vocabulary: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return ids `(rows, 6)` and labels: whether the first id is in the upper half."""
    generator = np.random.default_rng(seed)
    x = generator.integers(1, vocabulary, (rows, 6)).astype("int32")
    x[:, 1:3] = x[:, :1]
    return x, (x[:, 0] >= vocabulary // 2).astype("int32")
