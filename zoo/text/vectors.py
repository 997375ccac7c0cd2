"""Start vectors from a word2vec, GloVe or fastText text file."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ZooError


def read_vectors(
    path: Path, pieces: list[str], embedding_dim: int, *, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a start for an embedding table, and how much of the vocabulary the file covers.

    The file is streamed: memory depends on the vocabulary only. A sentencepiece piece that is a
    whole word (`▁film`) takes the vector of the word; a lower-case piece also that of the word's
    capitalised form when the file lacks its own. Pieces without a vector start uniform in [-a, a]
    with the a that gives them the variance of those found (Kim 2014, section 4.1); row 0 is zero.

    Args:
        path: text file, `word number number ...` a line, `.gz` or not, with or without the
            `count dimension` line of word2vec and fastText.
        pieces: the string of each token id; the first two are padding and unknown.
        embedding_dim: numbers a vector must have.
        seed: seed of the draw.

    Returns:
        float32 `(len(pieces), embedding_dim)`, and `{found, pieces, share}`.

    Raises:
        ZooError: the file is missing, not UTF-8, or a line has another number of numbers.
    """
    wanted: dict[str, list[int]] = {}
    for index, piece in enumerate(pieces[2:], start=2):
        wanted.setdefault(piece.removeprefix("▁"), []).append(index)
    matrix = np.zeros((len(pieces), embedding_dim), np.float32)
    exact = np.zeros(len(pieces), bool)
    near = np.zeros(len(pieces), bool)
    for number, word, values in _lines(path):
        own, folded = wanted.get(word, ()), wanted.get(word.lower(), ())
        if not own and not folded:
            continue
        vector = _vector(path, number, values, embedding_dim)
        for index in own:
            if not exact[index]:
                matrix[index], exact[index] = vector, True
        for index in folded:
            if not exact[index] and not near[index]:
                matrix[index], near[index] = vector, True
    found = exact | near
    deviation = float(matrix[found].std()) if found.any() else 0.0
    # the standard deviation of U(-a, a) is a / sqrt(3); 0.25 is Kim's a for word2vec
    bound = deviation * 3**0.5 if deviation > 0 else 0.25
    missing = np.flatnonzero(~found)[1:]
    generator = np.random.default_rng(seed)
    matrix[missing] = generator.uniform(-bound, bound, (len(missing), embedding_dim))
    total = max(len(pieces) - 2, 1)
    coverage = {"found": int(found.sum()), "pieces": total, "share": float(found.sum() / total)}
    return matrix, coverage


def _lines(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line number, word and the numbers as text; the header line is left out."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                word, *values = line.rstrip().split(" ")
                header = number == 1 and len(values) == 1 and word.isdigit() and values[0].isdigit()
                if not header and line.strip():
                    yield number, word, values
    except UnicodeDecodeError as error:
        raise ZooError(
            f"{path}: is not UTF-8 text. Binary word2vec files must be converted to text first."
        ) from error
    except (OSError, EOFError) as error:
        raise ZooError(f"{path}: the vectors cannot be read: {error}.") from error


def _vector(path: Path, number: int, values: list[str], embedding_dim: int) -> np.ndarray:
    if len(values) != embedding_dim:
        raise ZooError(
            f"{path}: line {number} has {len(values)} numbers, but architecture.embedding_dim is "
            f"{embedding_dim}. Set it to the file's dimension."
        )
    try:
        vector = np.array(values, np.float32)
    except ValueError as error:
        raise ZooError(f"{path}: line {number} holds something that is no number.") from error
    if not np.isfinite(vector).all():
        raise ZooError(f"{path}: line {number} holds NaN or infinity.")
    return vector
