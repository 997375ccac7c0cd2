"""Weights files of keras.applications: which network one holds, and what it decides."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ZooError
from zoo.starts.applications_efficientnet import read_efficientnet
from zoo.starts.applications_resnet import read_resnet
from zoo.starts.hdf5 import read_arrays
from zoo.starts.images import image_start
from zoo.starts.pretrained import Pretrained
from zoo.wheels import file_sha256

SUFFIXES = (".h5", ".keras")
ACCEPTED = "ResNet50, ResNet101, ResNet152, EfficientNetB0 to B7 and V2S of keras.applications"
# A layer that a network has, and what reads it.
READERS = {"conv1_conv": read_resnet, "stem_conv": read_efficientnet}


def read_application(path: Path, source: str) -> Pretrained:
    """Return the network of a weights file, with its head if it has one.

    Args:
        path: a `.weights.h5`, `.h5` or `.keras` file.
        source: how it was named.

    Raises:
        ZooError: it is damaged, or of a network that is not read.
    """
    arrays = read_arrays(path)
    layers = {name.partition("/")[0] for name in arrays.shapes}
    for layer, read in READERS.items():
        if layer in layers:
            network = read(arrays, layers, ACCEPTED)
            origin = f"keras.applications' {network.kind} in {path}"
            return image_start(network, source, origin, file_sha256(path))
    raise ZooError(
        f"{path}: holds no network that is read: its layers are "
        f"{', '.join(sorted(layers)[:3]) or 'none'}, ... Accepted: {ACCEPTED}."
    )
