"""Training images changed at random, the same way again for the same key.

Crops and flips are numpy on bytes, a few hundredths of the time of Keras' layers; RandAugment is a
module of its own; the rest are Keras' own layers, in `tf.data`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.tasks.image_classification.settings import ImageData

ERASED = (0.02, 0.33)  # share of the area of an erased rectangle (Zhong 2017)


def shifted(images: np.ndarray, border: int, fill: Any, draws: np.ndarray) -> np.ndarray:
    """Return each image moved by up to `border` pixels: a random crop of it with a border.

    Args:
        images: uint8 `(batch, height, width, 3)`.
        border: pixels on each side.
        fill: colour of the border; None reflects the image.
        draws: two numbers in [0, 1) an image, down and right.
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
    moves = (draws * (2 * border + 1)).astype(np.int64)
    found = np.empty_like(images)
    for number, (down, right) in enumerate(moves):
        found[number] = padded[number, down : down + height, right : right + width]
    return found


def flipped(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the images, the chosen ones mirrored left to right."""
    found = images.copy()
    found[chosen] = images[chosen, :, ::-1]
    return found


class KeyedSeeds(keras.random.SeedGenerator):
    """Seeds that follow from a key: a Keras layer that draws from it draws the same again.

    Args:
        key: int64 `(2,)`, a tensor of a `tf.data` graph.
    """

    def __init__(self, key: tf.Tensor):
        # Not Keras' own beginning: it makes a variable, which a graph of `tf.data` cannot.
        self._key = tf.cast(tf.math.floormod(key, 2**31), tf.int32)
        self._drawn = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Return another seed, uint32 `(2,)`."""
        self._drawn += 1
        return tf.cast(self._key + tf.constant([0, 7919 * self._drawn], tf.int32), tf.uint32)


def augmentation(
    settings: ImageData, num_classes: int
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]] | None:
    """Return what Keras' layers do to a batch, or None when they do nothing.

    Args:
        settings: the preset's data block.
        num_classes: of the labels.

    Returns:
        From images `(batch, height, width, 3)` in [0, 255], int32 labels `(batch,)` and an int64
        key `(2,)` to float32 images and labels; blended labels are float32 `(batch, classes)`.
    """
    single = _single_layers(settings)
    blends: list[Any] = [keras.layers.MixUp(settings.mixup)] if settings.mixup else []
    if settings.cutmix:  # a range: of one number Keras draws alpha itself at random
        blends.append(keras.layers.CutMix((settings.cutmix, settings.cutmix)))
    if not single and not blends:
        return None

    @tf.autograph.experimental.do_not_convert
    def augment(images: tf.Tensor, labels: tf.Tensor, key: tf.Tensor) -> Any:
        seeds = KeyedSeeds(key)
        images = tf.cast(images, tf.float32)
        for layer in single:
            images = _seeded(layer, seeds)(images, training=True)
        images = tf.clip_by_value(images, 0.0, 255.0)
        if not blends:
            return images, labels
        batch = {"images": images, "labels": tf.one_hot(labels, num_classes)}
        drawn = tf.random.stateless_uniform([], tf.cast(seeds.next(), tf.int32)) * len(blends)
        choices = [lambda each=each: _blended(each, seeds, batch) for each in blends]
        return tf.switch_case(tf.cast(drawn, tf.int32), choices)

    return augment


def _single_layers(settings: ImageData) -> list[Any]:
    found: list[Any] = []
    if settings.color_jitter:
        found.append(_color_jitter(settings.color_jitter))
    if settings.erasing:  # a range: of one number Keras draws the share itself at random
        found.append(
            keras.layers.RandomErasing(factor=(settings.erasing, settings.erasing), scale=ERASED)
        )
    return found


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
    found = _seeded(layer, seeds)(dict(batch), training=True)
    return tf.cast(found["images"], tf.float32), tf.cast(found["labels"], tf.float32)


def _seeded(layer: Any, seeds: KeyedSeeds) -> Any:
    """Return a layer that draws from a key, with all the layers in it.

    `generator` is where Keras 3.15.1's layers draw from.
    """
    for each in [layer, *layer._flatten_layers(include_self=False)]:
        if hasattr(each, "generator"):
            each.generator = seeds
    return layer
