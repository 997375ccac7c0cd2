"""What the image classifiers share: the input, normalised, and the classification head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras

from zoo.layers import MirroredViews

SMALL = 64  # pixels; the maps of smaller images keep their resolution in the stem


def image_input(
    pixel_mean: Sequence[float], pixel_std: Sequence[float], flip_average: bool
) -> tuple[Any, Any]:
    """Return the input of every image classifier, and its normalised pixels, float32.

    Args:
        pixel_mean: of red, green and blue, in [0, 255].
        pixel_std: their standard deviations.
        flip_average: whether mirror images follow the images outside of training, of whose logits
            the network is to return the means.
    """
    images = keras.Input((None, None, 3), dtype="float32", name="images")
    x = MirroredViews(name="views")(images) if flip_average else images
    x = keras.layers.Rescaling(
        [1 / std for std in pixel_std],
        [-mean / std for mean, std in zip(pixel_mean, pixel_std, strict=True)],
        dtype="float32",
        name="normalised_pixels",
    )(x)
    return images, x


def classify(
    x: Any,
    num_classes: int,
    pooling: Literal["average", "max"],
    dropout: float,
    head_std: float | None,
) -> Any:
    """Pool a map, then a linear layer, both in full precision.

    Args:
        x: `(batch, height, width, channels)`.
        num_classes: number of classes.
        pooling: over the map.
        dropout: fraction of the pooled features dropped, in [0, 1).
        head_std: the linear layer's weights start normal with this deviation; None is uniform
            within one over the root of the number of classes.

    Returns:
        float32 logits `(batch, num_classes)`.
    """
    pool = (
        keras.layers.GlobalAveragePooling2D
        if pooling == "average"
        else keras.layers.GlobalMaxPooling2D
    )
    x = pool(dtype="float32", name="features")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, dtype="float32", name="dropout")(x)
    initializer = (
        keras.initializers.VarianceScaling(1 / 3, "fan_out", "uniform")
        if head_std is None
        else keras.initializers.RandomNormal(stddev=head_std)
    )
    return keras.layers.Dense(
        num_classes, kernel_initializer=initializer, dtype="float32", name="logits"
    )(x)
