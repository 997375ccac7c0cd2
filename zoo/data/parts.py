"""Training, validation and test parts: told by names of files and folders, or by a column.

Words such as `train` and `dev` in a name say its part (`part_of`). Files and folders whose names do
are the parts of a source (`part_sources`); of a table a column such as `split` may hold the part of
each row (`rows_of_parts`).
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.columns import quoted
from zoo.data.paths import readable
from zoo.errors import ZooError, unknown
from zoo.finding import Finding, first_few

# Words of names that people give to parts. `evaluation` is validation to some and test to others,
# and what is `unlabelled` has no classes: both are held out, and neither is ever learned from.
WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "valid": "validation", "validation": "validation", "val": "validation", "dev": "validation",
    "development": "validation",
    "test": "test", "testing": "test", "tst": "test",
    "eval": "evaluation", "evaluation": "evaluation",
    "holdout": "evaluation", "heldout": "evaluation",
    "pred": "unlabelled", "predict": "unlabelled", "prediction": "unlabelled",
    "infer": "unlabelled", "inference": "unlabelled",
    "unsup": "unlabelled", "unlabeled": "unlabelled", "unlabelled": "unlabelled",
}  # fmt: skip
# What is written behind such a word as one with it: `trainset`, `testdata`, `valimages`.
SUFFIX = re.compile(r"(set|data|images?|imgs?|files?)$")
PARTS = ("train", "validation", "test")
SCORED = ("test", "validation", "train")  # which of several parts is scored
MOST_VALUES = 50  # of a column of parts; more are the numbers of folds, or something else
NAMED = 3  # files of each part that a message names


def parts_of(data: Any) -> dict[str, Any]:
    """Return the parts of a data set, its attributes `train`, `validation` and `test`, by name.

    None is no part.
    """
    parts = {name: getattr(data, name) for name in PARTS}
    return {name: part for name, part in parts.items() if part is not None}


def existing_part(data: Any, name: str) -> Any:
    """Return a part of a data set.

    Args:
        data: see `parts_of`.
        name: of the part.

    Raises:
        ZooError: there is no such part; the message names those there are.
    """
    parts = parts_of(data)
    if name not in parts:
        raise unknown("part", name, parts)
    return parts[name]


def part_of(name: str) -> str:
    """Return the part that a name says, or an empty string.

    A name says a part when exactly one kind of part is among its words: `train`, `seg_train`,
    `ptb.valid.txt`, `train-00000-of-00002.parquet`, `Test Set`, `testdata`, `hold_out`.

    Args:
        name: of a file or folder, without its folder; or a value of a column.

    Returns:
        `train`, `validation` or `test`; `evaluation`, which may be either of the last two;
        `unlabelled`; or an empty string.

    Example:
        >>> part_of("reviews-dev.csv")
        'validation'
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainData
    words = re.sub(r"(hold|held)[\W_]+out", "holdout", words.lower())
    stems = (SUFFIX.sub("", word) or word for word in re.findall(r"[a-z]+", words))
    parts = {WORDS[stem] for stem in stems if stem in WORDS}
    return parts.pop() if len(parts) == 1 else ""


# Files and folders


@dataclasses.dataclass(frozen=True)
class SourcePaths:
    """The files and folders of a source.

    Args:
        where: the source, as messages name it.
        paths: the files and folders; none where the source is in memory.
        root: the folder they lie in, whose own name says no part.
    """

    where: str
    paths: Sequence[Path] = ()
    root: Path = Path()

    @classmethod
    def of_list(cls, paths: Sequence[Path]) -> SourcePaths:
        """Return the files and folders of a list."""
        root = Path(os.path.commonpath([path.absolute().parent for path in paths]))
        return cls(", ".join(readable(path) for path in paths[:NAMED]), paths, root)

    def part_of(self, path: Path) -> str:
        """Return the part that a file, or the outermost folder that says one, is named after."""
        inner = path.absolute().relative_to(self.root.absolute())
        return next(filter(None, map(part_of, inner.parts)), "")

    def by_part(self) -> dict[str, list[Path]]:
        """Return the paths of each part; nothing where the names do not say several.

        Raises:
            ZooError: a name says that something is held out, but not from what, or not for what.
        """
        parts: dict[str, list[Path]] = {}
        for path in self.paths:
            parts.setdefault(self.part_of(path), []).append(path)
        if len(parts) < 2 or set(parts) == {"", "train"}:
            return {}
        if "" in parts or "evaluation" in parts:
            clear = {part: paths for part, paths in parts.items() if part}
            unclear = [*parts.get("", ()), *parts.get("evaluation", ())]
            names = [readable(Path(path.name)) for path in unclear[:NAMED]]
            raise ZooError(
                f"{self.where}: holds parts of a data set ({_listed(clear)}), and it is not clear "
                f"which part {quoted(names)} is. Name each: {_train_command(parts)}. Names such as "
                "train, validation and test say it."
            )
        return {part: parts[part] for part in (*PARTS, "unlabelled") if part in parts}


PathsOf = Callable[[Any], SourcePaths]  # from a source to its files and folders


