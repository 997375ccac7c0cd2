"""Residual networks: the papers' sizes, PyTorch's numbers, and how they start."""

import importlib.util
import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from torch_resnet import basic, bottleneck, copy_weights, torch_resnet

import zoo
from zoo import ZooError
from zoo.layers import Conv2D, PaddedShortcut, PooledConv2D, WhiteningConv2D
from zoo.layers.kernels import Kernels, use_kernels
from zoo.models.receptive_field import receptive_fields
from zoo.models.resnet import DEPTHS, resnet
from zoo.preset.schemas import architectures
from zoo.training.kernels.convolution import convolve, fused_batch_norm

PLAIN = {
    "image_size": 224, "num_classes": 1000, "pixel_mean": (0.0, 0.0, 0.0),
    "pixel_std": (1.0, 1.0, 1.0), "depth": 18, "filters": None, "variant": "b", "stem": "auto",
    "shortcut": "projection", "norm": "batch", "norm_momentum": 0.9, "norm_epsilon": 1e-5,
    "activation": "relu", "zero_gamma": True, "squeeze_excitation": 0.0, "stochastic_depth": 0.0,
    "dropout": 0.0, "pooling": "average", "head_std": 0.01, "logit_scale": 1.0,
    "flip_average": False,
}  # fmt: skip
CIFAR = {"image_size": 32, "num_classes": 10, "shortcut": "padding"}
TINY = CIFAR | {"depth": 20, "filters": (8, 8, 16)}
FAST = {"depth": 8, "filters": (8, 8, 8), "stem": "whitening", "pooling": "max"}


def build(**changes):
    keras.utils.set_random_seed(1)
    return resnet(**PLAIN | changes)


def images(count=4, size=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype("uint8")


def trained_weights(network):
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)


def stirred(network, seed=3):
    """Give every weight, moving statistics too, values that a wrong place would show."""
    generator = np.random.default_rng(seed)
    for weight in network.weights:
        if "seed" in weight.path:
            continue
        drawn = generator.normal(size=weight.shape)
        if weight.path.endswith(("gamma", "moving_variance")):
            drawn = 0.5 + np.abs(drawn)
        scale = 0.7 / math.sqrt(math.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3
        weight.assign(drawn * (scale if not weight.path.endswith("gamma") else 0.4))
    return network


def test_arguments_are_the_keys_of_the_architecture():
    assert resnet.__kwdefaults__ is None
    assert set(PLAIN) == set(architectures()["resnet"].model_fields)


@pytest.mark.parametrize(
    ("depth", "weights"),
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)],
)
def test_imagenet_networks_have_the_weights_of_the_reference(depth, weights):
    assert trained_weights(build(depth=depth)) == weights


@pytest.mark.parametrize(
    ("depth", "weights"),
    [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)],
)
def test_cifar_networks_have_the_weights_of_the_paper(depth, weights):
    assert trained_weights(build(**CIFAR | {"depth": depth})) == weights


def test_variant_d_adds_only_its_stem():
    # Three 3 x 3 with 32, 32 and 64 filters and two more norms in the place of one 7 x 7.
    stem = 9 * (3 * 32 + 32 * 32 + 32 * 64) - 49 * 3 * 64 + 2 * 32 * 2
    assert trained_weights(build(depth=50, variant="d")) == 25_557_032 + stem
    assert trained_weights(build(depth=50, variant="c")) == 25_557_032 + stem


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"norm": "group"}, {"norm": "layer"}, {"norm": "none"}, {"activation": "prelu"},
        {"activation": "swish"}, {"squeeze_excitation": 0.25}, {"stochastic_depth": 0.5},
        {"dropout": 0.5}, {"variant": "d", "shortcut": "projection", "stem": "imagenet"},
        {"flip_average": True}, FAST, FAST | {"depth": 9, "stem": "cifar", "flip_average": True},
    ],
)  # fmt: skip
def test_every_option_builds_saves_and_loads(changes, tmp_path):
    network = stirred(build(**TINY | changes))
    x = images()
    assert np.isfinite(np.asarray(network(x, training=True))).all()
    logits = np.asarray(network(x))
    assert logits.shape == (4, 10) and logits.dtype == np.float32
    network.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(x)), logits)
    assert np.asarray(network(images(size=48))).shape == (4, 10)


