"""Linear probing: the head alone, fitted to the features of frozen weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.preset.block import Block

LINEAR_PROBE = "recipe.linear_probe.name"
NONE, AUTO, ONLY, FIRST = "none", "auto", "only", "first"
# What nothing reads where no layer but the head is trained, and that not by steps.
OF_STEPS = (
    "recipe.epochs",
    "recipe.min_steps",
    "recipe.optimizer.",
    "recipe.schedule.",
    "recipe.loss.",
    "recipe.fine_tuning.",
    "recipe.ema",
    "recipe.nonmono",
    "recipe.global_clipnorm",
    "recipe.monitor",
    "recipe.patience_epochs",
    "data.crop.",
    "data.resizing.",
    "data.color_jitter",
    "data.randaugment",
    "data.erasing",
    "data.mixup",
    "data.cutmix",
)


class NoLinearProbe(Block):
    """The head starts at random, and is trained with all else."""

    name: Literal["none"] = "none"


class LinearProbeByData(Block):
    """As the images a class and the weights decide (`few_images`)."""

    name: Literal["auto"] = "auto"


class _Fitted(Block):
    """What the two ways to fit the head have in common.

    Args:
        penalty: factor of half the squares of the head's weights beside the mean loss of the rows,
            on features whose mean square distance from their mean is 1; `auto` is that of the least
            loss in cross-validation on the training part.
    """

    name: str
    penalty: Annotated[float, Field(gt=0.0)] | Literal["auto"] = "auto"


class OnlyLinearProbe(_Fitted):
    """Logistic regression on the features of frozen weights is the head; nothing else is trained.

    Source: Kornblith 2019, https://arxiv.org/abs/1805.08974.
    """

    name: Literal["only"] = "only"


class LinearProbeFirst(_Fitted):
    """The same is the start of the head; then all is trained, and the best epoch or the start kept.

    Source: Kumar 2022, https://arxiv.org/abs/2202.10054 (a random head distorts the features).
    """

    name: Literal["first"] = "first"


Probe = Annotated[
    NoLinearProbe | LinearProbeByData | OnlyLinearProbe | LinearProbeFirst,
    Field(discriminator="name"),
]
