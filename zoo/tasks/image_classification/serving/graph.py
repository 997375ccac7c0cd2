"""From the bytes of image files to what the network sees, in a graph that a server runs."""

from __future__ import annotations

import tensorflow as tf

from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.serving.crop import center_crop
from zoo.tasks.image_classification.serving.decode import decode_image
from zoo.tasks.image_classification.serving.headers import problem


@tf.autograph.experimental.do_not_convert
def read_images(contents: tf.Tensor, crop: CenterCrop) -> tf.Tensor:
    """Return the center crops of image files, as `crop` reads the same files.

    Args:
        contents: the bytes of files, strings `(batch,)`.
        crop: size and fraction of the center crop.

    Returns:
        float32 `(batch, size, size, 3)` in [0, 255].

    Raises:
        InvalidArgumentError: `serving.headers.problem` finds one in a file, so that none is
            decoded; it names the position of each such file.
    """
    size = crop.size

    def decode(content: tf.Tensor) -> tf.Tensor:
        image = decode_image(content, size, crop.deep_scale)
        return center_crop(image, size, crop.fraction)

    problems = tf.map_fn(problem, contents)
    with tf.control_dependencies([_check(problems)]):
        spec = tf.TensorSpec([size, size, 3], tf.float32)
        return tf.map_fn(decode, tf.identity(contents), fn_output_signature=spec)


def _check(problems: tf.Tensor) -> tf.Operation:
    empty = tf.where(tf.size(problems) == 0, "there are no images", "")
    positions = tf.where(tf.strings.length(problems) > 0)[:, 0]
    numbers = tf.strings.as_string(positions)
    lines = tf.strings.join(["images[", numbers, "] ", tf.gather(problems, positions)])
    message = tf.strings.join([empty, tf.strings.reduce_join(lines, separator="; ")])
    return tf.debugging.Assert(tf.strings.length(message) == 0, [message])
