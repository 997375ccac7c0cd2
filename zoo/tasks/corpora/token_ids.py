"""Token ids of a corpus in a cache of files, written once and named by their content."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zoo.errors import ZooError
from zoo.files import read_json, write_json, written_beside
from zoo.text.corpus_tokenizer import (
    FILE,
    CorpusTokenizer,
    learn_corpus_tokenizer,
    load_corpus_tokenizer,
)
from zoo.text.vocabulary import UNKNOWN

LINES = 20_000  # tokenized at once
LINE_BYTES = 1 << 23  # and in characters: long lines come in smaller groups
ELSEWHERE = "Set the environment variable ZOO_CACHE to a folder for them."
RULES = "2"  # raised when the same lines give other ids, so that older ones are not taken
BLOCK = 1 << 22  # tokens of a stream looked at together


class LineTokenizer(Protocol):
    """Lines to a stream of ids."""

    @property
    def digest(self) -> str:
        """A text that differs where the ids of some line may."""

    @property
    def vocabulary_size(self) -> int:
        """Number of ids."""

    def encode(self, lines: Sequence[str]) -> np.ndarray:
        """Return the int32 ids of lines, one after the other, with an end behind each."""


class _File:
    """A file open for reading, closed with the last that refers to it."""

    def __init__(self, path: Path):
        self.path = path
        self.number = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.number)


@dataclasses.dataclass(frozen=True)
class StoredIds:
    """Ids in a file, of which a slice reads what it names: an array, and nothing stays in memory.

    (The pages of a mapped file would count as memory of the process, in time the whole file.)

    Args:
        file: of ids and nothing else.
        dtype: of the ids.
        count: how many there are.
    """

    file: _File
    dtype: np.dtype[Any]
    count: int

    @classmethod
    def of(cls, path: Path, dtype: np.dtype[Any], count: int) -> StoredIds:
        """Return the first ids of a file."""
        return cls(_File(path), dtype, count)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> np.ndarray:
        first, last, _ = part.indices(len(self))
        itemsize = self.dtype.itemsize
        size = max(last - first, 0) * itemsize
        data = os.pread(self.file.number, size, first * itemsize)
        if len(data) < size:
            raise ZooError(f"{self.file.path}: was cut while it was read. Begin again.")
        return np.frombuffer(data, self.dtype)


Ids = np.ndarray | StoredIds  # one-dimensional


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The ids of a part of a corpus.

    Args:
        ids: integers below the size of the vocabulary.
        unknown: how many of them are `<unk>`.
        digest: differs where the ids do.
    """

    ids: StoredIds
    unknown: int
    digest: str

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def unknown_share(self) -> float:
        """Share of the tokens that are `<unk>`."""
        return self.unknown / max(len(self.ids), 1)


def cache_folder() -> Path:
    """Return where ids are kept: `$ZOO_CACHE`, or `~/.cache/zoo`; all of it may be deleted.

    Raises:
        ZooError: there is no home folder.
    """
    given = os.environ.get("ZOO_CACHE")
    try:
        return Path(given) if given else Path.home() / ".cache" / "zoo"
    except RuntimeError as error:
        raise ZooError(f"there is no home folder for token ids. {ELSEWHERE}") from error


@contextlib.contextmanager
def _explained_writing() -> Iterator[None]:
    """Add to errors of writing how to keep ids elsewhere."""
    try:
        yield
    except ZooError as error:
        if not str(error).startswith(str(cache_folder())):
            raise  # what is wrong with the lines
        raise ZooError(f"{error} Token ids are kept there. {ELSEWHERE}") from error


def cached_tokenizer(
    content: str, lines: Iterable[str], kind: str, vocabulary_size: int, lowercase: bool
) -> CorpusTokenizer:
    """Return the tokenizer of a corpus: from the cache, or learned.

    Args:
        content: digest of the corpus.
        lines: the corpus; read only if the tokenizer is not in the cache.
        kind: of the tokenizer.
        vocabulary_size: most ids.
        lowercase: whether case is folded.
    """
    key = _key(content, kind, str(vocabulary_size), str(lowercase))
    folder = cache_folder() / "vocabularies" / key
    if (folder / FILE).is_file():
        try:
            return load_corpus_tokenizer(folder)
        except ZooError:
            pass  # damaged: learned anew
    tokenizer = learn_corpus_tokenizer(
        kind, lines, vocabulary_size=vocabulary_size, lowercase=lowercase
    )
    with _explained_writing():
        tokenizer.save(folder)
    return tokenizer


