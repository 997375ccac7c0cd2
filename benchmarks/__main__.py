"""`python -m benchmarks`: list; `run NAME [OPTION=VALUE]...`; `publish`; `checksums`.

A benchmark is a module of this package with a docstring and `measure(**options)`, which yields
entries. `run` writes them, with what they depend on, to `results/NAME.json`; an entry replaces the
one with the same `id`. `publish` rewrites the README's tables and the presets' measured scores from
those files. `checksums` writes `datasets.json` from the folders of the data.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

from benchmarks import datasets, publish, results
from benchmarks.catalogue import BENCHMARKS, table


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    match arguments:
        case []:
            print(table(), end="")
        case ["publish"]:
            publish.publish()
        case ["checksums"]:
            datasets.write_checksums()
        case ["run", name, *pairs] if name in BENCHMARKS:
            run(name, pairs)
        case _:
            print(f"{__doc__}\nBenchmarks: {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
    return 0


def run(name: str, pairs: list[str]) -> None:
    """Measure one benchmark with options such as `seeds=0`; write its entries as they come."""
    module = importlib.import_module(f"benchmarks.{BENCHMARKS[name].module}")
    command = " ".join(["python -m benchmarks run", name, *pairs])
    started = time.perf_counter()
    for entry in module.measure(**dict(pair.split("=", 1) for pair in pairs)):
        results.save(name, entry, command)
    print(f"{name}: {(time.perf_counter() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
