"""Residual networks: the papers' sizes, PyTorch's numbers, and how they start."""

import importlib.util
import itertools
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import importing
from torch_resnet import basic, bottleneck, copy_weights, torch_resnet

import zoo
from zoo import ZooError
from zoo.memory import without_values
from zoo.models.receptive_field import receptive_fields
from zoo.models.resnet import DEPTHS, resnet

PLAIN = {
    "image_size": 224, "num_classes": 1000, "pixel_mean": (0.0, 0.0, 0.0),
    "pixel_std": (1.0, 1.0, 1.0), "depth": 18, "filters": None, "variant": "b", "stem": "auto",
    "bottleneck_width": 1.0,
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


@pytest.mark.parametrize(
    ("depth", "weights"),
    [
        (18, 11_689_512),
        (34, 21_797_672),
        (50, 25_557_032),
        pytest.param(101, 44_549_160, marks=pytest.mark.slow),
        pytest.param(152, 60_192_808, marks=pytest.mark.slow),
    ],
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
        {}, {"norm": "group", "activation": "prelu"}, {"norm": "layer", "activation": "swish"},
        {"norm": "none", "squeeze_excitation": 0.25}, {"stochastic_depth": 0.5, "dropout": 0.5},
        {"variant": "d", "shortcut": "projection", "stem": "imagenet", "flip_average": True},
        FAST, FAST | {"depth": 9, "stem": "cifar", "flip_average": True},
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
    first, last = map(np.asarray, features(images()))
    np.testing.assert_array_equal(first, last)
    other = build(**TINY | {"norm": norm, "zero_gamma": False})
    features = keras.Model(
        other.input,
        [
            other.get_layer("stage1_block1_add").input[0],
            other.get_layer("stage1_block3_out").output,
        ],
    )
    first, last = map(np.asarray, features(images()))
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
def test_logits_are_those_of_pytorch(depth):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    config = DEPTHS[depth]
    network = stirred(build(depth=depth, num_classes=10))
    kind = bottleneck if depth == 50 else basic
    other = torch_resnet(torch, kind, config.blocks)
    copy_weights(torch, network, other)
    x = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype("float32")
    for training in (False, True):  # the statistics of a batch come last: they change the moving
        with torch.no_grad():
            expected = other.train(training)(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
        np.testing.assert_allclose(
            np.asarray(network(x, training=training)), expected, rtol=1e-4, atol=1e-4
        )


def logits_of_numbered_weights():
    """Return logits of weights that are the same on every backend."""
    logits = {}
    for name, changes in {"plain": {}, "fast": FAST | {"flip_average": True}}.items():
        network = stirred(resnet(**PLAIN | TINY | changes))
        logits[name] = keras.ops.convert_to_numpy(network(images()))
    return logits


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="needs PyTorch")
def test_networks_run_on_another_backend(tmp_path):
    path = str(tmp_path / "logits.npz")
    code = (
        f"import numpy, test_resnet as t; numpy.savez({path!r}, **t.logits_of_numbered_weights())"
    )
    environment = importing(__file__) | {"KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    other = np.load(path)
    for name, logits in logits_of_numbered_weights().items():
        np.testing.assert_allclose(other[name], logits, rtol=1e-3, atol=1e-4)


# --- two views of an image


def test_scores_are_the_mean_of_an_image_and_its_mirror_image():
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
    stages = receptive_fields(build(depth=18))
    fields = [(stage.field, stage.stride) for stage in stages]
    assert fields == [(11, 4), (43, 4), (99, 8), (211, 16), (435, 32)]
    assert [stage.name for stage in stages] == ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert receptive_fields(build(depth=50))[-1].field == 427
    small = receptive_fields(build(**CIFAR | {"depth": 20}))
    assert [(stage.field, stage.stride) for stage in small] == [(3, 1), (15, 1), (37, 2), (81, 4)]


def test_an_image_moves_what_is_in_its_field_alone():
    network = build(**TINY | {"zero_gamma": False})
    (stage1,) = [stage for stage in receptive_fields(network) if stage.name == "stage1"]
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


def test_the_debug_preset_trains_on_an_odd_number_of_images() -> None:
    model = zoo.resnet("debug", image_size=16, num_classes=2)
    images = np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3)).astype("float32")
    model.run_eagerly = True  # quicker than a graph for a step
    history = model.fit(images, np.array([0, 1, 0, 1, 0]), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_wide_networks_and_those_of_26_layers_have_the_weights_of_the_reference():
    # torchvision's wide_resnet50_2, and timm's resnet26.
    for changes, weights in (({"depth": 50, "bottleneck_width": 2.0}, 68_883_240),
                             ({"depth": 26}, 15_995_176)):  # fmt: skip
        with without_values():
            assert trained_weights(build(**changes)) == weights


def test_variant_a_has_its_stride_in_the_first_convolution():
    strides = {}
    for variant in "ab":
        network = build(depth=26, variant=variant, filters=(8, 8, 8, 8), num_classes=2)
        names = (f"stage2_block1_{number}_conv" for number in (1, 2))
        strides[variant] = [network.get_layer(name).strides[0] for name in names]
    assert strides == {"a": [2, 1], "b": [1, 2]}
