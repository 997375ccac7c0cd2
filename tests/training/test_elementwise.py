"""Fast activations against Keras', values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers.kernels import Activation, Kernels, use_kernels
from zoo.layers.transformer import FeedForward
from zoo.training.kernels import fast_kernels
from zoo.training.kernels.elementwise import gelu, swish


def with_gradient(function, inputs: tf.Tensor) -> tuple[np.ndarray, np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    gradient = tape.gradient(outputs, inputs, tf.ones_like(outputs) * 3)
    assert outputs.dtype == gradient.dtype == inputs.dtype
    return np.asarray(outputs, "float64"), np.asarray(gradient, "float64")


def exact(inputs: tf.Tensor) -> tf.Tensor:
    return keras.activations.gelu(inputs, approximate=False)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 2**-7), ("float16", 2**-9)]
)
def test_gelu_and_its_gradient_are_the_exact_ones(dtype: str, tolerance: float) -> None:
    inputs = tf.cast(tf.linspace(-12.0, 12.0, 4001), dtype)
    found = with_gradient(gelu, inputs)
    expected = with_gradient(exact, tf.cast(inputs, "float64"))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=4 * tolerance)


def test_gelu_of_the_ends_of_float32_is_finite() -> None:
    ends = tf.constant([-3.0e38, -100.0, -0.0, 0.0, 100.0, 3.0e38])
    outputs, gradient = with_gradient(gelu, ends)
    np.testing.assert_allclose(outputs, np.maximum(np.asarray(ends, "float64"), 0))
    np.testing.assert_allclose(gradient, [0, 0, 1.5, 1.5, 3, 3])


def test_gelu_leaves_float64_to_keras() -> None:
    assert gelu(tf.constant([1.0], tf.float64)) is None


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 2e-6), ("bfloat16", 2**-7), ("float16", 2**-9)]
)
@pytest.mark.parametrize("sides", [(16, 32), (3, 5)])
def test_swish_and_its_gradient_are_the_exact_ones(dtype, tolerance, sides) -> None:
    shape = (1, *sides, 32)
    inputs = tf.cast(tf.reshape(tf.linspace(-90.0, 90.0, np.prod(shape)), shape), dtype)
    if dtype == "float32" and sides == (3, 5):
        assert swish(inputs) is None
        return
    found = with_gradient(swish, inputs)
    expected = with_gradient(keras.activations.silu, tf.cast(inputs, "float64"))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=4 * tolerance)


def test_only_the_swish_of_maps_is_lent() -> None:
    called = []

    def counted(inputs: tf.Tensor) -> tf.Tensor | None:
        called.append(inputs.shape.rank)
        return swish(inputs)

    with use_kernels(Kernels(swish=counted)):
        for shape in ((2, 3), (1, 16, 32, 32)):
            inputs = tf.random.stateless_normal(shape, (0, 1))
            for name in ("swish", "silu", "relu6"):
                own = keras.layers.Activation(name)(inputs)
                np.testing.assert_allclose(Activation(name)(inputs), own, rtol=1e-6)
    assert called == [4, 4]
    assert swish(tf.zeros((1, 16, 32, 32), tf.float64)) is None


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_a_feed_forward_network_has_the_same_gradients_with_it(activation: str) -> None:
    keras.utils.set_random_seed(1)
    layer = FeedForward(24, activation=activation, initial_std=0.5)
    inputs = tf.random.normal((3, 5, 8))
    layer.build(inputs.shape)
    called = []

    def counted(inputs: tf.Tensor) -> tf.Tensor | None:
        called.append(inputs.shape)
        return gelu(inputs)

    gradients = []
    for kernels in (Kernels(), Kernels(gelu=counted)):
        with use_kernels(kernels), tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(layer(inputs)))
        values = [variable.value for variable in layer.trainable_variables]
        gradients.append(tape.gradient(loss, values))
    assert called == ([(3, 5, 24)] if activation == "gelu" else [])
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_xla_fuses_keras_own() -> None:
    lent = []

    @tf.function(jit_compile=True, autograph=False)
    def compiled(inputs: tf.Tensor) -> tf.Tensor:
        lent.append(fast_kernels().gelu)
        return inputs + 1

    compiled(tf.constant(1.0))
    assert lent == [None]
