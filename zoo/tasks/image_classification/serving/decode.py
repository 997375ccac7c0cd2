"""From the bytes of an image's file to pixels in a graph of TensorFlow, as `open_image` does."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from zoo.tasks.image_classification.image import DEEPEST, SHARP
from zoo.tasks.image_classification.serving.gif import first_image

RATIOS = (1, 2, 4, 8)  # by which the decoder of JPEG files may shrink
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"  # inks, not luma and chroma
ORIENTATION = 0x0112  # the tag of EXIF
ENTRY = 12  # bytes of a tag: its number, type and count, and then its value
# What stands before the EXIF data, by the first byte of the file, and how many bytes more.
MARKERS = {0xFF: (b"Exif\x00\x00", 0), 0x89: (b"eXIf", 0), ord("R"): (b"EXIF", 4)}
LITTLE, BIG = b"II*\x00", b"MM\x00*"


@tf.autograph.experimental.do_not_convert
def decode_image(
    content: tf.Tensor, least: int | None = None, deep_scale: int = DEEPEST
) -> tf.Tensor:
    """Return uint8 pixels `(height, width, 3)`, upright, transparent parts white.

    The first image of an animation. The transparency of a GIF and of a PNG whose colours are not
    in a palette but have a transparent one is not read.

    Args:
        content: bytes of a file in which `serving.headers.problem` finds none.
        least: shorter side that is needed, in pixels; see `image.open_image`.
        deep_scale: value of a grey PNG of 16 bits that becomes white.
    """
    gif = tf.equal(tf.strings.substr(content, 0, 4), b"GIF8")

    def decode() -> tf.Tensor:
        single = tf.cond(gif, lambda: first_image(content), lambda: _with_alpha(content))
        return tf.io.decode_image(single, channels=0, expand_animations=False)

    image = tf.case(
        [
            (tf.io.is_jpeg(content), lambda: _decode_jpeg(content, least)),
            (_is_deep(content), lambda: _decode_deep(content, deep_scale)),
        ],
        default=decode,
    )
    image.set_shape([None, None, None])
    return _upright(_on_white(image), orientation(content))


def _decode_jpeg(content: tf.Tensor, least: int | None) -> tf.Tensor:
    """Decode a JPEG at the scale that Pillow's `draft` takes, with the colours Pillow gives it."""
    height, width, channels = tf.unstack(tf.io.extract_jpeg_shape(content))
    # Without Adobe's mark the decoder takes inks as they are, and Pillow as Adobe writes them.
    marked = tf.strings.join(
        [tf.strings.substr(content, 0, 2), ADOBE, tf.strings.substr(content, 2, -1)]
    )
    content = tf.where(channels == 4, marked, content)

    def decode(ratio: int) -> tf.Tensor:
        # The fast transform, which is the default, is off by up to 4 of 255.
        return tf.io.decode_jpeg(content, ratio=ratio, dct_method="INTEGER_ACCURATE")

    if least is None:
        return decode(1)
    spare = tf.minimum(height, width) // round(SHARP * least)
    return tf.switch_case(
        tf.reduce_sum(tf.cast(spare >= RATIOS[1:], tf.int32)),
        [functools.partial(decode, ratio) for ratio in RATIOS],
    )


def _is_deep(content: tf.Tensor) -> tf.Tensor:
    """Whether a file is a PNG of 16 bits grey."""
    starts = tf.equal(tf.strings.substr(content, 1, 3), b"PNG")
    kind = tf.strings.substr(content, tf.where(starts, 24, 0), 2)
    return starts & tf.equal(kind, b"\x10\x00")


