"""What the layers of a network put out on a batch: how much it varies, and which units are dead."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

DEAD = ("relu", "relu6")  # activations whose units may be zero on every row for good


def layer_outputs(model: keras.Model, x: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Return the deviation of each layer's output, and its share of dead units.

    Args:
        model: functional.
        x: inputs of a batch.

    Returns:
        Standard deviation by layer, of outputs that are not integers; share of units, along the
        last axis, that are zero on every row, of layers that end in a rectifier.
    """
    layers = [layer for layer in model.layers if _has_features(layer)]
    if not layers:
        return {}, {}
    network = keras.Model(model.input, [layer.output for layer in layers])
    outputs = keras.tree.flatten(network(x, training=False))
    deviations, dead = {}, {}
    for layer, output in zip(layers, outputs, strict=True):
        values = np.asarray(output, np.float32)
        deviations[layer.name] = float(values.std())
        if _activation(layer) in DEAD:
            units = values.reshape(-1, values.shape[-1])
            dead[layer.name] = float(np.mean(~np.any(units > 0, axis=0)))
    return deviations, dead


def _has_features(layer: Any) -> bool:
    """Whether a layer has weights, or an activation, and one output of numbers."""
    try:
        output = layer.output
    except (AttributeError, ValueError):
        return False
    if isinstance(output, list | tuple | dict) or not hasattr(output, "dtype"):
        return False
    floating = "float" in str(output.dtype) and len(output.shape) > 1
    return floating and (bool(layer.weights) or isinstance(layer, keras.layers.Activation))


def _activation(layer: Any) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "")
