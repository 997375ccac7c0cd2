"""What it takes to add a family, or a task, from `tests/toy` to the zoo for one test."""

import importlib.util
import sys
from pathlib import Path

import pytest

import zoo.models
from zoo.preset.block import presets_root
from zoo.preset.schemas import TASKS

TOY = Path(__file__).parents[1] / "toy"


def add_presets(monkeypatch: pytest.MonkeyPatch, folder: Path, source: Path) -> None:
    """Let the zoo's presets be a folder of links to them, and to those of `source`."""
    folder.mkdir()
    for path in [*presets_root().iterdir(), *source.iterdir()]:
        if path.name != "__pycache__":
            (folder / path.name).symlink_to(path)
    spec = importlib.util.spec_from_file_location("zoo._presets", folder / "__init__.py")
    monkeypatch.setitem(sys.modules, "zoo._presets", importlib.util.module_from_spec(spec))


def add_family(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Add the toy family: its network, its schema class and its preset, and nothing else.

    Args:
        monkeypatch: undoes it.
        folder: where the folder of presets is made.
    """
    from toy.settings import ToyNetArchitecture

    from zoo.tasks.text_classification import settings

    monkeypatch.setattr(zoo.models, "__path__", [*zoo.models.__path__, str(TOY / "models")])
    monkeypatch.setattr(settings, "ToyNetArchitecture", ToyNetArchitecture, raising=False)
    add_presets(monkeypatch, folder / "presets", TOY / "presets")


def add_task(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Add the toy task: its folder, its line in TASKS, and a family of its own.

    Args:
        monkeypatch: undoes it.
        folder: where the folder of presets is made.
    """
    monkeypatch.syspath_prepend(str(TOY))
    monkeypatch.setitem(TASKS, "curve-fitting", "curve_fitting")
    monkeypatch.setattr(zoo.models, "__path__", [*zoo.models.__path__, str(TOY / "models")])
    add_presets(monkeypatch, folder / "presets", TOY / "presets")
