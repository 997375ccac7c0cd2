"""A keras-tuner hypermodel of any preset, for a search script of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from zoo.builders import build_started
from zoo.errors import ZooError, check_seed
from zoo.preset.loading import load_preset
from zoo.preset.preset import Preset, Search
from zoo.preset.renamed import rename_keys
from zoo.training.model import TrainingModel


class PresetHyperModel(keras_tuner.HyperModel):
    """The search space of a preset; every trial is built by the same code as `zoo.textcnn(...)`.

    keras-tuner clears the dtype policy and the random seed before each trial (its 1.4.8 calls
    `clear_session`), so `build` sets both again.

    Args:
        preset: the preset whose `search:` block spans the space.
        seed: seed of every trial's initial weights, dropout and order.
    """

    def __init__(self, preset: Preset, seed: int = 0):
        super().__init__(name=f"{preset.model}_{Path(preset.name).stem}")
        self.preset = preset
        self.seed = seed
        self._policy = keras.config.dtype_policy()

    def trial_preset(self, hp: keras_tuner.HyperParameters) -> Preset:
        """Return the preset with the trial's values in it."""
        return self.preset.override(
            {key: _choose(hp, key, search) for key, search in self.preset.search.items()}
        )

    def build(self, hp: keras_tuner.HyperParameters) -> TrainingModel:
        """Return the compiled model of one trial."""
        keras.utils.set_random_seed(self.seed)
        keras.config.set_dtype_policy(self._policy)
        return build_started(self.trial_preset(hp))


def hypermodel(
    model: str,
    preset: str | Path = "default",
    *,
    set: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> PresetHyperModel:
    """Return a `keras_tuner.HyperModel` over the `search:` block of a preset.

    The hyper-parameters are named by their dotted keys and come in the order of the file, most
    influential first (A33); rates are searched on a log scale (A34), dropout on a linear one (A35).

    Args:
        model: name of the model.
        preset: name of a preset or path of a preset file.
        set: dotted keys and values that stay fixed, such as
            `{"architecture.vocabulary_size": 8000, "architecture.num_classes": 6}`; they are not
            searched.
        seed: seed of every trial.

    Raises:
        ZooError: the preset does not exist, has an empty search block, or a value is refused.

    Example:
        >>> tuner = keras_tuner.RandomSearch(
        ...     zoo.hypermodel("textcnn"), objective=keras_tuner.Objective("val_loss", "min"))

    Source: O'Malley et al. 2019, https://keras.io/keras_tuner.
    """
    check_seed(seed)
    loaded = load_preset(model, preset, set)
    fixed, _ = rename_keys(set or {})
    space = {key: search for key, search in loaded.search.items() if key not in fixed}
    if not space:
        left = (
            "every key of its search block is set" if loaded.search else "its search block is empty"
        )
        raise ZooError(f"{model}/{preset}: {left}: there is nothing to search.")
    return PresetHyperModel(loaded.model_copy(update={"search": space}), seed)


def _choose(hp: keras_tuner.HyperParameters, key: str, search: Search) -> Any:
    if search.values is not None:
        if all(isinstance(value, bool | int | float | str) for value in search.values):
            return hp.Choice(key, list(search.values))
        # keras-tuner chooses among scalars only: choose a position in the list instead.
        names = [str(value) for value in search.values]
        return search.values[names.index(hp.Choice(key, names))]
    sampling = "log" if search.scale == "log" else "linear"
    if isinstance(search.min, int) and isinstance(search.max, int):
        return hp.Int(key, search.min, search.max, sampling=sampling)
    return hp.Float(key, float(search.min or 0.0), float(search.max or 0.0), sampling=sampling)
