"""Fast kernels: operations that TensorFlow or Keras computes more slowly, or not at all."""

from __future__ import annotations

import tensorflow as tf

from zoo.layers.kernels import Kernels
from zoo.training.kernels.convolution import convolve, fused_batch_norm
from zoo.training.kernels.recurrence import as_compiled, compiled
from zoo.training.kernels.sparse import sparse_matmul


def fast_kernels(jit_compile: bool) -> Kernels:
    """Return those that are faster on the devices in use.

    Args:
        jit_compile: whether XLA compiles the step; it does not know the sparse product.
    """
    gpu = bool(tf.config.get_visible_devices("GPU"))
    # The product is faster than dense gradients on a CPU.
    sparse = sparse_matmul if not jit_compile and not gpu else None
    recurrence = as_compiled if jit_compile else compiled if gpu else None
    return Kernels(fused_batch_norm, convolve, sparse, recurrence)
