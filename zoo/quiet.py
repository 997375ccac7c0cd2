"""TensorFlow without its greetings on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

_kept: int | None = None  # what stderr is while it leads nowhere


def tell(line: str) -> None:
    """Write a line to stderr, also while TensorFlow is kept quiet."""
    sys.stderr.flush()
    os.write(2 if _kept is None else _kept, f"{line}\n".encode())


@contextlib.contextmanager
def no_stderr() -> Iterator[None]:
    """Send the process's stderr, also that of C++, nowhere for a while."""
    global _kept
    sys.stderr.flush()
    kept = _kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        _kept = None
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def load_tensorflow(configure: Callable[[], Any] | None = None) -> None:
    """Import TensorFlow and look for devices; errors are raised, its log lines are not shown.

    TensorFlow 2.21 logs about CUDA and oneDNN whatever TF_CPP_MIN_LOG_LEVEL says, and as errors
    what is none: attributes of `tf.data` ops that it does not know on a GPU, types that oneDNN
    lacks. What is an error is raised as well. Whoever sets the level sees the lines.

    Args:
        configure: called before TensorFlow starts: later, devices cannot be chosen.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with no_stderr():
        import tensorflow
        import tensorflow_text

        tensorflow.config.list_physical_devices()
        if configure is not None:
            configure()
        del tensorflow_text
