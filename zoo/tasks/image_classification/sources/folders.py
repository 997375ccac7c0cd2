"""Folders of class folders, and folders of the parts of a data set with class folders in them."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoo.data.columns import quoted
from zoo.data.parts import PARTS, part_of
from zoo.data.paths import (
    IMAGES,
    NAMED,
    TABLES,
    UNREAD_IMAGES,
    Walk,
    check_names,
    holds_image,
    is_hidden,
    is_image,
    list_folder,
    table_kind,
)
from zoo.data.rows import BATCH_ROWS, Rows
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.tasks.image_classification.sources.arrays import Pixels
from zoo.tasks.image_classification.sources.encoded import EncodedImages

SHEET = "-sheet.png"  # behind the name of a folder: what `zoo data --show` writes of it
METADATA = tuple(f"metadata{ending}" for ending in (".csv", ".jsonl", ".parquet"))
NO_CLASSES = (
    "Put the images of each class into a folder of its name, or give a table of paths and labels"
)


@dataclasses.dataclass
class ImageSource:
    """The images of one part.

    Args:
        where: the folder, file or `data`, for messages.
        rows: path of an image, or its place in `arrays`, and its label.
        arrays: pixels or bytes of files, or None for files.
        findings: what there is to say of the source, complete once the rows are read.
    """

    where: str
    rows: Iterator[Rows] | list[Rows]
    arrays: Pixels | EncodedImages | None = None
    findings: list[Finding] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder whose images have labels.

    Args:
        path: the folder.
        training: whether it is to be learned from, so that every class folder needs images.
        read_table: from the path of a table of file names and labels to its rows.
    """

    path: Path
    training: bool
    read_table: Callable[[Path], ImageSource]

    def parts(self) -> dict[str, ImageSource]:
        """Return the parts in it, or all of it as `train`.

        Folders are parts where their names say so (`zoo.data.parts.part_of`) and class folders are
        in them; beside images without one of their own, `test` may be a class.

        Raises:
            ZooError: it cannot be told what is to be learned from; the message has the command.
        """
        shown, ignored = _subfolders(self.path)
        named = {each: part_of(each.name) for each in shown}
        parts = [each for each, part in named.items() if part and _class_folders(each)]
        kinds = [part for part in named.values() if part]
        if not parts and not (shown and len(set(kinds)) == len(shown)):
            return {"train": self._classes(self.path)}
        said = ignored + self._beside(named, parts)
        flat = [each for each, part in named.items() if part == "unlabelled" and each not in parts]
        found = self._told_apart({e: p for e, p in named.items() if p and e not in flat}, parts)
        if not found or (self.training and "train" not in found):
            what = "training" if self.training else "labelled"
            raise ZooError(
                f"{self.path}: holds no {what} part, but {_names(list(named))}. Name the folder to "
                "learn from, or with labels to score."
            )
        chosen = {name: self._classes(found[name], name) for name in PARTS if name in found}
        next(iter(chosen.values())).findings += said
        return chosen

    def _beside(self, named: dict[Path, str], parts: list[Path]) -> list[Finding]:
        """Return findings on the folders beside the parts; refuse those that may be classes."""
        others = [each for each, part in named.items() if not part]
        full = [each.name for each in others if holds_image(each)]
        if full:
            raise ZooError(
                f"{self.path}: holds parts of a data set ({quoted(e.name for e in parts)}) beside "
                f"other folders with images ({quoted(full[:NAMED])}). Take one kind away, or name "
                f"what is to be read: {self._command(named)}."
            )
        found = []
        if others:
            what = "folders without images are neither parts nor classes"
            what = what if len(others) > 1 else "a folder without images is neither part nor class"
            what = f"{what}: {_names(others)}."
            found.append(Finding("info", what, {"folders": [e.name for e in others]}))
        for each, part in named.items():
            if part == "unlabelled" and each not in parts:
                count = sum(map(is_image, Walk().files(each)))
                what = f"{each}: {_images(count)} without class folders, not read."
                hint = f"`zoo predict RUN {shlex.quote(str(each))}` predicts their classes."
                found.append(Finding("info", what, {"count": count}, hint))
        return found

    def _told_apart(self, named: dict[Path, str], parts: list[Path]) -> dict[str, Path]:
        """Return the folder of each part.

        Raises:
            ZooError: a part may be another, or there are two of one.
        """
        unclear = [each for each, part in named.items() if part not in PARTS]
        if unclear:
            raise ZooError(
                f"{self.path}: {_names(unclear)} may be validation, test, or none of them (parts "
                f"are {quoted(PARTS)} and names like them). Say it: {self._command(named)}."
            )
        found = {part: each for each, part in named.items()}
        if len(found) < len(named):
            raise ZooError(
                f"{self.path}: two folders are the same part: {_names(list(named))}. "
                "Put them together, or take one away."
            )
        for each in found.values():
            if each not in parts and part_of(each.name) != "train":
                self._check_flat(each, named)
        return found

    def _check_flat(self, folder: Path, named: dict[Path, str]) -> None:
        """Refuse a part whose images lie in it without classes, as tests of contests do."""
        entries = list_folder(folder)
        images = [
            e for e, is_folder in entries if not is_folder and not is_hidden(e) and is_image(e)
        ]
        if images and not any(each.name in METADATA for each, _ in entries):
            kept = {each: part for each, part in named.items() if each != folder}
            raise ZooError(
                f"{folder}: holds {_counted(len(images))}, but no class folders. {NO_CLASSES}. To "
                f"go on without it: {self._command(kept)}; `zoo predict RUN "
                f"{shlex.quote(str(folder))}` predicts their classes."
            )

    def _command(self, named: dict[Path, str]) -> str:
        """Return the command that names each part."""
        folders: dict[str, list[str]] = {}
        for each, part in named.items():
            folders.setdefault(part, []).append(shlex.quote(str(each)))
        if not self.training:
            known = itertools.chain(*(some for part, some in folders.items() if part))
            return f"name {' or '.join(known)}"
        chosen: dict[str, str] = {
            part: folders[part][0] for part in ("validation", "test") if part in folders
        }
        for part in ("test", "validation"):  # what is unclear is more often a test
            if "evaluation" in folders and part not in chosen:
                chosen[part] = folders.pop("evaluation")[0]
        options = [f"--{part} {folder}" for part, folder in sorted(chosen.items(), reverse=True)]
        return f"`{' '.join(['zoo train resnet', folders.get('train', ['FOLDER'])[0], *options])}`"

    def _classes(self, folder: Path, name: str = "train") -> ImageSource:
        """Return the images of the class folders in a folder, or of the table beside them."""
        classes, ignored = _subfolders(folder)
        files = [e for e, is_folder in list_folder(folder) if not is_folder and not is_hidden(e)]
        tables = [each for each in files if each.name.lower() in METADATA]
        if tables and len(classes) < 2:
            return self.read_table(tables[0])
        sheet = f"{folder.resolve().name}{SHEET}"
        loose = [each for each in files if each.name != sheet and is_image(each)]
        if not classes:
            raise ZooError(_no_classes(folder, files, loose))
        training = self.training and name == "train"
        if training and len(classes) == 1 and not loose:
            _check_wrapped(folder, classes[0])
        found = ImageSource(str(folder), [], None, ignored + _called_parts(classes))
        if tables:
            what = f"{tables[0]}: is not read: the class folders beside it say the labels."
            found.findings.append(Finding("info", what))
        found.rows = _class_rows(found, folder, classes, loose, training)
        return found