def cached_tokens(content: str, lines: Iterable[str], tokenizer: LineTokenizer) -> Tokens:
    """Return the ids of a corpus: from the cache, or tokenized.

    Args:
        content: digest of the corpus.
        lines: the corpus; read only if the ids are not in the cache.
        tokenizer: lines to ids.

    Raises:
        ZooError: the ids cannot be written.
    """
    key = _key(content, tokenizer.digest)
    path = cache_folder() / "tokens" / f"{key}.ids"
    dtype = np.dtype(np.uint16 if tokenizer.vocabulary_size <= 1 << 16 else np.int32)
    facts = _facts(path, dtype)
    if facts is None:
        facts = {"tokens": 0, "unknown": 0}
        with _explained_writing(), written_beside(path) as temporary, temporary.open("wb") as file:
            for group in _groups(lines):
                ids = tokenizer.encode(group)
                facts["unknown"] += int((ids == UNKNOWN).sum())
                facts["tokens"] += len(ids)
                file.write(ids.astype(dtype).tobytes())
        with _explained_writing():
            write_json(path.with_suffix(".json"), facts)
    return Tokens(StoredIds.of(path, dtype, facts["tokens"]), facts["unknown"], key)


def cached_length(content: str, lines: Iterable[str]) -> int:
    """Return the characters of a corpus, from the cache or counted; the end of a line is one.

    Args:
        content: digest of the corpus.
        lines: the corpus; read only if the number is not in the cache.

    Raises:
        ZooError: the number cannot be written.
    """
    path = cache_folder() / "lengths" / f"{_key(content)}.json"
    try:
        return int(read_json(path)["characters"])
    except (ZooError, KeyError, TypeError, ValueError):
        count = sum(len(line) + 1 for line in lines)
        with _explained_writing():
            write_json(path, {"characters": count})
        return count


def blocks(ids: Ids, most: int | None = None) -> Iterator[np.ndarray]:
    """Yield a stream, or its first `most` tokens, in stretches."""
    end = len(ids) if most is None else min(most, len(ids))
    for start in range(0, end, BLOCK):
        yield ids[start : min(start + BLOCK, end)]


def check_ids(ids: Ids, vocabulary_size: int, where: str) -> None:
    """Refuse ids that the model has no row for (A18).

    Args:
        ids: of any shape.
        vocabulary_size: number of rows.
        where: named in the message.

    Raises:
        ZooError: an id is negative or not below the size; the message names it and its position.
    """
    flat = ids.reshape(-1) if isinstance(ids, np.ndarray) else ids
    for number, block in enumerate(blocks(flat)):
        wrong = np.flatnonzero((block < 0) | (block >= vocabulary_size))
        if len(wrong):
            at = number * BLOCK + int(wrong[0])
            raise ZooError(
                f"{where}: id {block[wrong[0]]} at position {at:,} is not in the vocabulary of "
                f"{vocabulary_size:,}. Ids must be in [0, {vocabulary_size:,}): in training it "
                "would end in NaN."
            )


def _facts(path: Path, dtype: np.dtype[Any]) -> dict[str, int] | None:
    """Return the counts of a file of ids; None if it is missing or incomplete."""
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return None
    try:
        facts = read_json(path.with_suffix(".json"))
        complete = path.stat().st_size == facts["tokens"] * dtype.itemsize
        return {name: int(facts[name]) for name in ("tokens", "unknown")} if complete else None
    except (ZooError, KeyError, TypeError, ValueError):
        return None


def _groups(lines: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(lines)
    while group := list(islice(remaining, 100)):
        size = sum(map(len, group))
        while size < LINE_BYTES and len(group) < LINES and (more := list(islice(remaining, 100))):
            group += more
            size += sum(map(len, more))
        yield group


def _key(*parts: str) -> str:
    return hashlib.blake2b("\n".join([RULES, *parts]).encode(), digest_size=16).hexdigest()
