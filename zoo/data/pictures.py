"""One picture: is it whole, which way is up, and the part of it that the network sees."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # no other decoder is ever tried
ASPECTS = (3 / 4, 4 / 3)  # of random parts (Szegedy 2014)
SHARP = 2.0  # times the wanted size, down to which a large picture is first averaged
DEEP = ("I", "I;16", "I;16B", "I;16L", "F")  # grey of more than 8 bits

# Where a picture is: a file, or its pixels `(height, width)` or `(height, width, channels)`.
Source = Path | np.ndarray


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a first look at a picture found.

    Args:
        digest: hash of the file or of the pixels.
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.
        mode: Pillow's name for its colours, such as `RGB`, `L` (grey) or `CMYK`.
        turned: whether its EXIF data say that it is not stored upright.
        problem: why it cannot be read; empty when it can.
    """

    digest: int = 0
    width: int = 0
    height: int = 0
    mode: str = ""
    turned: bool = False
    problem: str = ""


def check_picture(source: Source) -> Checked:
    """Read a picture to its end, so that a truncated one is found (it is never shown in part)."""
    if isinstance(source, np.ndarray):
        return Checked(_digest(source.tobytes()), source.shape[1], source.shape[0], "RGB")
    try:
        content = source.read_bytes()
        if not content:
            return Checked(problem="is empty")
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            mode, turned = image.mode, image.getexif().get(0x0112, 1) in range(2, 9)
            width, height = image.size
            if image.getexif().get(0x0112, 1) >= 5:  # turned by a quarter
                width, height = height, width
            image.draft("RGB", (1, 1))  # of a JPEG all is read, and little computed
            image.load()
    except Image.UnidentifiedImageError:
        return Checked(problem="is not a picture")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Checked(problem=_reason(error))
    return Checked(_digest(content), width, height, mode, turned)


def open_picture(source: Source, least: int | None = None) -> Image.Image:
    """Return a picture upright, in red, green and blue, as bytes.

    Transparent parts become white, grey of 16 bits becomes 8, an animation is its first frame.

    Args:
        source: where it is.
        least: shorter side that is needed; a JPEG may come smaller than it is, but not than this.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, np.ndarray):
        return Image.fromarray(source).convert("RGB")
    with Image.open(source, formats=FORMATS) as image:
        if least is not None:
            image.draft("RGB", (round(SHARP * least), round(SHARP * least)))
        image.load()
        return _coloured(ImageOps.exif_transpose(image))


def center_part(image: Image.Image, size: int, fraction: float) -> np.ndarray:
    """Return the middle square, `fraction` of the shorter side, as uint8 `(size, size, 3)`."""
    width, height = image.size
    side = fraction * min(width, height)
    left, upper = (width - side) / 2, (height - side) / 2
    return _resized(image, size, (left, upper, left + side, upper + side))


@dataclasses.dataclass(frozen=True)
class Center:
    """The part of a picture that is scored: its middle square.

    Args:
        size: height and width it is brought to, in pixels.
        fraction: share of the shorter side that it takes, in (0, 1].
    """

    size: int
    fraction: float

    def __call__(self, source: Source) -> np.ndarray:
        """Return it as uint8 `(size, size, 3)`.

        Raises:
            OSError: the file cannot be read.
        """
        return center_part(open_picture(source, self.size), self.size, self.fraction)


def random_part(image: Image.Image, size: int, area: float, draws: np.ndarray) -> np.ndarray:
    """Return a random part of random shape as uint8 `(size, size, 3)`.

    Args:
        image: the picture.
        size: height and width of the part.
        area: smallest share of the picture's area.
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
    """Return a part of a picture, each pixel the mean of all it covers (antialiased)."""
    if box == (0, 0, size, size):
        return np.asarray(image.crop((0, 0, size, size)))
    part = image.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=SHARP)
    return np.asarray(part)


def _coloured(image: Image.Image) -> Image.Image:
    if image.mode in DEEP:
        values = np.asarray(image, np.float64)
        top = 255.0 if values.max(initial=0.0) <= 255.0 else 65535.0
        return Image.fromarray((values * 255.0 / top).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


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
