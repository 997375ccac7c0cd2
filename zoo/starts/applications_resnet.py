"""ResNets of keras.applications: those of the paper, with a stride in the first 1 x 1."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection

import numpy as np

from zoo.errors import ZooError
from zoo.models.residual import bottleneck_block
from zoo.models.resnet import DEPTHS
from zoo.starts.hdf5 import Arrays
from zoo.starts.images import LOGITS, Network, head_classes
from zoo.starts.keras_layers import HEAD, keras_arrays, without_biases
from zoo.starts.pretrained import Reader

RESNET_BLOCK = re.compile(r"conv([2-5])_block(\d+)_([0-3])_(conv|bn)")
KINDS = {"conv": "conv", "bn": "norm"}
# `preprocess_input` of these subtracts ImageNet's mean from blue, green, red, and scales nothing.
CAFFE = (123.68, 116.779, 103.939)


def read_resnet(arrays: Arrays, layers: Collection[str], accepted: str) -> Network:
    """Return a ResNet: a convolution's bias goes into its norm, and its colours are turned round.

    Args:
        arrays: of its file.
        layers: their names.
        accepted: what is read, for messages.

    Raises:
        ZooError: it is of version 2, or has as many blocks as none of these.
    """
    if any("preact" in layer for layer in layers):
        raise ZooError(f"{arrays.path}: is a ResNet V2, which is not read. Accepted: {accepted}.")
    matches = [match for match in map(RESNET_BLOCK.fullmatch, layers) if match]
    blocks = tuple(
        max((int(match[2]) for match in matches if match[1] == stage), default=0)
        for stage in "2345"
    )
    depths = [
        depth
        for depth, config in DEPTHS.items()
        if config.blocks == blocks and config.block is bottleneck_block
    ]
    if not depths:
        listed = ", ".join(map(str, blocks))
        raise ZooError(
            f"{arrays.path}: has {listed} blocks, which none of these has. Accepted: {accepted}."
        )
    made = without_biases(keras_arrays(arrays, _resnet_layer))
    stem = made.get("stem_conv/kernel")
    if stem is not None and len(stem.shape) == 4:
        made["stem_conv/kernel"] = dataclasses.replace(stem, read=_turned(stem.read))
    outputs = [
        made[path].shape[-1]
        for path in (f"stage{stage}_block1_3_conv/kernel" for stage in range(1, 5))
        if path in made
    ]
    filters = tuple(max(width // 4, 1) for width in outputs)
    return Network(
        model="resnet",
        kind=f"ResNet{depths[0]}",
        values={
            "architecture.image_size": 224,
            "architecture.pixel_mean": CAFFE,
            "architecture.pixel_std": (1.0, 1.0, 1.0),
            "architecture.depth": depths[0],
            "architecture.filters": None if filters == DEPTHS[depths[0]].filters else filters,
            "architecture.variant": "a",
            "architecture.bottleneck_width": 1.0,
            "architecture.norm_epsilon": 1.001e-5,
            "architecture.pooling": "average",
        },
        arrays=made,
        classes=head_classes(made),
        where=arrays.path,
    )


def _resnet_layer(layer: str) -> str | None:
    match = RESNET_BLOCK.fullmatch(layer)
    if match is None:
        return {"conv1_conv": "stem_conv", "conv1_bn": "stem_norm", HEAD: LOGITS}.get(layer)
    stage, block, number, kind = match.groups()
    part = number if number != "0" else "shortcut"
    return f"stage{int(stage) - 1}_block{block}_{part}_{KINDS[kind]}"


def _turned(read: Reader) -> Reader:
    """Return what reads a first kernel for red, green and blue, from one for the reverse."""
    return lambda: np.ascontiguousarray(read()[:, :, ::-1])