def _no_classes(folder: Path, files: list[Path], loose: list[Path]) -> str:
    unread = Counter(e.suffix.lower() for e in files if e.suffix.lower() in UNREAD_IMAGES)
    what = "is empty: it holds no class folders"
    if loose:
        what = f"holds {_counted(len(loose))}, but no class folders"
    elif unread:
        what = f"holds {_endings(unread)}, which are not read, and no class folders"
    tables = [each for each in files if table_kind(each) in TABLES]
    there = f", such as {tables[0]}" if tables else ""
    return f"{folder}: {what}. {NO_CLASSES}{there}."


def _check_wrapped(folder: Path, only: Path) -> None:
    """Refuse a folder around the folder of the classes or parts."""
    inner = only
    while True:
        below = _class_folders(inner)
        if len(below) != 1 or any(is_image(each) for each in _own_files(inner)):
            break
        inner = below[0]
    if len(below) > 1 and not any(is_image(each) for each in _own_files(inner)):
        raise ZooError(
            f"{folder}: all images have the one class '{only.name}'. A classifier needs two. Did "
            f"you mean {inner}, which holds {quoted(each.name for each in below[:NAMED])}?"
        )


def _called_parts(classes: list[Path]) -> list[Finding]:
    """Return a finding when the name of a class is that of a part."""
    names = [each.name for each in classes if part_of(each.name)]
    if not names:
        return []
    what = (
        f"{quoted(names[:NAMED])} {'is' if len(names) == 1 else 'are'} read as "
        f"{'a class' if len(names) == 1 else 'classes'}, by the name a part of a data set."
    )
    hint = "A part holds class folders. What has no label, or is held out, must not lie here."
    return [Finding("warning", what, {"folders": names}, hint)]


