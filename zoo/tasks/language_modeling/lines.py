"""Lines of plain text, from files of any size: streamed, and checked to be text."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.data.columns import ColumnRequest, Columns
from zoo.data.parts import SourcePaths
from zoo.data.paths import COMPRESSIONS, TABLES, TEXTS, open_file, plain_ending
from zoo.data.paths import table_kind as kind_of_table
from zoo.data.tables import matching, read_rows, read_texts
from zoo.errors import ZooError

TEXT_ENDINGS = (*TEXTS, ".tokens", ".raw")  # of WikiText, too
BLOCK = 1 << 20  # bytes
LONGEST_WORD = 100  # characters, behind which a cut line ends


def text_files(source: Any) -> list[Path]:
    """Return the files that a path, a list of paths or a folder names, in order of name.

    Raises:
        ZooError: there is none.
    """
    given = [source] if isinstance(source, str | Path) else list(source)
    found: list[Path] = []
    for each in (path for one in given for path in matching(Path(one))):
        if each.is_dir():
            found += sorted(
                path
                for path in each.rglob("*")
                if plain_ending(path) in (*TEXT_ENDINGS, *TABLES)
                and not any(part[0] in "._" for part in path.relative_to(each).parts)
                and path.is_file()
            )
        else:
            found.append(each)
    if not found:
        raise ZooError(
            f"{source}: holds no text: files of {', '.join((*TEXT_ENDINGS, *TABLES))}, also with "
            f"{', '.join(COMPRESSIONS)}."
        )
    return found


def corpus_paths(source: Any) -> SourcePaths:
    """Return the files of a corpus, for `zoo.data.parts`.

    Raises:
        ZooError: there is none.
    """
    if is_in_memory(source):
        return SourcePaths("the corpus")
    files = text_files(source)
    if isinstance(source, str | Path) and Path(source).is_dir():
        return SourcePaths(str(source), files, Path(source))
    return SourcePaths.of_list(files)


def corpus_columns(
    source: Any, *, text: str | None = None, trained: Columns | None = None
) -> tuple[str, Columns | None]:
    """Return the first table of a corpus, and which of its columns are read; None without one.

    Raises:
        ZooError: it has no such column.
    """
    if hasattr(source, "columns"):
        return source.where, source.columns
    tables = [] if is_in_memory(source) else [p for p in text_files(source) if kind_of_table(p)]
    if not tables:
        return "", None
    rows = read_rows(tables[0], ColumnRequest(text, labelled=False, trained=trained))
    return str(tables[0]), next(rows).columns


def read_lines(
    source: Any, *, text: str | None = None, trained: Columns | None = None
) -> Iterator[str]:
    """Yield the lines of a corpus; a text of a table may hold several.

    Args:
        source: path, list of paths or folder (see `text_files`), or an array of texts.
        text: text column of a table.
        trained: columns that a run was trained with, read where none are named.

    Raises:
        ZooError: a file is missing or unreadable, or is no text: not UTF-8, or with zero bytes.
    """
    if is_in_memory(source):
        for each in source:
            if not isinstance(each, str):
                raise ZooError(f"a corpus is made of strings. Received: {type(each).__name__}.")
            yield from each.split("\n")
        return
    for path in text_files(source):
        before = None
        for line in read_texts(path, text=text, trained=trained):
            if "\x00" in line:
                raise ZooError(f"{path}: is no text: it holds zero bytes. Give a text file.")
            if kind_of_table(path):
                yield from line.split("\n")
            else:
                yield line
            before = line
        if before is None:
            raise ZooError(f"{path}: is empty.")


def lines_between(lines: Iterable[str], first: int, last: int, total: int) -> Iterator[str]:
    """Yield the lines between two places, in characters: what ends at one begins there elsewhere.

    A place within a line moves to its nearer end, if that is not far beside what lies on either
    side of it; else the line is cut, behind a word: a corpus may be one line.

    Args:
        lines: all of them; the end of each counts as a character.
        first: place of the first character.
        last: place after the last one.
        total: number of all characters.
    """
    place = 0
    for line in lines:
        begin, end = (_cut(line, wanted - place, wanted, total) for wanted in (first, last))
        place += len(line) + 1
        if (begin < len(line) and begin < end) or begin == 0 < end:
            yield line[begin:end]
        if place > last:
            return


def _cut(line: str, at: int, place: int, total: int) -> int:
    """Return where a line is cut, which is `at` a character of it or out of it."""
    whole = len(line) + 1
    if at <= 0 or at >= whole:
        return min(max(at, 0), whole)
    far = min(place, total - place) / 2
    if min(at, whole - at) <= far:
        return 0 if at < whole - at else whole
    blank = line.find(" ", at, at + LONGEST_WORD)
    return at if blank < 0 else blank + 1


def content_digest(source: Any) -> str:
    """Return a text that differs where the contents of the files do, whatever their names."""
    found = hashlib.blake2b(digest_size=16)
    if is_in_memory(source):
        for each in source:
            found.update(str(each).encode("utf-8", "surrogatepass"))
            found.update(b"\n")
        return found.hexdigest()
    for path in text_files(source):
        try:
            # Unpacked: the same text is the same corpus however it is compressed.
            with open_file(path) as file:
                while block := file.read(BLOCK):
                    found.update(block)
        except (OSError, pa.ArrowException, lzma.LZMAError, EOFError) as error:
            raise ZooError(f"{path}: cannot be read: {error}.") from error
        found.update(b"\x00")
    return found.hexdigest()


def is_in_memory(source: Any) -> bool:
    """Whether a corpus is texts rather than paths: an array or another iterable of strings."""
    if isinstance(source, str | Path):
        return False
    if isinstance(source, list | tuple) and source:
        there = [isinstance(each, str | Path) and _is_there(Path(each)) for each in source]
        # Of several files one may not be there: it is named when it is read.
        files = any(
            is_file and plain_ending(Path(p)) for p, is_file in zip(source, there, strict=True)
        )
        return not all(there) and not files
    return isinstance(source, np.ndarray | Iterable)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text that is too long for a name
        return False
