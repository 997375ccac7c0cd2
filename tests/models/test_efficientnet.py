"""EfficientNets: the papers' sizes, Keras' and PyTorch's numbers, and what is refused."""

import math
import typing

import keras
import numpy as np
import pytest
from torch_efficientnet import TorchTwin

from zoo import ZooError
from zoo.memory import without_values
from zoo.models.efficientnet import VARIANTS, efficientnet
from zoo.models.receptive_field import receptive_fields
from zoo.preset.schemas import architectures
from zoo.training.layer_groups import layer_groups

PAPER = {
    "image_size": 224, "num_classes": 1000, "pixel_mean": (0.0, 0.0, 0.0),
    "pixel_std": (255.0, 255.0, 255.0), "variant": "b0", "width_factor": None,
    "depth_factor": None, "stem": "auto", "padding": "same", "norm": "batch",
    "norm_momentum": 0.99, "norm_epsilon": 1e-3, "stochastic_depth": 0.2, "dropout": 0.2,
    "head_std": None, "flip_average": False,
}  # fmt: skip
TINY = {"width_factor": 0.1, "depth_factor": 0.1, "num_classes": 10}
GAIN = 1.7  # of the kernels in tests: with less no image is told from another


def build(**changes):
    keras.utils.set_random_seed(1)
    return efficientnet(**PAPER | changes)


def images(count=4, size=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype("uint8")


def stirred(network, seed=3):
    """Give every weight, moving statistics too, values that a wrong place would show."""
    generator = np.random.default_rng(seed)
    for weight in network.weights:
        if "seed" in weight.path:
            continue
        drawn = generator.normal(size=weight.shape)
        if weight.path.endswith(("gamma", "moving_variance")):
            drawn = 0.7 + 0.3 * np.abs(drawn)
        elif len(weight.shape) > 1:
            depthwise = weight.shape[-1] == 1
            drawn *= GAIN / math.sqrt(math.prod(weight.shape[: 2 if depthwise else -1]))
        else:
            drawn *= 0.1
        weight.assign(drawn)
    return network


# Of the papers and their code; of B1 to B7 and the Lites of torchvision and timm.
@pytest.mark.parametrize(
    ("variant", "weights"),
    [
        ("b0", 5_288_548), ("b1", 7_794_184), ("b2", 9_109_994), ("b3", 12_233_232),
        ("b4", 19_341_616), ("b5", 30_389_784), ("b6", 43_040_704), ("b7", 66_347_960),
        ("v2-s", 21_458_488), ("lite0", 4_652_008), ("lite1", 5_416_680), ("lite2", 6_092_072),
        ("lite3", 8_197_096), ("lite4", 13_006_568),
    ],
)  # fmt: skip
def test_networks_have_the_weights_of_the_papers(variant, weights):
    with without_values():
        network = build(variant=variant)
        trained = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    assert trained == weights


def test_every_variant_is_counted():
    accepted = architectures()["efficientnet"].model_fields["variant"].annotation
    assert set(VARIANTS) == set(typing.get_args(accepted))


def weights_of(layers):
    return [
        weight
        for layer in layers
        if not isinstance(layer, keras.layers.Normalization)
        for weight in layer.weights
        if "seed" not in weight.path
    ]


def test_logits_are_those_of_keras():
    size = 75  # then 38, 19, 10, 5 and 3: maps of odd and of even sides are halved
    theirs = keras.applications.EfficientNetB0(
        weights=None, input_shape=(size, size, 3), classifier_activation=None
    )
    ours = stirred(build())
    pairs = zip(weights_of(ours.layers), weights_of(theirs.layers), strict=True)
    for weight, other in pairs:  # theirs has gates of 1 x 1 convolutions
        assert weight.shape == other.shape[-len(weight.shape) :]
        other.assign(keras.ops.reshape(weight, other.shape))
    x = images(2, size)
    logits = np.asarray(ours(x))
    scale = np.abs(logits).max()
    assert np.abs(logits[0] - logits[1]).max() > 0.1 * scale
    np.testing.assert_allclose(logits, theirs(x), rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"variant": "v2-s"},
        *(
            pytest.param(changes, marks=pytest.mark.slow)
            for changes in (
                {"variant": "lite0"}, {"norm": "group"}, {"norm": "none"},
                {"padding": "symmetric"}, {"stem": "cifar", "head_std": 0.01},
            )
        ),
    ],
)  # fmt: skip
def test_every_option_builds_saves_and_loads(changes, tmp_path):
    network = stirred(build(**TINY | changes))
    x = images(size=32)
    assert np.isfinite(np.asarray(network(x, training=True))).all()
    logits = np.asarray(network(x))
    assert logits.shape == (4, 10) and logits.dtype == np.float32
    network.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(x)), logits)
    assert np.asarray(network(images(size=47))).shape == (4, 10)


