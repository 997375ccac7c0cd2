"""`python -m benchmarks`: list; `run NAME [OPTION=VALUE]...`; `publish`.

A benchmark is a module of this package with a docstring and `measure(**options)`, which returns a
list of entries. `run` writes them, with what they depend on, to `results/NAME.json`; an entry
replaces the one with the same `id`. `publish` rewrites the README's tables and the presets'
`measured:` blocks from those files.
"""

from __future__ import annotations

import importlib
import os
import sys

from benchmarks import publish, results

BENCHMARKS = (
    "quality", "ablation", "selection", "fidelity", "speed", "overhead", "startup", "memory",
    "distribution", "resume", "language_speed", "language_memory",
    "perplexity", "images", "image_speed", "image_memory",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not arguments:
        for name in BENCHMARKS:
            module = importlib.import_module(f"benchmarks.{name}")
            print(f"{name:14} {(module.__doc__ or '').splitlines()[0]}")
        return 0
    verb, *rest = arguments
    if verb == "publish" and not rest:
        publish.publish()
        return 0
    if verb == "run" and rest and rest[0] in BENCHMARKS:
        name, *pairs = rest
        options = dict(pair.split("=", 1) for pair in pairs)
        module = importlib.import_module(f"benchmarks.{name}")
        for entry in module.measure(**options):
            results.save(name, entry, " ".join(["python -m benchmarks", *arguments]))
        return 0
    print(__doc__, file=sys.stderr)
    print(f"benchmarks: {', '.join(BENCHMARKS)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
