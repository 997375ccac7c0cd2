"""Folders of timm: config.json with an `architecture`, and model.safetensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, did_you_mean
from zoo.starts.images import Network, image_start, pytorch_arrays
from zoo.starts.pretrained import Pretrained
from zoo.starts.tensors import Tensors, read_tensors, weight_files
from zoo.starts.timm_efficientnet import (
    EFFICIENTNETS,
    efficientnet_layers,
    efficientnet_values,
)
from zoo.starts.timm_resnet import RESNETS, resnet_layers, resnet_values
from zoo.wheels import file_sha256

POOLING = {"avg": "average", "max": "max"}
# Arguments of timm's functions that change nothing here, or that the tensors tell.
TOLD = ("num_classes", "drop_rate", "drop_path_rate", "in_chans", "global_pool")


def read_timm(folder: Path, config: Mapping[str, Any], source: str, origin: str) -> Pretrained:
    """Return the network of a folder, with its head.

    Args:
        folder: with config.json and model.safetensors.
        config: the document of config.json.
        source: how the folder was named.
        origin: what it is; empty for its kind and path.

    Raises:
        ZooError: the architecture is not read, the weights are in a pickle, or the parts do not
            fit together.
    """
    path, name = folder / "config.json", str(config["architecture"])
    accepted = [*RESNETS, *EFFICIENTNETS]
    if name not in accepted:
        raise ZooError(
            f"{path}: the architecture '{name}' is not read.{did_you_mean(name, accepted)} "
            f"Accepted: {', '.join(accepted)}."
        )
    arguments = config.get("model_args")
    asked = [key for key in arguments if key not in TOLD] if isinstance(arguments, dict) else []
    if asked:
        raise ZooError(
            f"{path}: model_args changes '{asked[0]}' of the {name}, which is not read. Accepted: "
            f"{', '.join(TOLD)}."
        )
    files = weight_files(folder)
    tensors = read_tensors(files, folder)
    values = image_values(config, path)
    if name in RESNETS:
        model, head, layers = "resnet", "fc", resnet_layers(name)
        values |= resnet_values(name, tensors)
    else:
        model, head, layers = "efficientnet", "classifier", efficientnet_layers(name)
        if values.pop("architecture.pooling") != "average":
            raise ZooError(f"{path}: an {name} of the zoo has the global_pool 'avg' alone.")
        values |= efficientnet_values(name)
    network = Network(
        model=model,
        kind=name,
        values=values,
        arrays=pytorch_arrays(tensors, layers),
        classes=_classes(config, tensors, head, path),
        where=folder,
    )
    return image_start(
        network, source, origin or f"timm's {name} in {folder}", file_sha256(files[0])
    )


def image_values(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return what config.json says of pixels, sizes and pooling, by dotted key of a preset.

    Args:
        config: its document; `pretrained_cfg` in it, or of older ones the document itself.
        path: of the file, for messages.

    Raises:
        ZooError: a value is missing or makes no sense.
    """
    about = _about(config)
    size = about.get("input_size")
    square = isinstance(size, list) and len(size) == 3 and size[0] == 3 and size[1] == size[2]
    side: Any = size[1] if square and size is not None else None
    if type(side) is not int or not 8 <= side <= 1024:
        raise ZooError(
            f"{path}: 'input_size' must be 3 colours, then height and width, the same number from "
            f"8 to 1024. Received: {size!r}."
        )
    fraction = about.get("crop_pct", 0.875)
    if not isinstance(fraction, int | float) or not 0.0 < fraction <= 1.0:
        raise ZooError(f"{path}: 'crop_pct' must be in (0, 1]. Received: {fraction!r}.")
    pooling = str(config.get("global_pool") or "avg")
    if pooling not in POOLING:
        raise ZooError(
            f"{path}: global_pool '{pooling}' is not read. Accepted: {', '.join(POOLING)}."
        )
    return {
        "architecture.image_size": side,
        "architecture.pixel_mean": _pixels(about, "mean", 0.0, path),
        "architecture.pixel_std": _pixels(about, "std", 1e-6, path),
        "architecture.pooling": POOLING[pooling],
        "data.center_fraction": float(fraction),
    }


def _about(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what says pixels and labels: a part of config.json, or of older ones the whole."""
    about = config.get("pretrained_cfg")
    return about if isinstance(about, dict) else config


def _pixels(about: Mapping[str, Any], key: str, least: float, path: Path) -> tuple[float, ...]:
    """Return three numbers of [0, 1] as the zoo has them, for pixels in [0, 255]."""
    colour = about.get(key)
    numbers = (
        isinstance(colour, list | tuple) and len(colour) == 3
        and all(isinstance(value, int | float) and least <= value <= 1.0 for value in colour)
    )  # fmt: skip
    if not numbers:
        raise ZooError(f"{path}: '{key}' must be three numbers up to 1. Received: {colour!r}.")
    return tuple(round(255.0 * value, 6) for value in colour)  # type: ignore[union-attr]


def _classes(
    config: Mapping[str, Any], tensors: Tensors, head: str, path: Path
) -> Sequence[Any] | None:
    """Return the labels of a head: those that config.json names, or their numbers.

    Raises:
        ZooError: it names another number of them than the head has.
    """
    if f"{head}.weight" not in tensors.shapes:
        return None
    count = tensors.shape(f"{head}.weight", -1, -1)[0]
    if count < 2:  # one output is no classifier: a new head takes its place
        return None
    names = config.get("label_names") or _about(config).get("label_names")
    if not isinstance(names, list):
        return range(count)
    if len(names) != count:
        raise ZooError(f"{path}: names {len(names):,} labels, and the head has {count:,}.")
    return names
