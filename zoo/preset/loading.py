"""Presets: validated, frozen descriptions of a model, its data, its recipe, and why.

Files are `presets/<model>/<preset>.yaml`, complete, without inheritance. They are read with a
YAML 1.2 loader that refuses duplicate keys and never makes anything but plain data.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from zoo.errors import ZooError, did_you_mean, unknown
from zoo.finding import Finding
from zoo.plain_yaml import read_sections, read_yaml, yaml_text
from zoo.preset.block import Block
from zoo.preset.measured import Measured, values_digest
from zoo.preset.override import BLOCKS, change, covers, leaves
from zoo.preset.recipe import Recipe
from zoo.preset.renamed import rename_document, rename_keys
from zoo.preset.schema_errors import readable
from zoo.preset.schemas import architectures, preset_schema, settings_of


class Search(Block):
    """What a search may do with one value: a list to choose from, or a range on a scale."""

    values: tuple[Any, ...] | None = None
    scale: Literal["log", "linear"] | None = None
    min: float | int | None = None
    max: float | int | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Search:
        ranged = [self.scale, self.min, self.max]
        if self.values is not None:
            if any(part is not None for part in ranged) or not self.values:
                raise ValueError("give either values: [...], or scale, min and max")
        elif self.min is None or self.max is None or self.scale is None:
            raise ValueError("give either values: [...], or scale, min and max")
        elif self.min >= self.max or (self.scale == "log" and self.min <= 0):
            raise ValueError("min must be below max, and above 0 on a log scale")
        return self


class Why(Block):
    """The reason of a value: ids of sources.yaml or advice.yaml, and a note."""

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    note: str = ""


class Preset(Block):
    """A model, its data, its recipe, the space a search may cover, and why each value is so.

    `name` is the file's stem or path; it is not part of the file. `based_on` names the preset that
    was changed into this one. `measured` holds the scores of exactly these values, and no others.
    """

    name: str
    model: str
    task: str
    summary: Annotated[str, Field(min_length=1)]
    based_on: str | None = None
    architecture: Any  # `zoo.preset.schemas` says which block
    data: Any  # TextData, CorpusData or ImageData
    recipe: Recipe
    search: dict[str, Search]
    why: dict[str, Why]
    measured: tuple[Measured, ...]
    _notices: tuple[Finding, ...] = PrivateAttr(())

    @property
    def notices(self) -> tuple[Finding, ...]:
        """What was read otherwise than it was written: keys under their old names."""
        return self._notices

    @model_validator(mode="after")
    def _one_remedy_for_imbalance(self) -> Preset:
        if self.recipe.loss.name == "focal" and getattr(self.data, "balance", "none") != "none":
            raise ValueError(
                f"recipe.loss.name focal and data.balance {self.data.balance} are two remedies for "
                "the same thing; use one (decision D24)"
            )
        return self

    def values(self) -> dict[str, Any]:
        """Return every value of the architecture, data and recipe blocks under its dotted key."""
        document = self.model_dump(mode="json", include=set(BLOCKS))
        return dict(leaves(document))

    def why_of(self, key: str) -> tuple[str, Why] | None:
        """Return the entry of `why` that covers a key: its own, or that of the nearest block."""
        parts = key.split(".")
        for length in range(len(parts), 1, -1):
            prefix = ".".join(parts[:length])
            if prefix in self.why:
                return prefix, self.why[prefix]
        return None

    def override(self, changes: Mapping[str, Any]) -> Preset:
        """Return a preset with some values changed, checked like a file.

        Reasons of values that change go with them, and so do the scores. Another
        `recipe.optimizer.name` brings its own values: those given, else its usual rate and its
        papers' constants. Given `recipe.epochs` hold, however few the steps: `recipe.min_steps` is
        then 0, if it is not given, too.

        Args:
            changes: dotted key to new value, such as `{"recipe.epochs": 3}`, in any order.

        Raises:
            ZooError: a key does not exist or a value is not accepted.
        """
        if not changes:
            return self
        document = self.document()
        changes, notices = rename_keys(changes)
        change(document, changes)
        changed = _validated(document, self.name, "override")
        if self.based_on is None and changed.values() != self.values():
            shipped = Path(self.name).suffix not in (".yaml", ".yml")
            source = f"{self.model}/{self.name}" if shipped else self.name
            changed = changed.model_copy(update={"based_on": source})
        changed._notices = (*self.notices, *notices)
        return changed

    def document(self) -> dict[str, Any]:
        """Return the preset as plain data, as a file holds it."""
        document = self.model_dump(mode="json", exclude={"name"}, exclude_none=False)
        if self.based_on is None:
            del document["based_on"]
        return document

    def to_yaml(self) -> str:
        """Return the preset as the text of a preset file."""
        document = self.document()
        document["search"] = {
            key: {name: value for name, value in entry.items() if value is not None}
            for key, entry in document["search"].items()
        }
        return yaml_text(document)


def presets_root() -> Path:
    """Return the folder of the presets that come with the package."""
    return Path(str(importlib.resources.files("zoo._presets")))


def names(model: str | None = None) -> list[str]:
    """Return `model/preset` of every preset that comes with the package, `default` first."""
    root, known = presets_root(), architectures()
    models = [model] if model else list(known)
    found: list[str] = []
    for folder in models:
        if folder not in known:
            raise unknown("model", folder, known)
        stems = sorted(path.stem for path in (root / folder).glob("*.yaml"))
        stems.sort(key=lambda stem: stem != "default")
        found += [f"{folder}/{stem}" for stem in stems]
    return found


def presets(model: str | None = None) -> list[Preset]:
    """Return every preset that comes with the package, or those of one model.

    Raises:
        ZooError: the model does not exist.
    """
    found = (name.split("/") for name in names(model))
    return [load_preset(each, preset) for each, preset in found]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a list of presets shows of one."""

    name: str
    model: str
    summary: str
    measured: tuple[Measured, ...]


