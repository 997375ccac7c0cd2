"""Layers of convolutional networks: Keras' own numbers, with fast kernels and without."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo import ZooError
from zoo.layers import (
    BatchNorm,
    Conv2D,
    DepthwiseConv2D,
    MaxPooling2D,
    PaddedShortcut,
    PooledConv2D,
    WhiteningConv2D,
)
from zoo.layers.kernels import Kernels, use_kernels
from zoo.training.kernels.convolution import batch_norm_in_xla, convolve, fused_batch_norm
from zoo.training.kernels.depthwise import depthwise_convolve
from zoo.training.kernels.pooling import max_pool_in_xla


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kernel", [fused_batch_norm, batch_norm_in_xla])
def test_a_fast_batch_norm_is_keras_own(kernel, dtype):
    tolerance = 1e-5 if dtype == "float32" else 0.05
    x = tf.cast(np.random.default_rng(0).normal(2.0, 3.0, (8, 6, 5, 16)), dtype)
    results = []
    for fast in (None, kernel):
        policy = f"mixed_{dtype}" if dtype != "float32" else dtype
        layer = BatchNorm(momentum=0.9, epsilon=1e-5, dtype=policy)
        layer.build(x.shape)
        with use_kernels(Kernels(batch_norm=fast)), tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            weights = np.random.default_rng(1).normal(size=y.shape)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) * tf.cast(weights, tf.float32))
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        results.append([y, *gradients, layer.moving_mean.value, layer.moving_variance.value])
    for one, other in zip(*results, strict=True):
        assert one.dtype == other.dtype
        one, other = (np.asarray(tf.cast(y, tf.float32)) for y in (one, other))
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(one).max())


def test_a_channel_of_one_value_has_no_variance_in_xla():
    inputs = tf.fill((64, 7, 7, 2), 123.45)
    outputs, mean, variance = batch_norm_in_xla(inputs, tf.ones(2), tf.zeros(2), 1e-5)
    np.testing.assert_allclose(mean, [123.45] * 2, rtol=1e-3)
    assert np.isfinite(outputs).all() and (variance.numpy() >= 0).all()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("size", "stride", "sides"), [(3, 2, (9, 8)), (2, 2, (7, 4)), (3, 1, (5, 3))]
)
def test_the_fast_maximum_over_windows_is_keras_own(size, stride, sides, compiled):
    generator = np.random.default_rng(0)
    # Numbers of few bits: windows with two largest pixels are common.
    x = tf.cast(generator.integers(-3, 4, (3, *sides, 2)), "bfloat16")
    upstream = generator.integers(-8, 9, (3, *((side - size) // stride + 1 for side in sides), 2))
    upstream = tf.cast(upstream, "bfloat16")
    results = []
    for fast in (None, max_pool_in_xla):
        layer = MaxPooling2D(size, stride, dtype="mixed_bfloat16")

        @tf.function(jit_compile=compiled and fast is not None)
        def both(inputs, layer=layer, fast=fast):
            with use_kernels(Kernels(max_pool=fast)), tf.GradientTape() as tape:
                tape.watch(inputs)
                y = layer(inputs)
            return y, tape.gradient(y, inputs, upstream)

        results.append(both(x))
    for one, other in zip(*results, strict=True):
        assert one.dtype == other.dtype == tf.bfloat16
        np.testing.assert_array_equal(tf.cast(one, tf.float32), tf.cast(other, tf.float32))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("size", "stride", "sides", "padding"),
    [
        (3, 1, (6, 5), "same"), (3, 2, (7, 8), "same"), (3, 2, (9, 9), "valid"),
        (5, 1, (6, 5), "same"), (5, 1, (2, 1), "same"), (5, 2, (7, 8), "same"),
        (5, 2, (9, 11), "valid"), (5, 2, (18, 17), "same"), (2, 1, (4, 4), "same"),
    ],
)  # fmt: skip
def test_the_fast_depthwise_convolution_is_keras_own(size, stride, sides, padding, dtype):
    generator = np.random.default_rng(0)
    # Numbers of few bits, so that float32 and bfloat16 mean the same ones.
    x = generator.integers(-4, 5, (3, *sides, 16)).astype("float32")
    kernel = generator.integers(-4, 5, (size, size, 16, 1)).astype("float32")
    results = []
    for fast, policy in ((None, "float32"), (depthwise_convolve, dtype)):
        policy = "mixed_bfloat16" if policy == "bfloat16" else policy
        layer = DepthwiseConv2D(size, strides=stride, padding=padding, dtype=policy)
        layer.build(x.shape)
        layer.kernel.assign(kernel)
        inputs = tf.cast(x, layer.compute_dtype)
        with use_kernels(Kernels(depthwise=fast)), tf.GradientTape() as tape:
            tape.watch(inputs)
            y = layer(inputs)
            weights = np.random.default_rng(1).integers(-4, 5, y.shape).astype("float32")
            loss = tf.reduce_sum(tf.cast(y, tf.float32) * weights)
        results.append([y, *tape.gradient(loss, [inputs, layer.kernel.value, layer.bias.value])])
    tolerance = 1e-5 if dtype == "float32" else 0.01
    for one, other in zip(*results, strict=True):
        one, other = (np.asarray(tf.cast(y, tf.float32)) for y in (one, other))
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "options",
    [{"depth_multiplier": 2}, {"dilation_rate": 2, "strides": 1}, {"activation": "relu"}],
)
def test_a_depthwise_convolution_that_is_not_plain_is_keras_own(options):
    x = tf.random.stateless_normal((2, 9, 8, 3), (0, 1))
    layer = DepthwiseConv2D(3, **options)
    with use_kernels(Kernels(depthwise=lambda *_: pytest.fail("was lent"))):
        y = layer(x)
    np.testing.assert_array_equal(y, layer(x))


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (5, 1), (5, 2)])
def test_maps_of_unknown_size_are_convolved_too(size, stride):
    kernel = tf.random.stateless_normal((size, size, 4, 1), (0, 1))

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 4))])
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            loss = tf.reduce_sum(depthwise_convolve(x, kernel, stride, "same") ** 2)
        return tape.gradient(loss, (x, kernel))

    x = tf.random.stateless_normal((2, 9, 8, 4), (0, 2))
    with tf.GradientTape() as tape:
        tape.watch((x, kernel))
        loss = tf.reduce_sum(depthwise_convolve(x, kernel, stride, "same") ** 2)
    for one, other in zip(gradients(x), tape.gradient(loss, (x, kernel)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "options", [{"padding": "same"}, {"pool_size": (3, 2)}, {"strides": (2, 1)}, {"strides": 4}]
)
def test_windows_that_the_fast_maximum_cannot_take_are_keras_own(options):
    x = tf.random.stateless_normal((2, 9, 8, 3), (0, 1))
    options = {"pool_size": 3, "strides": 2} | options
    with use_kernels(Kernels(max_pool=max_pool_in_xla)):
        y = MaxPooling2D(**options)(x)
    np.testing.assert_array_equal(y, keras.layers.MaxPooling2D(**options)(x))


@pytest.mark.parametrize(("dtype", "side"), [("bfloat16", 7), ("bfloat16", 1), ("float32", 3)])
@pytest.mark.parametrize("size", [3, 5])
def test_the_fast_convolution_is_keras_own(size, dtype, side):
    generator = np.random.default_rng(0)
    # Numbers of few bits, so that float32 and bfloat16 mean the same ones.
    x, weights = (
        generator.integers(-8, 9, (4, side, side, 256)).astype("float32") for _ in range(2)
    )
    kernel = generator.integers(-8, 9, (size, size, 256, 256)).astype("float32")
    used, results = [], []

    def counted(*arguments):
        used.append(convolve(*arguments))
        return used[-1]

    # Keras' own in float32: in bfloat16 TensorFlow 2.21 gives weights of a kernel that meet no
    # pixel a gradient (5 x 5 over one pixel).
    for fast, policy in ((None, "float32"), (counted, dtype)):
        policy = "mixed_bfloat16" if policy == "bfloat16" else policy
        layer = Conv2D(256, size, padding="same", dtype=policy)
        layer.build(x.shape)
        layer.kernel.assign(kernel)
        inputs = tf.cast(x, layer.compute_dtype)
        with use_kernels(Kernels(convolve=fast)), tf.GradientTape() as tape:
            tape.watch(inputs)
            y = layer(inputs)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) * weights)
        results.append([y, *tape.gradient(loss, [inputs, layer.kernel.value, layer.bias.value])])
    assert len(used) == 1 and used[0] is not None
    tolerance = 1e-5 if dtype == "float32" else 0.01
    for one, other in zip(*results, strict=True):
        one, other = (np.asarray(tf.cast(y, tf.float32)) for y in (one, other))
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        ((2, 11, 11, 256), (3, 3, 256, 256)), ((2, 7, 7, 128), (3, 3, 128, 256)),
        ((2, None, None, 256), (3, 3, 256, 256)), ((2, 7, 7, 256), (2, 2, 256, 256)),
        ((2, 7, 7, 256), (1, 1, 256, 256)),
    ],
)  # fmt: skip
def test_other_convolutions_are_left_to_keras(shape, kernel):
    x = keras.KerasTensor(shape, "bfloat16") if None in shape else tf.zeros(shape, tf.bfloat16)
    assert convolve(x, tf.zeros(kernel, tf.bfloat16)) is None


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize(
    ("side", "channels", "dtype", "is_cut"),
    [
        (7, 256, "float32", True), (7, 256, "bfloat16", True), (15, 3, "float32", True),
        (6, 4, "float32", False), (31, 4, "float32", False),
    ],
)  # fmt: skip
def test_a_pooled_convolution_is_both_layers(size, side, channels, dtype, is_cut):
    generator = np.random.default_rng(0)
    x = generator.integers(-8, 9, (2, side, side, channels)).astype("float32")
    kernel = generator.integers(-8, 9, (size, size, channels, channels)).astype("float32")
    policy = "mixed_bfloat16" if dtype == "bfloat16" else dtype
    one = keras.layers.Conv2D(channels, size, padding="same", dtype=policy)
    other = PooledConv2D(channels, size, padding="same", dtype=policy)
    sides, results = [], []

    def noted(*arguments):
        y = convolve(*arguments)
        sides.append(side if y is None else y.shape[1])
        return y

    for layer, pool in ((one, keras.layers.MaxPooling2D(2)), (other, tf.identity)):
        layer.build(x.shape)
        layer.kernel.assign(kernel)
        inputs = tf.cast(x, layer.compute_dtype)
        with use_kernels(Kernels(convolve=noted)), tf.GradientTape() as tape:
            tape.watch(inputs)
            y = pool(layer(inputs))
            loss = tf.reduce_sum(tf.cast(y, tf.float32))
        results.append([y, *tape.gradient(loss, [inputs, layer.kernel.value])])
    assert sides == [side - (is_cut and size > 1)]
    assert results[1][0].shape == other.compute_output_shape(x.shape)
    tolerance = 1e-5 if dtype == "float32" else 0.01
    for left, right in zip(*results, strict=True):
        left, right = (np.asarray(tf.cast(y, tf.float32)) for y in (left, right))
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance * np.abs(left).max())


def test_whitened_patches_are_uncorrelated(tmp_path):
    generator = np.random.default_rng(0)
    smooth = generator.normal(size=(64, 9, 9, 3)).cumsum(axis=1).cumsum(axis=2).astype("float32")
    smooth /= smooth.std()
    layer = WhiteningConv2D(2, 3)
    layer(smooth)
    layer.adapt(smooth)
    flat = np.asarray(layer(smooth)).reshape(-1, 24)
    second_moments = flat.T @ flat / len(flat)
    directions = second_moments[:12, :12]
    assert np.abs(directions - np.diag(np.diag(directions))).max() < 0.02
    assert np.diag(directions)[-6:] == pytest.approx(np.ones(6), abs=0.1)
    np.testing.assert_allclose(flat[:, :12], -flat[:, 12:], atol=1e-4)
    assert [weight.path.split("/")[-1] for weight in layer.trainable_weights] == ["bias"]
    with pytest.raises(ZooError, match="not finite"):
        layer.adapt(smooth * np.inf)


def test_a_padded_shortcut_picks_pixels():
    x = np.arange(2 * 5 * 5 * 2, dtype="float32").reshape(2, 5, 5, 2)
    y = np.asarray(PaddedShortcut(6, 2)(x))
    assert y.shape == (2, 3, 3, 6) == PaddedShortcut(6, 2).compute_output_shape(x.shape)
    np.testing.assert_array_equal(y[..., 2:4], x[:, ::2, ::2])
    assert not y[..., [0, 1, 4, 5]].any()


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("channels", [4, 8, 12])
def test_steps_of_a_1_x_1_convolution_of_few_channels_are_taken_before_it(channels, size) -> None:
    """TensorFlow 2.21's own gradient ends the process, on a CPU and an odd number of rows."""
    keras.utils.set_random_seed(0)
    layer = Conv2D(6, 1, strides=2, padding="same")
    plain = keras.layers.Conv2D(6, 1, strides=2, padding="same")
    x = keras.random.normal((5, size, size, channels))
    layer.build(x.shape)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    with tf.GradientTape() as tape:
        y = layer(x)
        total = tf.reduce_sum(y**2)
    np.testing.assert_allclose(y, plain(x), rtol=1e-5, atol=1e-6)
    gradient = tape.gradient(total, layer.kernel.value)
    rows = tf.reshape(x[:, ::2, ::2], (-1, channels))
    expected = tf.matmul(rows, 2 * tf.reshape(y, (-1, 6)), transpose_a=True)
    np.testing.assert_allclose(gradient[0, 0], expected, rtol=1e-3, atol=1e-4)
