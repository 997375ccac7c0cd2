"""Weights files of keras.applications: the zoo's networks give what Keras' own do."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from image_start_parts import exact, images
from keras.src.applications import resnet as theirs

import zoo
from zoo.errors import ZooError
from zoo.starts.resolve import resolve_start

CAFFE = np.array([103.939, 116.779, 123.68])


def stirred(model: Any) -> Any:
    """Give every variable a value that a wrong place would show."""
    generator = np.random.default_rng(0)
    for variable in model.weights:
        shape = variable.shape
        spread = 1 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.3
        drawn = generator.normal(0, spread, shape)
        positive = variable.path.endswith(("gamma", "variance"))
        variable.assign(0.7 + np.abs(drawn) if positive else drawn)
    return model


def small_resnet(top: bool = True, preact: bool = False) -> Any:
    """keras.applications' ResNet with two blocks a stage, narrow but for the first."""
    stack = theirs.stack_residual_blocks_v2 if preact else theirs.stack_residual_blocks_v1

    def stages(x: Any) -> Any:
        for stage, filters in enumerate((64, 4, 4, 8), start=2):
            x = stack(x, filters, 2, stride1=2 - (stage == 2), name=f"conv{stage}")
        return x

    return stirred(
        theirs.ResNet(
            stages, preact, True, name="resnet", include_top=top, weights=None, classes=3,
            classifier_activation=None, input_shape=(65, 65, 3), pooling=None if top else "avg",
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def resnet() -> Any:
    return small_resnet()


def saved(model: Any, path: Path) -> Path:
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)
    return path


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "a.keras"])
def test_a_resnet_gives_what_keras_gives(name: str, resnet: Any, tmp_path: Path) -> None:
    x = images(65)
    expected = np.asarray(resnet(x[..., ::-1] - CAFFE))  # as its preprocess_input does
    model = exact("resnet", saved(resnet, tmp_path / name))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5, atol=1e-5)
    assert model.output.shape == (None, 3)


def test_a_file_of_keras_2(resnet: Any, tmp_path: Path) -> None:
    """Weights alone, whose variables are named `kernel:0`, as those that Keras publishes are."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for layer in resnet.layers:
            for variable in layer.weights:
                file[f"{layer.name}/{layer.name}/{variable.name}:0"] = np.asarray(variable)
    x = images(65)
    expected = np.asarray(resnet(x[..., ::-1] - CAFFE))
    found = np.asarray(exact("resnet", tmp_path / "a.h5")(x))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_file_without_a_head(tmp_path: Path) -> None:
    bare = small_resnet(top=False)
    path = saved(bare, tmp_path / "notop.weights.h5")
    assert resolve_start(path).classes is None
    model = exact("resnet", path)
    features = keras.Model(model.input, model.get_layer("logits").input)
    x = images(65)
    expected = np.asarray(bare(x[..., ::-1] - CAFFE))
    np.testing.assert_allclose(np.asarray(features(x)), expected, rtol=1e-5, atol=1e-5)


def test_what_comes_with_it(resnet: Any, tmp_path: Path) -> None:
    values = resolve_start(saved(resnet, tmp_path / "a.weights.h5")).values
    assert values["architecture.pixel_mean"] == (123.68, 116.779, 103.939)
    assert values["architecture.pixel_std"] == (1.0, 1.0, 1.0)
    assert values["architecture.variant"] == "a" and values["architecture.depth"] == 26


@pytest.mark.slow
def test_resnet50_of_keras(tmp_path: Path) -> None:
    big = keras.applications.ResNet50(weights=None, classes=3, classifier_activation=None)
    path = saved(stirred(big), tmp_path / "a.weights.h5")
    x = images(224, 1)
    found = np.asarray(exact("resnet", path)(x))
    np.testing.assert_allclose(found, np.asarray(big(x[..., ::-1] - CAFFE)), rtol=1e-4, atol=1e-4)


# --- EfficientNets


def small_efficientnet(variant: str) -> Any:
    """keras.applications' EfficientNet for small images; of B0 to B7 with a scale of its own."""
    build = getattr(keras.applications, f"EfficientNet{variant}")
    network = stirred(
        build(weights=None, classes=3, classifier_activation=None, input_shape=(64, 64, 3))
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign([0.4, 0.5, 0.6])
            layer.adapt_variance.assign([0.04, 0.05, 0.06])
            layer.finalize_state()  # as after loading
    return network


@pytest.fixture(scope="module")
def b0() -> Any:
    return small_efficientnet("B0")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.parametrize(
    "name",
    ["a.weights.h5", pytest.param("a.h5", marks=pytest.mark.slow),
     pytest.param("a.keras", marks=pytest.mark.slow)],
)  # fmt: skip
def test_an_efficientnet_gives_what_keras_gives(name: str, b0: Any, tmp_path: Path) -> None:
    x = images(64)
    path = saved(b0, tmp_path / name)
    expected = np.asarray(b0(x))
    values = resolve_start(path).values
    assert values["architecture.variant"] == "b0" and values["architecture.image_size"] == 224
    np.testing.assert_allclose(values["architecture.pixel_mean"], (102.0, 127.5, 153.0))
    assert np.abs(expected).max() > 0.1
    found = np.asarray(exact("efficientnet", path)(x))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


def test_the_file_that_keras_publishes_is_divided_by_the_deviation_as_it_is(
    b0: Any, tmp_path: Path
) -> None:
    """Its network divides by the root of the variance in it, and then by that root once more."""
    path = saved(b0, tmp_path / "a.weights.h5")
    change(path, lambda file: set_variance(file, [0.229, 0.224, 0.225]))
    std = resolve_start(path).values["architecture.pixel_std"]
    np.testing.assert_allclose(std, (58.395, 57.12, 57.375), rtol=1e-5)
    change(path, lambda file: set_variance(file, [0.0, 0.0, 0.0]))
    refused(path, r"are of no pixels in \[0, 255\]")


def set_variance(file: Any, values: list[float]) -> None:
    group = next(g for name, g in file["layers"].items() if name.startswith("normalization"))
    group["vars/1"][...] = values


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["B2", "V2S"])
def test_other_efficientnets_of_keras(variant: str, tmp_path: Path) -> None:
    network = small_efficientnet(variant)
    x = images(64, 1)
    path = saved(network, tmp_path / "a.weights.h5")
    found = np.asarray(exact("efficientnet", path)(x))
    np.testing.assert_allclose(found, np.asarray(network(x)), rtol=1e-3, atol=1e-3)


