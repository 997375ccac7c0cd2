"""EfficientNets as KerasHub keeps them: B0 to B7 and Lite0 of timm, in its own names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.models.efficientnet import VARIANTS, Variant
from zoo.starts.hdf5 import WEIGHTS, read_arrays
from zoo.starts.images import Network, image_start
from zoo.starts.keras_hub_pixels import CONVERTER, converter_values
from zoo.starts.keras_layers import efficientnet_layers, keras_arrays
from zoo.starts.pretrained import Pretrained
from zoo.wheels import file_sha256

PARTS = {
    "expand_conv": "expand_conv", "expand_bn": "expand_norm", "dwconv": "depthwise_conv",
    "dwconv_bn": "depthwise_norm", "se_reduce": "se/reduce", "se_expand": "se/expand",
    "project": "project_conv", "project_bn": "project_norm",
}  # fmt: skip
ACTIVATIONS = {"swish": "swish", "silu": "swish", "relu6": "relu6"}
# What the zoo's network has without a key; other values make another network.
FIXED = {
    "include_stem_padding": True, "stem_conv_padding": "valid", "projection_activation": None,
    "depth_divisor": 8, "cap_round_filter_decrease": True, "num_features": 1280,
    "use_depth_divisor_as_min_depth": True,
}  # fmt: skip


def read_efficientnet(folder: Path, own: Mapping[str, Any], source: str) -> Pretrained:
    """Return the backbone of a preset folder; a classifier's head is not part of it.

    Args:
        folder: with config.json, model.weights.h5 and image_converter.json.
        own: the `config` in config.json.
        source: how the folder was named.

    Raises:
        ZooError: the zoo has no such EfficientNet, or the parts are damaged or do not fit together.
    """
    path = folder / "config.json"
    variant = _variant(own, path)
    epsilon = own.get("batch_norm_epsilon")
    if not isinstance(epsilon, float) or not 0 < epsilon <= 0.1:
        raise ZooError(f"{path}: 'batch_norm_epsilon' must be in (0, 0.1]. Received: {epsilon!r}.")
    values = {
        "architecture.variant": variant,
        "architecture.padding": "symmetric",
        "architecture.norm_epsilon": epsilon,
    }
    network = Network(
        model="efficientnet",
        kind=f"EfficientNet-{variant.capitalize()}",
        values=values | converter_values(folder / CONVERTER),
        arrays=keras_arrays(read_arrays(folder / WEIGHTS), efficientnet_layers(PARTS)),
        classes=None,
        where=folder,
    )
    sha256 = file_sha256(folder / WEIGHTS)
    return image_start(network, source, f"the KerasHub preset {folder}", sha256)


def _variant(own: Mapping[str, Any], path: Path) -> str:
    """Return the variant that a configuration describes.

    Raises:
        ZooError: there is none.
    """
    for key, value in FIXED.items():
        if own.get(key, value) != value:
            raise ZooError(
                f"{path}: '{key}' is {own.get(key)!r}, and an EfficientNet of the zoo has "
                f"{value!r}."
            )
    for name, variant in VARIANTS.items():
        asked = _described(variant)
        if asked and all(own.get(key) == value for key, value in asked.items()):
            if ACTIVATIONS.get(str(own.get("activation"))) == variant.activation:
                return name
    raise ZooError(
        f"{path}: its stages are those of no EfficientNet of the zoo. Accepted: b0 to b7 and "
        "lite0, of blocks of kind 'v1'."
    )


def _described(variant: Variant) -> dict[str, list[Any]]:
    """Return a variant in KerasHub's words; of those whose ends are not scaled, lite0 alone."""
    stages, count = variant.stages, len(variant.stages)
    if any(stage.fused for stage in stages) or (variant.fixed_ends and variant.width > 1.0):
        return {}
    if variant.fixed_ends and variant.depth > 1.0:
        return {}
    outputs = [stage.filters for stage in stages]
    return {
        "stackwise_kernel_sizes": [stage.size for stage in stages],
        "stackwise_num_repeats": [stage.repeats for stage in stages],
        "stackwise_input_filters": [variant.stem, *outputs[:-1]],
        "stackwise_output_filters": outputs,
        "stackwise_expansion_ratios": [stage.expansion for stage in stages],
        "stackwise_squeeze_and_excite_ratios": [stage.squeeze_excitation for stage in stages],
        "stackwise_strides": [stage.stride for stage in stages],
        "stackwise_width_coefficients": [variant.width] * count,
        "stackwise_depth_coefficients": [variant.depth] * count,
        "stackwise_block_types": ["v1"] * count,
    }
