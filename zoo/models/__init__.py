"""The networks: one family a file, `keras` only, so that they run on any of its backends."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping

import keras

from zoo.preset.schemas import architectures


class _Models(Mapping[str, Callable[..., keras.Model]]):
    """The network function of every family that has a schema, by name: `zoo.models.<name>.<name>`.

    A family's module is imported when its function is asked for.
    """

    def __getitem__(self, name: str) -> Callable[..., keras.Model]:
        if name not in architectures():
            raise KeyError(name)
        function: Callable[..., keras.Model] = getattr(
            importlib.import_module(f"{__name__}.{name}"), name
        )
        return function

    def __iter__(self) -> Iterator[str]:
        return iter(architectures())

    def __len__(self) -> int:
        return len(architectures())


MODELS = _Models()
