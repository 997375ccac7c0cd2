"""Folders of texts: with tables, or with class folders of one text a file."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo.data.columns import quoted
from zoo.data.parts import SourcePaths, part_of
from zoo.data.paths import (
    TABLES,
    TEXTS,
    check_encoding,
    check_names,
    is_hidden,
    list_folder,
    looks_like_image,
    readable,
    table_kind,
)
from zoo.data.rows import Rows
from zoo.errors import ZooError
from zoo.finding import Finding, Level, counted

NAMED = 5  # files or folders that a message names
LOOKED_AT = 10_000  # files, to say what a folder holds
OPTIONS = {"validation": "--validation", "test": "--test", "evaluation": "--test"}


@dataclasses.dataclass(frozen=True)
class Contents:
    """What is in a folder, without what is hidden.

    Args:
        path: the folder.
        files: the files in it, in order of name.
        folders: the folders in it, in order of name.
    """

    path: Path
    files: list[Path]
    folders: list[Path]

    @property
    def tables(self) -> list[Path]:
        """The files that are tables."""
        return [file for file in self.files if table_kind(file)]

    @property
    def texts(self) -> list[Path]:
        """The files of one text each."""
        return [file for file in self.files if file.suffix.lower() in TEXTS]

    @property
    def is_bare(self) -> bool:
        """Whether no file has an ending, and none is an image: 20 Newsgroups, as it comes."""
        plain = all(not file.suffix for file in self.files)
        return plain and bool(self.files) and not looks_like_image(self.files[0])


def contents(path: Path) -> Contents:
    """Return what is in a folder.

    Raises:
        ZooError: it cannot be read.
    """
    entries = [(entry, is_dir) for entry, is_dir in list_folder(path) if not _hidden(entry)]
    return Contents(
        path,
        [entry for entry, is_dir in entries if not is_dir],
        [entry for entry, is_dir in entries if is_dir],
    )


def read_folder(
    path: Path, labelled: bool, read_table: Callable[[Path], Iterator[Rows]]
) -> Iterator[Rows]:
    """Yield the rows of the tables in a folder, or of the texts in its class folders.

    Args:
        path: the folder.
        labelled: whether labels are needed.
        read_table: from a table to its rows.

    Raises:
        ZooError: it holds neither, both, or several parts of a data set.
    """
    folder = contents(path)
    _check_parts(path, folder.tables or folder.folders)
    classes = [contents(inner) for inner in folder.folders]
    texts = {inner.path: inner.texts for inner in classes}
    if classes and not folder.tables and all(inner.is_bare for inner in classes):
        texts = {inner.path: inner.files for inner in classes}
    if folder.tables and any(texts.values()):
        raise ZooError(f"{path}: holds both tables and folders with .txt files. Name one of them.")
    if folder.tables:
        for table in folder.tables:
            yield from read_table(table)
        return
    if not any(texts.values()):
        raise ZooError(_nothing_to_read(folder, classes, labelled))
    check_names(inner.path for inner in classes)
    _check_twice(classes)
    findings = tuple(_unread_files(folder, classes, texts))
    for inner in classes:
        if not texts[inner.path]:
            raise ZooError(
                f"{inner.path}: is a class folder without .txt files{_endings(inner.files)}. Fill "
                "it, or take it away."
            )
        for rows in _text_files(inner.path.name, texts[inner.path]):
            yield dataclasses.replace(rows, findings=findings)
            findings = ()


def folder_paths(path: Path) -> SourcePaths:
    """Return the tables in a folder; else its folders, if some have tables or classes of their own.

    A class folder may be called `test`: it has texts in it, and no folders.
    """
    folder = contents(path)
    if folder.tables:
        return SourcePaths(readable(path), folder.tables, path)
    inner = {entry: contents(entry) for entry in folder.folders}
    parts = [entry for entry, held in inner.items() if part_of(entry.name) and _holds_data(held)]
    classes = [entry for entry, held in inner.items() if entry not in parts and held.texts]
    return SourcePaths(readable(path), [*parts, *classes] if parts else (), path)


def what_it_holds(path: Path) -> str:
    """Return words for what is in a folder without texts: its images, or its files by ending."""
    files = list(itertools.islice(_below(path), LOOKED_AT))
    image = next((file for file in files if looks_like_image(file)), None)
    if image is not None:
        return (
            f"holds images (such as {readable(image.relative_to(path))}), no texts. For images: "
            f"zoo train resnet {shlex.quote(readable(path))}."
        )
    if not files:
        return "is empty"
    return f"holds {counted(len(files), 'file')}, none of {', '.join(TEXTS)}{_endings(files)}"


def _nothing_to_read(folder: Contents, classes: list[Contents], labelled: bool) -> str:
    """Return the message for a folder that holds neither tables nor class folders with texts."""
    path = folder.path
    accepted = (
        f"neither tables ({', '.join(TABLES)}, compressed or not) nor class folders with .txt files"
    )
    meant = [
        inner.path
        for inner in classes
        if inner.tables or any(contents(entry).texts for entry in inner.folders)
    ]
    if meant:
        names = ", ".join(f"'{readable(entry)}'" for entry in meant[:NAMED])
        return f"{path}: holds {accepted}. Did you mean {names}?"
    if folder.texts:
        advice = (
            "Put the texts of each class into a folder of its name, and give the folder of these."
        )
        if not labelled:
            advice = "Name the files: each line of a .txt file is a text."
        return (
            f"{path}: holds {accepted}, but {counted(len(folder.texts), 'file')} of text "
            f"({quoted(readable(Path(text.name)) for text in folder.texts[:NAMED])}). {advice}"
        )
    held = what_it_holds(path)
    if held == "is empty":
        return f"{path}: is empty: it holds {accepted}."
    return f"{path}: {held}" if held.endswith(".") else f"{path}: {held}: {accepted}."


def _check_parts(path: Path, entries: list[Path]) -> None:
    """Refuse what holds several parts of a data set: those to test on are not learned from."""
    parts = {entry: part_of(entry.name) for entry in entries if part_of(entry.name)}
    if len(set(parts.values())) < 2:
        return
    command = f"zoo train MODEL {shlex.quote(readable(path))}/..."
    firsts = {part: entry for entry, part in reversed(parts.items())}
    if "train" in firsts:
        given = [shlex.quote(readable(firsts["train"]))]
        for part, option in OPTIONS.items():
            if part in firsts and option not in given:
                given += [option, shlex.quote(readable(firsts[part]))]
        command = f"zoo train MODEL {' '.join(given)}"
    raise ZooError(
        f"{path}: holds several parts of a data set: "
        f"{quoted(readable(Path(entry.name)) for entry in parts)}. Give the one for training as "
        f"the data, the others with --validation and --test: {command}"
    )


def _check_twice(classes: list[Contents]) -> None:
    """Refuse two names of one folder: each text would have two labels."""
    real: dict[Path, Path] = {}
    for folder in classes:
        first = real.setdefault(folder.path.resolve(), folder.path)
        if first != folder.path:
            raise ZooError(
                f"{folder.path}: is a link to the same folder as {first.name}: its texts would "
                "have two labels. Take one away."
            )


def _unread_files(
    folder: Contents, classes: list[Contents], texts: dict[Path, list[Path]]
) -> list[Finding]:
    """Return findings on files and folders that are not read."""
    findings = []
    unread = list(folder.files)
    for inner in classes:
        for entry in inner.folders:
            if contents(entry).texts:
                what = f"{readable(entry)}: a folder in a class folder is not read."
                hint = "Put its texts into the class folder, or give a table."
                findings.append(Finding("warning", what, {"folder": readable(entry)}, hint))
        read = set(texts[inner.path])
        unread += [file for file in inner.files if file not in read]
    if unread:
        what = f"{folder.path}: {counted(len(unread), 'file')} passed over{_endings(unread)}."
        level: Level = "warning" if folder.texts else "info"
        hint = f"Texts are files of {', '.join(TEXTS)} in class folders."
        findings.append(Finding(level, what, {"count": len(unread)}, hint))
    return findings


def _text_files(label: str, files: list[Path]) -> Iterator[Rows]:
    for path in files:
        where = readable(path)
        try:
            content = path.read_bytes()
            check_encoding(Path(where), content)
            text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            raise ZooError(
                f"{where}: is not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8."
            ) from error
        except OSError as error:
            raise ZooError(f"{where}: cannot be read: {error.strerror}.") from error
        yield Rows(where, 1, [text], [label])


def _holds_data(folder: Contents) -> bool:
    """Whether a folder has tables or class folders in it."""
    classes = map(contents, folder.folders)
    return bool(folder.tables) or any(inner.texts or inner.is_bare for inner in classes)


def _below(path: Path) -> Iterator[Path]:
    """Yield the files in a folder and two levels below, without hidden ones."""
    folder = contents(path)
    yield from folder.files
    for inner in map(contents, folder.folders):
        yield from inner.files
        for entry in inner.folders:
            yield from contents(entry).files


def _endings(files: list[Path]) -> str:
    """Return `: 3 .md, 1 without an ending`, or nothing for no files."""
    counts = Counter(file.suffix.lower() or "without an ending" for file in files)
    shown = ", ".join(f"{count:,} {ending}" for ending, count in counts.most_common(NAMED))
    return f": {shown}" if shown else ""


def _hidden(path: Path) -> bool:
    return is_hidden(path) or path.name.startswith("_")