def _decode_deep(content: tf.Tensor, deep_scale: int) -> tf.Tensor:
    """Decode a PNG of 16 bits grey to bytes, as `image.to_rgb` does."""
    values = np.minimum(np.arange(DEEPEST + 1) * 255 // deep_scale, 255).astype(np.uint8)
    image = tf.io.decode_png(content, dtype=tf.uint16)
    return tf.gather(tf.constant(values), tf.cast(image, tf.int32))


def _with_alpha(content: tf.Tensor) -> tf.Tensor:
    """Return a file, of an animated WebP with the mark that it has an alpha channel.

    Without the mark TensorFlow 2.21 has three bytes a pixel ready for the first image, and writes
    four: the process dies.
    """
    kind = tf.strings.join([tf.strings.substr(content, at, 4) for at in (0, 8, 12)])
    flags = tf.io.decode_raw(tf.strings.substr(content, 20, 1), tf.uint8)
    animated = tf.equal(kind, b"RIFFWEBPVP8X") & tf.reduce_any(flags // 2 % 2 == 1)
    start, rest = tf.strings.substr(content, 0, 20), tf.strings.substr(content, 21, -1)
    return tf.where(animated, tf.strings.join([start, b"\x12", rest]), content)


def _on_white(image: tf.Tensor) -> tf.Tensor:
    """Return red, green and blue of grey, grey and alpha, colours, or colours and alpha."""
    channels = tf.shape(image)[2]
    image = tf.cond(channels % 2 == 0, lambda: _blended(image), lambda: image)
    return tf.cond(channels < 3, lambda: tf.repeat(image, 3, axis=2), lambda: image)


def _blended(image: tf.Tensor) -> tf.Tensor:
    """Return colours over white; the last channel says how much there is of each."""

    def row(pixels: tf.Tensor) -> tf.Tensor:
        pixels = tf.cast(pixels, tf.uint16)  # 255 * 255 fits
        colours, alpha = pixels[..., :-1], pixels[..., -1:]
        blend = colours * alpha + (255 * (255 - alpha) + 127)
        return tf.cast(blend // 255, tf.uint8)

    return tf.map_fn(row, image, fn_output_signature=tf.uint8)  # at once it takes twice the memory


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Return a stored image `(height, width, channels)` of an EXIF orientation, 1 to 8, upright."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    for axis, kinds in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        mirrored = tf.reduce_any(tf.equal(orientation, tf.constant(kinds)))
        image = tf.cond(
            mirrored, functools.partial(tf.reverse, image, [axis]), lambda image=image: image
        )
    return image


def orientation(content: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the EXIF data of a file, int32; 1 where there is none."""
    first = tf.io.decode_raw(tf.strings.substr(content, 0, 1), tf.uint8)
    tags = tf.constant(b"")
    for byte, (marker, more) in MARKERS.items():
        tags = tf.where(tf.reduce_any(tf.equal(first, byte)), _after(content, marker, more), tags)
    head = tf.strings.substr(tags, 0, 4)
    known = tf.logical_or(tf.equal(head, LITTLE), tf.equal(head, BIG))
    return tf.cond(
        known, lambda: _tagged_orientation(tags, tf.equal(head, LITTLE)), lambda: tf.constant(1)
    )


def _after(content: tf.Tensor, marker: bytes, more: int) -> tf.Tensor:
    """Return what follows a marker and `more` bytes; an empty string without the marker."""
    rest = tf.strings.split([content], marker, maxsplit=1).flat_values[1:]
    rest = tf.strings.reduce_join(rest)
    rest = tf.cond(
        tf.strings.length(rest) >= more,
        lambda: tf.strings.substr(rest, more, 1 << 16),
        lambda: tf.constant(b""),
    )
    return tf.strings.regex_replace(rest, r"\AExif\x00\x00", "")


def _tagged_orientation(tags: tf.Tensor, little: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the first directory of tags; 1 where it has none."""
    values = tf.cast(tf.io.decode_raw(tags, tf.uint8), tf.int32)
    values = tf.pad(values, [[0, 8]])  # the header may be cut off anywhere

    def numbers(pairs: tf.Tensor) -> tf.Tensor:
        low, high = pairs[..., 0], pairs[..., 1]
        return tf.where(little, low + 256 * high, 256 * low + high)

    # The directory's position is a number of four bytes, of which the upper two are 0 in 64 KB.
    start = numbers(tf.where(little, values[4:6], values[6:8]))
    start = tf.minimum(start, tf.size(values) - 2)
    entries = values[start + 2 : start + 2 + ENTRY * numbers(values[start : start + 2])]
    entries = tf.reshape(entries[: tf.size(entries) // ENTRY * ENTRY], [-1, ENTRY])
    tagged = tf.boolean_mask(numbers(entries[:, 8:10]), numbers(entries[:, :2]) == ORIENTATION)
    turned = tf.concat([tagged, [1]], axis=0)[0]
    return tf.where(tf.logical_and(turned >= 1, turned <= 8), turned, 1)
