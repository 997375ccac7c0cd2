"""Training and predictions of EfficientNet-B0: the zoo, `keras.applications` and PyTorch, in turn.

One process; every round takes some calls of each of them, and the ratios are the medians over
rounds of the ratios within a round, so that a busy neighbour slows all alike. All are SGD with
Nesterov's momentum on the same random images in memory; `keras.applications.EfficientNetB0` has
`weights=None`, PyTorch's network is in `mobile_peers`. Peak memory is that of a process each, which
imports, builds and trains two steps. Options: rounds=7 calls=2 size=128 batch=32 memory=yes
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.image_classification.mobile_peers import pytorch_network
from benchmarks.image_classification.peers import pytorch_calls
from benchmarks.image_classification.speed import rates, stepping
from benchmarks.timing import time_in_turn

CLASSES = 10
DROP_PATH, DROPOUT = 0.2, 0.2  # as keras.applications has them
POLICIES = {"": "float32", "_bfloat16": "mixed_bfloat16"}
IN_MEMORY = ("zoo", "keras", "pytorch_last")  # in float32
Call = Callable[[], Any]
# Prints the peak of the memory of this process in MB after two steps of a contestant. Not
# `ru_maxrss`, in which a process has that of the one which started it.
PEAK = """
import sys
from pathlib import Path
from benchmarks.image_classification.mobile_speed import contestants
step, _ = contestants(int(sys.argv[2]), int(sys.argv[3]))[sys.argv[1]]()
for _ in range(2):
    step()
lines = Path("/proc/self/status").read_text().splitlines()
(peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
print(int(peak) / 1024)
"""


def measure(
    rounds: str = "7", calls: str = "2", size: str = "128", batch: str = "32", memory: str = "yes"
) -> Iterator[dict[str, Any]]:
    """Yield milliseconds, images a second and ratios of training and predictions; then memory."""
    made = {name: make() for name, make in contestants(int(size), int(batch)).items()}
    for step, _ in made.values():
        step()  # the zoo's step is traced at its first call and at its second
    for number, what in enumerate(("training", "predictions")):
        timings = time_in_turn(
            {name: both[number] for name, both in made.items()}, int(rounds), calls=int(calls)
        )
        yield {"id": f"EfficientNet-B0, {size} pixels, {what}", **rates(timings, int(batch))}
    if memory == "yes":
        peaks = {name: _peak_megabytes(name, size, batch) for name in IN_MEMORY}
        yield {
            "id": f"EfficientNet-B0, {size} pixels, batches of {batch}, memory of training",
            **{f"{name}_peak_megabytes": peak for name, peak in peaks.items()},
            "times_keras": peaks["zoo"] / peaks["keras"],
        }


def contestants(size: int, batch: int) -> dict[str, Callable[[], tuple[Call, Call]]]:
    """Return what makes a training step and a prediction of each, by name.

    Args:
        size: height and width of the images, in pixels.
        batch: images a call.
    """
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (batch, size, size, 3)).astype("uint8")
    labels = generator.integers(0, CLASSES, batch).astype("int32")
    made: dict[str, Callable[[], tuple[Call, Call]]] = {}
    for end, policy in POLICIES.items():
        made[f"zoo{end}"] = lambda policy=policy: _calls(_zoo(size, batch, policy), images, labels)
        made[f"keras{end}"] = lambda policy=policy: _calls(_keras(size, policy), images, labels)
    for name, last, half in (
        ("pytorch_first", False, False),
        ("pytorch_last", True, False),
        ("pytorch_bfloat16", True, True),
    ):
        made[name] = lambda last=last, half=half: _pytorch(images, labels, last, half)
    return made


def _preset(size: int, batch: int, policy: str = "float32") -> Any:
    from zoo.preset.loading import load_preset

    changes = {"recipe.dtype_policy": policy, "recipe.ema": None, "data.batch_size": batch}
    changes |= {"recipe.optimizer.learning_rate": 0.01, "architecture.image_size": size}
    changes |= {"architecture.stochastic_depth": DROP_PATH, "architecture.dropout": DROPOUT}
    changes |= {"architecture.num_classes": CLASSES, "architecture.stem": "imagenet"}
    return load_preset("efficientnet", "default", changes)


def _zoo(size: int, batch: int, policy: str) -> Any:
    from zoo.builders import build

    return build(_preset(size, batch, policy))


def _keras(size: int, policy: str) -> Any:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.applications.EfficientNetB0(
            weights=None, input_shape=(size, size, 3), classes=CLASSES, classifier_activation=None
        )
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=5e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def _calls(model: Any, images: np.ndarray, labels: np.ndarray) -> tuple[Call, Call]:
    return stepping(model, images, labels), lambda: model.predict_on_batch(images)


def _pytorch(images: np.ndarray, labels: np.ndarray, last: bool, half: bool) -> tuple[Call, Call]:
    return pytorch_calls(
        pytorch_network(CLASSES, DROP_PATH, DROPOUT), images, labels,
        weight_decay=5e-5, channels_last=last, bfloat16=half,
    )  # fmt: skip


def _peak_megabytes(name: str, size: str, batch: str) -> float:
    command = [sys.executable, "-c", PEAK, name, size, batch]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=root)
    return float(done.stdout.split()[-1])
