"""GloVe's vectors of words, in an installed wheel: an array, and beside it the word of each row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

from zoo.errors import ZooError
from zoo.wheels import GLOVE, WHEELS, file_sha256, installed_file

DIM = 50
INDEX = "glove_6B_index.parquet"
INDEX_SHA256 = "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39"


def glove_vectors() -> Iterator[tuple[bytes, np.ndarray]]:
    """Yield each word, in UTF-8, and its vector, float32 `(50,)`; frequent words come first.

    Raises:
        ZooError: no installed wheel holds them, or the words are not those of the vectors.

    Source: Pennington 2014, https://aclanthology.org/D14-1162.
    """
    path = installed_file(GLOVE)
    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    return zip(_words(path.with_name(INDEX)), vectors, strict=True)


def _words(path: Path) -> Iterator[bytes]:
    if file_sha256(path) != INDEX_SHA256:
        raise ZooError(
            f"{path}: is not the list of words that belongs to {WHEELS[GLOVE].file} beside it. "
            f"`{WHEELS[GLOVE].install} --force-reinstall` installs both."
        )
    words = parquet.read_table(path)["index"]
    return (word.encode() for chunk in words.chunks for word in chunk.to_pylist())
