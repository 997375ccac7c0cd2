"""Lines of a corpus: from text files of any size, from tables, and from memory; streamed."""

from __future__ import annotations

import contextlib
import hashlib
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.data.classes import given_parts, rows_of_part
from zoo.data.columns import UNLABELLED, ColumnRequest, Columns
from zoo.data.parts import SCORED, SourcePaths
from zoo.data.paths import COMPRESSIONS, TABLES, TEXTS, open_file, plain_ending, table_kind
from zoo.data.store import Store
from zoo.data.tables import expand, is_table, read_rows
from zoo.data.texts import read_texts
from zoo.errors import ZooError
from zoo.finding import Finding

TEXT_ENDINGS = (*TEXTS, ".tokens", ".raw")  # of WikiText, too
BLOCK = 1 << 20  # bytes
LONGEST_WORD = 100  # characters, behind which a cut line ends


class StoredTexts:
    """The texts of rows that are kept on disk, in order, as often as they are asked for.

    Args:
        store: where the rows are.
        rows: positions there.
    """

    def __init__(self, store: Store, rows: np.ndarray):
        self._store, self._rows = store, rows
        self.where = store.file

    @property
    def columns(self) -> Columns | None:
        """The columns that were read."""
        return self._store.columns

    def __iter__(self) -> Iterator[str]:
        """Yield the texts."""
        return self._store.iter_inputs(self._rows)


def store_tables(
    sources: dict[str, Any],
    request: ColumnRequest,
    findings: list[Finding],
    stack: contextlib.ExitStack,
) -> dict[str, Any]:
    """Return sources with `StoredTexts` for tables in memory, and for those that say parts.

    Args:
        sources: of `train`, and of the other parts that data are given for.
        request: which columns of a table.
        findings: findings on what is read are appended to it.
        stack: closes what is kept on disk.

    Raises:
        ZooError: a table cannot be read, or it cannot be told which rows are held out.
    """
    stores = {}
    for name, source in sources.items():
        store = _stored(source, request, stack)
        if store is not None:
            stores[name] = store
    others = [name for name in sources if name != "train"]
    parts = given_parts(stores, findings, others)
    return sources | {name: StoredTexts(store, rows) for name, (store, rows) in parts.items()}


def store_scored_table(
    source: Any, request: ColumnRequest, findings: list[Finding], stack: contextlib.ExitStack
) -> Any:
    """Return what is scored: of a table that says parts the test rows; else the source itself.

    Args:
        source: the corpus.
        request: which columns of a table.
        findings: findings on what is read are appended to it.
        stack: closes what is kept on disk.
    """
    store = _stored(source, request, stack)
    return source if store is None else StoredTexts(store, rows_of_part(store, SCORED, findings))


def _stored(source: Any, request: ColumnRequest, stack: contextlib.ExitStack) -> Store | None:
    """Return the rows of a table in memory, or of files with a column that may say parts."""
    if not is_table(source):
        if is_in_memory(source) or not all(map(table_kind, corpus_paths(source).paths)):
            return None
        columns = corpus_columns(source, request)[1]
        if columns is None or columns.part is None:
            return None
        source = list(corpus_paths(source).paths)
    return stack.enter_context(Store(read_rows(source, request)))


def text_files(source: Any) -> list[Path]:
    """Return the files that a path, a list of paths or a folder names, in order of name.

    Raises:
        ZooError: there is none.
    """
    given = [source] if isinstance(source, str | Path) else list(source)
    files: list[Path] = []
    for path in (path for one in given for path in expand(Path(one))):
        if path.is_dir():
            files += sorted(
                file
                for file in path.rglob("*")
                if plain_ending(file) in (*TEXT_ENDINGS, *TABLES)
                and not any(part[0] in "._" for part in file.relative_to(path).parts)
                and file.is_file()
            )
        else:
            files.append(path)
    if not files:
        raise ZooError(
            f"{source}: holds no text: files of {', '.join((*TEXT_ENDINGS, *TABLES))}, also with "
            f"{', '.join(COMPRESSIONS)}."
        )
    return files


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


