"""Preset folders of KerasHub's image networks: read without it, and equal to what it computes."""

import json
import re
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from image_start_parts import (
    LITE0,
    MEAN,
    STD,
    efficientnet_logits,
    efficientnet_tensors,
    exact,
    images,
    resnet_logits,
    resnet_tensors,
)

from zoo.errors import ZooError
from zoo.starts.resolve import resolve_start

FILTERS = (64, 4, 4, 8)
STEMS = {"b": ([64], [7]), "c": ([32, 32, 64], [3, 3, 3]), "d": ([32, 32, 64], [3, 3, 3])}


def config(depth: int = 18, variant: str = "d", **changes: Any) -> dict[str, Any]:
    kind = "basic_block" if depth == 18 else "bottleneck_block"
    filters, sizes = STEMS[variant]
    own = {
        "input_conv_filters": filters, "input_conv_kernel_sizes": sizes,
        "stackwise_num_filters": list(FILTERS), "stackwise_num_blocks": [2, 2, 2, 2],
        "stackwise_num_strides": [1, 2, 2, 2], "use_pre_activation": False,
        "block_type": kind + "_vd" * (variant == "d"), "image_shape": [None, None, 3],
    }  # fmt: skip
    return {"registered_name": "keras_hub>ResNetBackbone", "config": own | changes}


CONVERTER = {
    "image_size": [64, 64],
    "scale": [1 / (255 * std) for std in STD],
    "offset": [-mean / std for mean, std in zip(MEAN, STD, strict=True)],
}


def hub_layer(name: str) -> str:
    """KerasHub's name of a layer of timm."""
    block = re.fullmatch(r"layer(\d)\.(\d)\.(conv|bn)(\d)", name)
    if block:
        return f"stack{int(block[1]) - 1}_block{block[2]}_{block[4]}_{block[3]}"
    shortcut = re.fullmatch(r"layer(\d)\.(\d)\.downsample\.(conv|bn)", name)
    if shortcut:
        return f"stack{int(shortcut[1]) - 1}_block{shortcut[2]}_0_{shortcut[3]}"
    return name


def resnet_folder(folder: Path, depth: int, variant: str, tensors: Any) -> Path:
    """A preset folder as KerasHub 0.32 writes it."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(depth, variant)))
    (folder / "image_converter.json").write_text(json.dumps({"config": CONVERTER}))
    stem = {"conv1": "conv1_conv", "bn1": "conv1_bn"}
    if variant != "b":
        stem = {"conv1.0": "conv1_conv", "conv1.1": "conv1_bn", "conv1.3": "conv2_conv",
                "conv1.4": "conv2_bn", "conv1.6": "conv3_conv", "bn1": "conv3_bn"}  # fmt: skip
    first = int(variant == "d")

    def name(layer: str) -> str:
        own = layer.replace(f"downsample.{first + 1}", "downsample.bn")
        return stem.get(layer) or hub_layer(own.replace(f"downsample.{first}", "downsample.conv"))

    write_weights(folder, tensors, name)
    return folder


def write_weights(folder: Path, tensors: Any, name: Any) -> None:
    """Write model.weights.h5, without a head; `name` is KerasHub's of a layer of timm."""
    with h5py.File(folder / "model.weights.h5", "w") as file:
        for number, layer in enumerate(dict.fromkeys(n.rpartition(".")[0] for n in tensors)):
            if layer in ("fc", "classifier"):
                continue
            parts = ["weight", "bias"] if f"{layer}.bias" in tensors else ["weight"]
            if f"{layer}.running_mean" in tensors:
                parts = ["weight", "bias", "running_mean", "running_var"]
            group = file.create_group(f"layers/layer_{number}/vars")
            group.attrs["name"] = name(layer)
            for index, part in enumerate(parts):
                tensor = tensors[f"{layer}.{part}"]
                depthwise = layer.endswith("conv_dw")
                order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
                group[str(index)] = tensor.transpose(order) if tensor.ndim == 4 else tensor


@pytest.mark.parametrize(("depth", "variant"), [(18, "d"), (26, "b"), (26, "c")])
def test_a_preset_folder_gives_what_its_tensors_do(
    depth: int, variant: str, tmp_path: Path
) -> None:
    tensors = resnet_tensors(depth, variant, FILTERS)
    features = len(tensors["fc.weight"][0])
    tensors["fc.weight"], tensors["fc.bias"] = np.eye(features), np.zeros(features)
    model = exact("resnet", resnet_folder(tmp_path / "a", depth, variant, tensors))
    bare = keras.Model(model.input, model.get_layer("logits").input)
    x = images()
    expected = resnet_logits(tensors, x, depth, variant)
    np.testing.assert_allclose(np.asarray(bare(x)), expected, rtol=1e-5, atol=1e-5)


