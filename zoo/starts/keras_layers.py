"""Arrays of Keras' layers as those of the zoo's: by name, with their biases in the norms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from zoo.errors import ZooError
from zoo.starts.hdf5 import Arrays
from zoo.starts.images import LOGITS, Array
from zoo.starts.pretrained import Reader

HEAD = "predictions"  # of keras.applications
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
PLAIN = ("kernel", "bias")
BLOCK = re.compile(r"block(\d+)([a-z])_(.+)")  # of an EfficientNet
ENDS = {
    "stem_conv": "stem_conv", "stem_bn": "stem_norm", "top_conv": "top_conv", "top_bn": "top_norm",
    HEAD: LOGITS,
}  # fmt: skip
OLD = {"depthwise_kernel": "kernel"}  # Keras 2's name


def keras_arrays(arrays: Arrays, layer_of: Callable[[str], str | None]) -> dict[str, Array]:
    """Return the arrays of a network by the path of a variable of the zoo's.

    Args:
        arrays: of its file.
        layer_of: from the name of a layer there to that of the zoo's; None where it has none. A
            layer whose name ends in `_se/reduce` or `_se/expand` is dense here, and there a
            convolution over one pixel.

    Raises:
        ZooError: an array is of no layer.
    """
    made = {}
    for name, shape in arrays.shapes.items():
        layer, _, variable = name.partition("/")
        own = layer_of(layer)
        if own is None:
            raise ZooError(
                f"{arrays.path}: '{name}' is of no layer that the zoo's network has: it is of "
                "another network."
            )
        if variable.startswith("vars/"):
            kinds = NORM if f"{layer}/vars/3" in arrays.shapes else PLAIN
            number = int(variable.rpartition("/")[2])
            variable = kinds[number] if number < len(kinds) else variable
        keep = slice(2, None) if "_se/" in own and len(shape) == 4 else slice(None)
        read = partial(_read, arrays, name, shape[keep])
        made[f"{own}/{OLD.get(variable, variable)}"] = Array(name, shape[keep], read)
    return made


def _read(arrays: Arrays, name: str, shape: tuple[int, ...]) -> np.ndarray:
    return arrays.read(name).reshape(shape)


def efficientnet_layers(parts: Mapping[str, str]) -> Callable[[str], str | None]:
    """Return the name map of an EfficientNet whose blocks have letters, such as `block2a_bn`.

    Args:
        parts: from what stands behind a block's letter to the zoo's name.
    """

    def layer_of(layer: str) -> str | None:
        match = BLOCK.fullmatch(layer)
        if match is None:
            return ENDS.get(layer)
        part = parts.get(match[3])
        return part and f"stage{match[1]}_block{ord(match[2]) - ord('a') + 1}_{part}"

    return layer_of


def without_biases(made: dict[str, Array]) -> dict[str, Array]:
    """Return arrays with the bias of a convolution in the mean of the norm behind it.

    The norm subtracts its mean from what the convolution adds: the network computes the same.

    Args:
        made: by path; the norm of `a_conv` is `a_norm`.
    """
    kept = dict(made)
    for path, bias in made.items():
        mean = made.get(path.replace("_conv/bias", "_norm/moving_mean"))
        if path.endswith("_conv/bias") and mean is not None and mean.shape == bias.shape:
            del kept[path]
            moved = Array(mean.name, mean.shape, _difference(mean.read, bias.read))
            kept[path.replace("_conv/bias", "_norm/moving_mean")] = moved
    return kept


def _difference(first: Reader, second: Reader) -> Reader:
    return lambda: first() - second()
