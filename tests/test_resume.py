"""A training that was interrupted ends, bit for bit, as if it had not been."""

from pathlib import Path

import pytest
from conftest import sentences, write_csv
from resume_parts import (
    Killed,
    assert_equal_runs,
    kill_at,
    train,
    write_always,
)

from zoo.data import pipeline
from zoo.training import checkpoint
from zoo.training.callbacks import Averaged
from zoo.training.monitor import Monitor
from zoo.training.resume import Checkpoints


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    return write_csv(tmp_path_factory.mktemp("rows") / "reviews.csv", sentences(200))


@pytest.fixture(scope="module")
def whole(rows, tmp_path_factory) -> Path:
    """The run that nothing interrupts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "BLOCK_BATCHES", 5)
        return train(rows, tmp_path_factory.mktemp("whole") / "run").path


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "BLOCK_BATCHES", 5)


PLACES = {
    "in the middle of an epoch": (Monitor, "on_train_batch_end", 36),
    "after the last step of an epoch": (Monitor, "on_train_batch_end", 24),
    "while a checkpoint is written": (checkpoint, "_write", 100),
    "between the files of the first one": (checkpoint, "_write", 2),
    "before a checkpoint gets its name": (checkpoint, "_sync", 41),
    "when validation begins": (Averaged, "on_test_begin", 2),
    "when validation ends": (Averaged, "on_test_end", 2),
    "between epochs": (Monitor, "on_epoch_end", 2),
    "at the end": (Checkpoints, "on_epoch_end", 3),
}


@pytest.mark.parametrize("place", PLACES)
def test_ends_as_if_it_had_not_been_interrupted(place, rows, whole, tmp_path) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, *PLACES[place])
        with pytest.raises(Killed):
            train(rows, run)
    train(rows, run, resume=True)
    assert_equal_runs(whole, run)
