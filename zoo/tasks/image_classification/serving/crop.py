"""The center crop in a graph of TensorFlow, with the arithmetic of Pillow 13: the same pixels.

Source: `Resample.c` and `Reduce.c` of Pillow 13, https://github.com/python-pillow/Pillow.
"""

from __future__ import annotations

import tensorflow as tf

from zoo.tasks.image_classification.image import SHARP

MARGIN = 0.5  # pixels of the result that the bilinear filter reaches beyond the crop
BITS = 22  # behind the point of a weight


@tf.autograph.experimental.do_not_convert
def center_crop(image: tf.Tensor, size: int, fraction: float) -> tf.Tensor:
    """Return the center crop of `image.center_crop`, in whole numbers.

    The crop may begin and end within a pixel, and a large one is first averaged. No float
    copy of the whole image is made.

    Args:
        image: uint8 `(height, width, 3)`.
        size: height and width of the result, in pixels.
        fraction: share of the shorter side that the crop takes, in (0, 1].

    Returns:
        float32 `(size, size, 3)`.
    """
    sides = tf.cast(tf.shape(image)[:2], tf.float64)
    side = fraction * tf.reduce_min(sides)
    first = (sides - side) / 2
    last = first + side
    scale = (last - first) / size  # `side / size` may be another number in its last bit
    factors = tf.maximum(tf.cast(scale / SHARP, tf.int32), 1)

    def reduced() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        begin = tf.floor(tf.maximum(first - MARGIN * scale, 0.0))
        end = tf.minimum(tf.math.ceil(last + MARGIN * scale), sides)
        rows, columns = (tf.cast(tf.stack([begin[i], end[i]]), tf.int32) for i in (0, 1))
        part = image[rows[0] : rows[1], columns[0] : columns[1]]
        shrink = tf.cast(factors, tf.float64)
        return _averaged(part, factors), (first - begin) / shrink, (last - begin) / shrink

    image, first, last = tf.cond(tf.reduce_any(factors > 1), reduced, lambda: (image, first, last))
    height, width, _ = tf.unstack(tf.shape(image))
    rows, row_weights = _taps(first[0], last[0], size, height)
    columns, column_weights = _taps(first[1], last[1], size, width)
    image = image[rows[0, 0] : rows[-1, -1] + 1, columns[0, 0] : columns[-1, -1] + 1]

    def resampled_rows(image: tf.Tensor) -> tf.Tensor:
        return _resampled(image, rows - rows[0, 0], row_weights)

    def resampled_columns(image: tf.Tensor) -> tf.Tensor:
        turned = tf.transpose(image, [1, 0, 2])
        return tf.transpose(_resampled(turned, columns - columns[0, 0], column_weights), [1, 0, 2])

    image = tf.cond(
        height - size > tf.maximum(2 * (width - size), 0),  # since Pillow 13
        lambda: resampled_columns(resampled_rows(image)),
        lambda: resampled_rows(resampled_columns(image)),
    )
    return tf.cast(image, tf.float32)


def _averaged(image: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Return the means of so many rows and columns each; the last ones may be of fewer."""
    height, width, _ = tf.unstack(tf.shape(image))
    cells = -(-width // factors[1])
    columns = tf.minimum(factors[1], width - tf.range(cells) * factors[1])

    def strip(top: tf.Tensor) -> tf.Tensor:  # all at once it would take four times the memory
        total = tf.reduce_sum(tf.cast(image[top : top + factors[0]], tf.int32), axis=0)
        total = tf.pad(total, [[0, cells * factors[1] - width], [0, 0]])
        total = tf.reduce_sum(tf.reshape(total, [cells, factors[1], 3]), axis=1)
        pixels = tf.minimum(factors[0], height - top) * columns
        # Pillow multiplies by the inverse in 24 bits, which is not as exact as a division.
        inverse = tf.cast(2.0**24 / tf.cast(pixels, tf.float32), tf.int64)
        mean = tf.cast(total + (pixels // 2)[:, None], tf.int64) * inverse[:, None]
        return tf.cast(tf.bitwise.right_shift(mean, tf.constant(24, tf.int64)), tf.uint8)

    return tf.map_fn(strip, tf.range(0, height, factors[0]), fn_output_signature=tf.uint8)


def _taps(
    first: tf.Tensor, last: tf.Tensor, size: int, side: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which pixels of an axis make each of the result, and their weights.

    Args:
        first: where the crop begins, float64.
        last: where it ends.
        size: pixels of the result.
        side: pixels of the axis.

    Returns:
        Two int32 `(size, pixels)`: positions, and weights of which `2 ** BITS` is 1.
    """
    first, last = tf.cast(first, tf.float32), tf.cast(last, tf.float32)  # as Pillow's boxes
    scale = tf.cast(last - first, tf.float64) / size
    reach = tf.maximum(scale, 1.0)
    center = tf.cast(first, tf.float64) + (tf.range(size, dtype=tf.float64) + 0.5) * scale
    low = tf.maximum(tf.cast(center - reach + 0.5, tf.int32), 0)
    high = tf.minimum(tf.cast(center + reach + 0.5, tf.int32), side)
    positions = low[:, None] + tf.range(tf.reduce_max(high - low))
    offsets = tf.cast(positions, tf.float64) - center[:, None] + 0.5
    weights = tf.maximum(1.0 - tf.abs(offsets * (1.0 / reach)), 0.0)
    weights = tf.where(positions < high[:, None], weights, 0.0)
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    positions = tf.minimum(positions, high[:, None] - 1)
    return positions, tf.cast(weights * 2**BITS + 0.5, tf.int32)


def _resampled(image: tf.Tensor, rows: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Return uint8 weighted sums of some rows each, `(size, width, 3)`."""

    def add(tap: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.cast(tf.gather(image, rows[:, tap]), tf.int32)
        return tap + 1, total + pixels * weights[:, tap, None, None]

    total = tf.fill([tf.shape(rows)[0], tf.shape(image)[1], 3], 1 << (BITS - 1))
    _, total = tf.while_loop(lambda tap, _: tap < tf.shape(rows)[1], add, [0, total])
    return tf.cast(tf.bitwise.right_shift(total, BITS), tf.uint8)
