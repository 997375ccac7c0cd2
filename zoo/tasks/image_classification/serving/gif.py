"""The first image of a GIF file in a graph of TensorFlow, whose decoder decodes them all.

That takes the memory of all images, of which a small file may have thousands; and their width and
height, which need not be those of the file's header.

Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import tensorflow as tf

EXTENSION = 0x21  # the first byte of a block that comes before an image
DESCRIPTOR = 10  # bytes that describe an image, before its colours


def first_sides(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return width and height of the first image of a GIF file, int64."""
    values = _values(content)
    start = _first_image(values)
    sides = tf.cast(values[start + 5 : start + 9], tf.int64)
    return sides[0] + 256 * sides[1], sides[2] + 256 * sides[3]


def first_image(content: tf.Tensor) -> tf.Tensor:
    """Return a GIF file without what comes after its first image."""
    values = _values(content)
    start = _first_image(values)
    end = _skipped(values, start + DESCRIPTOR + _colours(values[start + 9]) + 1)
    return tf.strings.join([tf.strings.substr(content, 0, end - 1), b"\x00;"])


def _values(content: tf.Tensor) -> tf.Tensor:
    """Return the bytes of a file, int32, and zeros after them, for it may end anywhere."""
    return tf.pad(tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int32), [[0, 1024]])


def _first_image(values: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(
        lambda start: tf.equal(tf.gather(values, start), EXTENSION),
        lambda start: [_skipped(values, start + 2)],
        [13 + _colours(values[10])],
    )[0]


def _colours(flags: tf.Tensor) -> tf.Tensor:
    """Return the number of bytes of a table of colours; 0 where the flags have none."""
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)


def _skipped(values: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Return where parts end that begin with their sizes, the last one empty."""
    last = tf.size(values) - 256
    end = tf.while_loop(
        lambda end: tf.gather(values, end) > 0,
        lambda end: [end + 1 + tf.gather(values, end)],
        [tf.minimum(start, last)],
    )[0]
    return tf.minimum(end, last) + 1