@pytest.mark.parametrize("size", [24, 32, 63, 64, 160])
def test_the_stem_goes_by_the_size_of_the_images(size):
    names = {layer.name for layer in build(image_size=size, filters=(8, 8, 8, 8)).layers}
    assert ("stem_pool" in names) == (size >= 64)


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "none"])
def test_with_zero_gamma_every_block_begins_as_the_identity(norm):
    network = build(**TINY | {"norm": norm})
    features = keras.Model(
        network.input,
        [
            network.get_layer("stage1_block1_add").input[0],
            network.get_layer("stage1_block3_out").output,
        ],
    )
    first, last = (np.asarray(each) for each in features(images()))
    np.testing.assert_array_equal(first, last)
    other = build(**TINY | {"norm": norm, "zero_gamma": False})
    features = keras.Model(
        other.input,
        [
            other.get_layer("stage1_block1_add").input[0],
            other.get_layer("stage1_block3_out").output,
        ],
    )
    first, last = (np.asarray(each) for each in features(images()))
    assert not np.allclose(first, last)


@pytest.mark.parametrize("preset", ["default", "cifar-he2015", "fast-cifar", "debug"])
def test_the_loss_starts_at_the_logarithm_of_the_classes(preset):
    keras.utils.set_random_seed(0)
    model = zoo.resnet(preset=preset, image_size=32, num_classes=10)
    logits = model(images(64), training=True)
    loss = keras.losses.sparse_categorical_crossentropy(np.arange(64) % 10, logits, True)
    assert float(np.mean(loss)) == pytest.approx(math.log(10), rel=0.05)


# --- the same numbers as PyTorch


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("training", [False, True])
def test_logits_are_those_of_pytorch(depth, training):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    config = DEPTHS[depth]
    network = stirred(build(depth=depth, num_classes=10))
    kind = bottleneck if depth == 50 else basic
    other = torch_resnet(torch, kind, config.blocks).train(training)
    copy_weights(torch, network, other)
    x = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype("float32")
    with torch.no_grad():
        expected = other(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(
        np.asarray(network(x, training=training)), expected, rtol=1e-4, atol=1e-4
    )


def logits_of_numbered_weights():
    """Return logits of weights that are the same on every backend."""
    found = {}
    for name, changes in {"plain": {}, "fast": FAST | {"flip_average": True}}.items():
        network = stirred(resnet(**PLAIN | TINY | changes))
        found[name] = keras.ops.convert_to_numpy(network(images()))
    return found


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs PyTorch")
def test_networks_run_on_another_backend(tmp_path):
    path = str(tmp_path / "logits.npz")
    code = (
        f"import numpy, test_resnet as t; numpy.savez({path!r}, **t.logits_of_numbered_weights())"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    other = np.load(path)
    for name, logits in logits_of_numbered_weights().items():
        np.testing.assert_allclose(other[name], logits, rtol=1e-3, atol=1e-4)


# --- layers


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_fused_batch_norm_is_keras_own(dtype):
    tolerance = 1e-5 if dtype == "float32" else 0.05
    x = tf.cast(np.random.default_rng(0).normal(2.0, 3.0, (8, 6, 5, 16)), dtype)
    found = []
    for fast in (None, fused_batch_norm):
        network = build(**TINY)
        layer = network.get_layer("stage1_block1_1_norm")
        own = type(layer)(
            momentum=0.9, epsilon=1e-5, dtype=f"mixed_{dtype}" if dtype != "float32" else dtype
        )
        own.build(x.shape)
        with use_kernels(Kernels(batch_norm=fast)), tf.GradientTape() as tape:
            tape.watch(x)
            y = own(x, training=True)
            weights = np.random.default_rng(1).normal(size=y.shape)
            loss = tf.reduce_sum(tf.cast(y, tf.float32) * tf.cast(weights, tf.float32))
        gradients = tape.gradient(loss, [x, own.gamma.value, own.beta.value])
        found.append([y, *gradients, own.moving_mean.value, own.moving_variance.value])
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype
        one, other = (np.asarray(tf.cast(each, tf.float32)) for each in (one, other))
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(one).max())


@pytest.mark.parametrize(("dtype", "side"), [("bfloat16", 7), ("bfloat16", 1), ("float32", 3)])
@pytest.mark.parametrize("size", [3, 5])
def test_the_fast_convolution_is_keras_own(size, dtype, side):
    generator = np.random.default_rng(0)
    # Numbers of few bits, so that float32 and bfloat16 mean the same ones.
    x, weights = (
        generator.integers(-8, 9, (4, side, side, 256)).astype("float32") for _ in range(2)
    )
    kernel = generator.integers(-8, 9, (size, size, 256, 256)).astype("float32")
    used, found = [], []

    def counted(*arguments):
        used.append(convolve(*arguments))
        return used[-1]

    # Keras' own in float32: in bfloat16 TensorFlow 2.21 gives places of a kernel that meet no pixel
    # a gradient (5 x 5 over one pixel).
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
        found.append([y, *tape.gradient(loss, [inputs, layer.kernel.value, layer.bias.value])])
    assert len(used) == 1 and used[0] is not None
    tolerance = 1e-5 if dtype == "float32" else 0.01
    for one, other in zip(*found, strict=True):
        one, other = (np.asarray(tf.cast(each, tf.float32)) for each in (one, other))
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
    sides, found = [], []

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
        found.append([y, *tape.gradient(loss, [inputs, layer.kernel.value])])
    assert sides == [side - (is_cut and size > 1)]
    assert found[1][0].shape == other.compute_output_shape(x.shape)
    tolerance = 1e-5 if dtype == "float32" else 0.01
    for left, right in zip(*found, strict=True):
        left, right = (np.asarray(tf.cast(each, tf.float32)) for each in (left, right))
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


def test_scores_are_the_mean_of_a_image_and_its_mirror_image():
    x = images()
    once = stirred(build(**TINY | FAST))
    twice = build(**TINY | FAST | {"flip_average": True})
    twice.set_weights(once.get_weights())
    expected = (np.asarray(once(x)) + np.asarray(once(x[:, :, ::-1]))) / 2
    np.testing.assert_allclose(np.asarray(twice(x)), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        np.asarray(twice(x, training=True)),
        np.asarray(once(x, training=True)),
        rtol=1e-4,
        atol=1e-5,
    )


# --- receptive fields


def test_receptive_fields_are_those_of_the_paper():
    # By hand, l + (k - 1) j: 7 + 4 after the stem of stride 4, then 8 a 3 x 3, twice a block ...
    found = receptive_fields(build(depth=18))
    assert [(each.field, each.stride) for each in found] == [
        (11, 4),
        (43, 4),
        (99, 8),
        (211, 16),
        (435, 32),
    ]
    assert [each.name for each in found] == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert receptive_fields(build(depth=50))[-1].field == 427
    small = receptive_fields(build(**CIFAR | {"depth": 20}))
    assert [(each.field, each.stride) for each in small] == [(3, 1), (15, 1), (37, 2), (81, 4)]


def test_a_image_moves_what_is_in_its_field_alone():
    network = build(**TINY | {"zero_gamma": False})
    (stage1,) = [each for each in receptive_fields(network) if each.name == "stage1"]
    features = keras.Model(network.input, network.get_layer("stage1_block3_out").output)
    x = np.zeros((2, 41, 41, 3), "float32")
    x[1, 20, 20] = 255.0
    black, dotted = np.asarray(features(x))
    moved = np.flatnonzero(np.abs(black - dotted).sum(axis=(1, 2)))
    assert moved[-1] - moved[0] + 1 == stage1.field


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 19}, "depth 19.*18, 20"),
        ({"filters": (8, 8)}, "4 stages.*filters of 2"),
        ({"depth": 8, "image_size": 8}, "8 pixels are too small for depth 8"),
    ],
)
def test_what_cannot_be_built(changes, message):
    with pytest.raises(ZooError, match=message):
        build(**changes)


