"""Weights of a run of the zoo, for another run of the same family."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.starts.pretrained import Pretrained, Weights
from zoo.tasks.archive import NETWORK
from zoo.tasks.task import load_task
from zoo.training.contrastive import ContrastiveModel
from zoo.wheels import file_sha256

# Values that neither a shape nor a function of the network depends on: the new run has its own.
OF_TRAINING = ("dropout", "_range", "_std", "max_norm", "stochastic_depth", "flip_average")
OF_TOKENS = ("data.tokenizer", "data.lowercase", "data.max_length")
OF_PIXELS = "data.center_fraction"


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / "preset.yaml").is_file()


def read_run(folder: Path, source: str) -> Pretrained:
    """Return the network of a run, with its tokenizer and its classes.

    Args:
        folder: of the run.
        source: how it was named.

    Raises:
        ZooError: the run is not finished, or a file of it is damaged.
    """
    if not (folder / "model").is_dir():
        raise ZooError(f"{folder}: is not a finished run: it has no model yet.")
    preset = load_preset(None, folder / "preset.yaml")
    predictor = load_task(preset.task).load_predictor(folder / "model")
    tokenizer = getattr(predictor, "tokenizer", None)
    own = preset.values()
    values = {
        key: value
        for key, value in own.items()
        if key == OF_PIXELS or (key.startswith("architecture.") and not key.endswith(OF_TRAINING))
    }
    if tokenizer is not None:
        values |= {key: own[key] for key in OF_TOKENS if key in own}
        values["architecture.vocabulary_size"] = tokenizer.vocabulary_size
    network = predictor.network
    if isinstance(network, ContrastiveModel):  # its head is of vectors that others do not make
        network = network.encoder
    return Pretrained(
        source=source,
        origin=f"the run {folder}",
        model=preset.model,
        values=values,
        weights=Weights(
            {variable.path: partial(np.asarray, variable) for variable in network.weights}
        ),
        tokenizer=tokenizer,
        classes=getattr(predictor, "labels", None),
        sha256=file_sha256(folder / "model" / NETWORK),
    )
