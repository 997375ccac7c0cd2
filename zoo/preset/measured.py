"""A preset's scores: what was measured, with which values, and with which state of the code."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from zoo.environment import training_code
from zoo.plain_yaml import read_yaml
from zoo.preset.block import Block, Positive, presets_root

# The same training whatever they are, to rounding and to masks.
SCORED_ALIKE = ("recipe.jit", "recipe.reduce_dtype", "data.pad_to")


class Measured(Block):
    """One measured result of a preset; written by `python -m benchmarks publish`, never by hand.

    Args:
        data: name of the data set.
        split: the part that was scored.
        metric: `accuracy`, `micro_f1` or `perplexity`.
        mean: over the seeds.
        std: over the seeds; None of one seed, which has none.
        seeds: how many.
        baseline: mean score of the linear model, or of bigrams, in the same runs.
        published: what the paper or code behind the preset reports on these data, or None.
        minutes: mean of a run.
        parameters: weights of the model.
        hardware: processor and cores.
        versions: of packages.
        values: `values_digest` of the preset that was measured; empty where it was not recorded.
        code: `zoo.environment.training_code` that trained it; None where it was not recorded.
        commit: of the checkout.
        date: of the last run.
        command: what repeats it.
    """

    data: str
    split: Literal["test", "validation"]
    metric: str
    mean: float
    std: float | None
    seeds: Positive
    baseline: float | None
    published: float | None = None
    minutes: float
    parameters: Positive
    hardware: str
    versions: dict[str, str]
    values: str = ""
    code: str | None = None
    commit: str
    date: str
    command: str

    @property
    def old(self) -> bool:
        """Whether the code that trains has changed since, as far as is known."""
        return self.code is None or self.code != training_code()


def scores_of(model: str, preset: str, values: Mapping[str, Any]) -> tuple[Measured, ...]:
    """Return the scores that were measured with exactly these values.

    Args:
        model: name of the family.
        preset: its name, or the path of a file, which has the scores of any preset of its values.
        values: of the preset, by dotted key.
    """
    table = read_scores(model)
    digest = values_digest(model, values)
    own_file = Path(preset).suffix in (".yaml", ".yml")
    return tuple(
        score
        for scores in (table.values() if own_file else [table.get(preset, ())])
        for score in scores
        if score.values == digest
    )


@functools.cache
def read_scores(model: str) -> dict[str, tuple[Measured, ...]]:
    """Return the scores of a model's presets, by the preset's name: `measured.yaml`.

    Raises:
        ZooError: the file cannot be read.
    """
    path = presets_root() / model / "measured.yaml"
    scores = read_yaml(path) if path.is_file() else {}
    return {name: tuple(map(Measured.model_validate, own)) for name, own in scores.items()}


# Keys that came after scores had been measured, with the values of what was done before.
CAME_LATER: dict[str, tuple[Any, ...]] = {
    "architecture.bottleneck_width": (1.0,),
    "architecture.relative_buckets": (0,),
    "data.labels.name": ("auto", "one"),
    "data.texts": ("auto", "one"),
    "recipe.init": (None,),
    "recipe.fine_tuning.name": ("uniform",),
    "recipe.r_drop": (0.0,),
    "recipe.contrastive.name": ("none", "auto"),  # of the rows of a benchmark it is none
    "recipe.linear_probe.name": ("none", "auto"),  # without pretrained weights it is none
}


def values_digest(model: str, values: Mapping[str, Any]) -> str:
    """Return a checksum of a model's name and of all values of its preset, by dotted key.

    A score belongs to exactly these: with another one, it is another configuration's. What says how
    a step is computed, and not what, is left out; so is a key that came later where its value is
    what was done before.
    """
    scored = {
        key: value
        for key, value in values.items()
        if key not in SCORED_ALIKE and value not in CAME_LATER.get(key, ())
    }
    plain = json.dumps([model, scored], sort_keys=True, default=list)
    return hashlib.blake2b(plain.encode(), digest_size=6).hexdigest()
