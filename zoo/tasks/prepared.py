"""What a run began with, kept until it ends, so that it is gone on with as it was begun."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.files import read_json, write_json
from zoo.text.tokenizers import Tokenizer, load_tokenizer
from zoo.text.vocabulary import Vocabulary, load_vocabulary


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What was found before the first step.

    Args:
        preset: name of the preset.
        classes: in the order of their ids.
        baseline: the scores of the linear model.
        tokenizer: learned from the training part; None of images.
        decided: dotted keys and values of the preset that the data decided, beside the tokenizer's.
    """

    preset: str
    classes: list[Any]
    baseline: dict[str, Any]
    tokenizer: Any = None  # Tokenizer or Vocabulary
    decided: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write it into a folder.

        Raises:
            ZooError: a file cannot be written.
        """
        if self.tokenizer is not None:
            self.tokenizer.save(folder / "tokenizer")
        names = ("preset", "classes", "baseline", "decided")
        document = {name: getattr(self, name) for name in names}
        write_json(folder / "start.json", document)


def load_prepared(folder: Path) -> Prepared | None:
    """Return what `Prepared.save` wrote, or None when the run had not begun to train.

    Raises:
        ZooError: a file is damaged.
    """
    path = folder / "start.json"
    if not path.is_file():
        return None
    document = read_json(path)
    try:
        preset, classes, baseline = (document[name] for name in ("preset", "classes", "baseline"))
    except (KeyError, TypeError) as error:
        raise ZooError(f"{path}: is damaged. Pass --overwrite to train again.") from error
    return Prepared(preset, classes, baseline, _tokenizer(folder), document.get("decided", {}))


def _tokenizer(folder: Path) -> Tokenizer | Vocabulary | None:
    found = folder / "tokenizer"
    if not found.exists():
        return None
    return (
        load_vocabulary(found) if (found / "vocabulary.json").is_file() else load_tokenizer(found)
    )
