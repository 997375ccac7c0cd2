"""Start a command as several workers on this machine, and end them together."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import IO, Any

from zoo.errors import ZooError
from zoo.gpu import VISIBLE, count_gpus, visible_gpus
from zoo.quiet import tell

POLL = 0.2  # seconds between two looks at the workers
PR_SET_PDEATHSIG = 1  # of linux/prctl.h
GRACE = 45.0  # seconds in which the others may say that one has ended, and end themselves


def launch(workers: int, command: Sequence[str]) -> int:
    """Run a command once a worker, joined through `TF_CONFIG`; return 0 or the first failure.

    Every line of their output comes with the worker's number. When one fails the others are given
    some seconds to notice, and are then ended; SIGTERM and Ctrl-C are passed on to all. The cores
    and the GPUs of the machine, those that `CUDA_VISIBLE_DEVICES` names, are divided among them.

    Args:
        workers: how many, at least 1.
        command: program and arguments; `zoo` is this package's.

    Raises:
        ZooError: there is no command, it cannot be started, `workers` is below 1 or above the
            number of GPUs, or the output cannot be written.
    """
    command = _checked(workers, command)
    shares = _gpu_shares(workers)
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    processes: list[subprocess.Popen[bytes]] = []
    threads: list[threading.Thread] = []
    received: list[int] = []
    failures: list[Exception] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        received.append(number)
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, pass_on) for number in signals}
    try:
        for index in range(workers):
            processes.append(_start(command, addresses, index, shares[index]))
            threads += _readers(processes[-1], index, failures)
        code = _watch(processes, received)
    finally:
        _end(processes)
        for reader in threads:
            reader.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    if failures:
        raise failures[0]
    return code


def _checked(workers: int, command: Sequence[str]) -> list[str]:
    if workers < 1:
        raise ZooError(f"--workers must be at least 1. Received: {workers}.")
    if not command:
        raise ZooError("no command. Write it after --: zoo launch --workers 2 -- zoo train textcnn")
    if command[0] == "zoo":
        return [sys.executable, "-m", "zoo", *command[1:]]
    return list(command)


def _gpu_shares(workers: int, count: int | None = None) -> list[str | None]:
    """Return what each worker sees of the GPUs, as many as the others; None where there are none.

    Args:
        workers: how many.
        count: GPUs of the machine; None asks the driver.

    Raises:
        ZooError: there are some, but fewer than workers: two of them cannot share one.
    """
    visible = visible_gpus(dict(os.environ), count_gpus() if count is None else count)
    if not visible:
        return [None] * workers
    each, left = divmod(len(visible), workers)
    if not each:
        gpus = "1 GPU" if len(visible) == 1 else f"{len(visible)} GPUs"
        raise ZooError(
            f"--workers {workers}: this machine has {gpus}, and NCCL lets no two workers share "
            f"one. Use --workers {len(visible)}, or {VISIBLE}=-1 to train on the CPU."
        )
    if left:
        used = ", ".join(visible[: each * workers])
        share = "1 GPU" if each == 1 else f"{each} GPUs"
        tell(f"zoo: {workers} workers have {share} each ({used}); {left} stay unused")
    return [",".join(visible[index * each : (index + 1) * each]) for index in range(workers)]


def _free_ports(count: int) -> list[int]:
    """Return free ports; each is held until all of them are known."""
    held = [socket.socket() for _ in range(count)]
    try:
        for server in held:
            server.bind(("127.0.0.1", 0))
        return [server.getsockname()[1] for server in held]
    finally:
        for server in held:
            server.close()


def _start(
    command: Sequence[str], addresses: list[str], index: int, gpus: str | None
) -> subprocess.Popen[bytes]:
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    allowed = sorted(os.sched_getaffinity(0))
    cores = max(len(allowed) // len(addresses), 1)
    own = allowed[index * cores : (index + 1) * cores] or allowed
    environment = {
        "TF_NUM_INTRAOP_THREADS": str(cores),
        "OMP_NUM_THREADS": str(cores),
        **os.environ,
        "TF_CONFIG": json.dumps(config),
        "PYTHONUNBUFFERED": "1",
    }
    if gpus is not None:
        environment[VISIBLE] = gpus
    try:
        # A session of its own: Ctrl-C reaches it once, through `launch`.
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, preexec_fn=functools.partial(_prepare, own),
        )  # fmt: skip
    except OSError as error:
        raise ZooError(f"{command[0]}: cannot be started: {error.strerror}.") from error


def _prepare(cores: list[int]) -> None:
    """Keep this process to cores of its own, and ask Linux to kill it when its parent has died."""
    os.sched_setaffinity(0, cores)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _readers(
    process: subprocess.Popen[bytes], index: int, failures: list[Exception]
) -> list[threading.Thread]:
    pairs = ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    readers = [threading.Thread(target=_prefix, args=(index, *pair, failures)) for pair in pairs]
    for reader in readers:
        reader.start()
    return readers


def _prefix(index: int, source: IO[bytes] | None, target: Any, failures: list[Exception]) -> None:
    """Pass lines on; what cannot be written is read all the same, or the worker would wait."""
    for line in source or ():
        text = line.decode("utf-8", "replace").rstrip("\n")
        try:
            target.write(f"[worker {index}] {text}\n")
            target.flush()
        except Exception as error:
            failures.append(error)


def _watch(processes: list[subprocess.Popen[bytes]], received: list[int]) -> int:
    """Return 0 when all have ended well, or the first failure after the others had their time.

    So they have when all were asked to stop: TensorFlow 2.21 takes SIGTERM from a worker that does
    not look for it itself.
    """
    failed, deadline = 0, float("inf")
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL)
        codes = [process.poll() for process in processes]
        if not failed and (any(codes) or received):
            failed = next((code for code in codes if code), -received[0] if received else 0)
            deadline = time.monotonic() + GRACE
    codes = [process.returncode for process in processes]
    failed = failed or next((code for code in codes if code), 0)
    if received and failed:
        return 128 + received[0]
    return 128 - failed if failed < 0 else failed  # a signal's number, as shells say it


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