def part_sources(
    source: Any, validation: Any, test: Any, paths_of: PathsOf, findings: list[Finding]
) -> dict[str, Any]:
    """Return the source of each part: those that are given, else what the names in `source` say.

    Args:
        source: the data to train on, or files and folders of several parts.
        validation: validation data, or None.
        test: test data, or None.
        paths_of: from a source to its files and folders.
        findings: findings on what is read are appended to it.

    Raises:
        ZooError: it cannot be told what is to be learned from; the message has the command.
    """
    given = {"validation": validation, "test": test}
    given = {name: data for name, data in given.items() if data is not None}
    sources = dict(given)
    paths = paths_of(source)
    parts = paths.by_part()
    if parts and "train" not in parts:
        raise ZooError(
            f"{paths.where}: holds no training part, but {_listed(parts)}. Name what is "
            "to be learned from."
        )
    if parts:
        unused = [part for part in parts if part in given or part not in PARTS]
        what = f"{paths.where}: the parts by their names: {_listed(parts)}."
        if unused:
            what += f" Not read: {quoted(unused)}."
        counts = {part: len(files) for part, files in parts.items()}
        findings.append(Finding("info", what, {"files": counts}))
        sources = {part: parts[part] for part in PARTS if part in parts} | given
    else:
        sources["train"] = source
    for name, data in given.items():
        sources[name] = _first_part(data, paths_of, (name,), findings)
    return {part: sources[part] for part in PARTS if part in sources}


def scored_source(source: Any, paths_of: PathsOf, findings: list[Finding]) -> Any:
    """Return what is scored of a source: all of it, or its test part, else its validation part.

    Args:
        source: labelled data, or files and folders of several parts.
        paths_of: from a source to its files and folders.
        findings: findings on what is read are appended to it.

    Raises:
        ZooError: it cannot be told which part a file is.
    """
    return _first_part(source, paths_of, SCORED, findings)


def _first_part(
    source: Any, paths_of: PathsOf, accepted: Sequence[str], findings: list[Finding]
) -> Any:
    paths = paths_of(source)
    parts = paths.by_part()
    if not parts:
        return source
    part = next((part for part in accepted if part in parts), None)
    if part is None:
        raise ZooError(
            f"{paths.where}: holds {_listed(parts)}, but is given as the {accepted[0]} data. Name "
            "what is to be read of it."
        )
    findings.append(scored_part(paths.where, part, parts))
    return parts[part]


def scored_part(where: str, part: str, parts: Iterable[str]) -> Finding:
    """Return the finding that one part of several is read.

    Args:
        where: the source.
        part: the one that is read.
        parts: all of them.
    """
    others = quoted(other for other in parts if other != part)
    return Finding("info", f"{where}: the {part} part is read, not {others}.", {"part": part})


def _listed(parts: dict[str, list[Path]]) -> str:
    words = []
    for part, paths in parts.items():
        names = first_few((readable(Path(path.name)) for path in paths), len(paths))
        words.append(f"{part} {names}")
    return "; ".join(words)


def _train_command(parts: dict[str, list[Path]]) -> str:
    """Return the command that names each part."""
    left = dict(parts)
    chosen = {part: left.pop(part)[0] for part in ("validation", "test") if part in left}
    for part in ("test", "validation"):  # what is unclear is more often a test
        if "evaluation" in left and part not in chosen:
            chosen[part] = left.pop("evaluation")[0]
    train = left.get("train") or left.get("") or [Path("FILE")]
    options = [f"--{part} {_shell(path)}" for part, path in sorted(chosen.items(), reverse=True)]
    return " ".join(["`zoo train MODEL", *map(_shell, train[:NAMED]), *options]) + "`"


def _shell(path: Path) -> str:
    return shlex.quote(readable(path))


# Rows of a table


def part_text(value: Any) -> str:
    """Return a value of a column of parts as text; a missing one is empty."""
    return "" if value is None or value != value else str(value).strip()


def rows_of_parts(
    where: str,
    column: str,
    values: Sequence[str],
    codes: np.ndarray,
    describe: Callable[[np.ndarray], str],
) -> dict[str, np.ndarray]:
    """Return the rows of each part, none of them empty; nothing when the values are no parts.

    Rows whose value says that they have no labels are in no part. `eval` is the validation part,
    or the test part where another is called validation.

    Args:
        where: the table.
        column: name of the column.
        values: its different values.
        codes: positions in `values`, int `(rows,)`.
        describe: from rows to words for them.

    Returns:
        Positions of the rows of each part, int32.

    Raises:
        ZooError: some values are parts and others are not, so that it cannot be told which rows
            are held out.
    """
    kinds = [part_of(value) for value in values]
    others = [value for value, kind in zip(values, kinds, strict=True) if not kind]
    if len(others) == len(values):
        return {}
    if others:
        if others != [""] and "train" not in kinds:
            return {}
        rows = np.flatnonzero(np.isin(codes, [values.index(value) for value in others]))
        fault = f"{quoted(others)} is no part" if others != [""] else "is empty"
        raise ZooError(
            f"{where}: column '{column}' says the part of each row "
            f"({quoted(value for value in values if value not in others)}), but {fault} "
            f"({describe(rows)}). Write train, validation or test there, or rename the column to "
            "leave it unread."
        )
    evaluation = "test" if "validation" in kinds else "validation"
    kinds = [evaluation if kind == "evaluation" else kind for kind in kinds]
    part_of_row = np.array(kinds)[codes]
    rows_of = {part: np.flatnonzero(part_of_row == part).astype(np.int32) for part in PARTS}
    return {part: rows for part, rows in rows_of.items() if len(rows)}
