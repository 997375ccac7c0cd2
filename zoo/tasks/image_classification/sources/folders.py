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
from zoo.finding import Finding, counted, first_few
from zoo.tasks.image_classification.sources.source import ImageSource

SHEET = "-sheet.png"  # behind the name of a folder: what `zoo data --show` writes of it
METADATA = tuple(f"metadata{ending}" for ending in (".csv", ".jsonl", ".parquet"))
NO_CLASSES = (
    "Put the images of each class into a folder of its name, or give a table of paths and labels"
)


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder whose images have labels.

    Args:
        path: the folder.
        training: whether it is to be learned from, so that every class folder needs images.
        read_table: from the path of a table of file names and labels to its source.
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
        folders, findings = _subfolders(self.path)
        named = {folder: part_of(folder.name) for folder in folders}
        parts = [folder for folder, part in named.items() if part and _class_folders(folder)]
        kinds = [part for part in named.values() if part]
        if not parts and not (folders and len(set(kinds)) == len(folders)):
            return {"train": self._classes(self.path)}
        findings += self._other_folders(named, parts)
        labelled = {
            folder: part
            for folder, part in named.items()
            if part and (part != "unlabelled" or folder in parts)
        }
        chosen = self._folder_of_part(labelled, parts)
        if not chosen or (self.training and "train" not in chosen):
            what = "training" if self.training else "labelled"
            raise ZooError(
                f"{self.path}: holds no {what} part, but {_names(folders)}. Name the folder to "
                "learn from, or with labels to score."
            )
        sources = {name: self._classes(chosen[name], name) for name in PARTS if name in chosen}
        next(iter(sources.values())).findings += findings
        return sources

    def _other_folders(self, named: dict[Path, str], parts: list[Path]) -> list[Finding]:
        """Return findings on the folders beside the parts; refuse those that may be classes."""
        others = [folder for folder, part in named.items() if not part]
        with_images = [folder.name for folder in others if holds_image(folder)]
        if with_images:
            raise ZooError(
                f"{self.path}: holds parts of a data set ({_names(parts)}) beside "
                f"other folders with images ({quoted(with_images[:NAMED])}). Take one kind away, "
                f"or name what is to be read: {self._command(named)}."
            )
        findings = []
        if others:
            what = "folders without images are neither parts nor classes"
            what = what if len(others) > 1 else "a folder without images is neither part nor class"
            what = f"{what}: {_names(others)}."
            findings.append(Finding("info", what, {"folders": [other.name for other in others]}))
        for folder, part in named.items():
            if part == "unlabelled" and folder not in parts:
                count = sum(map(is_image, Walk().files(folder)))
                what = f"{folder}: {counted(count, 'image')} without class folders, not read."
                hint = f"`zoo predict RUN {shlex.quote(str(folder))}` predicts their classes."
                findings.append(Finding("info", what, {"count": count}, hint))
        return findings

    def _folder_of_part(self, named: dict[Path, str], parts: list[Path]) -> dict[str, Path]:
        """Return the folder of each part.

        Raises:
            ZooError: a part may be another, or there are two of one.
        """
        unclear = [folder for folder, part in named.items() if part not in PARTS]
        if unclear:
            raise ZooError(
                f"{self.path}: {_names(unclear)} may be validation, test, or none of them (parts "
                f"are {quoted(PARTS)} and names like them). Say it: {self._command(named)}."
            )
        folder_of = {part: folder for folder, part in named.items()}
        if len(folder_of) < len(named):
            raise ZooError(
                f"{self.path}: two folders are the same part: {_names(list(named))}. "
                "Put them together, or take one away."
            )
        for part, folder in folder_of.items():
            if folder not in parts and part != "train":
                self._check_flat(folder, named)
        return folder_of

    def _check_flat(self, folder: Path, named: dict[Path, str]) -> None:
        """Refuse a part whose images lie in it without classes, as tests of contests do."""
        files = _files(folder)
        images = sum(map(is_image, files))
        if images and not any(file.name in METADATA for file in files):
            others = {other: part for other, part in named.items() if other != folder}
            raise ZooError(
                f"{folder}: holds {counted(images, 'image')}, but no class folders. {NO_CLASSES}. "
                f"To go on without it: {self._command(others)}; `zoo predict RUN "
                f"{shlex.quote(str(folder))}` predicts their classes."
            )

    def _command(self, named: dict[Path, str]) -> str:
        """Return the command that names each part."""
        folders: dict[str, list[str]] = {}
        for folder, part in named.items():
            folders.setdefault(part, []).append(shlex.quote(str(folder)))
        if not self.training:
            of_parts = itertools.chain(*(paths for part, paths in folders.items() if part))
            return f"name {' or '.join(of_parts)}"
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
        classes, findings = _subfolders(folder)
        files = _files(folder)
        tables = [file for file in files if file.name.lower() in METADATA]
        if tables and len(classes) < 2:
            return self.read_table(tables[0])
        sheet = sheet_file(folder).name
        loose = [file for file in files if file.name != sheet and is_image(file)]
        if not classes:
            raise ZooError(_no_classes(folder, files, loose))
        training = self.training and name == "train"
        if training and len(classes) == 1 and not loose:
            _check_wrapped(folder, classes[0])
        findings += _named_as_parts(classes)
        if tables:
            what = f"{tables[0]}: is not read: the class folders beside it say the labels."
            findings.append(Finding("info", what))
        rows = _class_rows(folder, classes, loose, training, findings)
        return ImageSource(str(folder), rows, findings=findings)


