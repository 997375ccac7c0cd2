"""What every block of a preset is made of: the frozen base model and the types of its values."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Balance = Literal["none", "oversample", "batches", "class-weights"]
Activation = Literal["relu", "tanh", "gelu", "silu", "linear"]
BESIDE = ("measured", "why")  # files of a model's folder that are no presets


def presets_root() -> Path:
    """Return the folder of the presets that come with the package."""
    return Path(str(importlib.resources.files("zoo._presets")))


def shipped_names(model: str) -> list[str]:
    """Return the names of a model's presets that come with the package, `default` first."""
    names = {path.stem for path in (presets_root() / model).glob("*.yaml")} - {*BESIDE}
    return sorted(names, key=lambda name: (name != "default", name))


class Block(BaseModel):
    """A frozen block of a preset; unknown keys and values of the wrong type are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )


class DataBlock(Block):
    """The data block of a task's presets.

    Attributes:
        paths: names of values that are paths, which a run keeps as absolute ones.
    """

    paths: ClassVar[tuple[str, ...]] = ()

    def rough_step(self, architecture: Any) -> int:
        """Return about how many pixels or tokens a step holds features of; 0 is few.

        Args:
            architecture: the block of the same preset.
        """
        return 0


class Architecture(Block):
    """The architecture block of one family of models: the arguments of its builder.

    Fields and docstring are the signature and the docstring of that builder (`zoo.builders`).
    Sections that a class has none of, such as Returns, are its base's; Args add up.

    Attributes:
        model: name of the family, of its file in `zoo.models`, and of its builder; empty for what
            several families share.
        task: name of its task in `zoo.preset.schemas.TASKS`.
        sparse: whether the time goes into rows of tables and sparse products, which gain nothing
            from half precision on a CPU.
        word_vectors: whether it has a table of `embedding_dim` numbers a word, which `data.vectors`
            starts.
        data: the data block of its presets; None is that of the task.
    """

    model: ClassVar[str] = ""
    task: ClassVar[str] = ""
    sparse: ClassVar[bool] = False
    word_vectors: ClassVar[bool] = False
    data: ClassVar[type[DataBlock] | None] = None

    def rough_weights(self) -> int | None:
        """Return about how many weights the network has; None where only building it tells."""
        return None

    def largest_part(self, data: Any) -> str:
        """Return what takes most of the memory, in words; empty where nobody says.

        Args:
            data: the block of the same preset.
        """
        return ""
