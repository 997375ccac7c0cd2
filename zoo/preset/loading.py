"""Reading presets: those that come with the package, and files of one's own.

Files are `presets/<model>/<preset>.yaml`, without inheritance: what a file leaves out is the
default of the schema in `zoo/tasks/*/settings.py`. They are read with a YAML 1.2 loader that
refuses duplicate keys and never makes anything but plain data.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zoo.errors import ZooError, unknown
from zoo.plain_yaml import parse_value, read_sections, read_yaml
from zoo.preset.block import BESIDE, presets_root, shipped_names
from zoo.preset.measured import Measured, read_scores
from zoo.preset.preset import Preset, Search, tuples, validated
from zoo.preset.reasons import Why
from zoo.preset.recipe import Recipe, Schedule
from zoo.preset.renamed import rename_document
from zoo.preset.schemas import architectures, schemas_of, settings_of, variants
from zoo.preset.unread import drop_unread

# One line of the recipe: parsing all of it would make a list of presets slow.
INIT = re.compile(r"^  init: (.+)$", flags=re.MULTILINE)


def names(model: str | None = None) -> list[str]:
    """Return `model/preset` of every preset that comes with the package, `default` first."""
    known = architectures()
    models = [model] if model else list(known)
    paths: list[str] = []
    for folder in models:
        if folder not in known:
            raise unknown("model", folder, known)
        paths += [f"{folder}/{name}" for name in shipped_names(folder)]
    return paths


def presets(model: str | None = None) -> list[Preset]:
    """Return every preset that comes with the package, or those of one model.

    Raises:
        ZooError: the model does not exist.
    """
    split_names = (name.split("/") for name in names(model))
    return [load_preset(family, preset) for family, preset in split_names]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a list of presets shows of one.

    Args:
        name: of the preset.
        model: whose preset it is.
        summary: one sentence.
        measured: scores of exactly its values.
        init: where its weights come from; None where they are random.
    """

    name: str
    model: str
    summary: str
    measured: tuple[Measured, ...]
    init: str | None = None


def summaries(model: str | None = None) -> list[Summary]:
    """Return the summaries of `presets(model)`, in a fraction of the time.

    Raises:
        ZooError: the model does not exist.
    """
    heads = []
    for name in names(model):
        path = presets_root() / f"{name}.yaml"
        head = read_sections(path, ("model:", "summary:"))
        scores = read_scores(head["model"]).get(path.stem, ())
        init = INIT.search(path.read_text(encoding="utf-8"))
        start = parse_value(init[1]) if init else None
        heads.append(Summary(path.stem, head["model"], head["summary"], scores, start))
    return heads


def load_preset(
    model: str | None, preset: str | Path = "default", changes: Mapping[str, Any] | None = None
) -> Preset:
    """Read and validate a preset.

    Args:
        model: name of the model; None accepts whatever model a preset file names.
        preset: name of a preset of that model, or the path of a preset file of your own.
        changes: dotted keys and values that override the file.

    Raises:
        ZooError: no such model, preset, file or key, or a value that is not accepted.
    """
    path = Path(preset)
    if is_preset_file(path):
        loaded = validated(read_yaml(path), str(preset), str(path))
        if model is not None and loaded.model != model:
            raise ZooError(
                f"{path}: is a preset of '{loaded.model}', but '{model}' was asked for. "
                f"Use `zoo train {loaded.model}`, or another preset."
            )
        return loaded.override(changes or {})
    if model is None or model not in architectures():
        raise unknown("model", str(model), architectures())
    path = presets_root() / model / f"{preset}.yaml"
    if not path.is_file() or "/" in str(preset) or preset in BESIDE:
        accepted = [name.split("/")[1] for name in names(model)]
        error = unknown(f"preset of {model}", str(preset), accepted)
        raise ZooError(f"{error} The path of a preset file (*.yaml) works too.")
    loaded = validated(read_yaml(path), str(preset), f"presets/{model}/{preset}.yaml")
    return loaded.override(changes or {})


def load_named(name: str) -> Preset:
    """Return the preset that a command names: MODEL, MODEL/PRESET or a preset file.

    Raises:
        ZooError: as `load_preset`.
    """
    if is_preset_file(name):
        return load_preset(None, name)
    model, _, preset = name.partition("/")
    return load_preset(model, preset or "default")


def is_preset_file(name: str | Path) -> bool:
    """Whether a name is the path of a file, and not that of a preset."""
    return Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()


def shipped_text(preset: Preset) -> str:
    """Return the file of a preset that comes with the package, as it is to be copied."""
    return (presets_root() / preset.model / f"{preset.name}.yaml").read_text(encoding="utf-8")


def recipe_from(document: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a plain mapping, checked like a file.

    Args:
        document: the recipe's values, and its `task`. Models that were saved before 2026-11-27 do
            not have it; of these only language models had `unclipped`.

    Raises:
        ZooError: a key or value is not accepted.
    """
    values = dict(document)
    usual = "language-modeling" if "unclipped" in values else "text-classification"
    task = values.pop("task", usual)
    preset, _ = rename_document({"recipe": values})
    drop_unread(preset, variants(task))
    try:
        recipe: Recipe = settings_of(task).Recipe.model_validate(tuples(preset["recipe"]))
    except ValidationError as error:
        raise ZooError(f"recipe: {' '.join(str(error).split())}") from error
    return recipe


def schedule_from(document: Mapping[str, Any]) -> Schedule:
    """Return the schedule of a plain mapping, checked like a file.

    Args:
        document: the block's values; those that another schedule has are left out: models that were
            saved before 2026-11-27 hold the values of all.

    Raises:
        ZooError: a key or value is not accepted.
    """
    block = {"recipe": {"schedule": dict(document)}}
    drop_unread(block, {"recipe.schedule": schemas_of(typing.get_args(Schedule)[0])})
    try:
        schedule: Schedule = TypeAdapter(Schedule).validate_python(
            tuples(block["recipe"]["schedule"])
        )
    except ValidationError as error:
        raise ZooError(f"recipe.schedule: {' '.join(str(error).split())}") from error
    return schedule


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What a preset says about one key: its value, its reason, and the sources named.

    Args:
        key: dotted, such as `recipe.epochs`.
        value: the preset's.
        why: the reason; None of a value that was set.
        search: what a search may make of it; None where it is not searched.
    """

    key: str
    value: Any
    why: Why | None
    search: Search | None


def explain(preset: Preset, key: str | None = None) -> list[Explanation]:
    """Return value, reason and search range of a key, of a block of keys, or of all.

    Raises:
        ZooError: the preset has no such key.
    """
    values = preset.values()
    wanted = [name for name in values if key in (None, name) or name.startswith(f"{key}.")]
    if not wanted:
        raise unknown("key", str(key), values)
    why = preset.why
    return [
        Explanation(name, values[name], _covering(why, name), preset.search.get(name))
        for name in wanted
    ]


def _covering(why: Mapping[str, Why], key: str) -> Why | None:
    """Return the reason of a key: its own, or that of the nearest block."""
    while "." in key:
        if key in why:
            return why[key]
        key = key.rpartition(".")[0]
    return None