def sheet_file(source: Path) -> Path:
    """Return the file of a sheet of images, in the working directory, named after the data."""
    whole = source.resolve()
    return Path(f"{whole.name if whole.is_dir() else whole.stem}{SHEET}")


def _no_classes(folder: Path, files: list[Path], loose: list[Path]) -> str:
    endings = (file.suffix.lower() for file in files)
    unread = Counter(ending for ending in endings if ending in UNREAD_IMAGES)
    what = "is empty: it holds no class folders"
    if loose:
        what = f"holds {counted(len(loose), 'image')}, but no class folders"
    elif unread:
        what = f"holds {_endings(unread)}, which are not read, and no class folders"
    tables = [file for file in files if table_kind(file) in TABLES]
    such_as = f", such as {tables[0]}" if tables else ""
    return f"{folder}: {what}. {NO_CLASSES}{such_as}."


def _check_wrapped(folder: Path, only: Path) -> None:
    """Refuse a folder around the folder of the classes or parts."""
    inner = only
    while True:
        below = _class_folders(inner)
        flat = any(map(is_image, _files(inner)))
        if len(below) != 1 or flat:
            break
        inner = below[0]
    if len(below) > 1 and not flat:
        raise ZooError(
            f"{folder}: all images have the one class '{only.name}'. A classifier needs two. Did "
            f"you mean {inner}, which holds {_names(below[:NAMED])}?"
        )


def _named_as_parts(classes: list[Path]) -> list[Finding]:
    """Return a finding when the name of a class is that of a part."""
    names = [folder.name for folder in classes if part_of(folder.name)]
    if not names:
        return []
    what = (
        f"{quoted(names[:NAMED])} {'is' if len(names) == 1 else 'are'} read as "
        f"{'a class' if len(names) == 1 else 'classes'}, by the name a part of a data set."
    )
    hint = "A part holds class folders. What has no label, or is held out, must not lie here."
    return [Finding("warning", what, {"folders": names}, hint)]


def _class_rows(
    folder: Path,
    classes: list[Path],
    loose: list[Path],
    training: bool,
    findings: list[Finding],
) -> Iterator[Rows]:
    """Yield the images of one class folder after the other.

    Args:
        folder: around the class folders.
        classes: the class folders.
        loose: images beside them.
        training: whether an empty one is an error.
        findings: findings on other files are appended to it.
    """
    check_names(classes)
    others: Counter[str] = Counter()
    empty: dict[Path, Counter[str]] = {}
    walk = Walk([folder, *classes])
    for class_folder in classes:
        images, class_others = 0, Counter[str]()
        files = walk.files(class_folder)
        while block := list(itertools.islice(files, BATCH_ROWS)):
            kept = [file for file in block if is_image(file)]
            skipped = set(block).difference(kept)
            class_others.update(file.suffix.lower() for file in block if file in skipped)
            check_names(kept)
            if kept:
                labels: list[str | None] = [class_folder.name] * len(kept)
                yield Rows(str(class_folder), images + 1, list(map(str, kept)), labels)
            images += len(kept)
        others += class_others
        if not images:
            empty[class_folder] = class_others
    if empty and (training or len(empty) == len(classes)):
        raise ZooError(_empty_classes(folder, empty, len(empty) == len(classes)))
    if empty:
        what = "class folders" if len(empty) > 1 else "a class folder"
        what = f"{what} without images: {first_few(empty, len(empty))}."
        findings.append(Finding("warning", what, {"count": len(empty)}, ""))
    if others or loose:
        findings.append(_skipped_files(folder, others, loose))
    if walk.again:
        what = "links to folders that are read already are not followed"
        if len(walk.again) == 1:
            what = "a link to a folder that is read already is not followed"
        what = f"{what}: {first_few(walk.again, len(walk.again))}."
        findings.append(Finding("warning", what, {"count": len(walk.again)}))


