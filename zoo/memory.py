"""How much memory a training run takes, told before any of it is taken."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf
from keras.src.backend.common import global_state

from zoo.errors import ZooError, reason
from zoo.finding import Finding
from zoo.models import MODELS
from zoo.preset.preset import Preset
from zoo.tasks.task import load_task

# Copies that an optimizer keeps of the weights.
SLOTS = {"adam": 2, "adamw": 2, "lazy_adamw": 2, "lamb": 2, "adadelta": 2, "rmsprop": 2, "sgd": 1}
# Weights, slots and average are there so often at the most: in the model, in the last good state,
# in the next one while it is made, in a checkpoint, and in its bytes as they are written. A textcnn
# of 34 M weights took 3.1 GB beside the 1.0 of TensorFlow; this says 3.0.
TIMES = 5
# Below, nothing is counted: it fits into any machine.
SMALL = 50_000_000  # weights
SMALL_STEP = 1 << 22  # pixels, or tokens times their window, of a batch
GB = 1e9
# What to lower, by what takes the memory; a key counts where the preset has it.
OF_WEIGHTS = (
    "architecture.ngram_buckets", "architecture.vocabulary_size", "architecture.hidden_dim",
    "architecture.embedding_dim", "architecture.filters", "architecture.width_factor",
)  # fmt: skip
OF_STEP = ("architecture.image_size", "data.window", "data.batch_size")


@dataclasses.dataclass(frozen=True)
class Need:
    """What a training run needs.

    Args:
        weights: number of weights.
        built: bytes of the model as it is built: weights and optimizer.
        state: bytes of weights, optimizer and average, with their copies.
        step: bytes that a step keeps for its gradients; 0 where texts are of any length.
    """

    weights: int
    built: int
    state: int
    step: int


def needed(preset: Preset) -> Need:
    """Return what the training of a preset needs; nothing is allocated for it."""
    with without_values():
        network = MODELS[preset.model](**dict(preset.architecture))
        weights = sum(math.prod(variable.shape) for variable in network.variables)
        step = load_task(preset.task).step_bytes(network, preset)
    recipe = preset.recipe
    averaged = recipe.ema is not None or recipe.nonmono is not None
    copies = 1 + SLOTS[recipe.optimizer.name]
    # Beside them the best weights, and one more while weights and averages are exchanged.
    state = 4 * weights * (TIMES * (copies + averaged) + 2)
    return Need(weights, 4 * weights * copies, state, step)


def available() -> int | None:
    """Return the bytes of memory that are free for this process; None where nobody says."""
    limits = _left_in_container(Path("/sys/fs/cgroup"))
    information = Path("/proc/meminfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8").splitlines()
        values = dict(line.split(":", 1) for line in lines if ":" in line)
        if "MemAvailable" in values:
            limits.append(1024 * int(values["MemAvailable"].split()[0]))
    return min(limits, default=None)


def _left_in_container(group: Path) -> list[int]:
    """Return what is left of a container's limit, which the files it has read may give way to."""
    try:
        limit = (group / "memory.max").read_text(encoding="utf-8").strip()
        used = int((group / "memory.current").read_text(encoding="utf-8"))
        lines = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
        files = int(dict(line.split() for line in lines)["inactive_file"])
        return [] if limit == "max" else [max(int(limit) - used + files, 0)]
    except (OSError, ValueError, KeyError):
        return []


def check_fits(preset: Preset, training: bool = True) -> list[Finding]:
    """Return a finding where a training run takes much of the free memory.

    Args:
        preset: with the sizes that the data decided.
        training: whether all of a training run counts, or the model alone, as it is built.

    Raises:
        ZooError: it takes more than is free.
    """
    weights = preset.architecture.rough_weights()
    step = preset.data.rough_step(preset.architecture) if training else 0
    if weights is not None and weights <= SMALL and step <= SMALL_STEP:
        return []  # counting takes the time of building a small network
    need, free = needed(preset), available()
    on_gpu = bool(tf.config.get_visible_devices("GPU"))  # which has memory of its own for a step
    total = need.state + (0 if on_gpu else need.step) if training else need.built
    if free is None or total <= free / 2:
        return []
    whole = "training" if training else "the model"
    part = preset.architecture.largest_part(preset.data)
    part = f"; {part}" if part else ""
    what = (
        f"{preset.model}: {whole} needs about {total / GB:.1f} GB of memory "
        f"({need.weights:,} weights{part}), and {free / GB:.1f} GB are free."
    )
    hint = f"Lower {' or '.join(_remedies(preset, need))}."
    if total > free:
        raise ZooError(f"{what} {hint}")
    return [Finding("warning", what, {"bytes": total, "free": free, "weights": need.weights}, hint)]


@contextmanager
def report_exhausted(preset: Preset) -> Iterator[None]:
    """Turn what TensorFlow raises of a device without memory left into one readable message.

    Args:
        preset: that is trained in the block.

    Raises:
        ZooError: the device has no memory left; it names what to change.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        size, pieces = preset.data.batch_size, preset.recipe.micro_batches
        raise ZooError(
            f"{preset.model}: the device has no memory left for a step of {size} rows in {pieces} "
            f"micro-batch{'es' * (pieces > 1)} ({reason(error)}). Start anew with "
            f"recipe.micro_batches={2 * pieces} or a smaller data.batch_size; where another "
            "process took the memory (`nvidia-smi` shows them), end that one and resume."
        ) from error


def _remedies(preset: Preset, need: Need) -> list[str]:
    values = preset.values()
    keys = OF_WEIGHTS if need.state > need.step else OF_STEP
    return [key for key in keys if values.get(key, 0) != 0][:3]


@contextmanager
def without_values() -> Iterator[None]:
    """Build layers whose variables have shapes and no values, and draw no seeds for it.

    What is not public in Keras was written against 3.15.1: the list of variables that wait for
    their values, which would else be made when the next such block ends.
    """
    name = "uninitialized_variables"
    waiting = list(global_state.get_global_attribute(name, []))
    drawn = random.getstate()
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(name, waiting)
        random.setstate(drawn)
