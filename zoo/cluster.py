"""Which processes train together, by `TF_CONFIG` or Slurm, and whether all of them have come."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zoo.errors import ZooError, did_you_mean

KINDS = ("chief", "worker")
EXAMPLE = '"task": {"type": "worker", "index": 0}'
WAIT = "ZOO_WAIT_SECONDS"
USUAL_WAIT = 600.0  # machines of a cloud come minutes after each other
SILENCE = 10.0  # seconds until it is said who is missing; then each minute
REPEAT = 60.0
SLURM_TASKS = "SLURM_STEP_NUM_TASKS"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a training run.

    Args:
        addresses: host:port of each, the chief first.
        worker: the number of this process among them, from 0.
    """

    addresses: tuple[str, ...]
    worker: int


# --- TF_CONFIG -----------------------------------------------------------------------------------


def from_tf_config(text: str) -> Cluster | None:
    """Return the cluster that `TF_CONFIG` describes; None if it has one process or none.

    Raises:
        ZooError: it is not the JSON of a cluster, or does not say which worker this process is.
    """
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ZooError(f"TF_CONFIG is not the JSON of a cluster: {error}.") from error
    if not isinstance(config, dict):
        raise _not_a_cluster("an object", config)
    cluster = config.get("cluster", {})
    if not isinstance(cluster, dict):
        raise _not_a_cluster('an object as "cluster"', cluster)
    counts = {kind: len(_addresses(kind, listed)) for kind, listed in cluster.items()}
    addresses = tuple(address for kind in KINDS for address in cluster.get(kind, ()))
    if len(addresses) < 2:
        return None
    twice = {address for address in addresses if addresses.count(address) > 1}
    if twice:
        raise ZooError(
            f"TF_CONFIG: the address {min(twice)} is given twice. Each worker has one of its own."
        )
    if counts.get("chief", 0) > 1:
        raise ZooError(f"TF_CONFIG: there is one `chief`. Received: {counts['chief']}.")
    kind, index = _task(config, counts)
    return Cluster(addresses, index + (counts.get("chief", 0) if kind == "worker" else 0))


def _not_a_cluster(expected: str, received: Any) -> ZooError:
    return ZooError(
        f"TF_CONFIG is not the JSON of a cluster: {expected} was expected. Received: {received!r}."
    )


def _addresses(kind: str, addresses: Any) -> list[str]:
    if kind not in KINDS or not isinstance(addresses, list):
        raise ZooError(
            f"TF_CONFIG: {kind!r}: the cluster must be lists of addresses of a `chief` and "
            "of `worker`s."
        )
    for address in addresses:
        _, _, port = str(address).rpartition(":")
        if not isinstance(address, str) or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ZooError(
                f"TF_CONFIG: {kind}: an address is host:port, such as node1:12345. "
                f"Received: {address!r}."
            )
    return addresses


def _task(config: Mapping[str, Any], counts: Mapping[str, int]) -> tuple[str, int]:
    task = config.get("task")
    if not isinstance(task, dict):
        fault = "it has no task" if task is None else f"task must be an object, not {task!r}"
        raise ZooError(f"TF_CONFIG: {fault}. Say which worker this process is: {EXAMPLE}.")
    kind, index = str(task.get("type")), task.get("index")
    if kind not in counts:
        raise ZooError(
            f"TF_CONFIG: task.type: the cluster has no '{kind}'.{did_you_mean(kind, counts)} "
            f"Accepted: {', '.join(counts)}."
        )
    if not re.fullmatch(r"\d+", str(index)):
        raise ZooError(f"TF_CONFIG: task.index must be a number, from 0. Received: {index!r}.")
    if int(str(index)) >= counts[kind]:
        raise ZooError(
            f"TF_CONFIG: task.index {index}: there are {counts[kind]} of `{kind}`, from 0 to "
            f"{counts[kind] - 1}."
        )
    return kind, int(str(index))


# --- Slurm ---------------------------------------------------------------------------------------


