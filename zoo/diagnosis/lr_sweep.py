"""A sweep over learning rates on a model that is left as it was, bit for bit (A12).

What is not public in Keras was written against 3.15.1: `optimizer._learning_rate`, where the rate
or the schedule itself is; `_maybe_symbolic_build`, which builds loss and metrics;
`seed_generator.GLOBAL_SEED_GENERATOR`, where random ops without a seed of their own take theirs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

from zoo.diagnosis.rates import smooth, suggestions
from zoo.errors import ZooError
from zoo.files import write_json
from zoo.training.checkpoints.state import assign, values

LOWEST, HIGHEST, FACTOR = 1e-7, 10.0, 1.05  # 378 steps (A12)
BLOWN_UP = 3.0  # times the first loss (A153)
FIRST_STEPS = 10  # whose mean is the first loss
MEMORY = 0.9  # of the mean that tells a blow-up: ten steps or so


@dataclasses.dataclass(frozen=True)
class LrSweep:
    """What a sweep over learning rates showed.

    Args:
        rates: learning rate of each step, rising.
        losses: of each step's batch, before its update.
        suggested: rates by the rule that takes them from the curve; empty of a flat one.
        stopped: why the sweep ended.
        seconds: that it took.
        preset_rate: the rate that the preset has; None of a model of one's own.
    """

    rates: list[float]
    losses: list[float]
    suggested: dict[str, float]
    stopped: str
    seconds: float
    preset_rate: float | None = None

    @property
    def rate(self) -> float:
        """The suggestion to begin with, a tenth of the rate with the lowest loss.

        Of the three it comes nearest to the rates of the presets (`python -m benchmarks run
        find_lr`); the steepest is of the first steps alone, and for a whole run often too high.

        Raises:
            ZooError: the curve is flat: no rate made the loss fall.
        """
        if not self.suggested:
            curve = smooth(self.losses)
            raise ZooError(
                f"the loss falls at no rate from {self.rates[0]:.3g} to {self.rates[-1]:.3g}, as "
                f"far as its noise tells: smoothed, {curve[0]:.3g} at first, {curve.min():.3g} at "
                "best. Nothing can be suggested: `zoo check` tells whether something is broken; "
                "else keep the preset's rate."
            )
        return self.suggested["minimum/10"]

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as JSON types."""
        return dataclasses.asdict(self)

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write `find-lr.json` and `find-lr.png`, rates beside losses, and return their paths.

        Args:
            folder: it is made where it is not there.
        """
        import matplotlib.figure

        folder.mkdir(parents=True, exist_ok=True)
        document, plot = folder / "find-lr.json", folder / "find-lr.png"
        write_json(document, self.to_dict())
        figure = matplotlib.figure.Figure((7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, color="0.8", label="loss of a batch")
        axes.plot(self.rates, smooth(self.losses), color="C0", label="smoothed")
        for number, (name, rate) in enumerate(self.suggested.items(), start=1):
            axes.axvline(rate, color=f"C{number}", linestyle="--", label=f"{name}: {rate:.2g}")
        if self.preset_rate is not None:
            axes.axvline(self.preset_rate, color="0.3", label=f"preset: {self.preset_rate:.2g}")
        top = 1.5 * max(self.losses[:FIRST_STEPS])  # what blows up would flatten all else
        axes.set_ylim(top=min(top, 1.05 * max(self.losses)))
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.legend()
        figure.savefig(plot, dpi=120)
        return document, plot


class SweptRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that is set before each step, whatever the step."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = tf.Variable(0.0, dtype=tf.float32, trainable=False)

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the rate."""
        return tf.convert_to_tensor(self.rate)

    def get_config(self) -> dict[str, Any]:
        """Return nothing: there is nothing to build it with."""
        return {}


