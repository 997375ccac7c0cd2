"""Corpora in tables: parts that a column says, and tables in memory."""

import pandas
import polars
import pytest
from conftest import sentences, write_csv

from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.tasks.language_modeling.data import load_corpus
from zoo.tasks.request import Request

CHANGES = {"data.batch_size": 4, "data.window": 8}
HEADER = ("id", "text", "split")
PARTS = ["train"] * 200 + ["valid"] * 30 + ["test"] * 20


def load(source, **more):
    settings = load_preset("lstm_lm").override(CHANGES).data
    return load_corpus(Request(source, **more), settings=settings, vocabulary_size=1000)


def rows():
    """Rows whose held-out ones have a word of their own."""
    return [
        (number, text if part == "train" else f"heldout{part} {text}", part)
        for number, ((text, _), part) in enumerate(zip(sentences(250), PARTS, strict=True))
    ]


def tokens(some) -> int:
    return sum(len(text.split()) + 1 for _, text, _ in some)


def test_a_column_gives_the_parts_of_a_corpus(tmp_path) -> None:
    with load(write_csv(tmp_path / "a.csv", rows(), HEADER)) as data:
        assert [len(data.train), len(data.validation), len(data.test)] == [
            tokens(rows()[:200]), tokens(rows()[200:230]), tokens(rows()[230:]),
        ]  # fmt: skip
        assert not any("heldout" in piece for piece in data.tokenizer.pieces)
        said = " ".join(each.what for each in data.findings)
        assert "column 'split' gives the parts, in rows: train 200, validation 30, test 20" in said
        assert "text column 'text'; columns not read: 'id'." in said
        assert data.columns.to_dict() == {"text": ["text"], "label": None}
    other = tmp_path / "other.txt"
    other.write_text("the film was great\n" * 50)
    with load(tmp_path / "a.csv", test=other) as data:
        assert len(data.train) == tokens(rows()[:200]) and len(data.test) == 250
    with pytest.raises(ZooError, match="no row is for training"):
        load(write_csv(tmp_path / "b.csv", rows()[200:], HEADER))


@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame])
def test_a_corpus_in_a_frame(frame) -> None:
    columns = dict(zip(HEADER, map(list, zip(*rows(), strict=True)), strict=True))
    with load(frame(columns)) as data:  # not the names of its columns
        assert len(data.train) == tokens(rows()[:200]) and len(data.test) == tokens(rows()[230:])
    del columns["split"]
    with load(frame(columns)) as data:
        assert len(data.train) + len(data.validation) == tokens(rows()) and data.test is None
