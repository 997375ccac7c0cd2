"""Memory that a step has freed stays with the process, for the next step."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import keras

# Names of glibc's malloc.h, and what it allows at most.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
MOST_MMAP_THRESHOLD = 32 << 20
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have glibc reuse freed blocks of up to 32 MB instead of returning them to the system.

    oneDNN and Eigen take the working memory of products from them. TensorFlow 2.21 sets the limit
    to 128 KB for all of a process that reads a dataset made of a Python generator. Every step of a
    language model then asks for its working memory anew, page by page, each of which the system
    fills with zeros first. Where there is no glibc, nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, MOST_MMAP_THRESHOLD)
        mallopt(TRIM_THRESHOLD, NEVER)


class KeepMemory(keras.callbacks.Callback):
    """Keep freed memory once the datasets of an epoch are made."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the limits before the first step."""
        if batch == 0:
            keep_freed_memory()