def test_it_gives_what_kerashub_gives(tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub")
    own = {k: v for k, v in config(26, "c")["config"].items() if k != "image_shape"}
    backbone = keras_hub.models.ResNetBackbone(**own)
    generator = np.random.default_rng(0)
    for variable in backbone.weights:
        spread = 1 / np.sqrt(np.prod(variable.shape[:-1]))
        drawn = generator.normal(0, spread if len(variable.shape) > 1 else 0.3, variable.shape)
        variable.assign(0.7 + np.abs(drawn) if "var" in variable.path else drawn)
    backbone.save_to_preset(tmp_path)
    converter = keras_hub.layers.ResNetImageConverter(**CONVERTER)
    converter.save_to_preset(tmp_path)
    x = images()
    expected = np.asarray(backbone(converter(x))).mean((1, 2))
    for source in (tmp_path, f"keras_hub:{tmp_path}"):
        model = exact("resnet", source)
        bare = keras.Model(model.input, model.get_layer("logits").input)
        np.testing.assert_allclose(np.asarray(bare(x)), expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return resnet_folder(tmp_path / "a", 18, "d", resnet_tensors(18, "d", FILTERS))


def test_pixels_come_with_it_and_no_head(folder: Path) -> None:
    start = resolve_start(folder)
    np.testing.assert_allclose(start.values["architecture.pixel_mean"], (127.5, 102.0, 76.5))
    np.testing.assert_allclose(start.values["architecture.pixel_std"], (51.0, 63.75, 76.5))
    assert start.values["architecture.image_size"] == 64 and start.classes is None
    (folder / "image_converter.json").write_text(
        json.dumps({"config": {"scale": 1 / 127.5, "offset": -1, "image_size": [64, 32]}})
    )
    values = resolve_start(folder).values
    assert values["architecture.pixel_mean"] == (127.5,) * 3
    assert values["architecture.pixel_std"] == (127.5,) * 3
    assert "architecture.image_size" not in values


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        resolve_start(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_pre_activation": True}, "no ResNet of the zoo has use_pre_activation True"),
        ({"input_conv_kernel_sizes": [7]}, r"'basic_block_vd' and a stem of \[7\]: it normalises"),
        ({"input_conv_kernel_sizes": [[7]]}, r"and a stem of \[\[7\]\]: it normalises"),
        ({"stackwise_num_filters": None}, "'stackwise_num_filters' must be a number for each"),
        ({"block_type": "odd"}, "no ResNet of the zoo has blocks of kind 'odd'"),
        ({"stackwise_num_blocks": [3, 4, 5, 6]}, r"\[3, 4, 5, 6\] of them a stage"),
        ({"stackwise_num_strides": [1, 2, 2, 1]}, r"with strides \[1, 2, 2, 1\]"),
        ({"stackwise_num_filters": [64, 4, 4, 4]}, r"has shape \(3, 3, 4, 8\), and a ResNet-18 of"),
    ],
)
def test_a_config_of_another_network(changes: dict, message: str, folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(config(**changes)))
    refused(folder, message)


def test_the_same_weights_with_shortcuts_that_are_not_pooled(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(config(block_type="basic_block")))
    assert resolve_start(folder).values["architecture.variant"] == "c"


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (None, "is damaged: it has no `config`"),
        ({"scale": [1, 2]}, r"'scale' must be a number or three. Received: \[1, 2\]"),
        ({"scale": 0.0}, r"are of no pixels in \[0, 255\]"),
        ({"scale": 1.0, "offset": 3.0}, r"are of no pixels in \[0, 255\]"),
    ],
)
def test_a_converter_that_makes_no_sense(own: Any, message: str, folder: Path) -> None:
    (folder / "image_converter.json").write_text(json.dumps({"config": own}))
    refused(folder, message)


def test_a_converter_that_is_missing(folder: Path) -> None:
    (folder / "image_converter.json").unlink()
    refused(folder, "is missing, and says the scale of pixels. `ImageConverter.from_preset")


# --- EfficientNets

