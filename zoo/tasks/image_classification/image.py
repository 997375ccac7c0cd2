"""One image: its check, its pixels upright in red, green and blue, and the crops of it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import re
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

# `checks.large_images` reports them. Appended, so that a filter of the user's own comes first; a
# filter for a block of code is not safe among threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning, append=True)

UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # of Pillow
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # no other decoder is ever tried
ASPECTS = (3 / 4, 4 / 3)  # of random crops (Szegedy 2014)
SHARP = 2.0  # times the size of the result, down to which a large image is first averaged
DEEP = ("I", "I;16", "I;16B", "I;16L", "F")  # grey of more than 8 bits
DEEP_COLOURS = ("RGB;16B", "RGBA;16B")  # of a PNG
DEEPEST = 65535  # largest value of 16 bits

# An image of a data set: a file, its bytes, or pixels `(height, width[, channels])`.
ImageInput = Path | bytes | np.ndarray
AnyImage = ImageInput | Image.Image  # or opened by Pillow


def describe(image: AnyImage) -> str:
    """Return the path of a file, or words for an image that has none."""
    return str(image) if isinstance(image, Path) else "an image in memory"


@dataclasses.dataclass(frozen=True)
class ImageCheck:
    """What an image is, or why it cannot be read.

    Args:
        digest: hash of the file or of the pixels.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        mode: Pillow's name for its colours, such as `RGB`, `L` (grey) or `CMYK`; `RGB;16B` of a PNG
            with 16 bits a colour, of which Pillow reads the upper 8.
        turned: whether its EXIF data say that it is not stored upright.
        peak: largest value of an image of 16 bits grey; -1 for all others.
        problem: why it cannot be read; empty when it can.
    """

    digest: int = 0
    width: int = 0
    height: int = 0
    mode: str = ""
    turned: bool = False
    peak: int = -1
    problem: str = ""


def check_image(image: AnyImage) -> ImageCheck:
    """Read an image to its end, so that a truncated one is noticed."""
    if isinstance(image, np.ndarray):
        return ImageCheck(_digest(image.tobytes()), image.shape[1], image.shape[0], "RGB")
    if isinstance(image, Image.Image):
        return ImageCheck(_digest(image.tobytes()), *image.size, image.mode)
    try:
        content = image if isinstance(image, bytes) else image.read_bytes()
        if not content:
            return ImageCheck(problem="is empty")
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            mode, orientation = _mode(opened), _orientation(opened)
            width, height = opened.size
            if orientation >= 5:  # turned by a quarter
                width, height = height, width
            opened.draft("RGB", (1, 1))  # of a JPEG all is read, and little computed
            opened.load()
            peak = int(np.asarray(opened).max()) if mode in DEEP else -1
    except Image.UnidentifiedImageError:
        return ImageCheck(problem="is not an image")
    except UNREADABLE as error:
        return ImageCheck(problem=_reason(error))
    return ImageCheck(_digest(content), width, height, mode, orientation > 1, peak)


def deep_scale_of(peak: int) -> int:
    """Return the value that becomes white where the largest of images of 16 bits is `peak`.

    The largest of the fewest bits, at least eight, that hold it: 255 of images of 8 bits in files
    of 16, 4095 of X-rays of 12 bits.
    """
    return (1 << max(8, int(peak).bit_length())) - 1


def open_image(image: AnyImage, least: int | None = None, deep_scale: int = DEEPEST) -> Image.Image:
    """Return an image upright, in red, green and blue, as bytes.

    Transparent parts become white, grey of 16 bits becomes 8, an animation is its first frame.

    Args:
        image: a file, its bytes, pixels, or an image of Pillow.
        least: shorter side that is needed, in pixels; a JPEG is decoded smaller where that leaves
            `SHARP` times as many. None decodes all of it.
        deep_scale: value of an image of 16 bits grey that becomes white, as larger ones do.

    Returns:
        An image of mode `RGB`.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(image, np.ndarray):
        return Image.fromarray(image).convert("RGB")
    if isinstance(image, Image.Image):
        return to_rgb(image, deep_scale)
    file = io.BytesIO(image) if isinstance(image, bytes) else image
    with Image.open(file, formats=FORMATS) as opened:
        if least is not None:
            opened.draft("RGB", (round(SHARP * least), round(SHARP * least)))
        opened.load()
        return to_rgb(opened, deep_scale)


