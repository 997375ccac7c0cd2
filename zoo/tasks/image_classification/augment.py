"""Random changes of batches of training images: the same key gives the same ones.

Shifts and flips are NumPy on bytes, in a few hundredths of the time of Keras' layers; RandAugment
is in a module of its own; the rest are Keras' layers, in `tf.data`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.targets import Targets
from zoo.tasks.image_classification.settings import ImageData

ERASED = (0.02, 0.33)  # share of the area of an erased rectangle (Zhong 2017)


def shift(images: np.ndarray, border: int, fill: Any, uniforms: np.ndarray) -> np.ndarray:
    """Return each image moved by up to `border` pixels: a random crop of it with a border.

    Args:
        images: uint8 `(batch, height, width, 3)`.
        border: pixels on each side.
        fill: colour of the border, in [0, 255]; None reflects the image.
        uniforms: two numbers in [0, 1) an image, down and right, `(batch, 2)`.

    Returns:
        uint8 `(batch, height, width, 3)`.
    """
    count, height, width, channels = images.shape
    if fill is None:
        sides = ((0, 0), (border, border), (border, border), (0, 0))
        padded = np.pad(images, sides, mode="reflect")
    else:
        shape = (count, height + 2 * border, width + 2 * border, channels)
        padded = np.empty(shape, np.uint8)
        padded[:] = np.asarray(fill, np.float64).round().astype(np.uint8)
        padded[:, border : border + height, border : border + width] = images
    offsets = (uniforms * (2 * border + 1)).astype(np.int64)
    moved = np.empty_like(images)
    for position, (down, right) in enumerate(offsets):
        moved[position] = padded[position, down : down + height, right : right + width]
    return moved


def flip_left_right(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the images, the chosen ones mirrored left to right."""
    flipped = images.copy()
    flipped[chosen] = images[chosen, :, ::-1]
    return flipped


class KeyedSeeds(keras.random.SeedGenerator):
    """Seeds that follow from a key, for Keras layers: the same key gives the same ones again.

    Args:
        key: int64 `(2,)`, a tensor of a `tf.data` graph.
    """

    def __init__(self, key: tf.Tensor):
        # Without Keras' own `__init__`: it makes a variable, which a graph of `tf.data` cannot.
        self._key = tf.cast(tf.math.floormod(key, 2**31), tf.int32)
        self._count = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Return another seed, uint32 `(2,)`."""
        self._count += 1
        return tf.cast(self._key + tf.constant([0, 7919 * self._count], tf.int32), tf.uint32)


def augmentations(
    stages: Sequence[ImageData], targets: Targets
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], Any] | None:
    """Return `augmentation` of the stages of a run, of which a batch names its own.

    Args:
        stages: the preset's data block, as it is in each of them.
        targets: what the ids of the labels stand for.

    Returns:
        From images, ids, a key and the int32 number of the stage to images and targets; None where
        there is no change.
    """
    shares = stages[-1].blends
    one = len({(settings.mixup, settings.cutmix) for settings in stages}) == 1
    made = [augmentation(settings, targets, shares) for settings in stages[-1 if one else 0 :]]
    functions = [function for function in made if function is not None]
    if not functions:
        return None

    def augment(images: tf.Tensor, labels: tf.Tensor, key: tf.Tensor, stage: tf.Tensor) -> Any:
        if one:
            return functions[0](images, labels, key)
        branches = [functools.partial(each, images, labels, key) for each in functions]
        return tf.switch_case(stage, branches)

    return augment


def augmentation(
    settings: ImageData, targets: Targets, shares: bool | None = None
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]] | None:
    """Return the changes that Keras' layers make to a batch, or None when they make none.

    Args:
        settings: the preset's data block.
        targets: what the ids of the labels stand for.
        shares: whether targets are float32 `(batch, classes)` though no image is blended; None is
            where some are.

    Returns:
        From images `(batch, height, width, 3)` in [0, 255], int32 ids `(batch,)` and an int64 key
        `(2,)` to float32 images and targets; those of blends are float32 `(batch, classes)`.
    """
    single = _single_layers(settings)
    blends: list[Any] = [keras.layers.MixUp(settings.mixup)] if settings.mixup else []
    if settings.cutmix:  # a range: with one number Keras samples alpha, too
        blends.append(keras.layers.CutMix((settings.cutmix, settings.cutmix)))
    shares = bool(blends) if shares is None else shares
    if not single and not shares:
        return None

    @tf.autograph.experimental.do_not_convert
    def augment(images: tf.Tensor, labels: tf.Tensor, key: tf.Tensor) -> Any:
        seeds = KeyedSeeds(key)
        images = tf.cast(images, tf.float32)
        for layer in single:
            images = _seeded(layer, seeds)(images, training=True)
        images = tf.clip_by_value(images, 0.0, 255.0)
        if not blends:
            return images, targets.shares(labels) if shares else targets.batch(labels)
        batch = {"images": images, "labels": targets.shares(labels)}
        choice = tf.random.stateless_uniform([], tf.cast(seeds.next(), tf.int32)) * len(blends)
        branches = [lambda layer=layer: _blended(layer, seeds, batch) for layer in blends]
        return tf.switch_case(tf.cast(choice, tf.int32), branches)

    return augment


def _single_layers(settings: ImageData) -> list[Any]:
    layers: list[Any] = []
    if settings.color_jitter:
        layers.append(_color_jitter(settings.color_jitter))
    if settings.erasing:  # a range: with one number Keras samples the share, too
        layers.append(
            keras.layers.RandomErasing(factor=(settings.erasing, settings.erasing), scale=ERASED)
        )
    return layers


def _color_jitter(strength: float) -> Any:
    """Return the layer that multiplies contrast and saturation by 1 - strength to 1 + strength.

    Brightness moves by up to half of that share of the scale, about as much for a middling image.
    """
    # Keras' saturation f stands for a product of f / (1 - f): .5 changes nothing.
    low, high = ((1 + sign * strength) / (2 + sign * strength) for sign in (-1, 1))
    return keras.layers.RandomColorJitter(
        brightness_factor=(-strength / 2, strength / 2),
        contrast_factor=(strength, strength),
        saturation_factor=(low, high),
    )


def _blended(layer: Any, seeds: KeyedSeeds, batch: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
    blend = _seeded(layer, seeds)(dict(batch), training=True)
    return tf.cast(blend["images"], tf.float32), tf.cast(blend["labels"], tf.float32)


def _seeded(layer: Any, seeds: KeyedSeeds) -> Any:
    """Return a layer that takes its seeds from a key, with all the layers in it.

    Keras 3.15.1's layers take them from `generator`.
    """
    for inner in [layer, *layer._flatten_layers(include_self=False)]:
        if hasattr(inner, "generator"):
            inner.generator = seeds
    return layer
