"""What a result depends on beside the code: versions, machine, command, commit."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import gpu

PACKAGES = ("tensorflow", "keras", "tensorflow-text", "sentencepiece", "numpy", "scikit-learn")
# Rooms and files, by their names, that no training runs through.
NOT_TRAINING = {
    "__main__", "advice", "archive", "cli", "diagnosis", "diagnosis_commands", "display",
    "inspection", "launch", "options", "predictor", "process", "serving", "tflite", "tuning",
}  # fmt: skip


def environment() -> dict[str, Any]:
    """Return versions, hardware, command, date and the commit of the package, as JSON types."""
    import zoo

    return {
        "versions": {"zoo": zoo.__version__, "python": platform.python_version(), **versions()},
        "hardware": hardware(),
        "gpu": gpu_stack(),
        "platform": platform.platform(),
        "command": " ".join(sys.argv),
        "commit": commit(),
        "code": code(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that decide a result."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def code() -> str:
    """Return a checksum of the package's own source files."""
    return _checksum(lambda path: True)


@functools.cache
def training_code() -> str:
    """Return a checksum of the source files that a score depends on.

    The command line, what shows and serves, and the search are left out: a score outlives them.
    """
    return _checksum(
        lambda path: (
            path.as_posix() != "__init__.py"
            and not NOT_TRAINING & {part.removesuffix(".py") for part in path.parts}
        )
    )


def _checksum(chosen: Callable[[Path], bool]) -> str:
    root = Path(__file__).resolve().parent
    checksum = hashlib.blake2b(digest_size=8)
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if chosen(name):
            checksum.update(name.as_posix().encode())
            checksum.update(path.read_bytes())
    return checksum.hexdigest()


def hardware() -> str:
    """Return processor and number of usable cores in words."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {len(os.sched_getaffinity(0))} cores"


def gpu_stack() -> dict[str, Any]:
    """Return the GPUs of this machine, the driver, and the CUDA and cuDNN TensorFlow is made for.

    The last two, and the GPUs that it uses, are None where TensorFlow is not loaded.
    """
    stack: dict[str, Any] = {**gpu.to_dict(), "used": None, "cuda": None, "cudnn": None}
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        build = tensorflow.sysconfig.get_build_info()
        stack |= {key: build.get(f"{key}_version") for key in ("cuda", "cudnn")}
        stack["used"] = [
            tensorflow.config.experimental.get_device_details(card).get("device_name")
            for card in tensorflow.config.get_visible_devices("GPU")
        ]
    return stack


def commit() -> str | None:
    """Return the commit of the checkout the package runs from, or None.

    `-dirty` is added where files of the package or its presets differ from it.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    answers = []
    for command in (["rev-parse", "--short=12", "HEAD"], ["status", "-s", "zoo", "presets"]):
        try:
            ended = subprocess.run(
                ["git", "-C", str(root), *command],
                capture_output=True, encoding="utf-8", timeout=10, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        answers.append(ended.stdout.strip())
    return answers[0] + ("-dirty" if answers[1] else "")
