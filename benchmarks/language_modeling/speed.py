"""Training tokens a second of LSTM language models: the zoo, plain Keras and PyTorch, in turn.

One process; every round takes some steps with each of them, and the ratios are the medians over
rounds of the ratios within a round. Tied and without dropout, vocabulary 10,000, plain SGD, global
norm clipped, states carried; of three layers of 1,150 the last has the 400 units of the table, as
in the AWD-LSTM. The zoo also in mixed_bfloat16. Options: rounds=7 steps=4 shapes=2x200,2x650,3x1150
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.pytorch import pytorch
from benchmarks.timing import Timings, time_in_turn

# layers, units, embedding, rows, steps of a window
SHAPES = {
    "2x200": (2, 200, 200, 20, 20),
    "2x650": (2, 650, 650, 20, 35),
    "3x1150": (3, 1150, 400, 20, 35),
}
VOCABULARY = 10_000
CLIP = 0.25
SQUARE = 2048  # of the matrices whose product is the rate to compare with
Step = Callable[[], Any]


def measure(
    rounds: str = "7", steps: str = "4", shapes: str = "2x200,2x650,3x1150"
) -> Iterator[dict[str, Any]]:
    """Yield one entry a shape: milliseconds a step, tokens a second, ratios, share of the rate."""
    rate = _matrix_rate()
    for name in shapes.split(","):
        shape = SHAPES[name]
        contestants = {
            "zoo": _zoo(shape, "float32"),
            "zoo_bfloat16": _zoo(shape, "mixed_bfloat16"),
            "keras": _keras(shape),
            "pytorch": _pytorch(shape),
        }
        timings = time_in_turn(contestants, int(rounds), calls=int(steps))
        yield _entry(name, timings, rate)


def _entry(name: str, timings: Timings, rate: float) -> dict[str, Any]:
    _, _, _, rows, time_steps = SHAPES[name]
    entry: dict[str, Any] = {"id": name}
    for peer, seconds in timings.seconds.items():
        entry[f"{peer}_milliseconds"] = timings.milliseconds(peer)
        entry[f"{peer}_fastest_milliseconds"] = 1000 * min(seconds)
    for ours in ("zoo", "zoo_bfloat16"):
        for peer in ("keras", "pytorch"):
            entry[f"{ours}_faster_than_{peer}"] = timings.times(peer, ours)
    entry["zoo_faster_than_pytorch_at_its_best"] = (
        entry["pytorch_fastest_milliseconds"] / entry["zoo_milliseconds"]
    )
    entry["tokens_per_second"] = 1000 * rows * time_steps / entry["zoo_milliseconds"]
    entry["matrix_gigaflops"] = rate
    spent = _operations(name) / entry["zoo_milliseconds"] / 1e6
    entry["share_of_matrix_rate"] = spent / rate
    return entry


def _operations(name: str) -> float:
    """Return the multiplications and additions of the matrix products of a step."""
    layers, units, embedding, rows, time_steps = SHAPES[name]
    widths = [embedding, *[units] * (layers - 1), embedding]
    weights = sum(4 * b * (a + b) for a, b in itertools.pairwise(widths))
    # Forward, and backward to inputs and to weights: three products of each weight.
    return 6.0 * rows * time_steps * (weights + embedding * VOCABULARY)


def _matrix_rate() -> float:
    """Return the float32 rate of a large product, in GFLOP a second."""
    import tensorflow as tf

    square = tf.random.normal((SQUARE, SQUARE))
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        tf.matmul(square, square).numpy()
        seconds.append(time.perf_counter() - started)
    return 2 * SQUARE**3 / min(seconds) / 1e9


def ids(rows: int, time_steps: int, vocabulary: int = VOCABULARY) -> np.ndarray:
    """Return random ids, int32 `(rows, time_steps)`."""
    return np.random.default_rng(0).integers(0, vocabulary, (rows, time_steps)).astype(np.int32)


def _zoo(shape: tuple[int, ...], policy: str) -> Step:
    import tensorflow as tf

    _, _, _, rows, time_steps = shape
    model = zoo_model(shape, policy)
    step = tf.function(model.train_step, autograph=False)
    tokens = tf.constant(ids(rows, time_steps))
    batch = ({"tokens": tokens, "reset": tf.zeros(rows, tf.bool)}, tokens)
    return lambda: step(batch)["loss"].numpy()


def zoo_model(shape: tuple[int, ...], policy: str, vocabulary: int = VOCABULARY) -> Any:
    """Return the zoo's language model, compiled.

    Args:
        shape: layers, units, embedding, rows, time steps.
        policy: dtype policy.
        vocabulary: number of ids.
    """
    from zoo.builders import build
    from zoo.preset.loading import load_preset

    layers, units, embedding, rows, _ = shape
    changes = {
        "architecture.vocabulary_size": vocabulary,
        "architecture.num_layers": layers,
        "architecture.hidden_dim": units,
        "architecture.embedding_dim": embedding,
        "architecture.dropout_scale": 0.0,
        "data.batch_size": rows,
        "recipe.optimizer.learning_rate": 1.0,
        "recipe.global_clipnorm": CLIP,
        "recipe.dtype_policy": policy,
    }
    return build(load_preset("lstm_lm", "pytorch-tied", changes))


def _keras(shape: tuple[int, ...]) -> Step:
    import tensorflow as tf

    _, _, _, rows, time_steps = shape
    step = tf.function(keras_model(shape).train_step, autograph=False)
    tokens = tf.constant(ids(rows, time_steps))
    return lambda: step((tokens, tokens))["loss"].numpy()


def keras_model(shape: tuple[int, ...], vocabulary: int = VOCABULARY) -> Any:
    """Return the same network of Keras' own layers, compiled; arguments as of `zoo_model`."""
    import keras

    layers, units, embedding, rows, time_steps = shape
    tokens = keras.Input((time_steps,), batch_size=rows, dtype="int32")
    table = keras.layers.ReversibleEmbedding(vocabulary, embedding)
    features = table(tokens)
    for number in range(layers):
        width = units if number < layers - 1 else embedding
        features = keras.layers.LSTM(width, return_sequences=True, stateful=True)(features)
    model = keras.Model(tokens, table(features, reverse=True))
    model.compile(
        optimizer=keras.optimizers.SGD(1.0, global_clipnorm=CLIP),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _pytorch(shape: tuple[int, ...]) -> Step:
    torch = pytorch()

    layers, units, embedding, rows, time_steps = shape
    table = torch.nn.Embedding(VOCABULARY, embedding)
    bias = torch.nn.Parameter(torch.zeros(VOCABULARY))
    widths = [embedding, *[units] * (layers - 1), embedding]
    lstms = [torch.nn.LSTM(a, b) for a, b in itertools.pairwise(widths)]
    parameters = [*table.parameters(), bias, *(p for lstm in lstms for p in lstm.parameters())]
    optimizer = torch.optim.SGD(parameters, 1.0)
    tokens = torch.from_numpy(ids(rows, time_steps).astype(np.int64).T.copy())
    states: list[Any] = [None] * layers

    def step() -> float:
        features = table(tokens)
        for number, lstm in enumerate(lstms):
            features, state = lstm(features, states[number])
            states[number] = tuple(tensor.detach() for tensor in state)
        logits = features.reshape(-1, embedding) @ table.weight.t() + bias
        loss = torch.nn.functional.cross_entropy(logits, tokens.reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return float(loss.detach())

    return step
