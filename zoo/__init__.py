"""A Keras / TensorFlow model zoo with tuned defaults.

Public names are loaded on first use (PEP 562), so that `import zoo` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.builders import fasttext as fasttext
    from zoo.builders import lstm_lm as lstm_lm
    from zoo.builders import rcnn as rcnn
    from zoo.builders import resnet as resnet
    from zoo.builders import textcnn as textcnn
    from zoo.builders import textrnn as textrnn
    from zoo.errors import ZooError as ZooError
    from zoo.finding import Finding as Finding
    from zoo.preset.loading import Preset as Preset
    from zoo.preset.loading import explain as explain
    from zoo.preset.loading import load_preset as load_preset
    from zoo.preset.loading import presets as presets
    from zoo.runs.run import Run as Run
    from zoo.runs.run import load_run as load_run
    from zoo.runs.train import train as train
    from zoo.tuning.hypermodel import hypermodel as hypermodel

__version__ = "0.1.0"

_HOMES = {
    "textcnn": "zoo.builders",
    "rcnn": "zoo.builders",
    "textrnn": "zoo.builders",
    "fasttext": "zoo.builders",
    "lstm_lm": "zoo.builders",
    "resnet": "zoo.builders",
    "ZooError": "zoo.errors",
    "Finding": "zoo.finding",
    "Preset": "zoo.preset.loading",
    "explain": "zoo.preset.loading",
    "load_preset": "zoo.preset.loading",
    "presets": "zoo.preset.loading",
    "Run": "zoo.runs.run",
    "load_run": "zoo.runs.run",
    "train": "zoo.runs.train",
    "hypermodel": "zoo.tuning.hypermodel",
}

__all__ = sorted(_HOMES)


if not TYPE_CHECKING:  # a type checker knows the names above, and no others

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            value = getattr(importlib.import_module(_HOMES[name]), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
