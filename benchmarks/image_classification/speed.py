"""Training images a second of two CIFAR networks: the zoo, plain Keras and PyTorch, in turn.

One process; every round takes some steps with each of them, and the ratios are the medians over
rounds of the ratios within a round, so that a busy neighbour slows all alike. Plain Keras has the
same network, whose batch norm is then Keras' own, and `keras.optimizers.SGD`. Images are random
and in memory. The last entries are input pipelines alone: CIFAR-10 with crops and flips, and JPEG
files of 300 to 640 pixels, with the rate at which their preset trains.
Options: rounds=7 steps=4 networks=resnet20,fast inputs=fast-cifar,default
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import cifar10, photographs
from benchmarks.image_classification.peers import pytorch_step
from benchmarks.timing import Timings, time_in_turn
from zoo.tasks.request import Request

# preset, images of a batch
NETWORKS = {"resnet20": ("cifar-onecycle", 128), "fast": ("fast-cifar", 500)}
FILTERS = {"resnet20": (16, 32, 64)}
PHOTOGRAPHS = 2000
Step = Callable[[], Any]


def measure(
    rounds: str = "7",
    steps: str = "4",
    networks: str = "resnet20,fast",
    inputs: str = "fast-cifar,default",
) -> Iterator[dict[str, Any]]:
    """Yield one entry a network: milliseconds a step, images a second, ratios; then inputs."""
    for name in filter(None, networks.split(",")):
        timings = time_in_turn(_contestants(name), int(rounds), calls=int(steps))
        yield {"id": name, **rates(timings, NETWORKS[name][1])}
    for preset in filter(None, inputs.split(",")):
        yield _input(preset)


def _contestants(name: str) -> dict[str, Step]:
    from zoo.preset.loading import load_preset

    preset, batch = NETWORKS[name]
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (batch, 32, 32, 3)).astype("uint8")
    labels = generator.integers(0, 10, batch).astype("int32")
    filters = load_preset("resnet", preset).architecture.filters or FILTERS[name]
    steps: dict[str, Step] = {}
    for policy, end in (("float32", ""), ("mixed_bfloat16", "_bfloat16")):
        steps[f"zoo{end}"] = _zoo(preset, policy, images, labels)
        steps[f"keras{end}"] = _keras(preset, policy, images, labels)
    for layout in ("first", "last"):
        steps[f"pytorch_{layout}"] = pytorch_step(
            name, filters, images, labels, channels_last=layout == "last", bfloat16=False
        )
    steps["pytorch_bfloat16"] = pytorch_step(
        name, filters, images, labels, channels_last=True, bfloat16=True
    )
    return steps


def _model(preset: str, policy: str) -> Any:
    from zoo.builders import build
    from zoo.preset.loading import load_preset

    changes = {"recipe.dtype_policy": policy, "recipe.ema": None, "data.batch_size": 500}
    changes |= {"recipe.optimizer.learning_rate": 0.01, "architecture.flip_average": False}
    return build(load_preset("resnet", preset, changes))


def _zoo(preset: str, policy: str, images: np.ndarray, labels: np.ndarray) -> Step:
    return stepping(_model(preset, policy), images, labels)


def _keras(preset: str, policy: str, images: np.ndarray, labels: np.ndarray) -> Step:
    import keras

    network = _model(preset, policy)
    model = keras.Model(network.input, network.output)
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=5e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return stepping(model, images, labels)


def stepping(model: Any, images: np.ndarray, labels: np.ndarray) -> Step:
    """Return a training step of a Keras model on one batch, uint8 images and integer labels."""
    import tensorflow as tf

    batch = tf.data.Dataset.from_tensors((tf.constant(images), tf.constant(labels))).repeat()
    iterator = iter(batch)
    model.make_train_function()
    return lambda: float(model.train_function(iterator)["loss"])


def rates(timings: Timings, batch: int) -> dict[str, Any]:
    """Return milliseconds and images a second of each contestant, and the ratios of ours.

    Args:
        timings: of the zoo, plain Keras, and PyTorch in its two layouts.
        batch: images a call.
    """
    entry: dict[str, Any] = {"batch": batch}
    for peer in timings.seconds:
        entry[f"{peer}_milliseconds"] = timings.milliseconds(peer)
        entry[f"{peer}_per_second"] = 1000 * batch / timings.milliseconds(peer)
    layouts = zip(timings.seconds["pytorch_first"], timings.seconds["pytorch_last"], strict=True)
    timings.seconds["pytorch"] = [min(both) for both in layouts]
    for end in ("", "_bfloat16"):
        for peer in ("keras", "pytorch"):
            ratio = timings.times(f"{peer}{end}", f"zoo{end}")
            entry[f"zoo{end}_faster_than_{peer}"] = ratio
    return entry


def _input(name: str) -> dict[str, Any]:
    """Return images a second of a preset's pipeline with nothing behind it, and of training."""
    from zoo.builders import build
    from zoo.preset.loading import load_preset
    from zoo.tasks.image_classification.data import load_images

    preset = load_preset("resnet", name)
    with tempfile.TemporaryDirectory() as folder:
        if name == "fast-cifar":
            source = cifar10(Path(folder))
        else:
            source = photographs(Path(folder) / "photographs", PHOTOGRAPHS)
        size = preset.architecture.image_size
        with load_images(Request(source), settings=preset.data, image_size=size) as data:
            rates = []
            for _ in range(4):
                started, count = time.perf_counter(), 0
                for batch in data.dataset("train"):
                    count += len(batch[0])
                rates.append(count / (time.perf_counter() - started))
            images, labels = next(iter(data.dataset("train")))
    step = stepping(build(preset), np.asarray(images), np.asarray(labels))
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    reading, training = statistics.median(rates[1:]), len(images) / statistics.median(seconds[2:])
    return {
        "id": f"input pipeline, {name}",
        "per_second": reading,
        "training_per_second": training,
        "times_training": reading / training,
    }