def center_crop(image: Image.Image, size: int, fraction: float) -> np.ndarray:
    """Return the middle square; `serving.crop.center_crop` returns the same pixels with Pillow 13.

    Args:
        image: of mode `RGB`.
        size: height and width of the result, in pixels.
        fraction: share of the shorter side that the square takes, in (0, 1].

    Returns:
        uint8 `(size, size, 3)`.
    """
    width, height = image.size
    side = fraction * min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return _resized(image, size, (left, upper, left + side, upper + side))


@dataclasses.dataclass(frozen=True)
class CenterCrop:
    """From an image of a data set to its center crop: what validation and predictions see.

    Args:
        size: height and width it is brought to, in pixels.
        fraction: share of the shorter side that it takes, in (0, 1].
        deep_scale: value of an image of 16 bits grey that becomes white, 255; smaller ones in
            proportion. One number for all images, decided by the training part (`deep_scale_of`).
    """

    size: int
    fraction: float
    deep_scale: int = DEEPEST

    def __call__(self, image: AnyImage) -> np.ndarray:
        """Return it as uint8 `(size, size, 3)`.

        Raises:
            OSError: the file cannot be read.
        """
        opened = open_image(image, self.size, self.deep_scale)
        return center_crop(opened, self.size, self.fraction)


def random_crop(image: Image.Image, size: int, area: float, uniforms: np.ndarray) -> np.ndarray:
    """Return a random part of random shape.

    Args:
        image: of mode `RGB`.
        size: height and width of the result, in pixels.
        area: smallest share of the image's area, in (0, 1].
        uniforms: four numbers in [0, 1): area, shape, and position from left and top.

    Returns:
        uint8 `(size, size, 3)`.

    Source: Szegedy 2014, https://arxiv.org/abs/1409.4842, section 6. Differs: a shape that does not
        fit is narrowed, not sampled again.
    """
    width, height = image.size
    share = area + (1 - area) * uniforms[0]
    low, high = (math.log(aspect) for aspect in ASPECTS)
    aspect = math.exp(low + (high - low) * uniforms[1])
    crop_width = min(math.sqrt(share * width * height * aspect), width)
    crop_height = min(math.sqrt(share * width * height / aspect), height)
    left, upper = uniforms[2] * (width - crop_width), uniforms[3] * (height - crop_height)
    return _resized(image, size, (left, upper, left + crop_width, upper + crop_height))


def _resized(image: Image.Image, size: int, box: tuple[float, float, float, float]) -> np.ndarray:
    """Return a part of an image, each pixel the mean of all it covers (antialiased)."""
    if box == (0, 0, size, size):
        return np.asarray(image.crop((0, 0, size, size)))
    resized = image.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=SHARP)
    return np.asarray(resized)


def to_rgb(image: Image.Image, deep_scale: int = DEEPEST) -> Image.Image:
    """Return an opened image upright, in red, green and blue; see `open_image`."""
    if _orientation(image) > 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in DEEP:
        values = np.asarray(image, np.float64) * 255.0 / deep_scale
        return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _mode(image: Image.Image) -> str:
    """Return the colours of an image that is opened and not yet read."""
    stored = [tile[3] for tile in getattr(image, "tile", ()) if isinstance(tile[3], str)]
    return next((mode for mode in stored if mode in DEEP_COLOURS), image.mode)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) where there is none or it is damaged."""
    try:
        orientation = image.getexif().get(0x0112, 1)
    except (struct.error, SyntaxError, ValueError, TypeError):
        return 1
    return orientation if orientation in range(1, 9) else 1


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _reason(error: Exception) -> str:
    message = str(error).lower()
    if "truncated" in message or "broken data" in message:
        return "is truncated"
    if isinstance(error, FileNotFoundError):
        return "is missing"
    if isinstance(error, Image.DecompressionBombError):
        pixels, limit = (int(number) for number in re.findall(r"\d+", str(error))[:2])
        return f"has {pixels:,} pixels, more than {limit:,}"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"