SHAPES = {
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3], "stackwise_num_repeats": [1, 2, 2, 3, 3, 4, 1],
    "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
    "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
    "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6], "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
    "stackwise_width_coefficients": [1.0] * 7, "stackwise_depth_coefficients": [1.0] * 7,
    "stackwise_block_types": ["v1"] * 7,
}  # fmt: skip
REST = {
    "depth_divisor": 8, "min_depth": None, "include_stem_padding": True, "dropout": 0,
    "use_depth_divisor_as_min_depth": True, "cap_round_filter_decrease": True,
    "stem_conv_padding": "valid", "batch_norm_epsilon": 1e-5, "projection_activation": None,
}  # fmt: skip
B0 = {"activation": "swish", "stackwise_squeeze_and_excite_ratios": [0.25] * 7}
OF_LITE0 = {"activation": "relu6", "stackwise_squeeze_and_excite_ratios": [0] * 7}
OF_BLOCKS = {
    "conv_dw": "dwconv", "se.conv_reduce": "se_reduce", "se.conv_expand": "se_expand",
    "conv_pwl": "project", "bn3": "project_bn",
}  # fmt: skip


def efficientnet_folder(folder: Path, kind: dict[str, Any], tensors: Any) -> Path:
    folder.mkdir(exist_ok=True)
    document = {"registered_name": "keras_hub>EfficientNetBackbone", "config": SHAPES | REST | kind}
    (folder / "config.json").write_text(json.dumps(document))
    (folder / "image_converter.json").write_text(json.dumps({"config": CONVERTER}))
    ends = {"conv_stem": "stem_conv", "bn1": "stem_bn", "conv_head": "top_conv", "bn2": "top_bn"}

    def name(layer: str) -> str:
        match = re.fullmatch(r"blocks\.(\d)\.(\d)\.(.+)", layer)
        if match is None:
            return ends[layer]
        first = match[1] == "0"
        parts = OF_BLOCKS | (
            {"bn1": "dwconv_bn", "conv_pw": "project", "bn2": "project_bn"}
            if first
            else {"conv_pw": "expand_conv", "bn1": "expand_bn", "bn2": "dwconv_bn"}
        )
        return f"block{int(match[1]) + 1}{chr(97 + int(match[2]))}_{parts[match[3]]}"

    write_weights(folder, tensors, name)
    return folder


@pytest.mark.parametrize("kind", [pytest.param("b0", marks=pytest.mark.slow), "lite0"])
def test_an_efficientnet_gives_what_its_tensors_do(kind: str, tmp_path: Path) -> None:
    stages = {"stages": LITE0} if kind == "lite0" else {}
    tensors = efficientnet_tensors(**stages, classes=1280)
    tensors["classifier.weight"], tensors["classifier.bias"] = np.eye(1280), np.zeros(1280)
    config = OF_LITE0 if kind == "lite0" else B0
    model = exact("efficientnet", efficientnet_folder(tmp_path / "a", config, tensors))
    assert resolve_start(tmp_path / "a").values["architecture.variant"] == kind
    bare = keras.Model(model.input, model.get_layer("logits").input)
    x = images(count=1)
    expected = efficientnet_logits(tensors, x, **stages)
    np.testing.assert_allclose(np.asarray(bare(x)), expected, rtol=1e-5, atol=1e-5)


def test_an_efficientnet_gives_what_kerashub_gives(tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.EfficientNetBackbone(
        **SHAPES | REST | B0 | {"stackwise_depth_coefficients": [1.1] * 7}
    )
    generator = np.random.default_rng(0)
    for variable in backbone.weights:
        spread = 1 / np.sqrt(np.prod(variable.shape[:-1]))
        drawn = generator.normal(0, spread if len(variable.shape) > 1 else 0.3, variable.shape)
        variable.assign(0.7 + np.abs(drawn) if "var" in variable.path else drawn)
    backbone.save_to_preset(tmp_path)
    converter = keras_hub.layers.EfficientNetImageConverter(**CONVERTER)
    converter.save_to_preset(tmp_path)
    x = images(count=1)
    expected = np.asarray(backbone(converter(x))).mean((1, 2))
    model = exact("efficientnet", tmp_path)
    bare = keras.Model(model.input, model.get_layer("logits").input)
    np.testing.assert_allclose(np.asarray(bare(x)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"stem_conv_padding": "same"},
            "'stem_conv_padding' is 'same', and an EfficientNet",
        ),
        ({"stackwise_block_types": ["unfused"] * 7}, "its stages are those of no EfficientNet of"),
        ({"activation": "gelu"}, "its stages are those of no EfficientNet of the zoo"),
        (
            {"batch_norm_epsilon": None},
            r"'batch_norm_epsilon' must be in \(0, 0.1\]. Rec",
        ),
        ({"activation": "relu6"}, "its stages are those of no EfficientNet"),
    ],
)
def test_an_efficientnet_that_the_zoo_has_not(changes: dict, message: str, tmp_path: Path) -> None:
    folder = efficientnet_folder(
        tmp_path / "a", B0 | changes, {"conv_stem.weight": np.ones((1,) * 4)}
    )
    refused(folder, message)
