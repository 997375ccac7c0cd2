"""Pretrained weights that come with the package, told by their SHA-256."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import read_json
from zoo.starts.hugging_face import read_hugging_face
from zoo.starts.pretrained import Pretrained

ROOT = Path(__file__).parent / "bundled"


@dataclasses.dataclass(frozen=True)
class Bundled:
    """A folder of weights, with its notice.

    Args:
        sha256: of its model.safetensors.
        contents: what it is, with its licence.
    """

    sha256: str
    contents: str


BUNDLED = {
    "lite0": Bundled(
        sha256="41fbf2cbb1af9f552c31134ba9934bfe7a5e87002d5a47de4093263c62971649",
        contents="EfficientNet-Lite0 trained on ImageNet: 4.7 M weights, Apache-2.0",
    ),
}


def read_bundled(name: str) -> Pretrained:
    """Return the network of a name.

    Args:
        name: of `BUNDLED`.

    Raises:
        ZooError: its files are missing, or not those that were shipped.
    """
    folder, bundled = ROOT / name, BUNDLED[name]
    again = "Install the package again."
    if not (folder / "model.safetensors").is_file():
        raise ZooError(f"{folder}: the weights of '{name}' are missing. {again}")
    start = read_hugging_face(folder, read_json(folder / "config.json"), name, bundled.contents)
    if start.sha256 != bundled.sha256:
        raise ZooError(
            f"{folder / 'model.safetensors'}: has sha256 {start.sha256[:12]}..., and '{name}' has "
            f"{bundled.sha256[:12]}...: it was changed. {again}"
        )
    return start
