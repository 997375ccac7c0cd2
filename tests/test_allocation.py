"""What a step frees is there for the next one."""

import ctypes
import resource
import sys

import pytest
import tensorflow as tf
from training_parts import compiled

from zoo.training.allocation import MMAP_THRESHOLD

SIZE = 28 << 20
PAGES = SIZE // 4096


def faults(libc: ctypes.CDLL) -> int:
    """Return the pages that the system had to give to a work that takes memory and frees it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        block = libc.malloc(ctypes.c_size_t(SIZE))
        ctypes.memset(block, 1, SIZE)
        libc.free(ctypes.c_void_p(block))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's limits")
def test_training_on_a_generator_keeps_its_memory() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    model = compiled()

    def batches():
        yield tf.ones((4, 7), tf.int32), tf.zeros(4, tf.int32)

    signature = (tf.TensorSpec([4, 7], tf.int32), tf.TensorSpec([4], tf.int32))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    list(data)
    # The limit of a new process; what larger blocks this one has freed before, moves it.
    libc.mallopt(MMAP_THRESHOLD, 128 << 10)
    assert faults(libc) > 9 * PAGES  # all of it is given back, every time
    model.fit(data.repeat(), epochs=1, steps_per_epoch=2, verbose=0)
    assert faults(libc) < 2 * PAGES
