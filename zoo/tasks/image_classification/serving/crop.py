"""The middle square of an image in a graph of TensorFlow, as `image.center_part`."""

from __future__ import annotations

import tensorflow as tf

from zoo.tasks.image_classification.image import SHARP

SUPPORT = 0.5  # of the bilinear filter, beyond a pixel and in pixels of the result


@tf.autograph.experimental.do_not_convert
def center_part(image: tf.Tensor, size: int, fraction: float) -> tf.Tensor:
    """Return float32 `(size, size, 3)`, whole numbers: those of Pillow, where no tie is rounded.

    As Pillow's `resize` does with a box and a `reducing_gap`: the square may begin and end within
    a pixel, and a large one is first averaged. No float copy of the whole image is made.

    Args:
        image: uint8 `(height, width, 3)`.
        size: height and width of the result.
        fraction: share of the shorter side that the square takes, in (0, 1].
    """
    sides = tf.cast(tf.shape(image)[:2], tf.float64)
    side = fraction * tf.reduce_min(sides)
    first = (sides - side) / 2
    factor = tf.maximum(tf.cast(side / size / SHARP, tf.int32), 1)

    def reduced() -> tuple[tf.Tensor, tf.Tensor]:
        margin = SUPPORT * side / size
        begin = tf.cast(tf.maximum(first - margin, 0.0), tf.int32)
        end = tf.cast(tf.minimum(tf.math.ceil(first + side + margin), sides), tf.int32)
        part = image[begin[0] : end[0], begin[1] : end[1]]
        mean = tf.floor(_averaged(_averaged(part, factor, 0), factor, 1) + 0.5)
        return mean, (first - tf.cast(begin, tf.float64)) / tf.cast(factor, tf.float64)

    image, first = tf.cond(factor > 1, reduced, lambda: (tf.cast(image, tf.float32), first))
    scale = tf.cast(size / (side / tf.cast(factor, tf.float64)), tf.float32)
    moved = -tf.cast(first, tf.float32) * scale
    for axis in (1, 0):  # rounded in between, as Pillow does
        one = tf.constant([axis == 0, axis == 1])
        sides = tf.where(one, size, tf.shape(image)[:2])
        scales, shifts = tf.where(one, scale, 1.0), tf.where(one, moved, 0.0)
        image = tf.floor(_scaled(image, sides, scales, shifts, "triangle") + 0.5)
    return image


def _averaged(image: tf.Tensor, factor: tf.Tensor, axis: int) -> tf.Tensor:
    """Return the means of so many rows (axis 0) or columns each; the last may be of fewer."""
    sides = tf.shape(image)[:2]
    cells = sides[axis] // factor
    whole, rest = tf.split(image, [cells * factor, sides[axis] - cells * factor], axis)
    one = tf.constant([axis == 0, axis == 1])
    scale = tf.where(one, 1 / tf.cast(factor, tf.float32), 1.0)
    mean = _scaled(whole, tf.where(one, cells, sides), scale, tf.zeros(2), "box")
    last = tf.reduce_mean(tf.cast(rest, tf.float32), axis, keepdims=True)
    return tf.cond(tf.size(rest) > 0, lambda: tf.concat([mean, last], axis), lambda: mean)


def _scaled(
    image: tf.Tensor, sides: tf.Tensor, scale: tf.Tensor, moved: tf.Tensor, kernel: str
) -> tf.Tensor:
    scaled = tf.raw_ops.ScaleAndTranslate(
        images=image[None], size=sides, scale=scale, translation=moved, kernel_type=kernel,
        antialias=True,
    )  # fmt: skip
    return scaled[0]
