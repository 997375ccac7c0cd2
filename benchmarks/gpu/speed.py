"""Training speed on one GPU: the zoo, plain Keras and PyTorch, one process each.

Processes get ready side by side, `at_once` of them: they load their framework and make the network.
They compile and are measured one at a time, so that kernels are tuned undisturbed. A step is one of
`fit`, with its metrics, on a batch that is in the memory of the host and goes to the device
while the one before is trained on; PyTorch's batch is on the device. `host` is `fit` of ResNet-50
on images that are shuffled and put into batches there. Medians over rounds of some steps, and
ratios of medians. Plain Keras is compiled with XLA, where it can be (its LSTM is cuDNN's);
PyTorch is in channels-last and eager and compiled; `precision` says what each multiplies in.
A contestant that is not installed, or fails, is left out and said; a job without the zoo's is.

What several GPUs would do, on paper: a step of n GPUs takes its own time plus what of the
all-reduce is not hidden. A ring moves 2 (n - 1) / n of `gradient_megabytes` through each link:
102 MB of ResNet-50 at 300 GB/s of NVLink are .6 ms beside a step of some 38 ms, at 10 GB/s of a
100-gigabit network 18 ms; 83 MB and 5 of an LSTM of 3 x 1150 with 33,278 words, and .5 to 1 ms of a
TextCNN's dense table are more than its whole step. So images scale to eight GPUs of one machine at
1.5 % loss and to two machines at a third, where nothing is hidden; TextCNN is not worth a second
GPU. `scaling` in the entries is this estimate with the measured step: the share of n times the
speed that 8 GPUs with 300 GB/s keep.

Options: jobs=resnet50,lstm,... rounds=5 at_once=4 size=full|tiny
limit=480 (seconds a process, with those in which others have the GPU)
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.gpu.jobs import JOBS, Job, precision
from zoo.errors import ZooError, unknown

ROOT = Path(__file__).resolve().parents[2]
GPUS, BANDWIDTH = 8, 300.0  # of the estimate: how many, and gigabytes a second of a link
Result = dict[str, Any]


def measure(
    jobs: str = ",".join(JOBS),
    rounds: str = "5",
    at_once: str = "4",
    size: str = "full",
    limit: str = "480",
) -> Iterator[dict[str, Any]]:
    """Yield one entry a job: milliseconds a step of each contestant, units a second, ratios.

    Raises:
        ZooError: there is no such job or size, or no GPU for the full size.
    """
    names = jobs.split(",")
    for name in names:
        if name not in JOBS:
            raise unknown("job", name, JOBS)
    if size not in ("full", "tiny"):
        raise ZooError(f"size is full or tiny. Received: {size!r}.")
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ThreadPoolExecutor(int(at_once)) as pool,
    ):
        lock = str(Path(folder) / "lock")
        running = {
            name: {
                contestant: pool.submit(
                    _contestant, name, contestant, [size, rounds, lock], float(limit)
                )
                for contestant in JOBS[name].contestants
            }
            for name in names
        }
        try:
            for name, futures in running.items():
                results = {who: future.result() for who, future in futures.items()}
                entry = _entry(name, JOBS[name], results, size)
                if "zoo_per_second" in entry:  # else there is nothing to compare
                    yield entry
        finally:
            pool.shutdown(cancel_futures=True)


def _contestant(name: str, contestant: str, options: list[str], limit: float) -> Result:
    command = [sys.executable, "-m", "benchmarks.gpu.contestant", name, contestant, *options]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    settings = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "PYTHONPATH": path}
    try:
        ended = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=limit,
            env={**os.environ, **settings},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return _missing(name, contestant, f"took longer than {limit:.0f} s")
    lines = ended.stdout.strip().splitlines()
    result: Result = {}
    with contextlib.suppress(ValueError, IndexError):
        result = json.loads(lines[-1])
    if ended.returncode or not isinstance(result, dict) or not result:
        why = " | ".join(ended.stderr.strip().splitlines()[-5:])
        return _missing(name, contestant, f"exit code {ended.returncode}: {why[-900:]}")
    if "missing" in result:
        return {**result, **_missing(name, contestant, result["missing"])}
    return result


def _missing(name: str, contestant: str, why: str) -> Result:
    print(f"gpu: {name}: without {contestant}: {why}", file=sys.stderr, flush=True)
    return {"missing": why}


def _entry(name: str, job: Job, results: dict[str, Result], size: str) -> dict[str, Any]:
    if results["zoo"].get("no_gpu"):
        raise ZooError(
            f"{results['zoo']['missing']}: the benchmark needs one, or size=tiny, which tries its "
            "programs out on a CPU. Without CUDA's libraries: pip install "
            '"keras-preset-zoo[gpu]".'
        )
    measured = {who: result for who, result in results.items() if "missing" not in result}
    entry: dict[str, Any] = {
        "id": name if size == "full" else f"{name}, {size}",
        "size": size,
        "title": job.title,
        "unit": job.unit,
        "missing": {who: one["missing"] for who, one in results.items() if "missing" in one},
        "precision": {who: precision(job, who) for who in measured},
        "device": next((one["device"] for one in measured.values()), ""),
        "frameworks": {
            key: value for one in measured.values() for key, value in one["versions"].items()
        },
        "results": {
            who: {key: one[key] for key in one if key not in ("device", "versions")}
            for who, one in measured.items()
        },
    }
    count = job.count(size)
    for who, one in measured.items():
        entry[f"{who}_per_second"] = 1000 * count / one["milliseconds"]
        if "host_milliseconds" in one:
            entry["host_per_second"] = 1000 * count / one["host_milliseconds"]
    if "zoo" in measured:
        entry |= _compared(entry, measured["zoo"])
    return entry


def _compared(entry: dict[str, Any], zoo: Result) -> dict[str, float]:
    """Return how many times as fast the zoo is: as its setting of the preset, or as the faster."""
    rates = {key: entry[key] for key in entry if key.endswith("_per_second")}
    compared = {
        f"times_{who.removesuffix('_per_second')}": rates["zoo_per_second"] / rate
        for who, rate in rates.items()
        if not who.startswith("zoo")
    }
    moved = 2 * (GPUS - 1) / GPUS * zoo["gradient_megabytes"] / BANDWIDTH  # milliseconds
    return compared | {"scaling": zoo["milliseconds"] / (zoo["milliseconds"] + moved)}