def test_weights_start_as_in_the_paper():
    network = build(variant="b0", depth_factor=0.5)
    kernels = {weight.path: np.asarray(weight) for weight in network.trainable_weights}
    for path, filters in (
        ("stem_conv/kernel", 9 * 32),
        ("stage6_block1_depthwise_conv/kernel", 25),
        ("top_conv/kernel", 1280),
    ):
        assert kernels[path].std() == pytest.approx(math.sqrt(2 / filters), rel=0.06)
    logits = kernels["logits/kernel"]
    assert np.abs(logits).max() == pytest.approx(1 / math.sqrt(1000), rel=1e-3)
    first, second = (kernels[f"stage{stage}_block1_se/expand/kernel"] for stage in (3, 4))
    assert not np.array_equal(first.ravel()[:20], second.ravel()[:20])


def test_only_blocks_beside_a_shortcut_are_dropped_and_more_so_the_later_they_come():
    network = build()
    rates = {layer.name: layer.rate for layer in network.layers if layer.name.endswith("_drop")}
    # The blocks that change the shape have no shortcut: 1, 2, 4, 6, 9, 12 and 16 of 16.
    numbers = (3, 5, 7, 8, 10, 11, 13, 14, 15)
    assert list(rates.values()) == pytest.approx([0.2 * (n - 1) / 16 for n in numbers])
    assert [*rates][:: len(rates) - 1] == ["stage2_block2_drop", "stage6_block4_drop"]
    examples = network.get_layer("stage6_block4_drop")(np.ones((400, 2, 2, 3)), training=True)
    kept = np.asarray(examples).reshape(400, -1)
    assert ((kept == kept[:, :1]).all(axis=1)).all()  # whole examples
    assert (kept[:, 0] > 0).mean() == pytest.approx(1 - 0.2 * 14 / 16, abs=0.06)


def test_gates_are_squeezed_from_the_channels_that_a_block_is_given():
    network = build()
    units = [layer.units for layer in network.layers if layer.name.endswith("_se")]
    given = [32, 16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192]
    assert units == [channels // 4 for channels in given]


def test_a_block_is_a_stage_when_a_network_is_fine_tuned():
    groups = [[layer.name for layer in group] for group in layer_groups(build(**TINY))]
    assert groups[0] == ["stem_conv", "stem_norm"]
    assert groups[-2:] == [["top_conv", "top_norm"], ["logits"]]
    assert [group[0][:6] for group in groups[1:-2]] == [f"stage{n}" for n in range(1, 8)]


def test_the_stem_goes_by_the_size_of_the_images():
    def strides(**changes):
        return [stage.stride for stage in receptive_fields(build(**TINY | changes))]

    assert strides(image_size=64) == [2, 2, 4, 8, 16, 16, 32, 32]
    assert strides(image_size=63) == [1, 1, 1, 2, 4, 4, 8, 8]
    # By hand: 3 after the stem, then 2 more in steps of 2, ...
    assert receptive_fields(build(**TINY))[1].field == 7


# --- the same numbers as PyTorch


@pytest.mark.parametrize(("variant", "size"), [("b0", 64), ("lite0", 47), ("v2-s", 40)])
def test_symmetric_padding_is_that_of_pytorch(variant, size):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    small = TINY | {"variant": variant, "stem": "imagenet"}
    network = stirred(build(**small, padding="symmetric"))
    x = images(2, size)
    pixels = torch.tensor(x.transpose(0, 3, 1, 2) / 255, dtype=torch.float32)
    twin = TorchTwin(torch, {layer.name: layer for layer in network.layers})
    with torch.no_grad():
        expected = twin(pixels).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(network(x)), expected, rtol=1e-4, atol=1e-5 * scale)
    same = build(**small, padding="same")
    same.set_weights(network.get_weights())
    assert np.abs(np.asarray(same(x)) - expected).max() > 0.1 * scale


# --- what is refused


def test_what_cannot_be_built():
    with pytest.raises(ZooError, match=r"unknown variant of efficientnet 'b9'.*Accepted: b0, b1"):
        build(variant="b9")
    with pytest.raises(ZooError, match="24 pixels are too small.*one feature in 32.*cifar"):
        build(image_size=24, stem="imagenet")
    assert build(image_size=8, **TINY).output_shape == (None, 10)
