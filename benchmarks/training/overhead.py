"""One device: a step of the zoo's training model against plain Keras `fit`, in turn.

The same network, optimizer (AdamW 1e-3) and batches; plain Keras clips nothing and averages
nothing, and neither does the zoo here. fasttext has fewer n-gram rows than its default, whose table
of 134 MB under a dense optimizer takes half as long again or not by where it happens to lie in
memory. Medians over rounds of the ratios within a round, so that a busy neighbour slows both alike.
Options: rounds=7 steps=60
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.timing import Timings, time_in_turn

FAMILIES = ("textcnn", "textrnn", "rcnn", "fasttext", "transformer")
SHAPES = dict.fromkeys(FAMILIES, (64, 60))
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
    """Yield one entry a model, and one of deterministic ops: milliseconds a step, and ratios."""
    import keras

    for model, (batch, length) in SHAPES.items():
        network = _ours(model)
        plain = keras.Model(network.inputs, network.outputs)
        plain.compile(
            keras.optimizers.Adam(1e-3),  # AdamW without decay, which is what ours becomes
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,
        )
        timings = _timed({"zoo": _ours(model), "keras": plain}, model, int(rounds), int(steps))
        yield {
            "id": f"{model}, batch {batch} x {length}",
            "zoo_milliseconds": timings.milliseconds("zoo"),
            "keras_milliseconds": timings.milliseconds("keras"),
            "times_keras": timings.times("zoo", "keras"),
        }
    sure = {"same": _ours("textcnn", **{"recipe.deterministic": True}), "any": _ours("textcnn")}
    timings = _timed(sure, "textcnn", int(rounds), int(steps))
    yield {
        "id": "textcnn, deterministic",
        "milliseconds": timings.milliseconds("same"),
        "times_not_deterministic": timings.times("same", "any"),
    }


def _ours(model: str, **changes: Any) -> Any:
    from zoo.builders import compile_model
    from zoo.models import MODELS
    from zoo.preset.loading import load_preset

    preset = load_preset(model, "default", SETTINGS | SMALLER.get(model, {}) | changes)
    return compile_model(MODELS[model](**dict(preset.architecture)), preset)


def _timed(models: dict[str, Any], shape: str, rounds: int, steps: int) -> Timings:
    """Time epochs of the same batches."""
    import tensorflow as tf

    batch, length = SHAPES[shape]
    generator = np.random.default_rng(0)
    ids = min(int(model.get_layer("embedding").input_dim) for model in models.values())
    x = generator.integers(2, ids, (steps * batch, length), "int32")
    y = generator.integers(0, 2, steps * batch).astype("int32")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).prefetch(2)
    epochs = {
        name: functools.partial(model.fit, data, epochs=1, shuffle=False, verbose=0)
        for name, model in models.items()
    }
    return time_in_turn(epochs, rounds, steps=steps)
