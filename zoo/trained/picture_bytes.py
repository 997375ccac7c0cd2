"""From the bytes of a picture's file to pixels in a graph of TensorFlow, as `open_picture` does."""

from __future__ import annotations

import tensorflow as tf

ORIENTATION = 0x0112  # the tag of EXIF
ENTRY = 12  # bytes of a tag: its number, type and count, and then its value
# What stands before the EXIF data, by the first byte of the file, and how many bytes more.
MARKERS = {0xFF: (b"Exif\x00\x00", 0), 0x89: (b"eXIf", 0), ord("R"): (b"EXIF", 4)}
LITTLE, BIG = b"II*\x00", b"MM\x00*"


@tf.autograph.experimental.do_not_convert
def decode_picture(content: tf.Tensor) -> tf.Tensor:
    """Return float32 pixels `(height, width, 3)` in [0, 255], upright, transparent parts white.

    The first picture of an animation. The transparency of a GIF and of a PNG whose colours are not
    in a palette but have a transparent one is not read.

    Args:
        content: bytes of a JPEG, PNG, WebP, BMP or GIF file.
    """
    # `decode_image` takes the fast transform for a JPEG, which is off by up to 4 of 255.
    image = tf.cond(
        tf.io.is_jpeg(content),
        lambda: tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(content, channels=0, expand_animations=False),
    )
    image.set_shape([None, None, None])
    return upright(_on_white(tf.cast(image, tf.float32)), orientation(content))


def _on_white(image: tf.Tensor) -> tf.Tensor:
    """Return red, green and blue of grey, grey and alpha, colours, or colours and alpha."""
    channels = tf.shape(image)[2]
    alpha = tf.cond(
        channels % 2 == 0, lambda: image[..., -1:] / 255.0, lambda: tf.ones_like(image[..., :1])
    )
    colours = image[..., : channels - (1 - channels % 2)]
    colours = tf.broadcast_to(colours, tf.concat([tf.shape(image)[:2], [3]], axis=0))
    return tf.round(colours * alpha + 255.0 * (1.0 - alpha))


def upright(image: tf.Tensor, turned: tf.Tensor) -> tf.Tensor:
    """Return a picture as it is to be seen.

    Args:
        image: `(height, width, channels)` as stored.
        turned: its orientation in the sense of EXIF, 1 to 8.
    """
    image = tf.cond(turned >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    for axis, kinds in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        mirrored = tf.reduce_any(tf.equal(turned, tf.constant(kinds)))
        image = tf.where(mirrored, tf.reverse(image, [axis]), image)
    return image


def orientation(content: tf.Tensor) -> tf.Tensor:
    """Return the orientation that the EXIF data of a file name, int32; 1 where there is none."""
    first = tf.io.decode_raw(tf.strings.substr(content, 0, 1), tf.uint8)
    found = tf.constant(b"")
    for byte, (marker, more) in MARKERS.items():
        here = _after(content, marker, more)
        found = tf.where(tf.reduce_any(tf.equal(first, byte)), here, found)
    head = tf.strings.substr(found, 0, 4)
    known = tf.logical_or(tf.equal(head, LITTLE), tf.equal(head, BIG))
    return tf.cond(known, lambda: _named(found, tf.equal(head, LITTLE)), lambda: tf.constant(1))


def _after(content: tf.Tensor, marker: bytes, more: int) -> tf.Tensor:
    """Return what follows a marker and some bytes more; nothing where it is not there."""
    rest = tf.strings.split([content], marker, maxsplit=1).flat_values[1:]
    rest = tf.strings.reduce_join(rest)
    rest = tf.cond(
        tf.strings.length(rest) >= more,
        lambda: tf.strings.substr(rest, more, 1 << 16),
        lambda: tf.constant(b""),
    )
    return tf.strings.regex_replace(rest, r"\AExif\x00\x00", "")


def _named(tags: tf.Tensor, little: tf.Tensor) -> tf.Tensor:
    """Return the orientation of the first directory of tags; 1 where it names none."""
    values = tf.cast(tf.io.decode_raw(tags, tf.uint8), tf.int32)
    values = tf.pad(values, [[0, 8]])  # the header may be cut off anywhere

    def numbers(some: tf.Tensor) -> tf.Tensor:
        low, high = some[..., 0], some[..., 1]
        return tf.where(little, low + 256 * high, 256 * low + high)

    # The directory's place is a number of four bytes; none lies beyond the first 64 KB here.
    place = numbers(tf.where(little, values[4:6], values[6:8]))
    place = tf.minimum(place, tf.size(values) - 2)
    entries = values[place + 2 : place + 2 + ENTRY * numbers(values[place : place + 2])]
    entries = tf.reshape(entries[: tf.size(entries) // ENTRY * ENTRY], [-1, ENTRY])
    asked = tf.boolean_mask(numbers(entries[:, 8:10]), numbers(entries[:, :2]) == ORIENTATION)
    turned = tf.concat([asked, [1]], axis=0)[0]
    return tf.where(tf.logical_and(turned >= 1, turned <= 8), turned, 1)
