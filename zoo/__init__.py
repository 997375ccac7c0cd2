"""A Keras / TensorFlow model zoo with tuned defaults.

Public names are loaded on first use (PEP 562), so that `import zoo` costs nothing. What type
checkers and editors see of them is in `__init__.pyi`.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Beside them, each family that has a schema has a builder of its name.
_HOMES = {
    "ZooError": "zoo.errors",
    "Finding": "zoo.finding",
    "Preset": "zoo.preset.preset",
    "explain": "zoo.preset.loading",
    "load_preset": "zoo.preset.loading",
    "presets": "zoo.preset.loading",
    "Run": "zoo.runs.run",
    "load_run": "zoo.runs.run",
    "train": "zoo.runs.train",
    "check": "zoo.runs.check",
    "diagnose": "zoo.diagnosis.diagnose",
    "find_lr": "zoo.runs.find_lr",
    "LrSweep": "zoo.diagnosis.lr_sweep",
    "hypermodel": "zoo.tuning.hypermodel",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name == "__all__":
        return sorted([*_HOMES, *_schemas()])
    if not name.startswith("_") and name in _schemas():
        return importlib.import_module("zoo.builders").make_builder(_schemas()[name])
    raise AttributeError(f"module 'zoo' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_schemas()})


def _schemas() -> dict[str, Any]:
    """Return the schema of each family; pydantic is loaded for it, TensorFlow is not."""
    schemas: dict[str, Any] = importlib.import_module("zoo.preset.schemas").architectures()
    return schemas
