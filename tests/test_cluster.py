"""Who trains together: TF_CONFIG and Slurm as people write them, and waiting for the others."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from zoo import cluster
from zoo.cluster import Cluster, from_tf_config, slurm_tasks, wait_for_others
from zoo.errors import ZooError

TWO = {"worker": ["localhost:22345", "localhost:22346"]}


def config(task=None, addresses=TWO) -> str:
    return json.dumps({"cluster": addresses} | ({} if task is None else {"task": task}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "TF_CONFIG is not the JSON of a cluster"),
        ("", "TF_CONFIG is not the JSON of a cluster"),
        ("[]", "TF_CONFIG is not the JSON of a cluster: an object was expected. Received: []."),
        ('{"cluster": ["a:1", "b:1"]}', 'an object as "cluster" was expected'),
        ('{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}', "'ps': the cluster must be lists"),
        ('{"cluster": {"worker": "a:1,b:1"}}', "'worker': the cluster must be lists of addresses"),
        ('{"cluster": {"worker": ["a", "b:1"]}}', "an address is host:port, such as"),
        ('{"cluster": {"worker": ["a:1", 5]}}', "Received: 5."),
        ('{"cluster": {"worker": ["a:1", "b:70000"]}}', "Received: 'b:70000'."),
        (config(addresses={"worker": ["a:1", "a:1"]}), "the address a:1 is given twice"),
        (config(addresses={"chief": ["a:1"], "worker": ["a:1"]}), "the address a:1 is given twice"),
        (config(addresses={"chief": ["a:1", "b:1"]}), "there is one `chief`. Received: 2."),
        (config(), 'it has no task. Say which worker this process is: "task": {"type":'),
        (config([]), "task must be an object, not []"),
        (config({"type": "worker", "index": 5}), "there are 2 of `worker`, from 0 to 1."),
        (config({"type": "worker", "index": -1}), "must be a number, from 0. Received: -1."),
        (config({"type": "worker", "index": "one"}), "must be a number, from 0. Received: 'one'."),
        (config({"type": "worker"}), "must be a number, from 0. Received: None."),
        (config({"type": "worker", "index": True}), "Received: True."),
        (config({"type": "evaluator", "index": 0}), "has no 'evaluator'. Accepted: worker."),
        (config({"type": "workers", "index": 0}), "Did you mean 'worker'?"),
        (config({"index": 0}), "the cluster has no 'None'"),
    ],
)
def test_a_malformed_tf_config_is_one_line(text, message, zoo_command, monkeypatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    ended = zoo_command("train", "textcnn", code=1)
    assert ended.stderr.startswith("zoo: TF_CONFIG") and message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_clusters_are_read() -> None:
    first, second = TWO["worker"]
    assert from_tf_config(config({"type": "worker", "index": 1})) == Cluster((first, second), 1)
    assert from_tf_config(config({"type": "worker", "index": "1"})).worker == 1
    chief = {"worker": [second], "chief": [first]}
    assert from_tf_config(config({"type": "chief", "index": 0}, chief)).worker == 0
    assert from_tf_config(config({"type": "worker", "index": 0}, chief)) == Cluster(
        (first, second), 1
    )
    assert from_tf_config("{}") is None
    assert from_tf_config(config(addresses={"worker": [first]})) is None


SLURM = {
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_STEP_NODELIST": "node[1-2]",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SLURM_PROCID": None}, "SLURM_PROCID is not set, but SLURM_STEP_NUM_TASKS is: start"),
        ({"SLURM_STEP_NODELIST": None}, "SLURM_STEP_NODELIST is not set"),
        ({"SLURM_STEP_TASKS_PER_NODE": None}, "or unset SLURM_STEP_NUM_TASKS."),
        ({"SLURM_STEP_NUM_TASKS": "two"}, "SLURM_STEP_NUM_TASKS must be a number. Received: 'two'"),
        ({"SLURM_PROCID": "one"}, "SLURM_PROCID must be a number. Received: 'one'"),
        ({"SLURM_PROCID": "2"}, "SLURM_PROCID is 2, but SLURM_STEP_NUM_TASKS is 2"),
        ({"SLURM_STEP_TASKS_PER_NODE": "3"}, "which is not the 2 tasks"),
        ({"SLURM_STEP_TASKS_PER_NODE": "all"}, "which is not the 2 tasks"),
        ({"SLURM_STEP_NODELIST": "node[1-"}, "the variables of Slurm name no cluster"),
    ],
)
def test_half_set_variables_of_slurm(changes, message, zoo_command, monkeypatch) -> None:
    for name, value in (SLURM | changes).items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    ended = zoo_command("train", "textcnn", code=1)
    assert ended.stderr.startswith("zoo: ") and message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_tasks_of_slurm() -> None:
    assert slurm_tasks(SLURM) == 2
    assert slurm_tasks({}) == slurm_tasks({"SLURM_STEP_NUM_TASKS": "1"}) == 1


# --- waiting -------------------------------------------------------------------------------------


def free_addresses(count: int) -> tuple[str, ...]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in held)
    finally:
        for each in held:
            each.close()


def test_a_worker_that_does_not_come_is_named_and_not_waited_for_for_ever(monkeypatch) -> None:
    addresses = free_addresses(3)
    monkeypatch.setattr(cluster, "SILENCE", 0.2)
    monkeypatch.setenv("ZOO_WAIT_SECONDS", "0.6")
    said = []
    host, port = addresses[1].split(":")
    with socket.create_server((host, int(port))):
        with pytest.raises(
            ZooError, match=f"waited 1 s for worker 2 at {addresses[2]} .Connection"
        ):
            wait_for_others(Cluster(addresses, 0), said.append)
    assert len(said) == 1
    assert said[0].startswith(
        f"waiting for worker 2 at {addresses[2]} (Connection refused), for 0 "
    )


def test_workers_that_come_one_after_the_other_find_each_other() -> None:
    found = Cluster(free_addresses(3), 0)
    done, said = [], []

    def come(number: int) -> None:
        wait_for_others(Cluster(found.addresses, number), said.append)
        # TensorFlow's server takes the place of the listener, for as long as the others look.
        port = int(found.addresses[number].split(":")[1])
        with socket.create_server(("127.0.0.1", port)):
            done.append(number)
            everyone.wait(20)

    everyone = threading.Barrier(3)
    threads = [threading.Thread(target=come, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
        thread.join(0.3)
    for thread in threads:
        thread.join(20)
    assert sorted(done) == [0, 1, 2]
    assert said == []


def test_a_port_in_use_is_said_before_anyone_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ZooError, match=f"worker 0 cannot join the others at {address}.*in use"):
            wait_for_others(Cluster((address, "127.0.0.1:1"), 0), print)


@pytest.mark.parametrize("limit", ["soon", "-1", "inf", "nan", ""])
def test_a_limit_that_is_no_number(limit, monkeypatch) -> None:
    monkeypatch.setenv("ZOO_WAIT_SECONDS", limit)
    with pytest.raises(ZooError, match="ZOO_WAIT_SECONDS must be a number of seconds. Received"):
        wait_for_others(Cluster(free_addresses(2), 0), print)


@pytest.mark.slow
def test_a_lone_worker_says_whom_it_waits_for() -> None:
    addresses = free_addresses(2)
    task = {"type": "worker", "index": 0}
    environment = {"TF_CONFIG": config(task, {"worker": addresses}), "ZOO_WAIT_SECONDS": "12"}
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "train", "textcnn"],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 1
    waiting, end = done.stderr.splitlines()
    assert waiting.startswith(f"waiting for worker 1 at {addresses[1]}")
    assert end.startswith(f"zoo: worker 0 has waited 12 s for worker 1 at {addresses[1]}")