def sweep(
    model: keras.Model,
    batches: Callable[[], Any],
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    factor: float = FACTOR,
    preset_rate: float | None = None,
) -> LrSweep:
    """Train a model at rates that rise with every step, and put it back as it was.

    Weights, optimizer, norms, averages, metrics and random states are afterwards what they were.

    Args:
        model: compiled; on one device or in the scope of a strategy.
        batches: returns a dataset of batches as `fit` takes them, or a distributed one; called
            again when it has ended.
        lowest: learning rate of the first step.
        highest: learning rate at which the sweep ends, if the loss has not blown up before.
        factor: from one step to the next, above 1.
        preset_rate: to show beside what is found.

    Raises:
        ZooError: the model is not compiled, the rates make no sweep, or there is no batch.
    """
    if getattr(model, "optimizer", None) is None:
        raise ZooError("the model is not compiled: call model.compile(optimizer, loss) first.")
    if not (0 < lowest < highest and factor > 1):
        raise ZooError(
            "a sweep rises: 0 < lowest < highest and factor > 1. Received: "
            f"lowest={lowest:g}, highest={highest:g}, factor={factor:g}."
        )
    begun = time.perf_counter()
    rates: list[float] = []
    losses: list[float] = []
    stopped = f"it came to the highest rate, {highest:g}."
    with left_as_it_was(model, batches) as (rate, _):
        steps = train_steps(model, batches)
        mean = weight = 0.0
        while (next_rate := lowest * factor ** len(rates)) <= highest * (1 + 1e-9):
            rate.assign(next_rate)
            loss = next(steps)
            if not math.isfinite(loss):
                stopped = f"the loss is not a number at {next_rate:.3g}."
                break
            rates.append(next_rate)
            losses.append(loss)
            mean, weight = MEMORY * mean + loss, MEMORY * weight + 1
            first = abs(float(np.mean(losses[:FIRST_STEPS])))
            if len(losses) > FIRST_STEPS and mean / weight > BLOWN_UP * first:
                stopped = f"the loss blew up at {next_rate:.3g}."
                break
    if not losses:
        raise ZooError(f"{stopped} Not even the first loss is one: look at the inputs.")
    seconds = time.perf_counter() - begun
    return LrSweep(rates, losses, suggestions(rates, losses), stopped, seconds, preset_rate)


def train_steps(model: keras.Model, batches: Callable[[], Any]) -> Iterator[float]:
    """Take a step of the model for each loss that is asked for; yield it, of before its update.

    Args:
        model: compiled and built.
        batches: as `sweep` takes them.

    Raises:
        ZooError: there is no batch.
    """
    while True:
        taken = False
        iterator = iter(batches())
        while True:
            model.reset_metrics()
            try:
                logs = model.train_function(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                break
            taken = True
            together = model.distribute_strategy.num_replicas_in_sync > 1
            yield float(np.asarray((model.get_metrics_result() if together else logs)["loss"]))
        if not taken:
            raise ZooError("there is no batch to train on.")


@contextlib.contextmanager
def left_as_it_was(
    model: keras.Model, batches: Callable[[], Any]
) -> Iterator[tuple[tf.Variable, Callable[[], None]]]:
    """Yield the learning rate of a model's steps, and what puts everything back.

    At the end of the block it is put back, too.

    Args:
        model: compiled.
        batches: as `sweep` takes them.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    _build(model, batches)
    own = {name: getattr(model, name, None) for name in ("train_function", "compiled_step")}
    rate, statistics = optimizer._learning_rate, getattr(model, "statistics", None)
    variables = _variables(model)
    state = values(variables)
    randoms = random.getstate(), np.random.get_state()
    with model.distribute_strategy.scope():
        swept = SweptRate()

    def put_back() -> None:
        assign(variables, state)
        random.setstate(randoms[0])
        np.random.set_state(randoms[1])

    try:
        optimizer._learning_rate = swept
        model.make_train_function(force=True)
        yield swept.rate, put_back
    finally:
        optimizer._learning_rate = rate
        for name, value in own.items():
            if hasattr(model, name):
                setattr(model, name, value)
        put_back()
        if statistics is not None:
            model.seconds_waiting = 0.0


def _variables(model: keras.Model) -> list[Any]:
    """Return every variable that a step, or its metrics, may change, once each."""
    found = [*model.variables, *model.optimizer.variables]
    found += [variable for metric in model.metrics for variable in metric.variables]
    for part in ("statistics", "averages", "schedule"):
        found += getattr(getattr(model, part, None), "variables", [])
    found += getattr(model, "carried_variables", [])
    seeds = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    found += [] if seeds is None else [seeds.state]
    return list({id(variable): variable for variable in found}.values())


def _build(model: keras.Model, batches: Callable[[], Any]) -> None:
    """Build optimizer, loss and metrics as the first step of `fit` would."""
    try:
        batch = next(iter(batches()))
    except StopIteration as error:
        raise ZooError("there is no batch to train on.") from error
    strategy = model.distribute_strategy
    first = tf.nest.map_structure(lambda part: strategy.experimental_local_results(part)[0], batch)
    with strategy.scope():
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model._maybe_symbolic_build(data_batch=first)
