"""Three training steps of a family's default preset, on made-up data; also a program.

python tests/helpers/gpu_parts.py FAMILY ...        a JSON line each: [family, losses]
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.preset.schemas import architectures
from zoo.tasks.language_modeling.batches import windows

STEPS, ROWS, LENGTH = 3, 16, 24
ON_CPU = os.environ.get("ZOO_GPU_TESTS") == "cpu"  # to try the tests out where there is no GPU
DEVICES = "cpu" if ON_CPU else "gpu"
FAMILIES = sorted(architectures())


def batches(model: keras.Model, preset) -> tf.data.Dataset:
    """Return three batches: images of class-coloured noise, texts whose ids tell the class.

    Of a masked language model, ids that are told at every position.
    """
    generator = np.random.default_rng(0)
    if preset.task == "language-modeling":
        tokens = generator.integers(2, 200, ROWS * LENGTH * STEPS).astype("uint16")
        return windows(tokens, rows=ROWS, window=LENGTH, keep_remainder=False)
    if preset.task == "masked-language-modeling":  # every token is told
        tokens = generator.integers(2, 200, (ROWS * STEPS, LENGTH)).astype("int32")
        return tf.data.Dataset.from_tensor_slices((tokens, tokens)).batch(ROWS)
    if preset.task == "masked-language-modeling":
        ids = generator.integers(2, 500, (ROWS * STEPS, LENGTH)).astype("int32")
        return tf.data.Dataset.from_tensor_slices((ids, ids)).batch(ROWS)
    labels = np.arange(ROWS * STEPS, dtype="int32") % preset.architecture.num_classes
    if preset.task == "image-classification":
        size = preset.architecture.image_size
        images = (
            generator.integers(0, 200, (len(labels), size, size, 3))
            + 20 * labels[:, None, None, None]
        )
        return tf.data.Dataset.from_tensor_slices(
            (images.clip(0, 255).astype("uint8"), labels)
        ).batch(ROWS)
    ids = generator.integers(2, 500, (len(labels), LENGTH)).astype("int32")
    ids[:, 0] = 500 + labels
    ids[::2, LENGTH // 2 :] = 0  # shorter ones
    inputs = {
        tensor.name: np.zeros_like(ids) if "segment" in tensor.name else ids
        for tensor in model.inputs
    }
    x = inputs if len(inputs) > 1 else ids
    return tf.data.Dataset.from_tensor_slices((x, labels)).batch(ROWS)


def without_dropout(family: str) -> dict[str, float]:
    """Return the changes to a default that leave nothing to chance: XLA draws other numbers."""
    architecture = load_preset(family, "default").architecture.model_dump()
    return {
        f"architecture.{key}": 0.0
        for key, value in architecture.items()
        if ("dropout" in key or key == "stochastic_depth") and isinstance(value, float)
    }


def three_steps(
    family: str, *, dropout: bool = False, **changes
) -> tuple[list[float], list[np.ndarray]]:
    """Return the mean loss after each of three steps of `fit`, and the weights after them.

    Args:
        family: name of a model.
        dropout: whether there is any.
        **changes: of its recipe.
    """
    changes = {f"recipe.{key}": value for key, value in changes.items()}
    changes |= {"data.batch_size": ROWS} | ({} if dropout else without_dropout(family))
    preset = load_preset(family, "default", changes)
    keras.utils.set_random_seed(5)
    model = build(preset)
    losses: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: losses.append(float(logs["loss"]))
    )
    model.fit(batches(model, preset), epochs=1, verbose=0, callbacks=[watch])
    return losses, model.get_weights()


def program(*arguments: str, **settings: str) -> subprocess.Popen:
    """Start a Python program that sees the tests' helpers and the package."""
    tests = Path(__file__).resolve().parents[1]
    folders = [tests / "helpers", tests, tests.parent]
    path = os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path, **settings},
    )  # fmt: skip


def losses_on_cpu() -> Iterator[Callable[[str], list[float]]]:
    """Yield what tells the losses of a family, from one process that sees no GPU."""
    process = program(__file__, *FAMILIES, CUDA_VISIBLE_DEVICES="-1")
    losses: dict[str, list[float]] = {}

    def of(family: str) -> list[float]:
        while family not in losses:
            line = process.stdout.readline()
            assert line, f"{__file__} ended with {process.wait()}"
            name, values = json.loads(line)
            losses[name] = values
        return losses[family]

    with process:
        yield of
        process.kill()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps([name, three_steps(name, dtype_policy="float32")[0]]), flush=True)
