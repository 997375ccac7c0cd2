"""The networks: one family a file, `keras` only, so that they run on any of its backends."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

import keras

from zoo.preset.schemas import architectures


class _Models(Mapping[str, Callable[..., keras.Model]]):
    """The network function of every family that has a schema, by name: `zoo.models.<name>.<name>`.

    A family's module is imported when its function is asked for.
    """

    def __getitem__(self, name: str) -> Callable[..., keras.Model]:
        if name not in architectures():
            raise KeyError(name)
        function: Callable[..., keras.Model] = getattr(_module(name), name)
        return function

    def __iter__(self) -> Iterator[str]:
        return iter(architectures())

    def __len__(self) -> int:
        return len(architectures())


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


MODELS = _Models()


def with_states(network: keras.Model) -> keras.Model:
    """Return a language model's network with what a window of a stream leaves to the next.

    Its file, `zoo.models.<name>`, says what that is: nothing, where attention sees a window alone.

    Args:
        network: of a family of language models, whose name it has; or loaded from a file.

    Returns:
        `[tokens, *states]` to `[features, *states]`: int32 `(batch, time)` ids and states that are
        zeros before the first window; features `(time, batch, features)`, time first, of which
        `embedding(features, reverse=True)` makes logits.
    """
    made: keras.Model = _module(network.name).with_states(network)
    return made


def with_cache(network: keras.Model) -> keras.Model:
    """Return a language model's network with what a token of a text leaves to those after it.

    As `with_states`, for texts that come some tokens at a time. What a text may have in all, says
    its file.

    Args:
        network: of a family of language models, whose name it has; or loaded from a file.
    """
    made: keras.Model = _module(network.name).with_cache(network)
    return made
