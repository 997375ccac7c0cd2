"""RandAugment on one image: a few changes of colour or geometry, all of one strength.

Pillow's operations, as in the paper's code. Keras 3.15.1's layer samples them for a whole batch,
equalises by the histogram of the batch, and turns images by up to its factor times 360 degrees.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

DEGREES = 30.0  # at full strength, as all below
SHEAR = 0.3
SHIFT = 150 / 331  # of the side
ENHANCED = 0.9  # colour, contrast, brightness and sharpness are multiplied by 1 -+ this
BITS = 4  # of eight that posterizing takes away

Colour = tuple[int, ...]
# From an image, a strength in [-1, 1] and the colour of what comes in at a border to an image.
Operation = Callable[[Image.Image, float, Colour], Image.Image]


def randaugment(
    pixels: np.ndarray, magnitude: float, fill: tuple[float, ...], uniforms: np.ndarray
) -> np.ndarray:
    """Return an image after some operations, each sampled from all fourteen.

    Args:
        pixels: uint8 `(height, width, 3)`.
        magnitude: strength of the operations, in [0, 1].
        fill: colour of what comes in at a border, in [0, 255].
        uniforms: two numbers in [0, 1) an operation, `(operations, 2)`: which, and to which side.

    Returns:
        uint8 `(height, width, 3)`.

    Source: Cubuk 2019, https://arxiv.org/abs/1909.13719; full strengths are those of
        AutoAugment, https://arxiv.org/abs/1805.09501, and all of them grow with the magnitude.
    """
    image = Image.fromarray(pixels)
    colour = tuple(round(value) for value in fill)
    for which, side in uniforms:
        strength = magnitude if side < 0.5 else -magnitude
        image = OPERATIONS[int(which * len(OPERATIONS))](image, strength, colour)
    return np.asarray(image)


def _rotate(image: Image.Image, strength: float, fill: Colour) -> Image.Image:
    return image.rotate(DEGREES * strength, Image.Resampling.BILINEAR, fillcolor=fill)


def _affine(
    image: Image.Image, fill: Colour, *, shear: tuple[float, float] = (0, 0),
    shift: tuple[float, float] = (0, 0),
) -> Image.Image:  # fmt: skip
    """Shear about the middle by shares of the other side, and shift by pixels."""
    width, height = image.size
    across, down = shear
    matrix = (
        1.0, across, shift[0] - across * height / 2,
        down, 1.0, shift[1] - down * width / 2,
    )  # fmt: skip
    return image.transform(
        image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill
    )


def _shear_x(image: Image.Image, strength: float, fill: Colour) -> Image.Image:
    return _affine(image, fill, shear=(SHEAR * strength, 0))


def _shear_y(image: Image.Image, strength: float, fill: Colour) -> Image.Image:
    return _affine(image, fill, shear=(0, SHEAR * strength))


def _translate_x(image: Image.Image, strength: float, fill: Colour) -> Image.Image:
    return _affine(image, fill, shift=(SHIFT * strength * image.width, 0))


def _translate_y(image: Image.Image, strength: float, fill: Colour) -> Image.Image:
    return _affine(image, fill, shift=(0, SHIFT * strength * image.height))


def _enhance(kind: type, image: Image.Image, strength: float, _: Colour) -> Image.Image:
    return kind(image).enhance(1 + ENHANCED * strength)


def _posterize(image: Image.Image, strength: float, _: Colour) -> Image.Image:
    return ImageOps.posterize(image, 8 - round(BITS * abs(strength)))


def _solarize(image: Image.Image, strength: float, _: Colour) -> Image.Image:
    return ImageOps.solarize(image, round(256 * (1 - abs(strength))))


OPERATIONS: tuple[Operation, ...] = (
    lambda image, strength, fill: image,
    lambda image, strength, fill: ImageOps.autocontrast(image),
    lambda image, strength, fill: ImageOps.equalize(image),
    _rotate,
    _solarize,
    _posterize,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
    functools.partial(_enhance, ImageEnhance.Color),
    functools.partial(_enhance, ImageEnhance.Contrast),
    functools.partial(_enhance, ImageEnhance.Brightness),
    functools.partial(_enhance, ImageEnhance.Sharpness),
)
