"""The preset: a model, its data and how to train it, as validated and frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from zoo.errors import ZooError, did_you_mean, unknown
from zoo.finding import Finding
from zoo.plain_yaml import yaml_text
from zoo.preset.block import Block, shipped_names
from zoo.preset.measured import Measured, scores_of
from zoo.preset.override import BLOCKS, change, covers, leaves
from zoo.preset.reasons import Why, reasons_for, split_keys, unchanged_from
from zoo.preset.recipe import Recipe
from zoo.preset.renamed import rename_document, rename_keys
from zoo.preset.schema_errors import readable
from zoo.preset.schemas import architectures, preset_schema, variants
from zoo.preset.unread import drop_unread


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


class Preset(Block):
    """A model, its data, its recipe and the space a search may cover.

    `name` is the file's stem or path; it is not part of the file. `based_on` names the preset that
    was changed into this one. `reasons` are the preset's own, `why:` in its file.
    """

    name: str
    model: str
    task: str
    summary: str = ""
    based_on: str | None = None
    architecture: Any  # `zoo.preset.schemas` says which block
    data: Any
    recipe: Recipe
    search: dict[str, Search] = Field({})
    reasons: dict[str, Why] = Field({}, alias="why")
    _notices: tuple[Finding, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _one_remedy_for_imbalance(self) -> Preset:
        if self.recipe.loss.name == "focal" and getattr(self.data, "balance", "none") != "none":
            raise ValueError(
                f"recipe.loss.name focal and data.balance {self.data.balance} are two remedies for "
                "the same thing; use one (decision D24)"
            )
        return self

    @property
    def notices(self) -> tuple[Finding, ...]:
        """What was read otherwise than it was written: old names of keys, values nothing reads."""
        return self._notices

    @property
    def why(self) -> dict[str, Why]:
        """Every reason by its key: the preset's own, and those that its values have elsewhere.

        A value that was set has none, even where it is that of another preset. A file without
        `based_on` is compared with the preset that it has most values of.
        """
        values = self.values()
        name, unchanged = self.name, values
        if self.based_on or name not in shipped_names(self.model):
            name = (self.based_on or name).removeprefix(f"{self.model}/")
            name, unchanged = unchanged_from(self.model, name, values)
        why = reasons_for(self.model, name, unchanged) | self.reasons
        return {key: why[key] for key in dict.fromkeys([*values, *why]) if key in why}

    @property
    def measured(self) -> tuple[Measured, ...]:
        """The scores of exactly these values, and no others."""
        return scores_of(self.model, self.name, self.values())

    def values(self) -> dict[str, Any]:
        """Return every value of the architecture, data and recipe blocks under its dotted key."""
        document = self.model_dump(mode="json", include=set(BLOCKS))
        return dict(leaves(document))

    def override(self, changes: Mapping[str, Any]) -> Preset:
        """Return a preset with some values changed, checked like a file.

        Reasons of values that change go with them, and so do the scores. Another name of an
        optimizer, schedule, loss or crop brings its own values: those given, those that the two
        have in common, else its defaults; another optimizer its usual rate and its papers'
        constants. Given `recipe.epochs` hold, however few the steps: `recipe.min_steps` is then 0,
        if it is not given, too.

        Args:
            changes: dotted key to new value, such as `{"recipe.epochs": 3}`, in any order.

        Raises:
            ZooError: a key does not exist or a value is not accepted.
        """
        if not changes:
            return self
        document = self.document()
        changes, notices = rename_keys(changes)
        notices += change(document, changes, variants(self.task))
        changed = validated(document, self.name, "override")
        if self.based_on is None and changed.values() != self.values():
            shipped = Path(self.name).suffix not in (".yaml", ".yml")
            source = f"{self.model}/{self.name}" if shipped else self.name
            changed = changed.model_copy(update={"based_on": source})
        changed._notices = (*self.notices, *notices)
        return changed

    def document(self) -> dict[str, Any]:
        """Return the preset as plain data, as a file holds it, every value written out."""
        document = self.model_dump(mode="json", by_alias=True, exclude={"name"})
        for section in ("search", "why"):
            for entry in document[section].values():
                for key in [key for key, value in entry.items() if value in (None, [])]:
                    del entry[key]
        if self.based_on is None:
            del document["based_on"]
        return document

    def to_yaml(self) -> str:
        """Return the preset as the text of a preset file, every value written out."""
        document = {key: part for key, part in self.document().items() if part not in ("", {})}
        del document["task"]  # the model's
        return yaml_text(document)


def validated(document: Any, name: str, where: str) -> Preset:
    """Return the preset of a document, as a file holds it.

    Args:
        document: plain data; what it leaves out is the schema's default.
        name: of the preset.
        where: the file, for messages.

    Raises:
        ZooError: a key or value is not accepted.
    """
    if not isinstance(document, dict):
        raise ZooError(f"{where}: is not a preset: a mapping with `model:` and so on was expected.")
    model = document.get("model")
    if not isinstance(model, str) or model not in architectures():
        raise ZooError(f"{where}: {unknown('model', str(model), architectures())}")
    if "name" in document:
        raise ZooError(f"{where}: unknown field 'name'. A preset is named by its file.")
    architecture = architectures()[model]
    try:
        document, notices = _of_today(document, architecture.task)
    except ZooError as error:
        raise ZooError(f"{where}: {error}") from error
    schema = preset_schema(Preset, architecture)
    try:
        preset: Preset = schema.model_validate(dict(tuples(document), name=name))
    except ValidationError as error:
        raise ZooError(f"{where}: {readable(error, schema)}") from error
    values = preset.values()
    for section, entries in (("why", preset.reasons), ("search", preset.search)):
        for key in entries:
            if not covers(key, values):
                raise ZooError(
                    f"{where}: {section}: no such key '{key}'.{did_you_mean(key, values)}"
                )
    preset._notices = tuple(notices)
    return preset


def _of_today(document: Mapping[str, Any], task: str) -> tuple[dict[str, Any], list[Finding]]:
    """Return a document as it is written today, and findings on what was not."""
    current, notices = rename_document(document)
    notices += drop_unread(current, variants(task))
    if current.pop("measured", None):
        what = (
            "measured: not read; scores are looked up by the values that they were measured with."
        )
        notices.append(Finding("info", what, {}, "The block can be left out."))
    if isinstance(current.get("why"), dict):
        why = current["why"].items()
        current["why"] = {key: reason for keys, reason in why for key in split_keys(keys)}
    return current, notices


def tuples(value: Any) -> Any:
    """Return plain data with tuples for lists: strict validation takes nothing else for one."""
    if isinstance(value, dict):
        return {key: tuples(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(tuples(part) for part in value)
    return value
