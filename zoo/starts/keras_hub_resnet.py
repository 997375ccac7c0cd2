"""ResNets as KerasHub keeps them: config.json, model.weights.h5 and image_converter.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.models.residual import basic_block, bottleneck_block
from zoo.models.resnet import DEPTHS
from zoo.starts.hdf5 import WEIGHTS, read_arrays
from zoo.starts.images import Network, image_start
from zoo.starts.keras_hub_pixels import CONVERTER, converter_values
from zoo.starts.keras_layers import keras_arrays
from zoo.starts.pretrained import Pretrained
from zoo.wheels import file_sha256

BLOCKS = {"basic_block": basic_block, "bottleneck_block": bottleneck_block}
# Kernel sizes of the stem, and whether shortcuts are pooled, to the variant.
VARIANTS = {("[7]", False): "b", ("[3, 3, 3]", False): "c", ("[3, 3, 3]", True): "d"}
STACK = re.compile(r"stack(\d+)_block(\d+)_([0-3])_(conv|bn)")
KINDS = {"conv": "conv", "bn": "norm"}
POOLED = "_vd"


def read_resnet(folder: Path, own: Mapping[str, Any], source: str) -> Pretrained:
    """Return the backbone of a preset folder; a classifier's head is not part of it.

    Args:
        folder: with config.json, model.weights.h5 and image_converter.json.
        own: the `config` in config.json.
        source: how the folder was named.

    Raises:
        ZooError: the zoo has no such ResNet, or the parts are damaged or do not fit together.
    """
    path = folder / "config.json"
    depth, variant = _depth(own, path), _variant(own, path)
    filters = own.get("stackwise_num_filters")
    if not isinstance(filters, list):
        raise ZooError(
            f"{path}: 'stackwise_num_filters' must be a number for each stage. Received: "
            f"{filters!r}."
        )
    arrays = read_arrays(folder / WEIGHTS)
    values = {
        "architecture.depth": depth,
        "architecture.filters": None if tuple(filters) == DEPTHS[depth].filters else tuple(filters),
        "architecture.variant": variant,
        "architecture.bottleneck_width": 1.0,
        "architecture.norm_epsilon": 1e-5,
        "architecture.pooling": "average",
    }
    network = Network(
        model="resnet",
        kind=f"ResNet-{depth} of variant {variant}",
        values=values | converter_values(folder / CONVERTER),
        arrays=keras_arrays(arrays, _layers(variant)),
        classes=None,
        where=folder,
    )
    sha256 = file_sha256(folder / WEIGHTS)
    return image_start(network, source, f"the KerasHub preset {folder}", sha256)


def _depth(own: Mapping[str, Any], path: Path) -> int:
    """Return the depth of as many blocks of a kind.

    Raises:
        ZooError: the zoo has none.
    """
    kind = str(own.get("block_type"))
    blocks = own.get("stackwise_num_blocks")
    strides = own.get("stackwise_num_strides")
    counts = tuple(blocks) if isinstance(blocks, list) else ()
    for depth, config in DEPTHS.items():
        same = config.blocks == counts and len(counts) == 4 and strides == [1, 2, 2, 2]
        if same and config.block is BLOCKS.get(kind.removesuffix(POOLED)):
            return depth
    raise ZooError(
        f"{path}: no ResNet of the zoo has blocks of kind '{kind}', {blocks} of them a stage, with "
        f"strides {strides}. It has those of 18, 26, 34, 50, 101 and 152 layers."
    )


def _variant(own: Mapping[str, Any], path: Path) -> str:
    """Return the variant.

    Raises:
        ZooError: the zoo has none.
    """
    sizes = own.get("input_conv_kernel_sizes")
    pooled = str(own.get("block_type")).endswith(POOLED)
    variant = VARIANTS.get((str(sizes), pooled))
    if own.get("use_pre_activation") or variant is None:
        raise ZooError(
            f"{path}: no ResNet of the zoo has use_pre_activation "
            f"{own.get('use_pre_activation')}, block_type '{own.get('block_type')}' and a stem of "
            f"{sizes}: it normalises behind convolutions, and has one of 7 x 7 or three of 3 x 3, "
            "these alone with pooled shortcuts."
        )
    return variant


def _layers(variant: str) -> Callable[[str], str | None]:
    """Return the name map: from a layer of KerasHub to the zoo's, or None."""
    stem = {"conv1_conv": "stem_conv", "conv1_bn": "stem_norm"}
    if variant != "b":
        stem = {
            f"conv{number}_{kind}": f"stem_{number}_{own}"
            for number in (1, 2, 3)
            for kind, own in KINDS.items()
        }

    def layer_of(layer: str) -> str | None:
        match = STACK.fullmatch(layer)
        if match is None:
            return stem.get(layer)
        stage, block, number, kind = match.groups()
        part = number if number != "0" else "shortcut"
        return f"stage{int(stage) + 1}_block{int(block) + 1}_{part}_{KINDS[kind]}"

    return layer_of
