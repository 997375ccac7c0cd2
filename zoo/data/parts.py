"""Which part of a data set a file, a folder or a value of a column is, by its name."""

from __future__ import annotations

import re

# Words of names that people give to parts. `evaluation` is validation to some and test to others,
# and what is `unlabelled` has no classes: both are held out, and neither is ever learned from.
WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "valid": "validation", "validation": "validation", "val": "validation", "dev": "validation",
    "development": "validation",
    "test": "test", "testing": "test", "tst": "test",
    "eval": "evaluation", "evaluation": "evaluation",
    "holdout": "evaluation", "heldout": "evaluation",
    "pred": "unlabelled", "predict": "unlabelled", "prediction": "unlabelled",
    "infer": "unlabelled", "inference": "unlabelled",
    "unsup": "unlabelled", "unlabeled": "unlabelled", "unlabelled": "unlabelled",
}  # fmt: skip
# What is written behind such a word as one with it: `trainset`, `testdata`, `valimages`.
BEHIND = re.compile(r"(set|data|images?|imgs?|files?)$")
PARTS = ("train", "validation", "test")


def part_of(name: str) -> str:
    """Return the part that a name says, or an empty string.

    A name says a part when exactly one kind of part is among its words: `train`, `seg_train`,
    `ptb.valid.txt`, `train-00000-of-00002.parquet`, `Test Set`, `testdata`, `hold_out`.

    Args:
        name: of a file or folder, without its folder; or a value of a column.

    Returns:
        `train`, `validation` or `test`; `evaluation`, which may be either of the last two;
        `unlabelled`; or an empty string.
    """
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainData
    split = re.sub(r"(hold|held)[\W_]+out", "holdout", split.lower())
    words = (BEHIND.sub("", word) or word for word in re.findall(r"[a-z]+", split))
    found = {WORDS[word] for word in words if word in WORDS}
    return found.pop() if len(found) == 1 else ""
