"""Which tasks and families of models there are, and the schemas of their presets."""

from __future__ import annotations

import functools
import importlib
import typing
from types import ModuleType
from typing import Any, Literal

from pydantic import Field, create_model

from zoo.errors import unknown
from zoo.preset.block import Architecture, Block
from zoo.preset.task_info import TaskInfo

# A task is a package: its `settings` are loaded with a preset, its `task` only when data are.
TASKS = {
    "text-classification": "zoo.tasks.text_classification",
    "language-modeling": "zoo.tasks.language_modeling",
    "image-classification": "zoo.tasks.image_classification",
    "masked-language-modeling": "zoo.tasks.masked_language_modeling",
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
    data = architecture.data or settings.Data
    task: Any = Literal[architecture.task]
    return create_model(
        f"{architecture.model}_preset",
        __base__=base,
        architecture=(architecture, Field(default_factory=architecture)),
        data=(data, Field(default_factory=data)),
        recipe=(settings.Recipe, Field(default_factory=settings.Recipe)),
        task=(task, architecture.task),
    )


def task_of(model: str) -> str:
    """Return the name of the task of a family of models.

    Raises:
        ZooError: there is no such family, as of a run of a later version.
    """
    known = architectures()
    if model not in known:
        raise unknown("model", model, known)
    return known[model].task


def info_of(task: str) -> TaskInfo:
    """Return what is known of a task before any of its libraries is loaded."""
    info: TaskInfo = settings_of(task).INFO
    return info


def schemas_of(union: Any) -> dict[str, type[Block]]:
    """Return the schemas of a union of blocks, by the name that chooses one."""
    return {
        typing.get_args(schema.model_fields["name"].annotation)[0]: schema
        for schema in typing.get_args(union)
    }


@functools.cache
def variants(task: str) -> dict[str, dict[str, type[Block]]]:
    """Return the choices that have values of their own: dotted key to name to schema.

    Args:
        task: whose presets they are of; `recipe.optimizer` is one.
    """
    settings = settings_of(task)
    return {
        f"{section}.{key}": schemas_of(field.annotation)
        for section, block in (("data", settings.Data), ("recipe", settings.Recipe))
        for key, field in block.model_fields.items()
        if field.discriminator
    }
