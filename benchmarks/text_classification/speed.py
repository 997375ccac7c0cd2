"""Training examples a second of the same TextCNN: the zoo, plain Keras and PyTorch, in turn.

One process; every round trains the three one after the other, and the ratios are the medians over
rounds of the ratios within a round, so that a busy neighbour slows all three alike. Token ids are
drawn from Zipf's law, as words are. The network: embedding 128, four zeros before and after the
text, three convolutions of 100 filters (3, 4, 5), ReLU, maximum over time, dropout .5, softmax;
AdamW 1e-3. Options: rounds=7 steps=40
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.pytorch import pytorch
from benchmarks.timing import time_in_turn

SHAPES = {
    "vocabulary 20k, batch 64 x 60": (20_000, 64, 60),
    "vocabulary 50k, batch 128 x 200": (50_000, 128, 200),
}
CLASSES, DIM, FILTERS, KERNELS = 10, 128, 100, (3, 4, 5)


def measure(rounds: str = "7", steps: str = "40") -> Iterator[dict[str, Any]]:
    """Yield one entry a shape: medians in milliseconds a step, and the two ratios."""
    for name, (vocabulary, batch, length) in SHAPES.items():
        x, y = batches(vocabulary, batch, length, int(steps))
        contestants = {
            "zoo": _zoo(vocabulary, x, y, batch),
            "keras": _keras(vocabulary, x, y, batch),
            "pytorch": _pytorch(vocabulary, x, y, batch),
        }
        timings = time_in_turn(contestants, int(rounds), steps=int(steps))
        entry: dict[str, Any] = {"id": name}
        for peer in contestants:
            entry[f"{peer}_milliseconds"] = timings.milliseconds(peer)
        for peer in ("keras", "pytorch"):
            entry[f"faster_than_{peer}"] = timings.times(peer, "zoo")
        entry["examples_per_second"] = 1000 * batch / entry["zoo_milliseconds"]
        yield entry


def batches(vocabulary: int, batch: int, length: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ids `(steps * batch, length)` by Zipf's law, and labels.

    Args:
        vocabulary: number of ids; 0 and 1 do not occur.
        batch: rows a step.
        length: ids of a row.
        steps: how many.
    """
    generator = np.random.default_rng(0)
    ranks = np.arange(2, vocabulary)
    weights = 1.0 / (ranks + 1.7)  # Zipf-Mandelbrot
    x = generator.choice(ranks, size=(steps * batch, length), p=weights / weights.sum())
    return x.astype(np.int32), generator.integers(0, CLASSES, steps * batch).astype(np.int32)


def _dataset(x: np.ndarray, y: np.ndarray, batch: int) -> Any:
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch, drop_remainder=True).prefetch(2)


def _zoo(vocabulary: int, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], Any]:
    model = zoo_model(vocabulary)
    dataset = _dataset(x, y, batch)
    return lambda: model.fit(dataset, epochs=1, verbose=0)


def zoo_model(vocabulary: int, changes: Mapping[str, Any] | None = None) -> Any:
    """Return the zoo's network, compiled; `changes` are keys of its preset."""
    from zoo.builders import build
    from zoo.preset.loading import load_preset

    preset = load_preset(
        "textcnn",
        "default",
        {
            "architecture.vocabulary_size": vocabulary,
            "architecture.num_classes": CLASSES,
            "architecture.embedding_dim": DIM,
            "architecture.kernel_sizes": list(KERNELS),
            "architecture.filters": FILTERS,
            "architecture.activation": "relu",
            "architecture.dropout": 0.5,
            "architecture.embedding_dropout": 0.0,
            "architecture.word_dropout": 0.0,
            "architecture.ngram_sizes": [],
            "architecture.ngram_buckets": 0,
            "architecture.max_norm": None,
            "recipe.optimizer.name": "lazy_adamw",
            "recipe.optimizer.learning_rate": 1e-3,
            "recipe.schedule.name": "constant",
            "recipe.schedule.warmup_fraction": 0.0,
            "recipe.loss.label_smoothing": 0.0,
            "recipe.global_clipnorm": None,
            "recipe.ema": None,
            **(changes or {}),
        },
    )
    return build(preset)


def _keras(vocabulary: int, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], Any]:
    model = keras_model(vocabulary)
    dataset = _dataset(x, y, batch)
    return lambda: model.fit(dataset, epochs=1, shuffle=False, verbose=0)


def keras_model(vocabulary: int, jit_compile: bool | str = "auto") -> Any:
    """Return the same network of plain Keras, compiled."""
    import keras

    inputs = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(vocabulary, DIM)(inputs)
    embedded = keras.layers.ZeroPadding1D(max(KERNELS) - 1)(embedded)
    pooled = [
        keras.layers.GlobalMaxPooling1D()(
            keras.layers.Conv1D(FILTERS, size, activation="relu")(embedded)
        )
        for size in KERNELS
    ]
    features = keras.layers.Dropout(0.5)(keras.layers.Concatenate()(pooled))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(features))
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=0.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )
    return model


def _pytorch(vocabulary: int, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], Any]:
    torch: Any = pytorch()

    class TextCNN(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(vocabulary, DIM)
            self.convolutions = torch.nn.ModuleList(
                torch.nn.Conv1d(DIM, FILTERS, size) for size in KERNELS
            )
            self.dropout = torch.nn.Dropout(0.5)
            self.logits = torch.nn.Linear(FILTERS * len(KERNELS), CLASSES)

        def forward(self, ids: Any) -> Any:
            border = max(KERNELS) - 1
            embedded = torch.nn.functional.pad(
                self.embedding(ids).transpose(1, 2), (border, border)
            )
            pooled = [
                torch.relu(convolution(embedded)).amax(dim=2) for convolution in self.convolutions
            ]
            return self.logits(self.dropout(torch.cat(pooled, dim=1)))

    model = TextCNN().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    loss = torch.nn.CrossEntropyLoss()
    ids, labels = torch.from_numpy(x.astype(np.int64)), torch.from_numpy(y.astype(np.int64))

    def run() -> None:
        correct = torch.zeros(())
        for start in range(0, len(ids), batch):
            optimizer.zero_grad(set_to_none=True)
            logits = model(ids[start : start + batch])
            value = loss(logits, labels[start : start + batch])
            value.backward()
            optimizer.step()
            # the accuracy that the two Keras models also keep
            correct += (logits.argmax(1) == labels[start : start + batch]).float().mean()

    return run
