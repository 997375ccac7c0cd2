"""The recipe block of a preset: how to train. Pure data and pure maths, no Keras."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoo.preset.block import Block, Fraction, Positive

Rate = Annotated[float, Field(gt=0.0, le=100.0)]
Decay = Annotated[float, Field(ge=0.0, lt=0.1)]
Beta = Annotated[float, Field(ge=0.0, lt=1.0)]
Epsilon = Annotated[float, Field(gt=0.0, le=0.1)]


class Adam(Block):
    """Adam (Kingma and Ba 2015); moments of every row move at every step."""

    name: Literal["adam"]
    learning_rate: Rate
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-7


class AdamW(Block):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"]
    learning_rate: Rate
    weight_decay: Decay
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-7


class LazyAdamW(Block):
    """AdamW that updates only the embedding rows whose ids occur in the batch (A14).

    Args:
        ngram_rate_factor: learning rate of n-gram weights, as a multiple of `learning_rate`: a row
            of a linear path is seen seldom and starts at zero.
        ngram_weight_decay: their own decay, acting on the rows of the batch.
    """

    name: Literal["lazy_adamw"]
    learning_rate: Rate
    weight_decay: Decay
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-7
    ngram_rate_factor: Annotated[float, Field(gt=0.0, le=100.0)] = 1.0
    ngram_weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class Lamb(Block):
    """Adam with the rate of each variable in proportion to its norm (You 2020)."""

    name: Literal["lamb"]
    learning_rate: Rate
    weight_decay: Decay
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-6


class SGD(Block):
    """Stochastic gradient descent; `weight_decay` is decoupled: `w -= rate * decay * w`.

    Papers put the decay into the gradient, and so through the momentum: `decoupled_decay`.
    """

    name: Literal["sgd"]
    learning_rate: Rate
    momentum: Beta = 0.0
    nesterov: bool = False
    weight_decay: Decay = 0.0


class Adadelta(Block):
    """Adadelta (Zeiler 2012); its own rate is 1.0, Keras' default of 0.001 hardly moves."""

    name: Literal["adadelta"]
    learning_rate: Rate
    rho: Beta = 0.95
    epsilon: Epsilon = 1e-6


class RMSprop(Block):
    """RMSprop (Tieleman and Hinton 2012)."""

    name: Literal["rmsprop"]
    learning_rate: Rate
    rho: Beta = 0.9
    momentum: Beta = 0.0
    epsilon: Epsilon = 1e-7


Optimizer = Annotated[
    Adam | AdamW | LazyAdamW | Lamb | SGD | Adadelta | RMSprop, Field(discriminator="name")
]


class Schedule(Block):
    """Learning rate as a factor of the optimizer's rate, over the steps of the whole training.

    Args:
        name: the shape after the warm-up; one-cycle also rises as a cosine, from 1/25 (Smith 2018).
        warmup_fraction: share of all steps in which the rate rises linearly from 0, in [0, 1).
        final_fraction: last rate as a fraction of the optimizer's (cosine, linear, exponential,
            one-cycle).
        milestones: shares of all steps at which multistep multiplies the rate by `factor`.
        factor: what multistep and plateau multiply the rate by.
        patience_epochs: epochs without a better validation loss before plateau lowers the rate.
    """

    name: Literal[
        "constant", "cosine", "linear", "multistep", "exponential", "one-cycle", "plateau"
    ]
    warmup_fraction: Fraction = 0.0
    final_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    milestones: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = (0.5, 0.75)
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    patience_epochs: Annotated[int, Field(ge=0)] = 1


class Loss(Block):
    """Mean loss per example, from logits.

    Args:
        name: `cross-entropy`; `focal` (Lin 2017: easy examples weigh (1 - p)^gamma); or
            `binary-cross-entropy`, one yes or no a class, averaged over them (Wightman 2021).
        label_smoothing: share of the target spread over all classes, in [0, 1).
        gamma: focal only.
    """

    name: Literal["cross-entropy", "focal", "binary-cross-entropy"]
    label_smoothing: Fraction = 0.0
    gamma: Annotated[float, Field(ge=0.0, le=10.0)] = 2.0


