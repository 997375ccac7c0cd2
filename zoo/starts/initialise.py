"""A preset and a network that start from pretrained weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from zoo.errors import ZooError
from zoo.finding import Finding, counted, first_few
from zoo.preset.batch_rule import NORM
from zoo.preset.loading import summaries
from zoo.preset.preset import Preset
from zoo.starts.pretrained import Pretrained
from zoo.starts.shapes import variable_shapes
from zoo.training.layer_groups import top_weights

INIT, CLASSES, LENGTH = "recipe.init", "architecture.num_classes", "data.max_length"
HEAD, WIDTH = "architecture.head_dim", "architecture.hidden_dim"
FOLLOWING = (CLASSES, "architecture.vocabulary_size")  # the data, or the tokenizer, say them
# What comes with weights and may still be set: a network takes images of any size.
ADVISED = (CLASSES, "architecture.image_size", "data.center_fraction")
ALIKE = {NORM: {"batch", "sync-batch"}}  # values under which weights are the same network
# Layers, and variables, that pretrained encoders have not.
HEADS = ("logits", "head", "transform", "transform_norm")
TABLE, OUTPUT_BIAS = "embedding/embeddings", "embedding/bias"
# Families that have the encoder of another, in its names: either is a start of the other.
ENCODERS = {"transformer", "transformer_mlm"}


def with_start(
    preset: Preset, start: Pretrained, fixed: Collection[str]
) -> tuple[Preset, list[Finding]]:
    """Return a preset with what its start decides: architecture, tokenizer or pixels, sizes.

    Args:
        preset: with what was set in it.
        start: where its weights come from.
        fixed: the keys that were set.

    Raises:
        ZooError: the start is of another family, or a key was set to what the weights do not have.
    """
    if start.model != preset.model and not {start.model, preset.model} <= ENCODERS:
        raise ZooError(
            f"--init {start.source}: is a {start.model}, and a {preset.model} cannot start from "
            f"it. Train {start.model}, or name a run of {preset.model}."
        )
    own = preset.values()
    if own.get("data.vectors"):
        raise ZooError(
            f"{INIT} {start.source} and data.vectors {own['data.vectors']} both say how the table "
            "of words starts: leave one out."
        )
    decided = {
        key: value
        for key, value in start.values.items()
        if key in own and not (key in ALIKE and {own[key], value} <= ALIKE[key])
    }
    for key in decided.keys() & set(fixed):
        if key not in ADVISED and own[key] != decided[key]:
            raise ZooError(
                f"{key}={own[key]} was set, and the weights of {INIT} {start.source} have "
                f"{decided[key]}. Leave it out: it comes with them."
            )
    if own.get(HEAD) and own[HEAD] == own.get(WIDTH) and WIDTH in decided:
        decided.setdefault(HEAD, decided[WIDTH])  # a head as wide as the features
    decided = {key: value for key, value in decided.items() if key not in fixed}
    length = decided.get(LENGTH, own.get(LENGTH, 0))
    if start.longest is not None and length > start.longest:
        if LENGTH in fixed:
            raise ZooError(
                f"{LENGTH}={length} was set, and the weights of {INIT} {start.source} have "
                f"{start.longest:,} positions. Set no more."
            )
        decided[LENGTH] = start.longest
    started = preset.override(decided)
    changed = {
        key: value
        for key, value in started.values().items()
        if value != own[key] and key not in FOLLOWING
    }
    return started, _decided(start, changed) + _made_for(preset, start, fixed)


def initialise(
    model: keras.Model, preset: Preset, start: Pretrained, classes: Sequence[Any] | None
) -> list[Finding]:
    """Set the weights of a network to those of a start.

    A head that is not its own stays random, and so do the topmost blocks that the recipe resets.

    Args:
        model: built from the preset.
        preset: the resolved one.
        start: with weights.
        classes: the labels of the data; None where nobody knows them.

    Raises:
        ZooError: the start lacks a variable of the network, or has another shape for it.
    """
    new = _new_head(preset, start, classes)
    tuning = preset.recipe.fine_tuning
    if tuning.name == "by-block" and tuning.reset_blocks:
        new |= top_weights(model, tuning.reset_blocks).keys()
    kept = []
    for variable in model.weights:
        if variable.path in new or (
            variable.path not in start.weights
            and (variable.path.split("/")[0] in HEADS or variable.path == OUTPUT_BIAS)
        ):
            kept.append(variable)
            continue
        if variable.path not in start.weights:
            raise ZooError(
                f"{INIT} {start.source}: has no weights for '{variable.path}' of this "
                f"{preset.model}. It has: {first_few(start.weights, len(start.weights))}."
            )
        value = start.weights[variable.path]
        if variable.path == TABLE and start.model != preset.model:
            value = _of_family(value, variable, start)
        if value.shape != tuple(variable.shape):
            raise ZooError(
                f"{INIT} {start.source}: '{variable.path}' has shape {value.shape}, and this "
                f"{preset.model} has {tuple(variable.shape)}. Leave out what was set of the "
                "architecture."
            )
        variable.assign(value)
    started = sum(int(np.prod(v.shape)) for v in model.weights) - _size(kept)
    what = f"{INIT} {start.source}: {started:,} weights start from {start.origin}"
    what += f", {_size(kept):,} at random: {_layers(kept)}." if kept else ", the head among them."
    evidence = {"source": start.source, "weights": started, "random": _size(kept)}
    return [Finding("info", what, evidence | {"sha256": start.sha256})]


def _of_family(table: np.ndarray, variable: Any, start: Pretrained) -> np.ndarray:
    """Return the rows of a table that a network of another family has: not that of the mask.

    Args:
        table: of the start, `(rows, features)`.
        variable: of the network.
        start: where it comes from.

    Raises:
        ZooError: the mask has no row in it.
    """
    rows = variable.shape[0]
    if rows > len(table):
        raise ZooError(
            f"{INIT} {start.source}: its tokenizer has no token that hides another, so that no "
            "masked language model starts from it. Start at random, or from weights that have one."
        )
    return table[:rows]


def _layers(variables: Sequence[Any]) -> str:
    paths = [variable.path for variable in variables]
    names = (path if path == OUTPUT_BIAS else path.split("/")[0] for path in paths)
    return ", ".join(dict.fromkeys(names))


def _size(variables: Sequence[Any]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def _new_head(preset: Preset, start: Pretrained, classes: Sequence[Any] | None) -> set[str]:
    """Return the variables whose shapes follow the classes, where those of a start are others."""
    number = preset.values().get(CLASSES)
    same = classes is None or start.classes is None or list(classes) == list(start.classes)
    if number is None or (same and len(start.classes or range(number)) == number):
        return set()
    shapes = [
        variable_shapes(preset.override({CLASSES: count}).values(), preset.model)
        for count in (number, number + 1)
    ]
    return {path for path, shape in shapes[0].items() if shapes[1].get(path) != shape}


def _decided(start: Pretrained, changed: Mapping[str, Any]) -> list[Finding]:
    if not changed:
        return []
    listed = ", ".join(f"{key} {value}" for key, value in changed.items())
    number = counted(len(changed), "value comes", "values come")
    return [Finding("info", f"{INIT} {start.source}: {number} with it: {listed}.", dict(changed))]


def _made_for(preset: Preset, start: Pretrained, fixed: Collection[str]) -> list[Finding]:
    """Return the preset that is made for a start which was named with another one."""
    if INIT not in fixed:
        return []
    heads = [head.name for head in summaries(preset.model) if head.init == start.source]
    if not heads or preset.name in heads:
        return []
    what = f"{INIT} {start.source}: the recipe is that of preset {preset.name}"
    what += f"; {heads[0]} is made for these weights."
    return [Finding("info", what, {"presets": heads}, f"--preset {heads[0]} fine-tunes them.")]
