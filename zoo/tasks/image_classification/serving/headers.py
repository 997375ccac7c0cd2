"""The headers of image files in a graph of TensorFlow: which files no decoder may see."""

from __future__ import annotations

import tensorflow as tf
from PIL import Image

from zoo.tasks.image_classification.image import FORMATS
from zoo.tasks.image_classification.serving.gif import first_sides

HEAD = 32  # bytes that hold the sizes of all formats but JPEG
TAIL = 1 << 16  # bytes that the end of a file is looked for in
MOST_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # as in Pillow, and so in `zoo predict`


def problem(content: tf.Tensor) -> tf.Tensor:
    """Return why the bytes of a file are not decoded, a string; empty if they may be.

    Only the formats of `image.FORMATS` are: TensorFlow's decoder takes more. An image of very many
    pixels would take all memory, however small its file.
    """
    head = _head(content)
    jpeg = _begins(head, b"\xff\xd8\xff")
    png = _begins(head, b"\x89PNG\r\n\x1a\n") & _begins(head, b"IHDR", 12)
    gif = _begins(head, b"GIF87a") | _begins(head, b"GIF89a")
    bmp = _begins(head, b"BM")
    webp = _begins(head, b"RIFF") & _begins(head, b"WEBP", 8) & _begins(head, b"VP8", 12)
    width, height = tf.case(
        [
            (jpeg, lambda: _jpeg_sides(content)),
            (png, lambda: (_big(head[16:20]), _big(head[20:24]))),
            (gif, lambda: first_sides(content)),
            (bmp, lambda: (_signed(head[18:22]), _signed(head[22:26]))),
            (webp, lambda: _webp_sides(head)),
        ],
        default=lambda: (tf.constant(0, tf.int64), tf.constant(0, tf.int64)),
    )
    size = tf.strings.join(
        [
            "has ", tf.strings.as_string(width), " x ", tf.strings.as_string(height),
            f" pixels, more than {MOST_PIXELS:,}",
        ]
    )  # fmt: skip
    known = jpeg | png | gif | bmp | webp
    complete = tf.case(
        [
            (jpeg, lambda: _ends(content, b"\xff\xd9")),
            (png, lambda: _ends(content, b"IEND")),
            (webp, lambda: _little(head[4:8]) + 8 <= tf.cast(tf.strings.length(content), tf.int64)),
        ],
        default=lambda: tf.constant(True),
    )
    too_many = width > MOST_PIXELS // tf.maximum(height, 1)  # the product may not fit into 64 bits
    fault = tf.where(too_many, size, tf.where(complete, "", "is truncated"))
    fault = tf.where(known, fault, f"is not an image of {', '.join(FORMATS)}")
    return tf.where(tf.strings.length(content) == 0, "is empty", fault)


def _head(content: tf.Tensor) -> tf.Tensor:
    """Return the first bytes of a file, int64 `(HEAD,)`, zeros after its end."""
    first = tf.strings.substr(tf.strings.join([content, b"\x00" * HEAD]), 0, HEAD)
    return tf.reshape(tf.cast(tf.io.decode_raw(first, tf.uint8), tf.int64), [HEAD])


def _begins(head: tf.Tensor, mark: bytes, at: int = 0) -> tf.Tensor:
    return tf.reduce_all(head[at : at + len(mark)] == list(mark))


def _ends(content: tf.Tensor, mark: bytes) -> tf.Tensor:
    """Whether the last mark of a format is there; other bytes may follow."""
    start = tf.maximum(tf.strings.length(content) - TAIL, 0)
    parts = tf.strings.split([tf.strings.substr(content, start, TAIL)], mark)
    return tf.size(parts.flat_values) > 1


def _little(values: tf.Tensor) -> tf.Tensor:
    shifts = tf.range(0, 8 * values.shape[0], 8, tf.int64)
    return tf.reduce_sum(tf.bitwise.left_shift(values, shifts))


def _big(values: tf.Tensor) -> tf.Tensor:
    return _little(values[::-1])


def _signed(values: tf.Tensor) -> tf.Tensor:
    """Return the size of a number of 32 bits that may be negative: rows from the top down."""
    number = _little(values)
    return tf.where(number >= 1 << 31, (1 << 32) - number, number)


def _jpeg_sides(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.cast(tf.io.extract_jpeg_shape(content), tf.int64)
    return shape[1], shape[0]


def _webp_sides(head: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return width and height of a canvas (VP8X), lossless (VP8L) or lossy (VP8) image."""
    bits = _little(head[21:25])
    canvas = (_little(head[24:27]) + 1, _little(head[27:30]) + 1)
    lossless = (bits % (1 << 14) + 1, bits // (1 << 14) % (1 << 14) + 1)
    lossy = (_little(head[26:28]) % (1 << 14), _little(head[28:30]) % (1 << 14))
    kind = head[15]
    return tuple(
        tf.where(kind == ord("X"), wide, tf.where(kind == ord("L"), plain, other))
        for wide, plain, other in zip(canvas, lossless, lossy, strict=True)
    )
