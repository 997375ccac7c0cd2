"""How much of an image a network's features see (A136)."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import keras

from zoo.layers import PooledConv2D


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of the features at the end of a stage.

    Args:
        name: of the stage.
        field: height and width of the part of the image that one feature depends on, in pixels.
        stride: pixels between neighbouring features.
    """

    name: str
    field: int
    stride: int


def receptive_fields(network: keras.Model) -> list[ReceptiveField]:
    """Return the receptive field at the end of the stem and of each stage, first to last.

    Along the longest path; global pooling, as in squeeze-and-excitation, is left out.

    Args:
        network: made by `zoo.models.resnet.resnet`, or loaded from a file.

    Source: Araujo 2019, https://distill.pub/2019/computing-receptive-fields, equation 2.
    """
    fields: dict[str, tuple[int, int]] = {}
    stages: dict[str, tuple[int, int]] = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer):
            fields[layer.name] = (1, 1)
            continue
        inputs = [fields[name] for name in _input_layers(layer) if name in fields]
        if not inputs or _is_global(layer):
            continue
        field, stride = max(inputs)
        size, step = _window(layer)
        fields[layer.name] = (field + (size - 1) * stride, stride * step)
        stage = re.match(r"stem|whitening|stage\d+", layer.name)
        if stage:
            name = "stem" if stage[0] == "whitening" else stage[0]
            stages[name] = max(stages.get(name, (0, 0)), fields[layer.name])
    return [ReceptiveField(name, *sizes) for name, sizes in stages.items()]


def _input_layers(layer: Any) -> list[str]:
    """Return the names of the layers whose outputs a layer takes."""
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in inputs]


def _is_global(layer: Any) -> bool:
    return isinstance(layer, keras.layers.GlobalAveragePooling2D | keras.layers.GlobalMaxPooling2D)


def _window(layer: Any) -> tuple[int, int]:
    """Return size and step of the window that a layer moves over the map."""
    if isinstance(layer, PooledConv2D):
        return int(layer.kernel_size[0]) + 1, 2
    for name in ("kernel_size", "pool_size"):
        size = getattr(layer, name, None)
        if isinstance(size, tuple):
            return int(size[0]), int(layer.strides[0])
    return 1, int(getattr(layer, "stride", 1))