def slurm_tasks(environment: Mapping[str, str]) -> int:
    """Return the number of processes of a Slurm step; 1 outside of one.

    Raises:
        ZooError: the variables are set in part, or do not fit each other.
    """
    tasks = _slurm_number(environment, SLURM_TASKS, "1")
    if tasks < 2:
        return 1
    number = _slurm_number(environment, "SLURM_PROCID")
    if number >= tasks:
        raise ZooError(
            f"SLURM_PROCID is {number}, but {SLURM_TASKS} is {tasks}: it is counted from 0."
        )
    for name in ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE"):
        if not environment.get(name):
            raise _half_set(name)
    name = "SLURM_STEP_TASKS_PER_NODE"
    parts = [re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", text) for text in environment[name].split(",")]
    counted = sum(int(part[1]) * int(part[2] or 1) for part in parts if part)
    if not all(parts) or counted != tasks:
        raise ZooError(
            f"{name} is {environment[name]!r}, which is not the {tasks} tasks of {SLURM_TASKS}. "
            "Start the command with srun."
        )
    return tasks


def _slurm_number(environment: Mapping[str, str], name: str, default: str = "") -> int:
    value = environment.get(name, default)
    if not value:
        raise _half_set(name)
    if not value.isdecimal():
        raise ZooError(f"{name} must be a number. Received: {value!r}. Srun sets it.")
    return int(value)


def _half_set(name: str) -> ZooError:
    return ZooError(
        f"{name} is not set, but {SLURM_TASKS} is: start the command with srun, or unset "
        f"{SLURM_TASKS}."
    )


# --- waiting for the others ----------------------------------------------------------------------


def wait_for_others(cluster: Cluster, tell: Callable[[str], object]) -> None:
    """Return when every worker can be reached at its address.

    TensorFlow 2.21 waits without a word, without an end, and deaf to Ctrl-C. Until all are there
    this process listens at its own address instead of TensorFlow's server.

    Args:
        cluster: the workers.
        tell: is given lines that say who is missing.

    Raises:
        ZooError: one does not come in time, or the port of this one is in use.
    """
    limit = _limit(os.environ.get(WAIT))
    missing = {
        number: address
        for number, address in enumerate(cluster.addresses)
        if number != cluster.worker
    }
    begun, next_word = time.monotonic(), SILENCE
    with _listening(cluster):
        while True:
            reasons = {number: _reason(address) for number, address in missing.items()}
            missing = {number: missing[number] for number, reason in reasons.items() if reason}
            if not missing:
                return
            seconds = time.monotonic() - begun
            names = ", ".join(
                f"worker {number} at {address} ({reasons[number]})"
                for number, address in missing.items()
            )
            if seconds >= limit:
                raise ZooError(
                    f"worker {cluster.worker} has waited {seconds:.0f} s for {names}. Start all "
                    f"with the same command; {WAIT} is how long to wait."
                )
            if seconds >= next_word:
                next_word = seconds + REPEAT
                tell(f"waiting for {names}, for {limit - seconds:.0f} s more ...")
            time.sleep(min(0.1 + seconds / 10, 1.0, max(limit - seconds, 0.0)))


def _limit(text: str | None) -> float:
    if text is None:
        return USUAL_WAIT
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise ZooError(f"{WAIT} must be a number of seconds. Received: {text!r}.")
    return limit


@contextlib.contextmanager
def _listening(cluster: Cluster) -> Iterator[None]:
    """Answer at this worker's address; what connects is left to the system, and not read."""
    address = cluster.addresses[cluster.worker]
    port = int(address.rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    try:
        server = socket.create_server(
            ("", port),
            family=socket.AF_INET6 if both else socket.AF_INET,
            backlog=max(len(cluster.addresses), 128),
            dualstack_ipv6=both,
        )
    except OSError as error:
        raise ZooError(
            f"worker {cluster.worker} cannot join the others at {address}: {error.strerror}. Is "
            "its port in use, by another training or an earlier one that has not ended?"
        ) from error
    with server:
        yield


def _reason(address: str) -> str | None:
    """Return why a worker cannot be reached; None if it can."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
