"""timm's ResNets: which are read, and the name map of their layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from zoo.models.residual import basic_block
from zoo.models.resnet import DEPTHS
from zoo.starts.tensors import Tensors

# Name to depth and variant.
RESNETS = {
    **{f"resnet{depth}": (depth, "b") for depth in (18, 26, 34, 50, 101, 152)},
    **{f"resnet{depth}c": (depth, "c") for depth in (50, 101, 152)},
    **{f"resnet{depth}d": (depth, "d") for depth in (18, 26, 34, 50, 101, 152)},
    **{f"wide_resnet{depth}_2": (depth, "b") for depth in (50, 101)},
}
EXPANSION = 4  # filters of a bottleneck's output, as a multiple of the stage's
KINDS = {"conv": "conv", "bn": "norm"}
BLOCK = re.compile(r"layer(\d+)\.(\d+)\.(?:(conv|bn)(\d+)|downsample\.(\d+))")
STEMS = {
    "b": {"conv1": "stem_conv", "bn1": "stem_norm"},
    "d": {
        "conv1.0": "stem_1_conv",
        "conv1.1": "stem_1_norm",
        "conv1.3": "stem_2_conv",
        "conv1.4": "stem_2_norm",
        "conv1.6": "stem_3_conv",
        "bn1": "stem_3_norm",
    },
}
STEMS["c"] = STEMS["d"]


def resnet_layers(name: str) -> Callable[[str], str | None]:
    """Return the name map of a ResNet: from a layer of timm to the zoo's, or None.

    Args:
        name: of `RESNETS`.
    """
    variant = RESNETS[name][1]
    # Of variant d, average pooling stands before the convolution.
    shortcut = dict(enumerate(("conv", "norm"), start=variant == "d"))

    def layer_of(layer: str) -> str | None:
        match = BLOCK.fullmatch(layer)
        if match is None:
            return (STEMS[variant] | {"fc": "logits"}).get(layer)
        stage, block, kind, number, projected = match.groups()
        own = f"stage{stage}_block{int(block) + 1}"
        if kind is not None:
            return f"{own}_{number}_{KINDS[kind]}"
        part = shortcut.get(int(projected))
        return part and f"{own}_shortcut_{part}"

    return layer_of


def resnet_values(name: str, tensors: Tensors) -> dict[str, Any]:
    """Return the architecture of a ResNet, by dotted key of a preset: its widths are the tensors'.

    Args:
        name: of `RESNETS`.
        tensors: of its files.

    Raises:
        ZooError: a stage is missing.
    """
    depth, variant = RESNETS[name]
    config = DEPTHS[depth]
    basic = config.block is basic_block
    last = "conv2" if basic else "conv3"
    outputs = [
        tensors.shape(f"layer{stage}.0.{last}.weight", -1, -1, -1, -1)[0] for stage in range(1, 5)
    ]
    filters = tuple(width if basic else max(width // EXPANSION, 1) for width in outputs)
    inner = tensors.shape("layer1.0.conv1.weight", -1, -1, -1, -1)[0]
    return {
        "architecture.depth": depth,
        "architecture.filters": None if filters == config.filters else filters,
        "architecture.variant": variant,
        "architecture.bottleneck_width": 1.0 if basic else inner / filters[0],
        "architecture.norm_epsilon": 1e-5,
    }