def _empty_classes(folder: Path, empty: dict[Path, Counter[str]], all_of_them: bool) -> str:
    """Return the error for class folders without images, with the files in them instead."""
    held = sum(empty.values(), Counter[str]())
    unread = Counter({ending: count for ending, count in held.items() if ending in UNREAD_IMAGES})
    what = "class folders" if len(empty) > 1 else "a class folder"
    what = f"{first_few(empty, len(empty))}: {what} without images ({', '.join(IMAGES)})"
    if unread:
        return (
            f"{what}, but with {_endings(unread)}: not read. Convert "
            f"{'it' if unread.total() == 1 else 'them'} to PNG."
        )
    if all_of_them and held[".txt"]:
        return f"{what}, but with {held['.txt']:,} .txt: `zoo train textcnn {folder}` reads texts."
    one = "it" if len(empty) == 1 else "them"
    return f"{what}. Fill {one}, or take {one} away."


def _skipped_files(folder: Path, others: Counter[str], loose: list[Path]) -> Finding:
    kinds = [_endings(others)] if others else []
    if loose:
        kinds.append(f"{counted(len(loose), 'image')} outside of the class folders")
    count = others.total() + len(loose)
    what = f"{folder}: {counted(count, 'file is', 'files are')} passed over: {', '.join(kinds)}."
    images = [ending for ending in others if ending in UNREAD_IMAGES]
    hint = f"Convert {', '.join(images)} to PNG. " if images else ""
    level: Any = "warning" if loose or images else "info"
    evidence = {"count": count, "endings": dict(others)}
    return Finding(level, what, evidence, f"{hint}Images are {', '.join(IMAGES)}.")


def _subfolders(folder: Path) -> tuple[list[Path], list[Finding]]:
    """Return the folders in a folder, and findings on those that are no data."""
    folders = [path for path, is_folder in list_folder(folder) if is_folder]
    hidden = [path.name for path in folders if is_hidden(path)]
    shown = [path for path in folders if not is_hidden(path)]
    resolved = folder.resolve()
    loops = [p for p in shown if p.is_symlink() and resolved.is_relative_to(p.resolve())]
    findings = []
    if hidden:
        what = "hidden folders are no classes and are ignored"
        what = what if len(hidden) > 1 else "a hidden folder is no class and is ignored"
        findings.append(Finding("info", f"{what}: {quoted(hidden[:NAMED])}.", {"folders": hidden}))
    if loops:
        what = f"links to the folder that they are in are no classes: {_names(loops)}."
        findings.append(Finding("warning", what, {"count": len(loops)}))
    return [path for path in shown if path not in loops], findings


def _class_folders(folder: Path) -> list[Path]:
    return [path for path in _subfolders(folder)[0] if holds_image(path)]


def _files(folder: Path) -> list[Path]:
    entries = list_folder(folder)
    return [path for path, is_folder in entries if not is_folder and not is_hidden(path)]


def _endings(counts: Counter[str]) -> str:
    """Return words for files by their endings, the most first."""
    named = counts.most_common(NAMED)
    rest = counts.total() - sum(count for _, count in named)
    words = [f"{count:,} {ending or 'without an ending'}" for ending, count in named]
    return ", ".join(words + ([f"{rest:,} others"] if rest else []))


def _names(folders: list[Path]) -> str:
    return quoted(folder.name for folder in folders)
