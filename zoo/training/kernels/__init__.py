"""Fast kernels: operations that TensorFlow or Keras computes more slowly, or not at all."""

from __future__ import annotations

import tensorflow as tf

from zoo.layers.kernels import Kernels
from zoo.training.compiled import in_xla
from zoo.training.kernels.convolution import batch_norm_in_xla, convolve, fused_batch_norm
from zoo.training.kernels.depthwise import depthwise_convolve
from zoo.training.kernels.elementwise import gelu, swish
from zoo.training.kernels.pooling import max_pool_in_xla
from zoo.training.kernels.recurrence import COMPILED, WITHIN_XLA
from zoo.training.kernels.sparse import sparse_matmul


def fast_kernels() -> Kernels:
    """Return those that are faster on the devices in use.

    Where XLA compiles, there is no sparse product, which it does not know, and no convolution.
    """
    if in_xla():
        return Kernels(batch_norm_in_xla, max_pool=max_pool_in_xla, recurrence=WITHIN_XLA)
    if tf.config.get_visible_devices("GPU"):
        return Kernels(fused_batch_norm, convolve, recurrence=COMPILED)
    # The product is faster than dense gradients on a CPU.
    return Kernels(
        fused_batch_norm, convolve, depthwise_convolve, sparse_matmul=sparse_matmul, gelu=gelu,
        swish=swish,
    )  # fmt: skip