class Recipe(Block):
    """How to train.

    Args:
        epochs: passes over the training part.
        min_steps: optimizer steps a small data set gets at the least: epochs are raised until
            `epochs * steps_per_epoch` reaches it. 0 leaves the epochs as they are.
        global_clipnorm: largest norm of the whole gradient vector, or null.
        decay_embeddings: whether weight decay also touches embedding tables.
        ema: decay of the moving average of weights that is validated and kept, or null.
        monitor: validation score that picks the epoch whose weights are kept; of equal ones the
            lower loss does. `smoothed-accuracy` is the mean of an epoch's accuracy and the two
            before: of fewer than 100 rows of validation `zoo.train` takes it in place of
            `accuracy`, unless that was set.
        patience_epochs: epochs without a better score before training stops, or null for all.
        micro_batches: pieces a batch is cut into by row, whose gradients are summed before a step:
            the same step in less memory (gradient accumulation). Statistics of a batch, as in
            batch norm, are those of a piece.
        dtype_policy: Keras' policy: `float32`; `mixed_bfloat16` or `mixed_float16`, which compute
            in half precision and keep the weights in float32; or `auto`, the one that the device
            gains from.
        deterministic: whether TensorFlow's ops are held to the same bits every time, at some speed;
            without it a GPU may round otherwise from run to run.
    """

    epochs: Positive
    min_steps: Annotated[int, Field(ge=0)] = 0
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    global_clipnorm: Annotated[float, Field(gt=0.0)] | None
    decay_embeddings: bool = False
    ema: Annotated[float, Field(gt=0.0, lt=1.0)] | None
    monitor: Literal["loss", "accuracy", "smoothed-accuracy", "macro_f1"]
    patience_epochs: Positive | None
    micro_batches: Positive = 1
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = "float32"
    deterministic: bool = False

    @model_validator(mode="after")
    def _adadelta_rate(self) -> Recipe:
        if self.optimizer.name == "adadelta" and self.optimizer.learning_rate <= 0.001:
            raise ValueError(
                "optimizer.learning_rate of adadelta must be above 0.001 (its paper uses 1.0)"
            )
        return self

    def total_epochs(self, steps_per_epoch: int) -> int:
        """Return the epochs to train: `epochs`, or more when the data are so few."""
        return max(self.epochs, math.ceil(self.min_steps / max(steps_per_epoch, 1)))


def rate_factor(schedule: Schedule, step: float, total_steps: int) -> float:
    """Return the factor on the learning rate at a step.

    Args:
        schedule: the schedule block.
        step: number of steps done, from 0.
        total_steps: steps of the whole training, warm-up included.

    Returns:
        The factor; 1.0 at the peak. Plateau is 1.0 here: the training lowers it by what it sees.
    """
    total = max(total_steps, 1)
    warmup = schedule.warmup_fraction * total
    if step < warmup:
        if schedule.name == "one-cycle":
            return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * step / warmup))
        return (step + 1) / (warmup + 1)
    progress = min(max((step - warmup) / max(total - warmup, 1), 0.0), 1.0)
    final = schedule.final_fraction
    if schedule.name in ("cosine", "one-cycle"):
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
    if schedule.name == "linear":
        return final + (1 - final) * (1 - progress)
    if schedule.name == "exponential":
        return final**progress
    if schedule.name == "multistep":
        passed = sum(step >= milestone * total for milestone in schedule.milestones)
        return float(schedule.factor**passed)
    return 1.0


def mean_form(learning_rate: float, clipnorm: float, steps: int) -> tuple[float, float]:
    """Return the rate and the clipping norm of a loss that is the mean over a window (D1).

    Papers on recurrent language models add up the losses of a window's steps. The gradient of
    their mean is smaller by the number of steps: the rate grows by it, the norm shrinks.

    Args:
        learning_rate: of plain SGD, for the sum over time of the mean over rows.
        clipnorm: largest norm of that sum's gradient.
        steps: of a window.
    """
    return learning_rate * steps, clipnorm / steps


def decoupled_decay(coupled: float, momentum: float) -> float:
    """Return the decoupled weight decay that shrinks weights as a coupled one does.

    With the decay in the gradient, `v = m v + g + d w; w -= rate v`, a step's `d w` goes on acting
    through the momentum, `1 + m + m^2 + ...` times in all; `w -= rate d' w` acts once.

    Args:
        coupled: decay as PyTorch, Caffe and MXNet have it, and most papers on images.
        momentum: of the SGD.
    """
    return coupled / (1 - momentum)
