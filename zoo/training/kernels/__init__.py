"""Kernels: operations that TensorFlow or Keras computes more slowly, or not at all."""
