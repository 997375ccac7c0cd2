"""How many labels a row has: the `data.labels` block of classifiers' presets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.preset.block import Block, DataBlock


class AutoLabels(Block):
    """One label a row, or several where the data say so; a run's preset has which."""

    name: Literal["auto"] = "auto"


class OneLabel(Block):
    """One label a row: its class."""

    name: Literal["one"] = "one"


class SeveralLabels(Block):
    """Any number of labels a row (multi-label classification).

    Args:
        separator: between the labels of a column, such as `|`; null where lists or columns of 0
            and 1 hold them, or to find it.
        at_least_one: whether the most probable label is predicted where none is above the
            threshold. Data with rows without labels turn it off.
    """

    name: Literal["several"] = "several"
    separator: Annotated[str, Field(min_length=1)] | None = None
    at_least_one: bool = True


Labels = Annotated[AutoLabels | OneLabel | SeveralLabels, Field(discriminator="name")]


class LabelledData(DataBlock):
    """The data block of what is trained on labels.

    Args:
        labels: `one` label a row, `several`, or `auto`, by what the data hold.
    """

    labels: Labels = AutoLabels()
