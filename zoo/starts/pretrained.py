"""What a start is: weights by the names of the network's variables, and what comes with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Reader = Callable[[], np.ndarray]


class Weights(Mapping[str, np.ndarray]):
    """Float32 arrays by the path of a variable, such as `layer_0/attention/qkv/kernel`.

    Each is read from its file when it is asked for, and not kept.

    Args:
        readers: what returns each array.
    """

    def __init__(self, readers: Mapping[str, Reader]):
        self._readers = dict(readers)

    def __getitem__(self, path: str) -> np.ndarray:
        return np.asarray(self._readers[path](), np.float32)

    def __contains__(self, path: object) -> bool:
        return path in self._readers  # Mapping's own would read the array

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """Weights of a network that was trained before.

    Args:
        source: as it was named.
        origin: what it is, in words.
        model: the family that has its architecture.
        values: what it decides of a preset: dotted key to value.
        weights: arrays by the path of a variable; empty where they are not needed.
        tokenizer: the one that the weights were trained with; None where there is none.
        longest: tokens that it has positions for; None for any number.
        classes: the labels of its head, where it has one that can be kept.
        sha256: of the file of the weights.
    """

    source: str
    origin: str
    model: str
    values: Mapping[str, Any]
    weights: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    tokenizer: Any = None  # a Tokenizer
    longest: int | None = None
    classes: Sequence[Any] | None = None
    sha256: str = ""

    def record(self) -> dict[str, Any]:
        """Return what a run keeps of it as JSON types: all but weights and tokenizer."""
        names = ("source", "origin", "model", "longest", "sha256")
        document = {name: getattr(self, name) for name in names}
        return document | {"values": dict(self.values)}
