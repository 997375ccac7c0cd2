"""TensorFlow without its greetings on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Send the process's stderr, also that of C++, nowhere for a while."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def load_tensorflow(configure: Callable[[], Any] | None = None) -> None:
    """Import TensorFlow and look for devices; errors are raised, its log lines are not shown.

    TensorFlow 2.21 logs about CUDA and oneDNN whatever TF_CPP_MIN_LOG_LEVEL says.

    Args:
        configure: called before TensorFlow starts: later, devices cannot be chosen.
    """
    with _no_stderr():
        import tensorflow
        import tensorflow_text

        tensorflow.config.list_physical_devices()
        if configure is not None:
            configure()
        # The first graph that turns integers makes oneDNN log an error, which is none.
        integers = tensorflow.zeros((2, 2), "int64")
        tensorflow.function(lambda: tensorflow.transpose(integers))()
        del tensorflow_text
