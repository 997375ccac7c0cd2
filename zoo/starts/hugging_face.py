"""Folders in Hugging Face's form: config.json and model.safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.starts.pretrained import Pretrained
from zoo.starts.timm import read_timm
from zoo.starts.transformers import read_encoder

CODE = ("auto_map", "custom_pipelines", "custom_objects", "trust_remote_code")
# What says whose a config.json is.
READERS = {"architecture": read_timm, "model_type": read_encoder}


def read_hugging_face(
    folder: Path, config: Mapping[str, Any], source: str, origin: str = ""
) -> Pretrained:
    """Return the network of a folder: an encoder of texts, or one of images by timm.

    Args:
        folder: with config.json and model.safetensors.
        config: the document of config.json.
        source: how the folder was named.
        origin: what it is; empty for its kind and path.

    Raises:
        ZooError: the folder asks for code, is of a kind that is not read, has its weights in a
            pickle, or its parts do not fit together.
    """
    path = folder / "config.json"
    refuse_code(config, path)
    for key, read in READERS.items():
        if config.get(key):
            return read(folder, config, source, origin)
    raise ZooError(
        f"{path}: does not say what the weights are of. Accepted: 'model_type', of an encoder of "
        "texts, or 'architecture', of a network of images by timm."
    )


def refuse_code(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a configuration that names code to be run.

    Raises:
        ZooError: it does.
    """
    asked = [key for key in CODE if config.get(key)]
    if asked:
        raise ZooError(
            f"{path}: asks for code to be run ('{asked[0]}'), which is never done. Weights of a "
            "known architecture are read without it."
        )
