"""The learning-rate schedule of a recipe, in the graph."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from zoo.preset.loading import schedule_from
from zoo.preset.recipe import (
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    Multistep,
    OneCycle,
    Schedule,
)
from zoo.training.statistics import local_variable


@keras.saving.register_keras_serializable(package="zoo")
class RecipeSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A rate times the factor of a schedule; how many steps, is told when training begins.

    Args:
        learning_rate: the rate at the peak.
        schedule: the schedule block, as a mapping.
        total_steps: steps of the run.
        begun: step at which this training began: a second `fit` starts the schedule again.
        scale: a further factor, which plateau lowers.
    """

    def __init__(
        self,
        learning_rate: float,
        schedule: dict[str, Any],
        total_steps: int = 1,
        begun: int = 0,
        scale: float = 1.0,
    ):
        super().__init__()
        self.learning_rate = float(learning_rate)
        self.schedule = schedule_from(schedule)
        self.total_steps = tf.Variable(int(total_steps), dtype=tf.int64, trainable=False)
        self.begun = tf.Variable(int(begun), dtype=tf.int64, trainable=False)
        self.scale = tf.Variable(float(scale), dtype=tf.float32, trainable=False)
        # Factor of the present step alone: a window shorter than the rate is meant for.
        self.window = local_variable(1.0)

    @property
    def variables(self) -> list[tf.Variable]:
        """Where the schedule stands, for a checkpoint."""
        return [self.total_steps, self.begun, self.scale]

    def begin(self, step: int, total_steps: int) -> None:
        """Start the schedule at an optimizer's step, for so many steps."""
        self.begun.assign(step)
        self.total_steps.assign(max(total_steps, 1))
        self.scale.assign(1.0)

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the float32 rate at an optimizer's step."""
        schedule = self.schedule
        # float64, as Python computes: a milestone is then passed at the same step.
        total = tf.cast(self.total_steps, tf.float64)
        step = tf.cast(tf.cast(step, tf.int64) - self.begun, tf.float64)
        warmup = schedule.warmup_fraction * total
        progress = tf.clip_by_value((step - warmup) / tf.maximum(total - warmup, 1.0), 0.0, 1.0)
        factor = _decay(schedule, progress, step, total)
        if schedule.warmup_fraction:
            if schedule.name == "one-cycle":
                rising = 0.04 + 0.96 * 0.5 * (1 - tf.cos(math.pi * step / warmup))
            else:
                rising = (step + 1) / (warmup + 1)
            factor = tf.where(step < warmup, rising, factor)
        return self.learning_rate * self.scale * self.window * tf.cast(factor, tf.float32)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the schedule again, where it stands."""
        return {
            "learning_rate": self.learning_rate,
            "schedule": self.schedule.model_dump(mode="json"),
            "total_steps": int(self.total_steps),
            "begun": int(self.begun),
            "scale": float(self.scale),
        }


def _decay(schedule: Schedule, progress: Any, step: Any, total: Any) -> tf.Tensor:
    """Return the factor after the warm-up; of plateau, 1: training lowers it by what it sees."""
    if isinstance(schedule, Cosine | OneCycle):
        final = schedule.final_fraction
        return final + (1 - final) * 0.5 * (1 + tf.cos(math.pi * progress))
    if isinstance(schedule, Linear):
        return schedule.final_fraction + (1 - schedule.final_fraction) * (1 - progress)
    if isinstance(schedule, Exponential):
        return tf.pow(tf.constant(schedule.final_fraction, tf.float64), progress)
    if isinstance(schedule, InverseSqrt):
        warmup = schedule.warmup_fraction * total
        return tf.sqrt(warmup / tf.clip_by_value(step, warmup, total))
    if isinstance(schedule, Multistep):
        milestones = tf.constant(schedule.milestones, tf.float64) * total
        passed = tf.reduce_sum(tf.cast(step >= milestones, tf.float64))
        return tf.pow(tf.constant(schedule.factor, tf.float64), passed)
    return tf.ones_like(progress)
