"""Folders of timm: the zoo's networks give what theirs do, and other folders are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_parts import write_folder
from image_start_parts import exact, images, resnet_logits, resnet_tensors, timm_config, timm_folder
from safetensors.numpy import save_file

import zoo
from zoo.builders import build
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts.initialise import initialise, with_start
from zoo.starts.resolve import resolve_start
from zoo.starts.timm_resnet import RESNETS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return timm_folder(tmp_path / "resnet18", timm_config("resnet18"), resnet_tensors())


# (name, depth, variant, width factor, pixels); odd sizes show a border in the wrong place
KINDS = [
    ("resnet18", 18, "b", 1, 64),
    ("resnet18d", 18, "d", 1, 65),
    ("resnet26", 26, "b", 1, 57),
    ("resnet26d", 26, "d", 1, 64),
    pytest.param("wide_resnet50_2", 50, "b", 2, 64, marks=pytest.mark.slow),
    pytest.param("resnet50c", 50, "c", 1, 64, marks=pytest.mark.slow),
    pytest.param("resnet50d", 50, "d", 1, 64, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "depth", "variant", "width", "size"), KINDS)
def test_logits_are_those_of_timm(
    name: str, depth: int, variant: str, width: int, size: int, tmp_path: Path
) -> None:
    tensors = resnet_tensors(depth, variant, width=width)
    model = exact("resnet", timm_folder(tmp_path, timm_config(name), tensors))
    x = images(size)
    expected = resnet_logits(tensors, x, depth, variant)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5, atol=1e-5)


def test_pixels_sizes_and_crop_come_with_the_weights(folder: Path) -> None:
    values = dict(resolve_start(folder).values)
    assert values["architecture.pixel_mean"] == (127.5, 102.0, 76.5)
    assert values["architecture.pixel_std"] == (51.0, 63.75, 76.5)
    assert values["architecture.image_size"] == 64 and values["data.center_fraction"] == 0.9
    assert values["architecture.filters"] == (4, 4, 8, 8)
    assert values["architecture.num_classes"] == 3
    assert len(resolve_start(folder).sha256) == 64


def test_what_any_size_of_image_takes_may_be_set(folder: Path) -> None:
    start = resolve_start(folder)
    preset = load_preset("resnet", changes={"architecture.image_size": 96})
    started, findings = with_start(preset, start, ["architecture.image_size"])
    assert started.architecture.image_size == 96
    assert "data.center_fraction 0.9" in str(findings[0])
    with pytest.raises(ZooError, match=r"variant=b was set, and .*"):
        zoo.resnet(init=timm_folder(folder.parent / "d", timm_config("resnet18d"),
                                    resnet_tensors(variant="d")), variant="b")  # fmt: skip


def test_a_norm_over_all_devices_has_the_same_weights(folder: Path) -> None:
    start = resolve_start(folder)
    preset = load_preset("resnet", changes={"architecture.norm": "sync-batch"})
    assert with_start(preset, start, ["architecture.norm"])[0].architecture.norm == "sync-batch"
    with pytest.raises(ZooError, match="norm=group was set, .* have batch"):
        with_start(load_preset("resnet", changes={"architecture.norm": "group"}), start,
                   ["architecture.norm"])  # fmt: skip


@pytest.mark.parametrize(
    ("config", "classes", "kept"),
    [
        ({}, [0, 1, 2], True),
        ({}, ["a", "b", "c"], False),
        ({"label_names": ["a", "b", "c"]}, ["a", "b", "c"], True),
        ({"label_names": ["a", "b", "c"]}, ["b", "a", "c"], False),
        ({}, None, True),
    ],
)
def test_a_head_is_kept_where_its_labels_are_those_of_the_data(
    config: dict, classes: Any, kept: bool, tmp_path: Path
) -> None:
    folder = timm_folder(tmp_path, timm_config("resnet18", **config), resnet_tensors())
    start = resolve_start(folder)
    preset, _ = with_start(load_preset("resnet"), start, ())
    model = build(preset)
    (finding,) = initialise(model, preset, start, classes)
    assert ("at random: logits." not in finding.what) is kept
    same = np.asarray(model.get_layer("logits").kernel) == start.weights["logits/kernel"]
    assert same.all() == kept


def test_a_network_without_a_head(tmp_path: Path) -> None:
    for tensors in (resnet_tensors(classes=1), resnet_tensors()):
        if len(tensors["fc.bias"]) > 1:
            del tensors["fc.weight"], tensors["fc.bias"]
        folder = timm_folder(tmp_path, timm_config("resnet18"), tensors)
        start = resolve_start(folder)
        assert start.classes is None and "architecture.num_classes" not in start.values
        assert zoo.resnet(init=folder, num_classes=7).output.shape == (None, 7)


QUICK = {
    "recipe.epochs": 1,
    "recipe.ema": None,
    "data.batch_size": 8,
    "architecture.image_size": 32,
}


def test_a_run_from_a_folder(folder: Path, tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", 12)
    # One epoch, after the head was fitted: no curve, and no verdict on one.
    run = zoo.train("resnet", str(data), init=folder, set=QUICK, out=tmp_path / "a", verbose=False)
    values = run.preset.values()
    assert list(values["architecture.pixel_mean"]) == [127.5, 102.0, 76.5]
    assert values["architecture.image_size"] == 32  # set: larger than the images, and kept
    assert values["architecture.norm"] == "batch"  # though of 8 images: group norm has no weights
    texts = " ".join(str(finding) for finding in run.findings)
    assert "data.center_fraction 0.9" in texts and "at random: logits." in texts
    # Of another run the pixels are kept, too, whatever the colours of its own images.
    again = zoo.train(
        "resnet", str(data), init=run.path, set={"recipe.epochs": 1}, out=tmp_path / "b",
        verbose=False,
    )  # fmt: skip
    assert list(again.preset.values()["architecture.pixel_mean"]) == [127.5, 102.0, 76.5]
    assert again.preset.data.center_fraction == 0.9


# --- folders that are refused


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        resolve_start(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architecture": "resnet19"}, "the architecture 'resnet19' is not read. Did you mean 're"),
        ({"architecture": "vit_base_patch16_224"}, "Accepted: resnet18, resnet26, resnet34"),
        ({"architecture": None}, "does not say what the weights are of. Accepted: 'model_type'"),
        ({"model_args": {"block_args": 1}}, "model_args changes 'block_args' of the resnet18"),
        ({"global_pool": "catavgmax"}, "global_pool 'catavgmax' is not read. Accepted: avg, max"),
        ({"global_pool": ["avg"]}, r"global_pool '\['avg'\]' is not read. Accepted: avg, max"),
        ({"label_names": ["a"]}, "names 1 labels, and the head has 3"),
        ({"auto_map": {"x": "y"}}, "asks for code to be run"),
    ],
)
def test_a_config_that_does_not_fit(config: dict, message: str, folder: Path) -> None:
    timm_folder(folder, timm_config("resnet18") | config, resnet_tensors())
    refused(folder, message)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (
            {"input_size": [1, 64, 64]},
            r"'input_size' must be 3 colours, .* Received: \[1, 64, 64\]",
        ),
        ({"input_size": [3, 64, 96]}, "the same number from 8 to 1024"),
        ({"crop_pct": 0}, r"'crop_pct' must be in \(0, 1\]. Received: 0"),
        ({"mean": [0.5, 0.5]}, r"'mean' must be three numbers up to 1. Received: \[0.5, 0.5\]"),
        ({"std": [0.5, 0.5, 0]}, "'std' must be three numbers"),
        ({"std": [58.0, 57.0, 57.0]}, "'std' must be three numbers up to 1"),
    ],
)
def test_pixels_that_make_no_sense(about: dict, message: str, folder: Path) -> None:
    config = timm_config("resnet18")
    config["pretrained_cfg"] |= about
    timm_folder(folder, config, resnet_tensors())
    refused(folder, message)


def test_a_config_of_older_versions_has_no_part(folder: Path) -> None:
    config = timm_config("resnet18")
    config |= config["pretrained_cfg"] | {"pretrained_cfg": None}
    timm_folder(folder, config, resnet_tensors())
    assert resolve_start(folder).values["architecture.pixel_mean"] == (127.5, 102.0, 76.5)


def test_weights_of_another_network(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(timm_config("resnet34")))
    refused(folder, "has no weights for 'stage1_block3_1_conv/kernel', which a resnet34 has")
    path.write_text(json.dumps(timm_config("resnet26")))
    refused(folder, "the tensor 'layer1.0.conv3.weight' is missing")
    path.write_text(json.dumps(timm_config("resnet18d")))
    refused(folder, "the tensor 'conv1.weight' is of no layer that the zoo's network has")


def test_tensors_that_are_too_many_too_few_or_of_another_shape(folder: Path) -> None:
    def written(tensors: dict) -> Path:
        save_file(dict(tensors), folder / "model.safetensors")
        return folder

    tensors = resnet_tensors()
    extra = {"layer4.1.se.fc1.weight": np.ones((2, 8, 1, 1), np.float32)}
    refused(written(tensors | extra), "the tensor 'layer4.1.se.fc1.weight' is of no layer that")
    more = {f"layer4.2.{n}": t for n, t in (("conv1.weight", tensors["layer4.1.conv1.weight"]),)}
    refused(written(tensors | more), "holds 'layer4.2.conv1.weight', which no resnet18 of the zoo")
    wide = {"layer4.1.conv2.weight": np.ones((8, 9, 3, 3), np.float32)}
    refused(written(tensors | wide), r"'layer4.1.conv2.weight' has shape \(3, 3, 9, 8\), and a res")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-9])
    refused(folder, "is damaged or not a safetensors file")
    (folder / "model.safetensors").rename(folder / "resnet18.pth")
    refused(folder, "has no model.safetensors. resnet18.pth is a pickle, which can run code")


def test_a_start_of_another_family(folder: Path) -> None:
    with pytest.raises(ZooError, match="is a resnet, and a textcnn cannot start from it"):
        zoo.textcnn(init=folder)


def test_every_name_is_a_depth_that_the_zoo_has() -> None:
    from zoo.models.resnet import DEPTHS

    assert all(depth in DEPTHS and variant in "bcd" for depth, variant in RESNETS.values())


def test_a_preset_that_fine_tunes_any_folder(folder: Path) -> None:
    model = zoo.resnet(preset="finetune", init=folder, num_classes=5)
    assert model.output.shape == (None, 5)
    trained = {variable.path for variable in model.trainable_variables}
    assert "stem_conv/kernel" in trained and not [path for path in trained if "norm" in path]
    with pytest.raises(ZooError, match="weights that are yours to name: add `--init FOLDER`"):
        zoo.resnet(preset="finetune")
