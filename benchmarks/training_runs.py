"""Training runs that benchmarks measure: in this process, or as a command of its own."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ZOO = (sys.executable, "-m", "zoo")


def train_once(
    model: str,
    parts: Callable[[Path], Mapping[str, str]],
    *,
    preset: str = "default",
    seed: int = 0,
    changes: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Train once, in a folder that is then deleted.

    Args:
        model: name of the model.
        parts: from a folder to write into to the files of `data`, `validation` and `test`.
        preset: name of the preset.
        seed: of everything random.
        changes: values in place of the preset's.

    Returns:
        What metrics.json and history.csv hold.
    """
    import zoo

    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as name:
        folder = Path(name)
        run = zoo.train(
            model, **parts(folder), preset=preset, set=changes or {}, out=folder / "run",
            seed=seed, verbose=False,
        )  # fmt: skip
        return run.metrics, history(run.path)


def variant_of(
    name: str, variants: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str, Mapping[str, Any]]:
    """Return the model and the preset of a name, and what it changes.

    Args:
        name: of a preset, `MODEL/PRESET`, or of a variant of one, which has a comma.
        variants: what each variant changes.
    """
    model, _, preset = name.partition(",")[0].partition("/")
    return model, preset, variants[name] if "," in name else {}


def history(run: Path) -> list[dict[str, str]]:
    """Return the epochs of a run, as history.csv has them."""
    with (run / "history.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def train_command(
    model: str,
    data: str | Path,
    out: Path,
    changes: Mapping[str, Any],
    *options: str,
) -> list[str]:
    """Return the command `zoo train`.

    Args:
        model: name of the model.
        data: its data.
        out: folder of the run.
        changes: values in place of the preset's; a list is written as YAML has it.
        options: further words of the command.
    """
    command = [*ZOO, "train", model, str(data), "--out", str(out), *options]
    for key, value in changes.items():
        command += ["--set", f"{key}={value}"]
    return command


def peak_megabytes(
    command: list[str],
    watch: Callable[[subprocess.Popen[bytes]], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> float:
    """Return the peak resident megabytes of a command, as the operating system measures it.

    Args:
        command: what runs.
        watch: called with the process; may stop a run, which then is no failure.
        environment: variables beside those of this process.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
        )
        if watch:
            watch(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)  # else it counts as running
        output.seek(0)
        text = output.read()
    if status and not (watch and "interrupted in epoch" in text):
        raise SystemExit(f"failed: {' '.join(command)}\n{text[-2000:]}")
    return usage.ru_maxrss / 1024
