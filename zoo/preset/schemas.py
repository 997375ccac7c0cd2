"""Which tasks and families of models there are, and the schemas of their presets."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import Any, Literal

from pydantic import create_model

from zoo.preset.block import Architecture, Block
from zoo.preset.task_info import TaskInfo

# A task is a package: its `settings` are loaded with a preset, its `task` only when data are.
TASKS = {
    "text-classification": "zoo.tasks.text_classification",
    "language-modeling": "zoo.tasks.language_modeling",
    "image-classification": "zoo.tasks.image_classification",
}


def settings_of(task: str) -> ModuleType:
    """Return the module of a task's settings: `Data`, `Recipe` and the architectures."""
    return importlib.import_module(f"{TASKS[task]}.settings")


def architectures() -> dict[str, type[Architecture]]:
    """Return the architecture schema of every family of models, by its name."""
    return {
        schema.model: schema
        for task in TASKS
        for schema in vars(settings_of(task)).values()
        if isinstance(schema, type) and issubclass(schema, Architecture) and schema.model
    }


@functools.cache
def preset_schema(base: type[Block], architecture: type[Architecture]) -> Any:
    """Return the schema of a family's presets: architecture, data and recipe are its own.

    Args:
        base: the schema of any preset.
        architecture: that of the family.
    """
    settings = settings_of(architecture.task)
    task: Any = Literal[architecture.task]
    return create_model(
        f"{architecture.model}_preset",
        __base__=base,
        architecture=(architecture, ...),
        data=(settings.Data, ...),
        recipe=(settings.Recipe, ...),
        task=(task, ...),
    )


def task_of(model: str) -> str:
    """Return the name of the task of a family of models."""
    return architectures()[model].task


def info_of(task: str) -> TaskInfo:
    """Return what is known of a task before any of its libraries is loaded."""
    info: TaskInfo = settings_of(task).INFO
    return info
