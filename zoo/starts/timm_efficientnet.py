"""timm's EfficientNets: which are read, and the name map of their layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from zoo.models.efficientnet import VARIANTS
from zoo.models.mobile_blocks import MobileStage

TENSORFLOW = "tf_"  # weights that TensorFlow made, with its border and its epsilon
# Name to variant.
EFFICIENTNETS = {
    f"{prefix}efficientnet{'' if variant == 'v2-s' else '_'}{variant.replace('-', '_')}": variant
    for prefix in ("", TENSORFLOW)
    for variant in VARIANTS
}
BLOCK = re.compile(r"blocks\.(\d+)\.(\d+)\.(.+)")
ENDS = {
    "conv_stem": "stem_conv",
    "bn1": "stem_norm",
    "conv_head": "top_conv",
    "bn2": "top_norm",
    "classifier": "logits",
}
GATES = {"se.conv_reduce": "se/reduce", "se.conv_expand": "se/expand"}
# What the layers of a block are called, by what it is made of.
EXPANDED = {
    "conv_pw": "expand_conv", "bn1": "expand_norm", "conv_dw": "depthwise_conv",
    "bn2": "depthwise_norm", "conv_pwl": "project_conv", "bn3": "project_norm", **GATES,
}  # fmt: skip
PLAIN = {
    "conv_dw": "depthwise_conv", "bn1": "depthwise_norm", "conv_pw": "project_conv",
    "bn2": "project_norm", **GATES,
}  # fmt: skip
FUSED = {
    "conv_exp": "expand_conv", "bn1": "expand_norm", "conv_pwl": "project_conv",
    "bn2": "project_norm",
}  # fmt: skip
FUSED_PLAIN = {"conv": "project_conv", "bn1": "project_norm"}


def efficientnet_layers(name: str) -> Callable[[str], str | None]:
    """Return the name map of an EfficientNet: from a layer of timm to the zoo's, or None.

    Args:
        name: of `EFFICIENTNETS`.
    """
    parts = [_parts(stage) for stage in VARIANTS[EFFICIENTNETS[name]].stages]

    def layer_of(layer: str) -> str | None:
        match = BLOCK.fullmatch(layer)
        if match is None:
            return ENDS.get(layer)
        stage, block, part = int(match[1]), int(match[2]), match[3]
        own = parts[stage].get(part) if stage < len(parts) else None
        return own and f"stage{stage + 1}_block{block + 1}_{own}"

    return layer_of


def _parts(stage: MobileStage) -> dict[str, str]:
    """Return the names of the layers of a stage's blocks."""
    if stage.fused:
        return FUSED if stage.expansion > 1 else FUSED_PLAIN
    return EXPANDED if stage.expansion > 1 else PLAIN


def efficientnet_values(name: str) -> dict[str, Any]:
    """Return the architecture of an EfficientNet, by dotted key of a preset.

    Args:
        name: of `EFFICIENTNETS`.
    """
    tensorflow = name.startswith(TENSORFLOW)
    return {
        "architecture.variant": EFFICIENTNETS[name],
        "architecture.padding": "same" if tensorflow else "symmetric",
        "architecture.norm_epsilon": 1e-3 if tensorflow else 1e-5,
    }