def _class_rows(
    found: ImageSource, folder: Path, classes: list[Path], loose: list[Path], training: bool
) -> Iterator[Rows]:
    """Yield the images of one class folder after the other; add what there is to say of them."""
    check_names(classes)
    others: Counter[str] = Counter()
    empty: dict[Path, Counter[str]] = {}
    walk = Walk([folder, *classes])
    for each in classes:
        images, here = 0, Counter[str]()
        files = walk.files(each)
        while some := list(itertools.islice(files, BATCH_ROWS)):
            read = [is_image(file) for file in some]
            kept = list(itertools.compress(some, read))
            others_here = (file for file, is_read in zip(some, read, strict=True) if not is_read)
            here.update(file.suffix.lower() for file in others_here)
            check_names(kept)
            if kept:
                yield Rows(str(each), images + 1, list(map(str, kept)), [each.name] * len(kept))
            images += len(kept)
        others += here
        if not images:
            empty[each] = here
    if empty and (training or len(empty) == len(classes)):
        raise ZooError(_without(folder, empty, len(empty) == len(classes)))
    if empty:
        what = "class folders" if len(empty) > 1 else "a class folder"
        what = f"{what} without images: {', '.join(map(str, list(empty)[:NAMED]))}."
        found.findings.append(Finding("warning", what, {"count": len(empty)}, ""))
    if others or loose:
        found.findings.append(_passed_over(folder, others, loose))
    if walk.again:
        names = ", ".join(str(each) for each in walk.again[:NAMED])
        what = "links to folders that are read already are not followed"
        if len(walk.again) == 1:
            what = "a link to a folder that is read already is not followed"
        what = f"{what}: {names}."
        found.findings.append(Finding("warning", what, {"count": len(walk.again)}))


def _without(folder: Path, empty: dict[Path, Counter[str]], all_of_them: bool) -> str:
    """Return the error for class folders without images, with what is there instead."""
    held = sum(empty.values(), Counter[str]())
    unread = Counter({ending: count for ending, count in held.items() if ending in UNREAD_IMAGES})
    names = ", ".join(str(each) for each in list(empty)[:NAMED])
    what = "class folders" if len(empty) > 1 else "a class folder"
    what = f"{names}: {what} without images ({', '.join(IMAGES)})"
    if unread:
        return (
            f"{what}, but with {_endings(unread)}: not read. Convert "
            f"{'it' if unread.total() == 1 else 'them'} to PNG."
        )
    if all_of_them and held[".txt"]:
        return f"{what}, but with {held['.txt']:,} .txt: `zoo train textcnn {folder}` reads texts."
    one = "it" if len(empty) == 1 else "them"
    return f"{what}. Fill {one}, or take {one} away."


def _passed_over(folder: Path, others: Counter[str], loose: list[Path]) -> Finding:
    said = [_endings(others)] if others else []
    if loose:
        said.append(f"{_counted(len(loose))} outside of the class folders")
    count = others.total() + len(loose)
    verb = "file is" if count == 1 else "files are"
    what = f"{folder}: {count:,} {verb} passed over: {', '.join(said)}."
    images = [ending for ending in others if ending in UNREAD_IMAGES]
    hint = f"Convert {', '.join(images)} to PNG. " if images else ""
    level: Any = "warning" if loose or images else "info"
    evidence = {"count": count, "endings": dict(others)}
    return Finding(level, what, evidence, f"{hint}Images are {', '.join(IMAGES)}.")


def _subfolders(folder: Path) -> tuple[list[Path], list[Finding]]:
    """Return the folders in a folder, and what there is to say of those that are no data."""
    folders = [each for each, is_folder in list_folder(folder) if is_folder]
    names = [each.name for each in folders if is_hidden(each)]
    here = folder.resolve()
    links = [each for each in folders if not is_hidden(each) and each.is_symlink()]
    around = [each for each in links if here.is_relative_to(each.resolve())]
    said = []
    if names:
        what = "hidden folders are no classes and are ignored"
        what = what if len(names) > 1 else "a hidden folder is no class and is ignored"
        said.append(Finding("info", f"{what}: {quoted(names[:NAMED])}.", {"folders": names}))
    if around:
        what = f"links to the folder that they are in are no classes: {_names(around)}."
        said.append(Finding("warning", what, {"count": len(around)}))
    return [each for each in folders if not is_hidden(each) and each not in around], said


def _class_folders(folder: Path) -> list[Path]:
    return [each for each in _subfolders(folder)[0] if holds_image(each)]


def _own_files(folder: Path) -> list[Path]:
    return [e for e, is_folder in list_folder(folder) if not is_folder and not is_hidden(e)]


def _endings(counts: Counter[str]) -> str:
    """Return words for files by their endings, the most first."""
    named = counts.most_common(NAMED)
    rest = counts.total() - sum(count for _, count in named)
    said = [f"{count:,} {ending or 'without an ending'}" for ending, count in named]
    return ", ".join(said + ([f"{rest:,} others"] if rest else []))


def _counted(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _names(folders: list[Path]) -> str:
    return quoted(each.name for each in folders)
