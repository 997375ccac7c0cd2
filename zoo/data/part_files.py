"""Parts of a data set in files and folders of their own, told by their names."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo.data.columns import quoted
from zoo.data.listing import readable
from zoo.data.part_rows import SCORED, scored_part
from zoo.data.parts import PARTS, part_of
from zoo.errors import ZooError
from zoo.finding import Finding

NAMED = 3  # files of each part that a message names


@dataclasses.dataclass(frozen=True)
class Pieces:
    """The files and folders that a source consists of.

    Args:
        where: the source, as messages name it.
        paths: the files and folders; none where the source is in memory.
        root: the folder they lie in, whose own name says no part.
    """

    where: str
    paths: Sequence[Path] = ()
    root: Path = Path()

    @classmethod
    def of_list(cls, paths: Sequence[Path]) -> Pieces:
        """Return the files and folders of a list."""
        root = Path(os.path.commonpath([path.absolute().parent for path in paths]))
        return cls(", ".join(readable(path) for path in paths[:NAMED]), paths, root)

    def kind(self, path: Path) -> str:
        """Return what the name of a file, or of the outermost folder that says one, says."""
        inner = path.absolute().relative_to(self.root.absolute())
        return next(filter(None, map(part_of, inner.parts)), "")


Found = Callable[[Any], Pieces]


def part_sources(
    source: Any, validation: Any, test: Any, pieces: Found, findings: list[Finding]
) -> dict[str, Any]:
    """Return the source of each part: those that are given, else what the names in `source` say.

    Args:
        source: the data to train on, or files and folders of several parts.
        validation: validation data, or None.
        test: test data, or None.
        pieces: from a source to what it consists of.
        findings: what there is to say is added to it.

    Raises:
        ZooError: it cannot be told what is to be learned from; the message has the command.
    """
    given = {"validation": validation, "test": test}
    sources = {name: each for name, each in given.items() if each is not None}
    parts = _told_apart(pieces(source))
    if parts and "train" not in parts:
        raise ZooError(
            f"{pieces(source).where}: holds no training part, but {_listed(parts)}. Name what is "
            "to be learned from."
        )
    if parts:
        unused = [part for part in parts if part in sources or part not in PARTS]
        said = f"{pieces(source).where}: the parts by their names: {_listed(parts)}."
        if unused:
            said += f" Not read: {quoted(unused)}."
        counts = {part: len(paths) for part, paths in parts.items()}
        findings.append(Finding("info", said, {"files": counts}))
        sources = {part: parts[part] for part in PARTS if part in parts} | sources
    else:
        sources["train"] = source
    for name, each in given.items():
        if each is not None:
            sources[name] = _one_of(each, pieces, (name,), findings)
    return {part: sources[part] for part in PARTS if part in sources}


def scored_source(source: Any, pieces: Found, findings: list[Finding]) -> Any:
    """Return what is scored of a source: all of it, or its test part, else its validation part.

    Raises:
        ZooError: it cannot be told which part a file is.
    """
    return _one_of(source, pieces, SCORED, findings)


def _one_of(source: Any, pieces: Found, wanted: Sequence[str], findings: list[Finding]) -> Any:
    some = pieces(source)
    parts = _told_apart(some)
    if not parts:
        return source
    part = next((part for part in wanted if part in parts), None)
    if part is None:
        raise ZooError(
            f"{some.where}: holds {_listed(parts)}, but is given as the {wanted[0]} data. Name "
            "what is to be read of it."
        )
    findings.append(scored_part(some.where, part, parts))
    return parts[part]


def _told_apart(pieces: Pieces) -> dict[str, list[Path]]:
    """Return the paths of each part; nothing where the names do not say several.

    Raises:
        ZooError: a name says that something is held out, but not from what, or not for what.
    """
    parts: dict[str, list[Path]] = {}
    for path in pieces.paths:
        parts.setdefault(pieces.kind(path), []).append(path)
    if len(parts) < 2 or set(parts) == {"", "train"}:
        return {}
    if "" in parts or "evaluation" in parts:
        told = {part: paths for part, paths in parts.items() if part}
        unsure = [*parts.get("", ()), *parts.get("evaluation", ())]
        unclear = [readable(Path(path.name)) for path in unsure]
        raise ZooError(
            f"{pieces.where}: holds parts of a data set ({_listed(told)}), and it is not clear "
            f"which part {quoted(unclear[:NAMED])} is. Name each: {_command(parts)}. Names such as "
            "train, validation and test say it."
        )
    return {part: parts[part] for part in (*PARTS, "unlabelled") if part in parts}


def _listed(parts: dict[str, list[Path]]) -> str:
    said = []
    for part, paths in parts.items():
        names = ", ".join(readable(Path(path.name)) for path in paths[:NAMED])
        more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
        said.append(f"{part} {names}{more}")
    return "; ".join(said)


def _command(parts: dict[str, list[Path]]) -> str:
    """Return the command that names each part."""
    left = dict(parts)
    chosen = {part: left.pop(part)[0] for part in ("validation", "test") if part in left}
    for part in ("test", "validation"):  # what is unclear is more often a test
        if "evaluation" in left and part not in chosen:
            chosen[part] = left.pop("evaluation")[0]
    learned = left.get("train") or left.get("") or [Path("FILE")]
    options = [f"--{part} {_shell(path)}" for part, path in sorted(chosen.items(), reverse=True)]
    return " ".join(["`zoo train MODEL", *map(_shell, learned[:NAMED]), *options]) + "`"


def _shell(path: Path) -> str:
    return shlex.quote(readable(path))
