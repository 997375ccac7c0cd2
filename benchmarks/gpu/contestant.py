"""One contestant of one job in a process of its own: `python -m benchmarks.gpu.contestant ...`.

Arguments: JOB CONTESTANT full|tiny ROUNDS LOCK. Prints one JSON line: milliseconds a step, the
device, versions; or `{"missing": why}` where it cannot run here.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from benchmarks.gpu.jobs import JOBS
from benchmarks.gpu.turns import Rounds, Turns


def main(name: str, contestant: str, size: str, rounds: str, lock: str) -> None:
    """Measure and print."""
    job = JOBS[name]
    framework = "torch" if contestant.startswith("pytorch") else "tensorflow"
    try:
        peers = importlib.import_module(f"benchmarks.gpu.{framework}_peers")
    except (ImportError, OSError) as error:
        print(json.dumps({"missing": f"{framework} is not installed here ({error})"}))
        return
    if size == "full" and not peers.device():
        print(json.dumps({"missing": f"{framework} sees no GPU", "no_gpu": True}))
        return
    shape = job.shape(size)
    measured = Rounds(Turns(Path(lock)), warm=5, steps=shape.steps, rounds=int(rounds))
    result = peers.measure(job, contestant, shape, measured)
    print(json.dumps({**result, "device": peers.device(), "versions": peers.versions()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