def test_sixty_four_images_are_learned():
    x, y = images(64, 16), np.arange(64) % 4
    for label in range(4):  # a stripe somewhere tells the class
        x[y == label, 4 * label : 4 * label + 2] = 255
    keras.utils.set_random_seed(0)
    model = zoo.resnet("debug", image_size=16, num_classes=4)
    history = model.fit(x, y, batch_size=32, epochs=40, verbose=0)
    assert history.history["accuracy"][-1] > 0.95
    losses = history.history["loss"]
    assert sum(b < a for a, b in itertools.pairwise(losses)) > 6


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
        found = layer(x)
        total = tf.reduce_sum(found**2)
    np.testing.assert_allclose(found, plain(x), rtol=1e-5, atol=1e-6)
    gradient = tape.gradient(total, layer.kernel.value)
    rows = tf.reshape(x[:, ::2, ::2], (-1, channels))
    expected = tf.matmul(rows, 2 * tf.reshape(found, (-1, 6)), transpose_a=True)
    np.testing.assert_allclose(gradient[0, 0], expected, rtol=1e-3, atol=1e-4)


def test_the_debug_preset_trains_on_an_odd_number_of_images() -> None:
    model = zoo.resnet("debug", image_size=16, num_classes=2)
    images = np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3)).astype("float32")
    model.run_eagerly = True  # quicker than a graph for a step
    history = model.fit(images, np.array([0, 1, 0, 1, 0]), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])
