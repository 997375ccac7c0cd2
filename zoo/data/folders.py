"""Folders of texts: of tables, or of class folders with one text a file."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
from zoo.finding import Finding

NAMED = 5  # files or folders that a message names
LOOKED_AT = 10_000  # files, to say what a folder holds
OPTIONS = {"validation": "--validation", "test": "--test", "evaluation": "--test"}


@dataclasses.dataclass(frozen=True)
class Contents:
    """What is in a folder, without what is hidden: files and folders, in order of name."""

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
    shown = [(each, is_folder) for each, is_folder in list_folder(path) if not _hidden(each)]
    return Contents(
        path,
        [each for each, is_folder in shown if not is_folder],
        [each for each, is_folder in shown if is_folder],
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
    here = contents(path)
    _check_parts(path, here.tables or here.folders)
    classes = [contents(folder) for folder in here.folders]
    texts = {each.path: each.texts for each in classes}
    if classes and not here.tables and all(each.is_bare for each in classes):
        texts = {each.path: each.files for each in classes}
    if here.tables and any(texts.values()):
        raise ZooError(f"{path}: holds both tables and folders with .txt files. Name one of them.")
    if here.tables:
        for table in here.tables:
            yield from read_table(table)
        return
    if not any(texts.values()):
        raise ZooError(_nothing(here, classes, labelled))
    check_names(each.path for each in classes)
    _check_twice(classes)
    findings = tuple(_passed_over(here, classes, texts))
    for each in classes:
        if not texts[each.path]:
            raise ZooError(
                f"{each.path}: is a class folder without .txt files{_holding(each.files)}. Fill "
                "it, or take it away."
            )
        for rows in _text_files(each.path.name, texts[each.path]):
            yield dataclasses.replace(rows, findings=findings)
            findings = ()


def folder_paths(path: Path) -> SourcePaths:
    """Return the tables in a folder; else its folders, if some have tables or classes of their own.

    A class folder may be called `test`: it has texts in it, and no folders.
    """
    here = contents(path)
    if here.tables:
        return SourcePaths(readable(path), here.tables, path)
    inner = {each: contents(each) for each in here.folders}
    parts = [each for each, some in inner.items() if part_of(each.name) and _holds_data(some)]
    classes = [each for each, some in inner.items() if each not in parts and some.texts]
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
    return f"holds {_count(len(files))}, none of {', '.join(TEXTS)}{_holding(files)}"


def _nothing(here: Contents, classes: list[Contents], labelled: bool) -> str:
    """Return the message for a folder that holds neither tables nor class folders with texts."""
    path = here.path
    accepted = (
        f"neither tables ({', '.join(TABLES)}, compressed or not) nor class folders with .txt files"
    )
    inner = [
        each for each in classes if each.tables or any(contents(f).texts for f in each.folders)
    ]
    if inner:
        names = ", ".join(f"'{readable(each.path)}'" for each in inner[:NAMED])
        return f"{path}: holds {accepted}. Did you mean {names}?"
    if here.texts:
        advice = (
            "Put the texts of each class into a folder of its name, and give the folder of these."
        )
        if not labelled:
            advice = "Name the files: each line of a .txt file is a text."
        return (
            f"{path}: holds {accepted}, but {_count(len(here.texts))} of text "
            f"({quoted(readable(Path(each.name)) for each in here.texts[:NAMED])}). {advice}"
        )
    said = what_it_holds(path)
    if said == "is empty":
        return f"{path}: is empty: it holds {accepted}."
    return f"{path}: {said}" if said.endswith(".") else f"{path}: {said}: {accepted}."


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
    for each in classes:
        first = real.setdefault(each.path.resolve(), each.path)
        if first != each.path:
            raise ZooError(
                f"{each.path}: is a link to the same folder as {first.name}: its texts would have "
                "two labels. Take one away."
            )


def _passed_over(
    here: Contents, classes: list[Contents], texts: dict[Path, list[Path]]
) -> list[Finding]:
    """Return what there is to say of files and folders that are not read."""
    found = []
    for each in classes:
        for folder in each.folders:
            if contents(folder).texts:
                what = f"{readable(folder)}: a folder in a class folder is not read."
                hint = "Put its texts into the class folder, or give a table."
                found.append(Finding("warning", what, {"folder": readable(folder)}, hint))
    others = list(here.files)
    for each in classes:
        read = set(texts[each.path])
        others += [file for file in each.files if file not in read]
    if others:
        what = f"{here.path}: {_count(len(others))} passed over{_holding(others)}."
        level: Any = "warning" if here.texts else "info"
        hint = f"Texts are files of {', '.join(TEXTS)} in class folders."
        found.append(Finding(level, what, {"count": len(others)}, hint))
    return found


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


def _holds_data(here: Contents) -> bool:
    """Whether a folder has tables or class folders in it."""
    classes = (contents(folder) for folder in here.folders)
    return bool(here.tables) or any(each.texts or each.is_bare for each in classes)


def _below(path: Path) -> Iterator[Path]:
    """Yield the files in a folder and two levels below, without hidden ones."""
    here = contents(path)
    yield from here.files
    for folder in here.folders:
        inner = contents(folder)
        yield from inner.files
        for each in inner.folders:
            yield from contents(each).files


def _holding(files: list[Path]) -> str:
    """Return `: 3 .md, 1 without an ending`, or nothing for no files."""
    counts = Counter(file.suffix.lower() or "without an ending" for file in files)
    said = ", ".join(f"{count:,} {ending}" for ending, count in counts.most_common(NAMED))
    return f": {said}" if said else ""


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files:,} files"


def _hidden(path: Path) -> bool:
    return is_hidden(path) or path.name.startswith("_")
