"""A model with its recipe, which files and clones of it have, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from zoo.errors import ZooError
from zoo.preset.loading import recipe_from
from zoo.preset.recipe import Recipe


class RecipeModel(keras.Model):
    """A functional model with the recipe it is trained by.

    A saved model has it in its config; a clone (`keras.models.clone_model`) is given nothing but
    how the model was compiled, so it is in there, too.

    Attributes:
        recipe: how `fit` trains; None as Keras does.
        batch_size: the preset's.
        SAVED: names of the attributes that are saved with the model.
    """

    recipe: Recipe | None = None
    batch_size: int | None = None
    SAVED: tuple[str, ...] = ("recipe", "batch_size")

    def get_config(self) -> dict[str, Any]:
        """Return Keras' config with the recipe in it."""
        return {**super().get_config(), **self._saved_values()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> RecipeModel:
        """Build the model of a config again."""
        config = dict(config)
        values = {name: config.pop(name, None) for name in cls.SAVED}
        model: RecipeModel = super().from_config(config, custom_objects)
        model._set_values(values)
        return model

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return how the model was compiled, with the recipe."""
        config: dict[str, Any] | None = super().get_compile_config()
        return {**config, "kept": self._saved_values()} if config else config

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile a loaded or cloned model as it was."""
        config = dict(config)
        self._set_values(config.pop("kept", {}))
        super().compile_from_config(config)

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Save as `keras.Model.save`.

        Raises:
            ZooError: the file is HDF5, from which Keras 3 could not load the model again.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ZooError(
                f"{filepath}: a model of the zoo cannot be loaded from HDF5. Save it as "
                "NAME.keras, or its weights alone with model.save_weights('NAME.weights.h5')."
            )
        super().save(filepath, *args, **kwargs)

    def _saved_values(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.SAVED}
        recipe = values["recipe"]
        if recipe is not None:
            values["recipe"] = {"task": recipe.task, **recipe.model_dump(mode="json")}
        return values

    def _set_values(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            recipe = name == "recipe" and value is not None
            setattr(self, name, recipe_from(value) if recipe else value)
