"""The settings of curves: the blocks of their presets, and words."""

from typing import Annotated, Literal

from pydantic import Field

from zoo.preset.block import Architecture, DataBlock, Positive
from zoo.preset.recipe import Recipe as AnyRecipe
from zoo.preset.task_info import TaskInfo


class ToyCurveArchitecture(Architecture):
    """A hidden layer between a number and a number.

    Args:
        hidden_dim: units of the hidden layer.
        x_mean: what is taken off a number first; the data decide it.

    Returns:
        A compiled `keras.Model`: float32 `(batch, 1)` to float32 `(batch, 1)`.

    Example:
        >>> zoo.toycurve()(keras.ops.ones((4, 1))).shape
        TensorShape([4, 1])

    Source: none, it is a toy.
    """

    model = "toycurve"
    task = "curve-fitting"

    hidden_dim: Positive
    x_mean: float


class CurveData(DataBlock):
    """How points become batches."""

    batch_size: Positive
    validation_fraction: Annotated[float, Field(gt=0.0, lt=1.0)]


class CurveRecipe(AnyRecipe):
    """How a curve is fitted."""

    task = "curve-fitting"

    monitor: Literal["loss"] = "loss"


Data = CurveData
Recipe = CurveRecipe
INFO = TaskInfo(
    noun="curve",
    default_model="toycurve",
    metrics={"loss": ".4f", "largest": ".3f"},
    primary_metric="largest",
    baseline="mean",
    unit="points",
    items="numbers",
    verbs=("predict", "evaluate"),
    next_command="predict {run} FILE",
    serves="takes numbers",
)
