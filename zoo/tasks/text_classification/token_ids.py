"""Token ids of the rows of a split: tokenized when first read, and from then on kept on disk."""

from __future__ import annotations

import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from zoo.data.store import Split
from zoo.text.tokenizers import Tokenizer


class TokenIds:
    """The ids of a split's texts, of which no epoch after the first tokenizes any.

    They are kept in a temporary file without a name, and read back with `pread`, as the texts are
    in `zoo.data.store`; 12 bytes a row are in memory. What finds no place on the disk is tokenized
    each time.

    Args:
        split: the rows.
        tokenizer: strings to ids.
        max_length: tokens of a text that are read.
    """

    def __init__(self, split: Split, tokenizer: Tokenizer, max_length: int):
        self.split, self.tokenizer, self.max_length = split, tokenizer, max_length
        self._type = np.dtype(np.uint16 if tokenizer.vocabulary_size <= 1 << 16 else np.int32)
        self._lengths = np.zeros(len(split), np.int32)  # 0 where nothing is kept
        self._places = np.zeros(len(split), np.int64)  # in the file, in bytes
        self._end = 0
        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile(prefix="zoo-ids-", buffering=0)

    def read(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of rows, int32, one row after the other, and the lengths, int64."""
        with self._lock:
            if self._lengths[positions].all():
                return self._kept(positions)
            ids, lengths = self._tokenized(positions)
            self._keep(positions, ids, lengths)
            return ids, lengths

    def close(self) -> None:
        """Remove the ids from the disk."""
        self._file.close()

    def _tokenized(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def tokenize(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            texts = self.split.store.raw_inputs(self.split.rows[some])
            with tf.device("CPU:0"):
                ids = self.tokenizer.encode(tf.constant(texts, tf.string), self.max_length)
            return ids.flat_values.numpy(), ids.row_lengths().numpy()

        cores = os.cpu_count() or 1
        with ThreadPoolExecutor(cores) as pool:
            found = list(pool.map(tokenize, np.array_split(positions, cores)))
        ids, lengths = (np.concatenate(each) for each in zip(*found, strict=True))
        return ids, lengths

    def _keep(self, positions: np.ndarray, ids: np.ndarray, lengths: np.ndarray) -> None:
        left, end = memoryview(ids.astype(self._type).tobytes()), self._end
        try:
            while left:
                written = os.pwrite(self._file.fileno(), left, end)
                left, end = left[written:], end + written
        except OSError:  # the disk is full: they are tokenized again
            return
        starts = np.cumsum(lengths) - lengths
        self._places[positions] = self._end + starts * self._type.itemsize
        self._lengths[positions] = lengths
        self._end = end

    def _kept(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number, size = self._file.fileno(), self._type.itemsize
        lengths = self._lengths[positions]
        places = zip(self._places[positions].tolist(), lengths.tolist(), strict=True)
        packed = b"".join(os.pread(number, size * length, place) for place, length in places)
        return np.frombuffer(packed, self._type).astype(np.int32), lengths.astype(np.int64)
