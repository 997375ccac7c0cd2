"""Which strategy, what workers compare, how batches are shared out."""

import json

import pytest
import tensorflow as tf
from conftest import sentences, write_csv

from zoo.distribute import (
    check_agreement,
    distributed,
    is_chief,
    raise_on_all,
    strategy_for,
    wait_for_all,
    worker,
    workers,
)
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.tasks.request import Request
from zoo.tasks.text_classification.data import load_data


@pytest.fixture
def two() -> tf.distribute.Strategy:
    return strategy_for("cpu:0,1")


def test_one_cpu_needs_no_strategy() -> None:
    assert strategy_for("cpu") is tf.distribute.get_strategy()
    assert strategy_for("auto").num_replicas_in_sync == 1


def test_the_same_devices_share_a_strategy(two) -> None:
    """Another MirroredStrategy of TensorFlow 2.21 would use the keys of the first's messages."""
    assert strategy_for("cpu:0,1") is two
    assert two.num_replicas_in_sync == 2


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("tpu", "is not one of auto, cpu, gpu"),
        ("gpu:x", "'x' is not a list of numbers"),
        ("gpu", "this machine has no GPU"),
        ("gpu:0,1", "this machine has no GPU"),
        ("cpu:1,2", "counted from 0"),
        ("cpu:0,1,2", "TensorFlow is already in use"),
        ("auto:0", "is not one of auto"),
    ],
)
def test_devices_that_are_not_there(devices, message) -> None:
    with pytest.raises(ZooError, match=message):
        strategy_for(devices)


def test_workers_come_before_tensorflow_starts(monkeypatch) -> None:
    cluster = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster | {"task": {"type": "worker", "index": 0}}))
    with pytest.raises(ZooError, match="cannot be combined"):
        strategy_for("cpu")
    with pytest.raises(ZooError, match="TensorFlow is already in use"):
        strategy_for("auto")


def test_one_machine_is_its_own_chief(two) -> None:
    with pytest.raises(ZooError, match="as it is"), raise_on_all(two):
        raise ZooError("as it is")
    for strategy in (tf.distribute.get_strategy(), two):
        assert (workers(strategy), worker(strategy), is_chief(strategy)) == (1, 0, True)
        wait_for_all(strategy)
        check_agreement(strategy, {"data": "a"})


def test_every_row_of_a_batch_goes_to_one_replica(two, tmp_path) -> None:
    path = write_csv(tmp_path / "rows.csv", sentences(203))
    settings = load_preset("textcnn", "default", {"data.batch_size": 16}).data
    with load_data(Request(str(path)), settings=settings, vocabulary_size=300) as data:
        whole = [[row[row > 0].tolist() for row in ids.numpy()] for ids, _ in data.dataset("train")]
        shared = distributed(two, lambda here, total: data.dataset("train", None, here, total))
        pieces = [
            [row[row > 0].tolist() for part in element[0].values for row in part.numpy()]
            for element in shared
        ]
    assert pieces == whole
    assert int(shared.cardinality) == len(whole)
