"""What is checked before training: a model and a batch of its training part."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.diagnosis.curves import guessing, smoothed_floor
from zoo.training.model import TrainingModel


@dataclasses.dataclass
class Subject:
    """What is checked: a model before its first step, and a batch of its training part.

    Args:
        model: compiled, on one device.
        batch: `(x, y)` or `(x, y, weights)` of arrays.
        rate: learning rate at the peak of the schedule.
        steps: of a whole training run.
        random: whether the weights are; else they were trained before.
        targets: of the first batches of an epoch, in their order; empty where nobody asks.
    """

    model: TrainingModel
    batch: tuple[Any, ...]
    rate: float
    steps: int
    random: bool = True
    targets: Sequence[np.ndarray] = ()

    @property
    def x(self) -> Any:
        """Inputs as the network takes them: of what a window has beside its ids, nothing."""
        x = self.batch[0]
        return x["tokens"] if isinstance(x, dict) and "tokens" in x else x

    @property
    def y(self) -> np.ndarray:
        """Targets: int `(rows,)`, int `(rows, time)`, or `(rows, classes)` of several labels."""
        return np.asarray(self.batch[1])

    @property
    def classes(self) -> int:
        """Size of the last axis of the logits."""
        return int(self.model.output_shape[-1])

    def part(self, rows: int) -> tuple[Any, ...]:
        """Return the first rows of the batch."""
        cut: tuple[Any, ...] = tf.nest.map_structure(lambda part: part[:rows], self.batch)
        return cut

    def outputs(self, x: Any, training: bool = False) -> np.ndarray:
        """Return float32 logits of inputs."""
        return np.asarray(self.model(x, training=training), np.float32)

    def loss(self, batch: tuple[Any, ...]) -> float:
        """Return the loss of a batch in inference mode."""
        self.model.reset_metrics()
        self.model.make_test_function()
        logs = self.model.test_function(iter(tf.data.Dataset.from_tensors(batch)))
        return float(logs["loss"])

    def guess(self) -> float | None:
        """Return the loss of a guess by the shares of the classes; None if unknown."""
        if self.y.ndim == 2 and self.y.dtype.kind in "iu":
            return math.log(self.classes)
        loss = self.model.recipe.loss if self.model.recipe is not None else None
        if self.y.ndim != 1 or loss is None or loss.name != "cross-entropy":
            return None
        shares = np.bincount(self.y, minlength=self.classes) / len(self.y)
        return guessing(list(shares), loss.label_smoothing)

    def floor(self) -> float:
        """Return the lowest loss that is possible."""
        loss = self.model.recipe.loss if self.model.recipe is not None else None
        if self.y.ndim != 1 or loss is None or loss.name != "cross-entropy":
            return 0.0
        return smoothed_floor(loss.label_smoothing, self.classes)
