"""Start vectors from a word2vec, GloVe or fastText text file, or from GloVe's in a wheel."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.text.glove import DIM, glove_vectors
from zoo.wheels import GLOVE

Numbers = Callable[[], Any]  # those of a word, which are checked where they are needed
SPECIAL = 2  # ids of padding and unknown: no file has vectors for them
WORD_START = "▁"  # sentencepiece's mark of a piece that begins a word
LONGEST_LINE = 2**20  # bytes; ten times 10,000 numbers, so that a file without lines ends here
LARGEST = float(np.finfo(np.float32).max)
DEFAULT_RANGE = 0.25  # of the values, where no piece has a vector
HEADER = 2  # fields of word2vec's first line: count and dimension


def read_vectors(
    source: Path | str,
    pieces: Sequence[str],
    dim: int,
    *,
    seed: int = 0,
    setting: str = "embedding_dim",
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], dict[str, float]]:
    """Read the vectors of the pieces from a text file, plain or gzipped, or from GloVe's wheel.

    A file is streamed: memory holds the vocabulary's rows and one line. A piece matches a word
    exactly (a sentencepiece piece at a word's start without its mark); of a word that is there
    twice the first line counts. Pieces without a vector are drawn from U(-a, a), where a gives
    them the variance of those found; row 0 (padding) is zero.

    Args:
        source: a file with lines of a word and `dim` numbers, where a first line `count dim` is
            allowed; or the name `glove`, whose vectors an installed wheel holds.
        pieces: what each id stands for; the first two are padding and unknown.
        dim: numbers of a vector.
        seed: of the rows that are drawn.
        setting: of the architecture, which `dim` is the value of.

    Returns:
        The matrix, float32 `(pieces, dim)`, and the coverage: `found` and `pieces` (without the
        two special ones), `share`, and `range` (a, which is 0.25 where no piece has a vector).

    Raises:
        ZooError: the file cannot be read or is empty, a line has another number of values, a
            value is not a number; or no installed wheel holds the vectors.

    Source: Kim 2014, section 3.2, https://arxiv.org/abs/1408.5882 (0.25 is his code's range for
    300-dimensional word2vec).
    """
    ids_of = _ids_of_words(pieces)
    matrix = np.zeros((len(pieces), dim), np.float32)
    covered = np.zeros(len(pieces), bool)
    named = source == GLOVE
    words = _named_words(dim, setting) if named else _words_of_file(Path(source), dim, setting)
    for word, numbers in words:
        ids = ids_of.pop(word, None)
        if ids is not None:
            matrix[ids] = numbers()
            covered[ids] = True
    half_width = math.sqrt(3 * float(matrix[covered].var())) if covered.any() else DEFAULT_RANGE
    missing = np.flatnonzero(~covered[1:]) + 1
    generator = np.random.default_rng(seed)
    matrix[missing] = generator.uniform(-half_width, half_width, (len(missing), dim))
    looked_for = covered[SPECIAL:]
    coverage = {
        "found": int(looked_for.sum()),
        "pieces": len(looked_for),
        "share": float(looked_for.mean()) if len(looked_for) else 0.0,
        "range": half_width,
    }
    return matrix, coverage


def _ids_of_words(pieces: Sequence[str]) -> dict[bytes, list[int]]:
    """Return the ids of each word to look for; `▁film` and `film` share one."""
    ids_of: dict[bytes, list[int]] = {}
    for index, piece in enumerate(pieces[SPECIAL:], start=SPECIAL):
        word = piece.removeprefix(WORD_START) or piece
        ids_of.setdefault(word.encode(), []).append(index)
    return ids_of


def _named_words(dim: int, setting: str) -> Iterator[tuple[bytes, Numbers]]:
    if dim != DIM:
        raise ZooError(
            f"{GLOVE}: holds vectors of {DIM} numbers, the embedding has {dim}. "
            f"Set architecture.{setting}={DIM}, or name a file of vectors."
        )
    return ((word, vector.copy) for word, vector in glove_vectors())


def _words_of_file(path: Path, dim: int, setting: str) -> Iterator[tuple[bytes, Numbers]]:
    """Yield each word of a text file, and what reads its numbers."""
    number = 0
    for number, line in _lines(path):
        fields = line.split(b" ")
        if number == 1 and _is_header(fields, dim, path, setting):
            continue
        where = f"{path}:{number}"
        yield _word(fields, dim, where, setting), partial(_numbers, fields[-dim:], where)
    if not number:
        raise ZooError(f"{path}: holds no vectors: the file is empty. Choose another file.")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the number and content of every line that is not blank."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE or b"\0" in line:
                    raise ZooError(
                        f"{path}:{number}: is not text: a binary word2vec file must be converted "
                        "to the text format first."
                    )
                if line := line.replace(b"\t", b" ").strip(b" \r\n"):
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ZooError(f"{path}: cannot be read: {reason}.") from error


def _is_header(fields: list[bytes], dim: int, path: Path, setting: str) -> bool:
    if len(fields) != HEADER or not all(field.isdigit() for field in fields):
        return False
    if int(fields[1]) != dim:
        raise ZooError(
            f"{path}:1: holds vectors of {int(fields[1])} numbers, the embedding has {dim}. "
            f"Set architecture.{setting}={int(fields[1])}, or choose another file."
        )
    return True


def _word(fields: list[bytes], dim: int, where: str, setting: str) -> bytes:
    """Return the word of a line; a few files have words with a space inside."""
    extra = fields[1:-dim]
    if len(fields) <= dim or (extra and all(map(_is_number, extra))):
        raise ZooError(
            f"{where}: has {len(fields) - 1} numbers after the word, the embedding has {dim}. "
            f"Set architecture.{setting} to the file's dimension, or choose another file."
        )
    return b" ".join(fields[:-dim])


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _numbers(fields: list[bytes], where: str) -> list[float]:
    for field in fields:
        if not _is_number(field) or not abs(float(field)) <= LARGEST:  # NaN fails this too
            raise ZooError(
                f"{where}: {field.decode(errors='replace')!r:.40} is not a finite number. "
                "Every line must be a word and its numbers, separated by single spaces."
            )
    return [float(field) for field in fields]
