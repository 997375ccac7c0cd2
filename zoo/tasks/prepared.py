"""What a run prepared before its first step, kept until it ends so that it can be resumed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import read_json, write_json
from zoo.text.tokenizers import load_tokenizer


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What was learned from the data before the first step.

    Args:
        preset: name of the preset.
        classes: in the order of their ids; empty without labels.
        baseline: scores of the baseline; empty where another worker fits it.
        facts: values of the preset that the data decide, by dotted key.
        tokenizer: learned from the training part; None of images.
    """

    preset: str
    classes: list[Any]
    baseline: dict[str, Any]
    facts: Mapping[str, Any]
    tokenizer: Any = None  # a Tokenizer

    def save(self, folder: Path) -> None:
        """Write it into a folder.

        Raises:
            ZooError: a file cannot be written.
        """
        if self.tokenizer is not None:
            self.tokenizer.save(folder / "tokenizer")
        names = ("preset", "classes", "baseline", "facts")
        write_json(folder / "prepared.json", {name: getattr(self, name) for name in names})


def load_prepared(folder: Path) -> Prepared | None:
    """Return what `Prepared.save` wrote; None when the run had not begun to train.

    Raises:
        ZooError: a file is damaged.
    """
    path = folder / "prepared.json"
    if not path.is_file():
        return None
    document = read_json(path)
    try:
        values = {name: document[name] for name in ("preset", "classes", "baseline", "facts")}
    except (KeyError, TypeError) as error:
        raise ZooError(f"{path}: is damaged. Pass --overwrite to train again.") from error
    tokenizer = folder / "tokenizer"
    return Prepared(**values, tokenizer=load_tokenizer(tokenizer) if tokenizer.exists() else None)
