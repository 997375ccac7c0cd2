"""From the bytes of image files to what the network sees, in a graph that a server runs."""

from __future__ import annotations

import tensorflow as tf

from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.serving.crop import center_crop
from zoo.tasks.image_classification.serving.decode import decode_image
from zoo.tasks.image_classification.serving.headers import problem


@tf.autograph.experimental.do_not_convert
def read_images(contents: tf.Tensor, center: CenterCrop) -> tf.Tensor:
    """Return float32 `(batch, size, size, 3)`, as `center` reads the same files.

    Where `serving.headers.problem` finds one, none is decoded, and an
    InvalidArgumentError names the place of each file that has one.

    Args:
        contents: the bytes of files, strings `(batch,)`.
        center: the part that the network sees.
    """
    size = center.size

    def decode(content: tf.Tensor) -> tf.Tensor:
        image = decode_image(content, size, center.deep_scale)
        return center_crop(image, size, center.fraction)

    problems = tf.map_fn(problem, contents)
    with tf.control_dependencies([_check(problems)]):
        spec = tf.TensorSpec([size, size, 3], tf.float32)
        return tf.map_fn(decode, tf.identity(contents), fn_output_signature=spec)


def _check(problems: tf.Tensor) -> tf.Operation:
    none = tf.where(tf.size(problems) == 0, "there are no images", "")
    wrong = tf.where(tf.strings.length(problems) > 0)[:, 0]
    places = tf.strings.as_string(wrong)
    said = tf.strings.join(["images[", places, "] ", tf.gather(problems, wrong)])
    message = tf.strings.join([none, tf.strings.reduce_join(said, separator="; ")])
    return tf.debugging.Assert(tf.strings.length(message) == 0, [message])
