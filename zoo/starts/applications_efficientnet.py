"""EfficientNets of keras.applications: B0 to B7 and V2-S."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.models.efficientnet import VARIANTS
from zoo.starts.hdf5 import Arrays
from zoo.starts.images import Array, Network, head_classes
from zoo.starts.keras_layers import efficientnet_layers, keras_arrays

SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600,
         "v2-s": 384}  # fmt: skip
PARTS = {
    "expand_conv": "expand_conv", "expand_bn": "expand_norm", "dwconv": "depthwise_conv",
    "bn": "depthwise_norm", "se_reduce": "se/reduce", "se_expand": "se/expand",
    "project_conv": "project_conv", "project_bn": "project_norm",
}  # fmt: skip
V2_PARTS = PARTS | {"dwconv2": "depthwise_conv"}
NORMALIZATION = re.compile(r"normalization(_\d+)?/(.+)")
STATISTICS = {"vars/0": "mean", "vars/1": "variance"}
# Of the file that Keras publishes, whose network divides by the root of this once more.
PUBLISHED = (0.229, 0.224, 0.225)
EPSILON = 1e-3


def read_efficientnet(arrays: Arrays, layers: Collection[str], accepted: str) -> Network:
    """Return an EfficientNet, with the scale of pixels that is part of it.

    Args:
        arrays: of its file.
        layers: their names.
        accepted: what is read, for messages.

    Raises:
        ZooError: its blocks or channels are those of none, or its scale of pixels is damaged.
    """
    scale = {
        STATISTICS.get(match[2], match[2]): name
        for name in arrays.shapes
        if (match := NORMALIZATION.fullmatch(name))
    }
    rest = {n: shape for n, shape in arrays.shapes.items() if not NORMALIZATION.fullmatch(n)}
    second = "block1a_project_conv" in layers and "block1a_dwconv" not in layers
    layer_of = efficientnet_layers(V2_PARTS if second else PARTS)
    made = keras_arrays(dataclasses.replace(arrays, shapes=rest), layer_of)
    variant = _variant(made, arrays, accepted)
    return Network(
        model="efficientnet",
        kind=f"EfficientNet{variant.upper().replace('-', '')}",
        values={
            "architecture.image_size": SIZES[variant],
            **_pixels(arrays, scale, variant),
            "architecture.variant": variant,
            "architecture.padding": "same",
            "architecture.norm_epsilon": EPSILON,
        },
        arrays=made,
        classes=head_classes(made),
        where=arrays.path,
    )


def _variant(made: Mapping[str, Array], arrays: Arrays, accepted: str) -> str:
    """Return the variant that has as many blocks and channels in every stage.

    Raises:
        ZooError: there is none.
    """
    blocks: dict[int, int] = {}
    filters: dict[int, int] = {}
    for path, array in made.items():
        match = re.fullmatch(r"stage(\d+)_block(\d+)_project_conv/kernel", path)
        if match:
            stage = int(match[1])
            blocks[stage] = max(blocks.get(stage, 0), int(match[2]))
            filters[stage] = array.shape[-1]
    found = [(blocks[stage], filters[stage]) for stage in sorted(blocks)]
    for name in SIZES:
        stages = VARIANTS[name].scaled_stages()
        if found == [(stage.repeats, stage.filters) for stage in stages]:
            return name
    raise ZooError(
        f"{arrays.path}: its blocks and their channels are {found or 'none'}, which none of these "
        f"has. Accepted: {accepted}."
    )


def _pixels(arrays: Arrays, scale: Mapping[str, str], variant: str) -> dict[str, Any]:
    """Return mean and deviation of pixels, by dotted key of a preset.

    Raises:
        ZooError: the statistics in the file are of no colours.
    """
    if variant.startswith("v2"):
        mean, std = np.full(3, 128.0), np.full(3, 128.0)
    elif not {"mean", "variance"} <= scale.keys():
        mean, std = np.zeros(3), np.full(3, 255.0)
    else:
        mean, variance = (
            arrays.read(scale[kind]).reshape(-1).astype(np.float64) for kind in ("mean", "variance")
        )
        std = variance if np.allclose(variance, PUBLISHED, atol=1e-4) else np.sqrt(variance)
        mean, std = 255.0 * mean, 255.0 * std
    if not ((mean >= 0) & (mean <= 255) & (std > 0) & (std <= 255)).all() or mean.shape != (3,):
        raise ZooError(
            f"{arrays.path}: mean {mean.tolist()} and deviation {std.tolist()} are of no pixels in "
            "[0, 255]."
        )
    return {
        "architecture.pixel_mean": tuple(mean.round(4).tolist()),
        "architecture.pixel_std": tuple(std.round(4).tolist()),
    }
