"""One contestant of `encoder_speed` in a process of its own; its argument is which.

Its first line says the versions of its framework, or `{"missing": why}`. Then it reads paths of
files with batches, trains on each, and answers with the seconds of a step.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

CLASSES, LENGTH = 6, 128  # the head's, and the tokens of a row of KerasHub
Batches = list[tuple[np.ndarray, np.ndarray]]
Train = Callable[[Batches], Callable[[], Any]]


def main(name: str) -> None:
    """Answer paths until there are no more."""
    framework, make = MAKERS[name]
    answers = sys.stdout

    def answer(line: dict[str, Any]) -> None:
        print(json.dumps(line), file=answers, flush=True)

    with contextlib.redirect_stdout(sys.stderr):  # what frameworks print is no answer
        try:
            train = make()
        except ImportError as error:
            answer({"missing": f"{framework} is not installed here ({error})"})
            return
        answer({framework: version(framework)})
        rounds: dict[str, tuple[int, Callable[[], Any]]] = {}
        for line in sys.stdin:
            path = line.strip()
            if path not in rounds:
                batches = _batches(path)[: 2 if name == "kerashub" else None]
                rounds[path] = len(batches), train(batches)
            steps, run = rounds[path]
            started = time.perf_counter()
            run()
            answer({"seconds": (time.perf_counter() - started) / steps})


def _batches(path: str) -> Batches:
    with np.load(path) as file:
        arrays = [file[name] for name in file.files]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def _zoo(bfloat16: bool, r_drop: bool = False) -> Train:
    from zoo.builders import build
    from zoo.preset.loading import load_preset

    changes = {
        "architecture.num_classes": CLASSES,
        "recipe.init": None,
        "recipe.dtype_policy": "mixed_bfloat16" if bfloat16 else "float32",
    }
    if not r_drop:
        changes["recipe.r_drop"] = 0.0
    model = build(load_preset("transformer", "minilm", changes))

    def train(batches: Batches) -> Callable[[], Any]:
        import tensorflow as tf

        spec = tuple(tf.TensorSpec(shape, tf.int32) for shape in ((None, None), (None,)))
        dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(batches))).prefetch(2)
        return lambda: model.fit(dataset, epochs=1, verbose=0)

    return train


def _pytorch(bfloat16: bool) -> Train:
    from benchmarks.text_classification.encoder_torch import trainer

    return trainer(CLASSES, bfloat16)


def _kerashub() -> Train:
    import keras
    import keras_hub

    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=30_522, num_layers=6, num_heads=12, hidden_dim=384, intermediate_dim=1536,
        dropout=0.1, max_sequence_length=512,
    )  # fmt: skip
    model = keras_hub.models.BertTextClassifier(
        backbone, num_classes=CLASSES, dropout=0.1, preprocessor=None
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-4, weight_decay=0.01, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    def train(batches: Batches) -> Callable[[], Any]:
        import tensorflow as tf

        ids = np.stack([np.pad(x, ((0, 0), (0, LENGTH - x.shape[1]))) for x, _ in batches])
        inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": ids > 0}
        labels = np.stack([y for _, y in batches])
        dataset = tf.data.Dataset.from_tensor_slices((inputs, labels)).prefetch(2)
        return lambda: model.fit(dataset, epochs=1, shuffle=False, verbose=0)

    return train


MAKERS: dict[str, tuple[str, Callable[[], Train]]] = {
    "zoo": ("tensorflow", functools.partial(_zoo, bfloat16=False)),
    "zoo_bfloat16": ("tensorflow", functools.partial(_zoo, bfloat16=True)),
    "r_drop": ("tensorflow", functools.partial(_zoo, bfloat16=True, r_drop=True)),
    "pytorch": ("torch", functools.partial(_pytorch, bfloat16=False)),
    "pytorch_bfloat16": ("torch", functools.partial(_pytorch, bfloat16=True)),
    "kerashub": ("keras-hub", _kerashub),
}


if __name__ == "__main__":
    main(sys.argv[1])