def summaries(model: str | None = None) -> list[Summary]:
    """Return the summaries of `presets(model)`, in a fraction of the time.

    Raises:
        ZooError: the model does not exist.
    """
    found = []
    for name in names(model):
        path = presets_root() / f"{name}.yaml"
        head = read_sections(path, ("model:", "summary:", "measured:"))
        measured = tuple(Measured.model_validate(entry) for entry in head["measured"])
        found.append(Summary(path.stem, head["model"], head["summary"], measured))
    return found


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
    if path.suffix in (".yaml", ".yml") or path.is_file():
        loaded = _validated(read_yaml(path), str(preset), str(path))
        if model is not None and loaded.model != model:
            raise ZooError(
                f"{path}: is a preset of '{loaded.model}', but '{model}' was asked for. "
                f"Use `zoo train {loaded.model}`, or another preset."
            )
        return loaded.override(changes or {})
    if model is None or model not in architectures():
        raise unknown("model", str(model), architectures())
    path = presets_root() / model / f"{preset}.yaml"
    if not path.is_file() or "/" in str(preset):
        accepted = [name.split("/")[1] for name in names(model)]
        error = unknown(f"preset of {model}", str(preset), accepted)
        raise ZooError(f"{error} The path of a preset file (*.yaml) works too.")
    loaded = _validated(read_yaml(path), str(preset), f"presets/{model}/{preset}.yaml")
    return loaded.override(changes or {})


def recipe_from(document: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a plain mapping, checked like a file.

    Raises:
        ZooError: a key or value is not accepted.
    """
    schema = settings_of("language-modeling" if "nonmono" in document else "text-classification")
    document = rename_document({"recipe": dict(document)})[0]["recipe"]
    try:
        return schema.Recipe.model_validate(_tuples(document))
    except ValidationError as error:
        raise ZooError(f"recipe: {' '.join(str(error).split())}") from error


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What a preset says about one key: its value, its reason, and the sources named."""

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
    explained = []
    for name in wanted:
        covering = preset.why_of(name)
        explained.append(
            Explanation(
                name, values[name], covering[1] if covering else None, preset.search.get(name)
            )
        )
    return explained


def _validated(document: Any, name: str, where: str) -> Preset:
    if not isinstance(document, dict):
        raise ZooError(f"{where}: is not a preset: a mapping with `model:` and so on was expected.")
    model = document.get("model")
    if not isinstance(model, str) or model not in architectures():
        raise ZooError(f"{where}: {unknown('model', str(model), architectures())}")
    if "name" in document:
        raise ZooError(f"{where}: unknown field 'name'. A preset is named by its file.")
    try:
        document, notices = rename_document(document)
    except ZooError as error:
        raise ZooError(f"{where}: {error}") from error
    document = dict(_tuples(document), name=name)
    schema = preset_schema(Preset, architectures()[model])
    try:
        preset = schema.model_validate(document)
    except ValidationError as error:
        raise ZooError(f"{where}: {readable(error, schema)}") from error
    values = preset.values()
    for section in ("why", "search"):
        for key in getattr(preset, section):
            if not covers(key, values):
                raise ZooError(
                    f"{where}: {section}: no such key '{key}'.{did_you_mean(key, values)}"
                )
    # A file that was copied and changed still has the scores of what it was copied from.
    digest = values_digest(model, values)
    own = tuple(entry for entry in preset.measured if entry.values == digest)
    preset = preset.model_copy(update={"measured": own})
    preset._notices = tuple(notices)
    return preset


def _tuples(value: Any) -> Any:
    """Lists become tuples (strict validation takes nothing else for one); floats stay floats."""
    if isinstance(value, dict):
        return {key: _tuples(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_tuples(part) for part in value)
    return value
