"""Files and folders: kinds of files by ending and first bytes, folders listed, names checked."""

from __future__ import annotations

import codecs
import errno
import lzma
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from zoo.errors import ZooError
from zoo.finding import first_few

LONGEST_SHOWN = 200  # characters of a path that is none
NAMED = 5  # files that a message names
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4", ".xz": "xz"}
TEXTS = (".txt", ".text")
ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar")
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# Images by their ending that no decoder of `zoo.tasks.image_classification.image.FORMATS` reads.
UNREAD_IMAGES = (
    ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".tga", ".psd", ".svg", ".dng",
    ".cr2", ".nef", ".arw", ".ppm", ".pgm", ".pbm", ".dcm",
)  # fmt: skip
# Endings of what browsers and programs save, whatever it holds: the content decides.
OPEN_ENDINGS = (
    "", ".jfif", ".jpe", ".jif", ".jfi", ".pjpeg", ".pjp", ".apng", ".dib", ".img", ".bin",
)  # fmt: skip
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes of the second header of a bitmap
# What systems and programs leave in folders: thumbnails, waste baskets, settings of a folder.
LITTER = {
    "@eadir", "$recycle.bin", "lost+found", "system volume information", "thumbs.db",
    "ehthumbs.db", "desktop.ini",
}  # fmt: skip
# Byte order marks. UTF-32 first: its mark begins as that of UTF-16 does.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def table_kind(path: Path) -> str | None:
    """Return the ending that says what a file is, without its compression; None if unknown."""
    ending = plain_ending(path)
    return ending if ending in TABLES else None


def is_archive(path: Path) -> bool:
    """Whether a file is a packed folder."""
    return plain_ending(path) in ARCHIVES


def plain_ending(path: Path) -> str:
    """Return the last ending of a name in small letters, without its compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def open_file(path: Path) -> pa.NativeFile:
    """Return an open file, unpacked if its name ends as one of `COMPRESSIONS`.

    Raises:
        ZooError: its name is not UTF-8.
    """
    check_names([path])
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression == "xz":
        return pa.PythonFile(lzma.open(path), mode="r")
    return pa.input_stream(str(path), compression=compression)


def check_encoding(path: Path, start: bytes) -> None:
    """Refuse a file that begins with the mark of another encoding.

    Raises:
        ZooError: names the encoding.
    """
    for mark, name in BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            raise ZooError(f"{path}: is not UTF-8 but {name}. Save the file as UTF-8.")


def is_image(path: Path) -> bool:
    """Whether a file is an image by its ending, or else by its first bytes.

    The bytes are looked at where the ending leaves it open: none at all, `.jfif`, `.jpg_large`,
    `.tif` that holds a JPEG. A file that ends as an image is one, whatever it holds.
    """
    ending = path.suffix.lower()
    if ending in IMAGES:
        return True
    undecided = ending in OPEN_ENDINGS or ending in UNREAD_IMAGES or ending.startswith(IMAGES)
    return undecided and _begins_as_image(path)


def looks_like_image(path: Path) -> bool:
    """Whether a file is an image, even of a kind that is not read."""
    return path.suffix.lower() in UNREAD_IMAGES or is_image(path)


def list_folder(folder: Path) -> list[tuple[Path, bool]]:
    """Return the paths in a folder, in order, and whether each is a folder; links are followed.

    Raises:
        ZooError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted((Path(entry.path), _is_folder(entry)) for entry in entries)
    except OSError as error:
        raise ZooError(f"{readable(folder)}: cannot be read: {error.strerror}.") from error


def is_hidden(path: Path) -> bool:
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
        self._entered = {_identity(folder) for folder in entered}
        self.again: list[Path] = []

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield the files in a folder and below, in order, without hidden ones.

        Raises:
            ZooError: a folder cannot be read.
        """
        self._entered.add(_identity(folder))
        for path, is_folder in list_folder(folder):
            if is_hidden(path):
                continue
            if not is_folder:
                yield path
            elif _identity(path) in self._entered:
                self.again.append(path)
            else:
                yield from self.files(path)


def holds_image(folder: Path) -> bool:
    """Whether there is an image in a folder or below, even of a kind that is not read."""
    return any(map(looks_like_image, Walk().files(folder)))


def check_names(paths: Iterable[Path]) -> None:
    r"""Refuse paths that have no form in UTF-8.

    Raises:
        ZooError: names them, each byte that is not UTF-8 as `\xe9`.
    """
    bad = [readable(path) for path in paths if readable(path) != str(path)]
    if bad:
        fault = "its name is not UTF-8. Rename it."
        if len(bad) > 1:
            fault = "their names are not UTF-8. Rename them."
        names = first_few((f"'{name}'" for name in bad), len(bad))
        raise ZooError(f"{names}: {fault}")


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


def is_file(path: Path) -> bool:
    """Whether there is a file; what no file can be named, such as a long text, is none."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise ZooError(f"{readable(path)}: cannot be read: {error.strerror}.") from error


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
        status = folder.stat()
    except OSError as error:
        raise ZooError(f"{readable(folder)}: cannot be read: {error.strerror}.") from error
    return status.st_dev, status.st_ino


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
