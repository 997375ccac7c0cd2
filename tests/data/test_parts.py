"""Parts of a data set, told by names."""

import pytest

from zoo.data.parts import part_of


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("seg_train", "train"),
        ("training_set", "train"),
        ("X_train", "train"),
        ("trainData", "train"),
        ("train-00000-of-00002.parquet", "train"),
        ("ptb.valid.txt", "validation"),
        ("wiki.valid.tokens", "validation"),
        ("dev.tsv", "validation"),
        ("TEST", "test"),
        ("test_set", "test"),
        ("eval", "evaluation"),
        ("holdout.csv", "evaluation"),
        ("seg_pred", "unlabelled"),
        ("unsup", "unlabelled"),
        ("trainset", "train"),
        ("traindata", "train"),
        ("testImages", "test"),
        ("valset.csv", "validation"),
        ("hold_out", "evaluation"),
        ("held-out.txt", "evaluation"),
        ("inference", "unlabelled"),
        ("dataset", ""),
        ("data", ""),
        ("sunset", ""),
        ("red", ""),
        ("contest", ""),
        ("latest.csv", ""),
        ("retraining", ""),
        ("train_test", ""),  # both, so neither
        ("", ""),
    ],
)
def test_part_of(name: str, part: str) -> None:
    assert part_of(name) == part
