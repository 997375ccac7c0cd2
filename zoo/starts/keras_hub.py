"""Preset folders of KerasHub: config.json and model.weights.h5, with a tokenizer or of images.

The classes that config.json names are known here and never loaded; the file of weights is read by
h5py, a layer by its name in the network.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError, did_you_mean, reason
from zoo.files import read_json
from zoo.starts.keras_hub_bert import read_bert
from zoo.starts.keras_hub_efficientnet import read_efficientnet
from zoo.starts.keras_hub_resnet import read_resnet
from zoo.starts.pretrained import Pretrained

READERS = {
    "keras_hub>BertBackbone": read_bert,
    "keras_hub>ResNetBackbone": read_resnet,
    "keras_hub>EfficientNetBackbone": read_efficientnet,
}
INSTALL = "pip install keras-hub"


def is_keras_hub(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is one of KerasHub."""
    return str(config.get("registered_name")).startswith("keras_hub>")


def read_keras_hub(folder: Path, config: Mapping[str, Any], source: str) -> Pretrained:
    """Return the backbone of a preset folder.

    Args:
        folder: with config.json, model.weights.h5, and what belongs to the backbone.
        config: the document of config.json.
        source: how the folder was named.

    Raises:
        ZooError: it holds another backbone, or its parts are damaged or do not fit together.
    """
    path = folder / "config.json"
    name = str(config.get("registered_name"))
    if name not in READERS:
        raise ZooError(
            f"{path}: '{name}' is not read.{did_you_mean(name, READERS)} Accepted: "
            f"{', '.join(READERS)}."
        )
    own = config.get("config")
    if not isinstance(own, dict):
        raise ZooError(f"{path}: is damaged: it has no `config`.")
    return READERS[name](folder, own, source)


def read_with_keras_hub(name: str) -> Pretrained:
    """Return a preset that KerasHub itself finds, which may download it.

    Args:
        name: as KerasHub's `from_preset` takes it behind `keras_hub:`, or `hf://owner/model`.

    Raises:
        ZooError: KerasHub is not installed, or does not find or read it.
    """
    if importlib.util.find_spec("keras_hub") is None:
        raise ZooError(
            f"--init {name}: is looked up by KerasHub, which is not installed. `{INSTALL}` "
            "installs it, as does the extra `hub` of this package; a folder needs neither."
        )
    import keras_hub

    preset = name.removeprefix("keras_hub:")
    with tempfile.TemporaryDirectory(prefix="zoo-start-") as temporary:
        try:
            backbone = keras_hub.models.Backbone.from_preset(preset)
            backbone.save_to_preset(temporary)
            beside = keras_hub.models.Tokenizer
            if isinstance(backbone, keras_hub.models.FeaturePyramidBackbone):
                beside = keras_hub.layers.ImageConverter
            beside.from_preset(preset).save_to_preset(temporary)
        except Exception as error:  # of many libraries: hubs, network, files
            raise ZooError(f"--init {name}: KerasHub says: {reason(error)}") from error
        folder = Path(temporary)
        start = read_keras_hub(folder, read_json(folder / "config.json"), name)
        kept = {path: start.weights[path] for path in start.weights}
    return Pretrained(**{**vars(start), "origin": f"KerasHub's {preset}", "weights": kept})
