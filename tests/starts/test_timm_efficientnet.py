"""timm's folders of EfficientNets: the zoo's networks give what theirs do."""

from pathlib import Path

import numpy as np
import pytest
from image_start_parts import (
    B0,
    LITE0,
    efficientnet_logits,
    efficientnet_tensors,
    exact,
    images,
    timm_config,
    timm_folder,
)

import zoo
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts.resolve import resolve_start
from zoo.starts.shapes import variable_shapes
from zoo.starts.timm_efficientnet import EFFICIENTNETS, efficientnet_layers

B0_TENSORS, LITE0_TENSORS = efficientnet_tensors(), efficientnet_tensors(LITE0)


@pytest.mark.parametrize(
    ("kind", "tensorflow", "size"),
    [
        ("b0", False, 65),
        ("lite0", True, 64),
        pytest.param("b0", True, 64, marks=pytest.mark.slow),
        pytest.param("lite0", False, 65, marks=pytest.mark.slow),
    ],
)
def test_logits_are_those_of_timm(kind: str, tensorflow: bool, size: int, tmp_path: Path) -> None:
    """Borders are symmetric or TensorFlow's, which differ where a map has an even size."""
    tensors, stages = (B0_TENSORS, B0) if kind == "b0" else (LITE0_TENSORS, LITE0)
    name = "tf_" * tensorflow + f"efficientnet_{kind}"
    model = exact("efficientnet", timm_folder(tmp_path, timm_config(name), tensors))
    x = images(size, 1)
    expected = efficientnet_logits(tensors, x, stages, tensorflow)
    other = efficientnet_logits(tensors, x, stages, not tensorflow)
    assert np.abs(expected).max() > 0.1 and np.abs(expected - other).max() > 0.01
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5, atol=1e-5)


def test_what_comes_with_it(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path, timm_config("tf_efficientnet_lite0"), LITE0_TENSORS)
    values = resolve_start(folder).values
    assert values["architecture.variant"] == "lite0"
    assert values["architecture.padding"] == "same"
    assert values["architecture.norm_epsilon"] == 1e-3
    assert "architecture.pooling" not in values


def test_every_layer_of_v2_s_has_a_name_in_timm() -> None:
    """Its first stages are of fused blocks, with and without an expansion."""
    own = variable_shapes(load_preset("efficientnet", changes={
        "architecture.variant": "v2-s"}).values(), "efficientnet")  # fmt: skip
    named = {path.rpartition("/")[0] for path in own}
    layer_of = efficientnet_layers("tf_efficientnetv2_s")
    theirs = ["conv_stem", "bn1", "conv_head", "bn2", "classifier"]
    for stage, (count, kind) in enumerate(
        [(2, "cn"), (4, "er"), (4, "er"), (6, "ir"), (9, "ir"), (15, "ir")]
    ):
        parts = {
            "cn": ["conv", "bn1"],
            "er": ["conv_exp", "bn1", "conv_pwl", "bn2"],
            "ir": ["conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand",
                   "conv_pwl", "bn3"],
        }[kind]  # fmt: skip
        theirs += [f"blocks.{stage}.{i}.{part}" for i in range(count) for part in parts]
    assert {layer_of(layer) for layer in theirs} == named
    assert layer_of("blocks.0.0.conv_exp") is None and layer_of("blocks.7.0.conv") is None


def test_names() -> None:
    assert EFFICIENTNETS["efficientnetv2_s"] == EFFICIENTNETS["tf_efficientnetv2_s"] == "v2-s"
    assert EFFICIENTNETS["tf_efficientnet_b7"] == "b7"
    assert len(EFFICIENTNETS) == 28


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architecture": "efficientnet_b9"}, "'efficientnet_b9' is not read. Did you mean 'effi"),
        (
            {"architecture": "efficientnet_lite0"},
            "holds 'blocks.0.0.se.conv_expand.bias'",
        ),
        ({"architecture": "efficientnet_b1"}, "has no weights for 'stage1_block2_"),
        ({"architecture": "efficientnet_b4"}, r"'conv_stem.weight' has shape \(3, 3, 3, 32\), and"),
        ({"global_pool": "max"}, "has the global_pool 'avg' alone"),
    ],
)
def test_a_config_that_does_not_fit(config: dict, message: str, tmp_path: Path) -> None:
    folder = timm_folder(tmp_path, timm_config("efficientnet_b0") | config, B0_TENSORS)
    with pytest.raises(ZooError, match=message):
        resolve_start(folder)


def test_a_start_of_another_family(tmp_path: Path) -> None:
    folder = timm_folder(tmp_path, timm_config("efficientnet_lite0"), LITE0_TENSORS)
    with pytest.raises(ZooError, match="is a efficientnet, and a resnet cannot start from it"):
        zoo.resnet(init=folder)
