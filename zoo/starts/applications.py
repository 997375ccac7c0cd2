"""Weights files of keras.applications: ResNet-50, -101 and -152 of the paper."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.models.residual import bottleneck_block
from zoo.models.resnet import DEPTHS
from zoo.starts.hdf5 import Arrays, read_arrays
from zoo.starts.images import LOGITS, Array, Network, image_start
from zoo.starts.keras_layers import keras_arrays, without_biases
from zoo.starts.pretrained import Pretrained, Reader
from zoo.wheels import file_sha256

SUFFIXES = (".h5", ".keras")
ACCEPTED = "ResNet50, ResNet101 and ResNet152 of keras.applications"
HEAD = "predictions"
RESNET_BLOCK = re.compile(r"conv([2-5])_block(\d+)_([0-3])_(conv|bn)")
KINDS = {"conv": "conv", "bn": "norm"}
# `preprocess_input` of these subtracts ImageNet's mean from blue, green, red, and scales nothing.
CAFFE = (123.68, 116.779, 103.939)


def read_application(path: Path, source: str) -> Pretrained:
    """Return the network of a weights file, with its head if it has one.

    Args:
        path: a `.weights.h5`, `.h5` or `.keras` file.
        source: how it was named.

    Raises:
        ZooError: it is damaged, or of a network that is not read.
    """
    arrays = read_arrays(path)
    layers = {name.partition("/")[0] for name in arrays.shapes}
    if "conv1_conv" in layers:
        network = _resnet(arrays, layers)
    else:
        raise ZooError(
            f"{path}: holds no network that is read: its layers are "
            f"{', '.join(sorted(layers)[:3]) or 'none'}, ... Accepted: {ACCEPTED}."
        )
    origin = f"keras.applications' {network.kind} in {path}"
    return image_start(network, source, origin, file_sha256(path))


def _resnet(arrays: Arrays, layers: set[str]) -> Network:
    """Return a ResNet: a convolution's bias goes into its norm, and its colours are turned round.

    Raises:
        ZooError: it is of version 2, or has as many blocks as none of these.
    """
    if any("preact" in layer for layer in layers):
        raise ZooError(f"{arrays.path}: is a ResNet V2, which is not read. Accepted: {ACCEPTED}.")
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
            f"{arrays.path}: has {listed} blocks, which none of these has. Accepted: {ACCEPTED}."
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
            "architecture.stem": "imagenet",
            "architecture.shortcut": "projection",
            "architecture.norm": "batch",
            "architecture.norm_epsilon": 1.001e-5,
            "architecture.activation": "relu",
            "architecture.squeeze_excitation": 0.0,
            "architecture.pooling": "average",
            "architecture.logit_scale": 1.0,
        },
        arrays=made,
        classes=_classes(made),
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


def _classes(made: dict[str, Array]) -> Any:
    head = made.get(f"{LOGITS}/kernel")
    return None if head is None or head.shape[-1] < 2 else range(head.shape[-1])
