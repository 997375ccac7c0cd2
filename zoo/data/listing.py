"""Files and folders of images: which are images, which are litter, each real folder once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.errors import ZooError

LONGEST_SHOWN = 200  # characters of a path that is none
NAMED = 5  # files that a message names
# What systems and programs leave in folders: thumbnails, waste baskets, settings of a folder.
LITTER = {
    "@eadir", "$recycle.bin", "lost+found", "system volume information", "thumbs.db",
    "ehthumbs.db", "desktop.ini",
}  # fmt: skip
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# Images by their ending that no decoder of `zoo.tasks.image_classification.image.FORMATS` reads.
UNREAD = (
    ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".tga", ".psd", ".svg", ".dng",
    ".cr2", ".nef", ".arw", ".ppm", ".pgm", ".pbm", ".dcm",
)  # fmt: skip
# Endings of what browsers and programs save, whatever it holds: the content decides.
LOOSE = ("", ".jfif", ".jpe", ".jif", ".jfi", ".pjpeg", ".pjp", ".apng", ".dib", ".img", ".bin")
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes of the second header of a bitmap


def is_image(path: Path) -> bool:
    """Whether a file is an image by its ending, or else by its first bytes.

    The bytes are looked at where the ending leaves it open: none at all, `.jfif`, `.jpg_large`,
    `.tif` that holds a JPEG. A file that ends as an image is one, whatever it holds.
    """
    ending = path.suffix.lower()
    if ending in SUFFIXES:
        return True
    open_ended = ending in LOOSE or ending in UNREAD or ending.startswith(SUFFIXES)
    return open_ended and _begins_as_image(path)


def looks_like_image(path: Path) -> bool:
    """Whether a file is an image, even of a kind that is not read."""
    return path.suffix.lower() in UNREAD or is_image(path)


def listed(folder: Path) -> list[tuple[Path, bool]]:
    """Return what is in a folder, in order, each with whether it is a folder; links are followed.

    Raises:
        ZooError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted((Path(entry.path), _is_folder(entry)) for entry in entries)
    except OSError as error:
        raise ZooError(f"{readable(folder)}: cannot be read: {error.strerror}.") from error
    return found


def hidden(path: Path) -> bool:
    """Whether a file or folder is no data: hidden, or litter of a system."""
    return path.name.startswith((".", "__")) or path.name.strip("\r").lower() in LITTER


class Walk:
    """A walk through folders that enters each real folder once, whatever links lead to it.

    Args:
        entered: folders that are not entered from others, as if they had been.

    Attributes:
        again: folders that were met a second time, and not entered.
    """

    def __init__(self, entered: Iterable[Path] = ()):
        self._entered = {_identity(each) for each in entered}
        self.again: list[Path] = []

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield the files in a folder and below, in order, without hidden ones.

        Raises:
            ZooError: a folder cannot be read.
        """
        self._entered.add(_identity(folder))
        for each, is_folder in listed(folder):
            if hidden(each):
                continue
            if not is_folder:
                yield each
            elif _identity(each) in self._entered:
                self.again.append(each)
            else:
                yield from self.files(each)


def holds_image(folder: Path) -> bool:
    """Whether there is an image in a folder or below, even of a kind that is not read."""
    return any(looks_like_image(each) for each in Walk().files(folder))


def check_names(paths: Iterable[Path]) -> None:
    r"""Refuse paths that have no form in UTF-8.

    Raises:
        ZooError: names them, each byte that is not UTF-8 as `\xe9`.
    """
    bad = [readable(path) for path in paths if readable(path) != str(path)]
    if bad:
        more = f" and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        said = "its name is not UTF-8. Rename it."
        if len(bad) > 1:
            said = "their names are not UTF-8. Rename them."
        names = ", ".join(f"'{each}'" for each in bad[:NAMED])
        raise ZooError(f"{names}{more}: {said}")


def exists(path: Path) -> bool:
    """Whether there is a file or a folder.

    Raises:
        ZooError: it cannot be told: a folder above may not be read, or this is a text and no path.
    """
    try:
        return path.exists()
    except OSError as error:
        shown = readable(path)[:LONGEST_SHOWN]
        raise ZooError(f"{shown}: cannot be read: {error.strerror}.") from error


def readable(path: Path) -> str:
    r"""Return a path that can be printed and written, bytes that are not UTF-8 as `\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except PermissionError:
        raise
    except OSError:  # a link to itself is neither: it is named when it is read
        return False


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError as error:
        raise ZooError(f"{readable(folder)}: cannot be read: {error.strerror}.") from error
    return found.st_dev, found.st_ino


def _begins_as_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(18)
    except OSError:
        return False
    bitmap = head[:2] == b"BM" and head[6:10] == bytes(4)
    return (
        head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (bitmap and int.from_bytes(head[14:18], "little") in BMP_HEADERS)
    )
