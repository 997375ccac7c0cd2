"""Token ids of rows: the same as the tokenizer's, tokenized once, with or without a place to be."""

import os

import keras
import numpy as np
import pytest
from conftest import sentences, write_csv

from zoo.preset.loading import load_preset
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_data
from zoo.tasks.text_classification.predictor import TextClassifier
from zoo.tasks.text_classification.token_ids import TokenizedSplit

LENGTH = 6


@pytest.fixture(params=["sentencepiece", "words", "characters"])
def data(tmp_path, request):
    settings = load_preset("textcnn", "default", {"data.tokenizer": request.param}).data
    path = write_csv(tmp_path / "rows.csv", sentences(60))
    with load_data(Request(str(path), seed=1), settings=settings, vocabulary_size=200) as found:
        yield found


@pytest.fixture
def ids(data):
    with TokenizedSplit(data.train, data.tokenizer, LENGTH) as split:
        yield split


def expected(data, positions) -> list[list[int]]:
    rows = data.tokenizer(data.train.inputs(positions)).to_list()
    return [row[:LENGTH] for row in rows]


def rows(ids: TokenizedSplit, positions) -> list[list[int]]:
    flat, lengths = ids.token_ids(np.asarray(positions))
    assert flat.dtype == np.int32 and lengths.dtype == np.int64
    return [each.tolist() for each in np.split(flat, np.cumsum(lengths)[:-1])]


def test_each_row_is_tokenized_once(data, ids, monkeypatch) -> None:
    readings = [[5, 2, 9], [2, 30, 5, 5], [30, 9]]
    wanted = [expected(data, each) for each in readings]
    assert [rows(ids, each) for each in readings] == wanted
    monkeypatch.setattr(type(data.tokenizer), "__call__", lambda *_: pytest.fail("tokenized"))
    assert [rows(ids, each) for each in reversed(readings)] == wanted[::-1]


def test_a_full_disk_costs_time_alone(data, ids, monkeypatch) -> None:
    assert rows(ids, [1, 2]) == expected(data, [1, 2])

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert rows(ids, [3, 1]) == rows(ids, [3, 1]) == expected(data, [3, 1])
    assert rows(ids, [3, 4]) == expected(data, [3, 4])
    assert rows(ids, [4, 2, 3]) == expected(data, [4, 2, 3])


def test_scoring_reads_the_ids_of_training(data, monkeypatch) -> None:
    embedding = np.random.default_rng(0).normal(size=(data.tokenizer.vocabulary_size, 2))
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(*embedding.shape, weights=[embedding]),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    length = data.settings.max_length
    classifier = TextClassifier(network, data.tokenizer, data.classes, length)
    logits = classifier.logits(data.validation.inputs(range(len(data.validation))))
    for _ in data.dataset("validation"):
        pass
    monkeypatch.setattr(type(data.tokenizer), "__call__", lambda *_: pytest.fail("tokenized"))
    np.testing.assert_array_equal(classifier.logits_of(data.validation), logits)


def test_a_write_may_be_in_pieces(data, ids, monkeypatch) -> None:
    original = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, blob, at: original(file, blob[:3], at))
    for _ in range(2):
        assert rows(ids, range(40)) == expected(data, range(40))