def corpus_columns(source: Any, request: ColumnRequest) -> tuple[str, Columns | None]:
    """Return the first table of a corpus, and which of its columns are read; None without one.

    Raises:
        ZooError: the table has no such column.
    """
    if hasattr(source, "columns"):
        return source.where, source.columns
    tables = [] if is_in_memory(source) else list(filter(table_kind, text_files(source)))
    if not tables:
        return "", None
    rows = read_rows(tables[0], request)
    return str(tables[0]), next(rows).columns


def read_lines(source: Any, request: ColumnRequest = UNLABELLED) -> Iterator[str]:
    """Yield the lines of a corpus; a text of a table may hold several.

    Args:
        source: path, list of paths or folder (see `text_files`), or an array of texts.
        request: which columns of a table.

    Raises:
        ZooError: a file is missing or unreadable, or is no text: not UTF-8, or with zero bytes.
    """
    if is_in_memory(source):
        for value in source:
            if not isinstance(value, str):
                raise ZooError(f"a corpus is made of strings. Received: {type(value).__name__}.")
            yield from value.split("\n")
        return
    for path in text_files(source):
        last: str | None = None
        for last in read_texts(path, request):
            if "\x00" in last:
                raise ZooError(f"{path}: is no text: it holds zero bytes. Give a text file.")
            if table_kind(path):
                yield from last.split("\n")
            else:
                yield last
        if last is None:
            raise ZooError(f"{path}: is empty.")


def lines_between(lines: Iterable[str], first: int, last: int, total: int) -> Iterator[str]:
    """Yield the lines between two positions: what ends at one begins there for another part.

    A position within a line moves to its nearer end, if that is not far compared with what lies on
    either side of it; else the line is cut, behind a word: a corpus may be one line.

    Args:
        lines: all of them; the end of each counts as a character.
        first: position of the first character.
        last: position after the last one.
        total: number of all characters.
    """
    position = 0
    for line in lines:
        begin, end = (_cut(line, bound - position, bound, total) for bound in (first, last))
        position += len(line) + 1
        if (begin < len(line) and begin < end) or begin == 0 < end:
            yield line[begin:end]
        if position > last:
            return


def _cut(line: str, at: int, position: int, total: int) -> int:
    """Return where a line is cut, which is `at` a character of it or out of it."""
    length = len(line) + 1
    if at <= 0 or at >= length:
        return min(max(at, 0), length)
    far = min(position, total - position) / 2
    if min(at, length - at) <= far:
        return 0 if at < length - at else length
    blank = line.find(" ", at, at + LONGEST_WORD)
    return at if blank < 0 else blank + 1


def content_digest(source: Any) -> str:
    """Return a text that differs where the contents of the files do, whatever their names."""
    digest = hashlib.blake2b(digest_size=16)
    if is_in_memory(source):
        for value in source:
            digest.update(str(value).encode("utf-8", "surrogatepass"))
            digest.update(b"\n")
        return digest.hexdigest()
    for path in text_files(source):
        try:
            # Unpacked: the same text is the same corpus however it is compressed.
            with open_file(path) as file:
                while block := file.read(BLOCK):
                    digest.update(block)
        except (OSError, pa.ArrowException, lzma.LZMAError, EOFError) as error:
            raise ZooError(f"{path}: cannot be read: {error}.") from error
        digest.update(b"\x00")
    return digest.hexdigest()


def is_in_memory(source: Any) -> bool:
    """Whether a corpus is texts rather than paths: an array or another iterable of strings."""
    if isinstance(source, str | Path):
        return False
    if isinstance(source, list | tuple) and source:
        exist = [isinstance(item, str | Path) and _exists(Path(item)) for item in source]
        # Of several files one may be missing: it is named when it is read.
        files = any(
            exists and plain_ending(Path(item)) for item, exists in zip(source, exist, strict=True)
        )
        return not all(exist) and not files
    return isinstance(source, np.ndarray | Iterable)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text that is too long for a name
        return False
