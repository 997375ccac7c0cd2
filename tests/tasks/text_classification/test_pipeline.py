"""Batches of texts: an epoch that is begun in its midst, and lengths that are few."""

import dataclasses

import numpy as np
import pytest
from conftest import sentences, write_csv

from zoo.data.epochs import EpochCursor
from zoo.preset.loading import load_preset
from zoo.tasks.request import Request
from zoo.tasks.task import load_task
from zoo.tasks.text_classification import batches as pipeline
from zoo.tasks.text_classification.data import bundled_texts, load_data


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


# --- few lengths ----------------------------------------------------------------------------------


def test_fixed_lengths_by_hand() -> None:
    assert pipeline.fixed_lengths(512) == (16, 32, 64, 128, 192, 256, 384, 512)
    assert pipeline.fixed_lengths(32) == (8, 12, 16, 24, 32)
    assert pipeline.fixed_lengths(1) == (1,)


@pytest.mark.parametrize("longest", [1, 2, 9, 100, 400, 1000, 65_536])
def test_fixed_lengths_are_few_and_rise_to_the_longest(longest: int) -> None:
    lengths = pipeline.fixed_lengths(longest)
    assert len(lengths) <= pipeline.MOST_LENGTHS and lengths[-1] == longest
    assert list(lengths) == sorted(set(lengths)) and lengths[0] > 0


@pytest.mark.parametrize("replicas", [1, 2])
def test_fixed_lengths_change_the_padding_alone(data, replicas: int) -> None:
    settings = data.settings.model_copy(update={"pad_to": "fixed", "max_length": 64})
    fixed = dataclasses.replace(data, settings=settings)
    several = {"replica_ids": range(replicas), "replicas": replicas}
    plain, padded = (list(one.dataset("train", **several)) for one in (data, fixed))
    assert len(plain) == len(padded)
    for (ids, labels), (more, same) in zip(plain, padded, strict=True):
        assert more.shape[1] in pipeline.fixed_lengths(64)
        assert labels.numpy().tolist() == same.numpy().tolist()
        np.testing.assert_array_equal(more[:, : ids.shape[1]], ids)
        assert not np.any(more[:, ids.shape[1] :])
    for pair in zip(*[iter(padded)] * replicas, strict=True):  # all replicas have one length
        assert len({ids.shape[1] for ids, _ in pair}) == 1


@pytest.mark.parametrize("jit", [True, False, "auto"])
def test_real_texts_have_few_shapes_where_steps_are_compiled(jit: bool | str) -> None:
    preset = load_preset("textcnn", "default", {"recipe.jit": jit})
    request = Request(str(bundled_texts()), seed=0)
    with load_task(preset.task).load(request, preset, None) as texts:
        shapes = {tuple(ids.shape) for ids, _ in texts.dataset("train")}
    full = {shape for shape in shapes if shape[0] == preset.data.batch_size}
    assert len(shapes) - len(full) == 1  # the last batch, which is not compiled
    # On this CPU, auto compiles nothing.
    assert len(full) <= 8 if jit is True else len(full) > 20
