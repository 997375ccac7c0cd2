"""A dataset that begins within an epoch gives the rest of what it would have given."""

import numpy as np
import pytest
from conftest import sentences, write_csv

from zoo.data.epochs import EpochCursor
from zoo.preset.loading import load_preset
from zoo.tasks.request import Request
from zoo.tasks.text_classification import batches as pipeline
from zoo.tasks.text_classification.data import load_data


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "BLOCK_BATCHES", 3)
    settings = load_preset("textcnn", "default", {"data.batch_size": 8}).data
    path = write_csv(tmp_path / "rows.csv", sentences(150))
    with load_data(Request(str(path), seed=1), settings=settings, vocabulary_size=200) as found:
        yield found


def read(dataset) -> list[tuple]:
    return [tuple(part.numpy().tolist() for part in batch) for batch in dataset]


def test_each_reading_is_the_next_epoch(data) -> None:
    cursor = EpochCursor()
    dataset = data.dataset("train", cursor)
    plain = data.dataset("train")
    for epoch in range(2):
        assert cursor.epoch == epoch
        assert read(dataset) == read(plain)


@pytest.mark.parametrize("batch", [0, 1, 3, 4, 16, 17])
def test_begins_at_a_batch_of_an_epoch(batch: int, data) -> None:
    plain = data.dataset("train")
    epochs = [read(plain) for _ in range(3)]
    cursor = EpochCursor()
    dataset = data.dataset("train", cursor)
    assert int(dataset.cardinality()) == len(epochs[0]) == 17
    cursor.set(1, batch)
    assert read(dataset) == epochs[1][batch:]
    assert read(dataset) == epochs[2]  # and continues with whole epochs


def test_nothing_tunes_the_reading(data) -> None:
    """The end of every epoch would wait until TensorFlow's tuner wakes up."""
    assert data.dataset("train").options().autotune.enabled is False
    assert data.dataset("validation").options().autotune.enabled is False


def test_what_is_left_out_is_not_read(data, monkeypatch) -> None:
    texts = []
    store = data.train.store
    original = store.raw_inputs
    monkeypatch.setattr(store, "raw_inputs", lambda rows: texts.extend(rows) or original(rows))
    cursor = EpochCursor()
    cursor.set(0, 13)
    found = read(data.dataset("train", cursor))
    assert len(found) == 4
    # 12 batches are four whole blocks; the fifth holds the other five, of which one is left out
    assert len(texts) == len(data.train) - 12 * 8
    assert len(np.unique(texts)) == len(texts)