# --- files that are refused


def refused(path: Path, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        resolve_start(path)


def test_other_networks(tmp_path: Path) -> None:
    refused(
        saved(small_resnet(preact=True), tmp_path / "v2.weights.h5"),
        "is a ResNet V2, which is not read. Accepted: ResNet50, ResNet101",
    )
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="my_head")])
    refused(
        saved(dense, tmp_path / "d.keras"),
        "holds no network that is read: its layers are my_head, ... Accepted: ResNet50",
    )
    with pytest.raises(ZooError, match="is a resnet, and a textcnn cannot start from it"):
        zoo.textcnn(init=saved(small_resnet(), tmp_path / "a.weights.h5"))


def change(path: Path, edit: Any) -> Path:
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def test_a_file_that_is_damaged_or_not_whole(resnet: Any, tmp_path: Path) -> None:
    path = saved(resnet, tmp_path / "a.weights.h5")
    content = path.read_bytes()

    def without(file: Any) -> None:
        groups = file["layers"]
        name = next(n for n in groups if groups[n]["vars"].attrs["name"] == "conv5_block2_3_conv")
        del groups[name]["vars"]["0"]

    refused(change(path, without), "has no weights for 'stage4_block2_3_conv/kernel', which a ResN")
    path.write_bytes(content)

    def widened(file: Any) -> None:
        groups = file["layers"]
        name = next(n for n in groups if groups[n]["vars"].attrs["name"] == "conv5_block2_2_conv")
        del groups[name]["vars"]["0"]
        groups[name]["vars"]["0"] = np.zeros((3, 3, 8, 9), np.float32)

    refused(change(path, widened), r"'conv5_block2_2_conv/vars/0' has shape \(3, 3, 8, 9\), and a ")
    path.write_bytes(content[: len(content) // 2])
    refused(path, "is missing, damaged or no HDF5 file")
    # Damage behind a sound beginning, which h5py tells by errors of other kinds.
    for sound, broken in ((b"HEAP", b"LEAP"), (b"SNOD", b"SNOW")):
        path.write_bytes(content.replace(sound, broken))
        refused(path, "is missing, damaged or no HDF5 file")
    (tmp_path / "a.keras").write_bytes(content)
    refused(tmp_path / "a.keras", "is missing, damaged or no archive with model.weights.h5")
    refused(tmp_path / "none.h5", "no such start")
    path.write_bytes(content)

    def other_blocks(file: Any) -> None:
        groups = file["layers"]
        for name in list(groups):
            if groups[name]["vars"].attrs["name"].startswith("conv5_block2"):
                del groups[name]

    refused(change(path, other_blocks), "has 2, 2, 2, 1 blocks, which none of these has")
