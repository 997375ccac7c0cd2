"""Rows with the token ids of their texts: tokenized when first read, then kept on disk."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from zoo.data.spool import Spool
from zoo.data.store import Split
from zoo.errors import ZooError
from zoo.text.tokenizers import TextTokenizer


class TokenizedSplit(Split):
    """A split with the ids of its texts, each of which is tokenized once.

    The ids are in a temporary file, as the texts are; 12 bytes a row are in memory. Where the disk
    is full, they are tokenized each time.

    Args:
        split: the rows; closed with this one.
        tokenizer: strings to ids.
        max_length: tokens of a text that are read.
    """

    def __init__(self, split: Split, tokenizer: TextTokenizer, max_length: int):
        super().__init__(split.store, split.rows, split.labels, split.targets)
        self.tokenizer, self.max_length = tokenizer, max_length
        self._dtype = np.dtype(np.uint16 if tokenizer.vocabulary_size <= 1 << 16 else np.int32)
        self._lengths = np.zeros(len(split), np.int32)  # 0 where nothing is stored
        self._starts = np.zeros(len(split), np.int64)  # in the file, in bytes
        self._lock = threading.Lock()
        self._spool = Spool("ids")

    def token_ids(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of rows, int32, one row after the other, and their lengths, int64."""
        with self._lock:
            if self._lengths[positions].all():
                return self._stored(positions)
            ids, lengths = self._tokenized(positions)
            self._store(positions, ids, lengths)
            return ids, lengths

    def close(self) -> None:
        """Remove the texts and their ids from the disk."""
        self._spool.close()
        super().close()

    def _tokenized(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def tokenize(chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            texts = self.store.raw_inputs(self.rows[chunk])
            return self.tokenizer.encode_rows(texts, self.max_length)

        cores = os.cpu_count() or 1
        with ThreadPoolExecutor(cores) as pool:
            chunks = list(pool.map(tokenize, np.array_split(positions, cores)))
        ids, lengths = (np.concatenate(arrays) for arrays in zip(*chunks, strict=True))
        return ids, lengths

    def _store(self, positions: np.ndarray, ids: np.ndarray, lengths: np.ndarray) -> None:
        try:
            start = self._spool.append(ids.astype(self._dtype).tobytes())
        except ZooError:  # the disk is full: they are tokenized again
            return
        self._starts[positions] = start + (np.cumsum(lengths) - lengths) * self._dtype.itemsize
        self._lengths[positions] = lengths

    def _stored(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths = self._lengths[positions]
        sizes = (lengths * self._dtype.itemsize).tolist()
        spans = zip(self._starts[positions].tolist(), sizes, strict=True)
        packed = b"".join(self._spool.read(start, size) for start, size in spans)
        return np.frombuffer(packed, self._dtype).astype(np.int32), lengths.astype(np.int64)
