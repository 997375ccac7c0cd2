"""One image: is it whole, which way is up, and the part of it that the network sees."""

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

# A finding says it, with the file (`checks.large`). Last in line, so that whoever
# asked for these warnings gets them; a filter for a block is not safe among threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning, append=True)

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # no other decoder is ever tried
ASPECTS = (3 / 4, 4 / 3)  # of random parts (Szegedy 2014)
SHARP = 2.0  # times the wanted size, down to which a large image is first averaged
DEEP = ("I", "I;16", "I;16B", "I;16L", "F")  # grey of more than 8 bits
DEEP_COLOURS = ("RGB;16B", "RGBA;16B")  # of a PNG
DEEPEST = 65535  # largest value of 16 bits

# Where an image is: a file, its bytes, or pixels `(height, width)` or `(height, width, channels)`.
Source = Path | bytes | np.ndarray
AnySource = Source | Image.Image  # or opened by Pillow


def name_of(source: Source) -> str:
    """Return the path of a file, or words for an image that has none."""
    return str(source) if isinstance(source, Path) else "an image in memory"


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a first look at an image found.

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


def check_image(source: AnySource) -> Checked:
    """Read an image to its end, so that a truncated one is found (it is never shown in part)."""
    if isinstance(source, np.ndarray):
        return Checked(_digest(source.tobytes()), source.shape[1], source.shape[0], "RGB")
    if isinstance(source, Image.Image):
        return Checked(_digest(source.tobytes()), *source.size, source.mode)
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
        if not content:
            return Checked(problem="is empty")
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            mode, turned = _mode(image), _orientation(image)
            width, height = image.size
            if turned >= 5:  # turned by a quarter
                width, height = height, width
            image.draft("RGB", (1, 1))  # of a JPEG all is read, and little computed
            image.load()
            peak = int(np.asarray(image).max()) if mode in DEEP else -1
    except Image.UnidentifiedImageError:
        return Checked(problem="is not an image")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Checked(problem=_reason(error))
    return Checked(_digest(content), width, height, mode, turned > 1, peak)


def deep_scale_of(peak: int) -> int:
    """Return the value that becomes white where the largest of images of 16 bits is `peak`.

    The largest of the fewest bits, at least eight, that hold it: 255 of images of 8 bits in files
    of 16, 4095 of X-rays of 12 bits.
    """
    return (1 << max(8, int(peak).bit_length())) - 1


def open_image(
    source: AnySource, least: int | None = None, deep_scale: int = DEEPEST
) -> Image.Image:
    """Return an image upright, in red, green and blue, as bytes.

    Transparent parts become white, grey of 16 bits becomes 8, an animation is its first frame.

    Args:
        source: where it is.
        least: shorter side that is needed; a JPEG may come smaller than it is, but not than this.
        deep_scale: value of an image of 16 bits grey that becomes white; larger ones do as well.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, np.ndarray):
        return Image.fromarray(source).convert("RGB")
    if isinstance(source, Image.Image):
        return coloured(source, deep_scale)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    with Image.open(file, formats=FORMATS) as image:
        if least is not None:
            image.draft("RGB", (round(SHARP * least), round(SHARP * least)))
        image.load()
        return coloured(image, deep_scale)


def center_part(image: Image.Image, size: int, fraction: float) -> np.ndarray:
    """Return the middle square, `fraction` of the shorter side, as uint8 `(size, size, 3)`."""
    width, height = image.size
    side = fraction * min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return _resized(image, size, (left, upper, left + side, upper + side))


@dataclasses.dataclass(frozen=True)
class CenterCrop:
    """The part of an image that is scored: its middle square.

    Args:
        size: height and width it is brought to, in pixels.
        fraction: share of the shorter side that it takes, in (0, 1].
        deep_scale: value of an image of 16 bits grey that becomes white, 255; smaller ones in
            proportion. One number for all images, decided by the training part (`deep_scale_of`).
    """

    size: int
    fraction: float
    deep_scale: int = DEEPEST

    def __call__(self, source: AnySource) -> np.ndarray:
        """Return it as uint8 `(size, size, 3)`.

        Raises:
            OSError: the file cannot be read.
        """
        image = open_image(source, self.size, self.deep_scale)
        return center_part(image, self.size, self.fraction)


def random_part(image: Image.Image, size: int, area: float, draws: np.ndarray) -> np.ndarray:
    """Return a random part of random shape as uint8 `(size, size, 3)`.

    Args:
        image: the image.
        size: height and width of the part.
        area: smallest share of the image's area.
        draws: four numbers in [0, 1): area, shape, and place from left and top.

    Source: Szegedy 2014, https://arxiv.org/abs/1409.4842, section 6. Differs: a shape that does not
        fit is narrowed, not drawn again.
    """
    width, height = image.size
    share = area + (1 - area) * draws[0]
    low, high = (math.log(aspect) for aspect in ASPECTS)
    aspect = math.exp(low + (high - low) * draws[1])
    part_width = min(math.sqrt(share * width * height * aspect), width)
    part_height = min(math.sqrt(share * width * height / aspect), height)
    left, upper = draws[2] * (width - part_width), draws[3] * (height - part_height)
    return _resized(image, size, (left, upper, left + part_width, upper + part_height))


def _resized(image: Image.Image, size: int, box: tuple[float, float, float, float]) -> np.ndarray:
    """Return a part of an image, each pixel the mean of all it covers (antialiased)."""
    if box == (0, 0, size, size):
        return np.asarray(image.crop((0, 0, size, size)))
    part = image.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=SHARP)
    return np.asarray(part)


def coloured(image: Image.Image, deep_scale: int = DEEPEST) -> Image.Image:
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
    """Return which way is up in the sense of EXIF, 1 to 8; 1 where it is not said or is damaged."""
    try:
        found = image.getexif().get(0x0112, 1)
    except (struct.error, SyntaxError, ValueError, TypeError):
        return 1
    return found if found in range(1, 9) else 1


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
