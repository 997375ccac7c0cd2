"""One device: a step of the zoo's training model against plain Keras `fit`, in turn.

The same network, optimizer (AdamW 1e-3) and batches; plain Keras clips nothing and averages
nothing, and neither does the zoo here. fasttext has fewer n-gram rows than its default, whose table
of 134 MB under a dense optimizer takes half as long again or not by where it happens to lie in
memory. Medians over rounds of the ratios within a round, so that a busy neighbour slows both alike.
Options: rounds=7 steps=60
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

SHAPES = {"textcnn": (64, 60), "textrnn": (64, 60), "rcnn": (64, 60), "fasttext": (64, 60)}
SETTINGS = {
    "recipe.optimizer.name": "adamw",
    "recipe.optimizer.learning_rate": 1e-3,
    "recipe.optimizer.weight_decay": 0.0,
    "recipe.schedule.name": "constant",
    "recipe.schedule.warmup_fraction": 0.0,
    "recipe.loss.label_smoothing": 0.0,
    "recipe.global_clipnorm": None,
    "recipe.ema": None,
}
SMALLER = {"fasttext": {"architecture.ngram_buckets": 16384}}


def measure(rounds: str = "7", steps: str = "60") -> Iterator[dict[str, Any]]:
    """Yield one entry a model: medians in milliseconds a step, and their ratio."""
    import keras
    import tensorflow as tf

    from zoo.models import MODELS
    from zoo.preset import load_preset
    from zoo.training.compilation import compile_model

    for model, (batch, length) in SHAPES.items():
        preset = load_preset(model, "default", SETTINGS | SMALLER.get(model, {}))
        generator = np.random.default_rng(0)
        rows = int(steps) * batch
        x = generator.integers(2, preset.architecture.vocabulary_size, (rows, length), "int32")
        y = generator.integers(0, 2, rows).astype("int32")
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).prefetch(2)
        ours = compile_model(MODELS[model](**dict(preset.architecture)), preset)
        network = MODELS[model](**dict(preset.architecture))
        plain = keras.Model(network.inputs, network.outputs)
        plain.compile(
            keras.optimizers.Adam(1e-3),  # AdamW without decay, which is what ours becomes
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,
        )
        seconds: dict[str, list[float]] = {"zoo": [], "keras": []}
        for turn in range(int(rounds) + 1):
            for name, each in (("zoo", ours), ("keras", plain)):
                started = time.perf_counter()
                each.fit(data, epochs=1, verbose=0)
                if turn:  # the first compiles, allocates, warms up
                    seconds[name].append((time.perf_counter() - started) / int(steps))
        ratios = [zoo / keras for zoo, keras in zip(seconds["zoo"], seconds["keras"], strict=True)]
        yield {
            "id": f"{model}, batch {batch} x {length}",
            "zoo_milliseconds": 1000 * statistics.median(seconds["zoo"]),
            "keras_milliseconds": 1000 * statistics.median(seconds["keras"]),
            "times_keras": statistics.median(ratios),
        }
