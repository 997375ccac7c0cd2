"""Networks of images that others trained: their arrays, checked against the zoo's own network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts.pretrained import Pretrained, Reader, Weights
from zoo.starts.shapes import variable_shapes
from zoo.starts.tensors import Tensors

LOGITS = "logits"
# What every network that is read has, of a family; a start adds its own.
SHARED: dict[str, dict[str, Any]] = {
    "resnet": {
        "architecture.stem": "imagenet",
        "architecture.shortcut": "projection",
        "architecture.norm": "batch",
        "architecture.activation": "relu",
        "architecture.squeeze_excitation": 0.0,
        "architecture.logit_scale": 1.0,
    },
    "efficientnet": {
        "architecture.width_factor": None,
        "architecture.depth_factor": None,
        "architecture.stem": "imagenet",
        "architecture.norm": "batch",
    },
}
DEPTHWISE = "_depthwise_conv"


@dataclasses.dataclass(frozen=True)
class Array:
    """An array of a file, as a variable of the zoo's network has it.

    Args:
        name: in the file.
        shape: as the variable's.
        read: returns it.
    """

    name: str
    shape: tuple[int, ...]
    read: Reader


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of images in a file.

    Args:
        model: the family.
        kind: its name where it comes from, such as `resnet50d`.
        values: what it decides of a preset beside `SHARED`, by dotted key.
        arrays: by the path of a variable.
        classes: the labels of its head; None where it has none.
        where: the file or folder.
    """

    model: str
    kind: str
    values: Mapping[str, Any]
    arrays: Mapping[str, Array]
    classes: Sequence[Any] | None
    where: Path


def image_start(network: Network, source: str, origin: str, sha256: str) -> Pretrained:
    """Return a network as a start, after comparing every array with the zoo's network.

    Args:
        network: that was read.
        source: how it was named.
        origin: what it is.
        sha256: of its file.

    Raises:
        ZooError: an array is missing, has another shape, or is of no layer of the zoo's network.
    """
    values = {**SHARED[network.model], **network.values}
    if network.classes is not None:
        values["architecture.num_classes"] = len(network.classes)
    preset = load_preset(network.model, changes=values)
    expected = variable_shapes(preset.values(), preset.model)
    arrays = dict(network.arrays)
    if network.classes is None:
        expected, arrays = _without_head(expected), _without_head(arrays)
    for path, shape in expected.items():
        _compare(network, path, shape)
    more = [array.name for path, array in arrays.items() if path not in expected]
    if more:
        raise ZooError(
            f"{network.where}: holds '{more[0]}', which no {network.kind} of the zoo has: these "
            "are the weights of another network."
        )
    return Pretrained(
        source=source,
        origin=origin,
        model=network.model,
        values=values,
        weights=Weights({path: array.read for path, array in arrays.items()}),
        classes=network.classes,
        sha256=sha256,
    )


def _without_head(named: Mapping[str, Any]) -> dict[str, Any]:
    return {path: one for path, one in named.items() if not path.startswith(f"{LOGITS}/")}


def _compare(network: Network, path: str, shape: tuple[int, ...]) -> None:
    array = network.arrays.get(path)
    if array is None:
        raise ZooError(
            f"{network.where}: has no weights for '{path}', which a {network.kind} has: the file "
            "is not whole, or of another network."
        )
    if array.shape != shape:
        raise ZooError(
            f"{network.where}: '{array.name}' has shape {array.shape}, and a {network.kind} of "
            f"the zoo has {shape} (channels last)."
        )


def head_classes(arrays: Mapping[str, Array]) -> Sequence[int] | None:
    """Return the numbers of the classes of a head whose labels nobody says; None without one."""
    head = arrays.get(f"{LOGITS}/kernel")
    return None if head is None or head.shape[-1] < 2 else range(head.shape[-1])


def pytorch_arrays(tensors: Tensors, layer_of: Callable[[str], str | None]) -> dict[str, Array]:
    """Return the tensors of a PyTorch network in Keras' layouts, by the path of a variable.

    Args:
        tensors: of its file.
        layer_of: from the name of a layer there to that of the zoo's; None where it has none. A
            layer whose name ends in `_se/reduce` or `_se/expand` is dense here, and there a
            convolution over one pixel.

    Raises:
        ZooError: a tensor is of no layer.
    """
    arrays = {}
    for name, shape in tensors.shapes.items():
        layer, _, kind = name.rpartition(".")
        own = layer_of(layer)
        normed = f"{layer}.running_mean" in tensors.shapes
        variable = (NORM if normed else PLAIN).get(kind)
        if own is None or variable is None:
            raise ZooError(
                f"{tensors.where}: the tensor '{name}' is of no layer that the zoo's network has."
            )
        order = _order(own, shape)
        keep = slice(2, None) if "_se/" in own and len(shape) == 4 else slice(None)
        placed = tuple(shape[axis] for axis in order)
        arrays[f"{own}/{variable}"] = Array(
            name, placed[keep], partial(_placed, tensors, name, order, placed[keep])
        )
    return arrays


NORM = {
    "weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
    "running_var": "moving_variance",
}  # fmt: skip
PLAIN = {"weight": "kernel", "bias": "bias"}


def _order(layer: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of a PyTorch tensor in the order of Keras: filters last, or channels."""
    if len(shape) == 4:
        return (2, 3, 0, 1) if layer.endswith(DEPTHWISE) else (2, 3, 1, 0)
    return tuple(reversed(range(len(shape))))


def _placed(
    tensors: Tensors, name: str, order: tuple[int, ...], shape: tuple[int, ...]
) -> np.ndarray:
    return tensors.read(name).transpose(order).reshape(shape)
