"""NVIDIA's GPUs on this machine: what there is, and what TensorFlow lacks to use them.

Nothing here loads TensorFlow.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import shutil
import site
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DRIVER = Path("/proc/driver/nvidia")
QUERY = "name,memory.total,compute_cap,driver_version"
SECONDS = 20  # for nvidia-smi, which may have to wake a card
VISIBLE = "CUDA_VISIBLE_DEVICES"
GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
INSTALL = 'pip install "keras-preset-zoo[gpu]"'
# What TensorFlow 2.21 opens (third_party/gpus, tsl/platform/default/dso_loader.cc), CUDA 12's.
LIBRARIES = (
    "libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12", "libcufft.so.11",
    "libcusolver.so.11", "libcusparse.so.12", "libcudnn.so.9",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Gpu:
    """One card.

    Args:
        name: of the product.
        memory: in MiB, in all.
        compute_capability: such as 9.0.
        driver: version of NVIDIA's driver.
    """

    name: str
    memory: int
    compute_capability: str
    driver: str


def gpus() -> list[Gpu]:
    """Return the cards of this machine, also hidden ones; none without nvidia-smi."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        ended = subprocess.run(
            [program, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"],
            capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [gpu for line in ended.stdout.splitlines() if (gpu := _parsed(line)) is not None]


def _parsed(line: str) -> Gpu | None:
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 4:
        return None
    name, memory, capability, driver = parts
    return Gpu(name, int(memory) if memory.isdecimal() else 0, capability, driver)


def count_gpus(driver: Path = DRIVER) -> int:
    """Return how many cards the driver knows."""
    try:
        return len(list((driver / "gpus").iterdir()))
    except OSError:
        return 0


def visible_gpus(environment: dict[str, str], count: int) -> list[str]:
    """Return the cards that a process may use, as `CUDA_VISIBLE_DEVICES` writes them.

    Args:
        environment: of the process; without the variable they are all visible.
        count: of the cards of the machine.
    """
    listed = environment.get(VISIBLE)
    if listed is None:
        return [str(number) for number in range(count)]
    visible: list[str] = []
    for name in (part.strip() for part in listed.split(",")):
        # CUDA stops at the first that does not exist.
        if not name or name.startswith("-") or (name.isdecimal() and int(name) >= count):
            break
        visible.append(name)
    return visible


def missing_libraries(
    names: Sequence[str] = LIBRARIES, folders: Sequence[Path] | None = None
) -> list[str]:
    """Return the libraries that neither the system nor Python's packages of NVIDIA have.

    Args:
        names: of the libraries.
        folders: of Python's packages; those of this Python.
    """
    if folders is None:
        folders = [Path(folder) for folder in site.getsitepackages()]
    return [name for name in names if not _there(name, folders)]


def _there(name: str, folders: Sequence[Path]) -> bool:
    if any(True for folder in folders for _ in folder.glob(f"nvidia/*/lib/{name}")):
        return True
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def grow_memory() -> None:
    """Let TensorFlow take memory of a card as it is needed; call it before a GPU is used.

    Else a process takes nearly all of it, and a second one on the card dies in the midst of CUDA.
    What the user has set holds.
    """
    os.environ.setdefault(GROWTH, "true")


def why_unused(driver: Path = DRIVER) -> str:
    """Return why TensorFlow sees no GPU here though there is one; nothing where there is none.

    Call it once TensorFlow has found none.
    """
    count = count_gpus(driver)
    if not count or not visible_gpus(dict(os.environ), count):
        return ""
    cards = "an NVIDIA GPU" if count == 1 else f"{count} NVIDIA GPUs"
    missing = missing_libraries()
    if not missing:
        return (
            f"this machine has {cards}, which TensorFlow cannot use, though its libraries are "
            "here: is the driver too old for them? `TF_CPP_MAX_VLOG_LEVEL=1 python -c 'import "
            "tensorflow as tf; tf.config.list_physical_devices()'` shows why."
        )
    return (
        f"this machine has {cards}, which TensorFlow cannot use: Cannot dlopen some GPU libraries "
        f"({', '.join(missing)}). Install them: {INSTALL}"
    )


def described() -> list[str]:
    """Return a line on each card, and one on what is missing."""
    lines = [
        f"{gpu.name}, {gpu.memory:,} MiB, compute capability {gpu.compute_capability}, "
        f"driver {gpu.driver}"
        for gpu in gpus()
    ]
    if lines and (missing := missing_libraries()):
        lines.append(f"not installed for TensorFlow: {', '.join(missing)}. {INSTALL}")
    return lines


def to_dict() -> dict[str, Any]:
    """Return the cards of this machine and its driver as JSON types."""
    cards = gpus()
    return {
        "devices": [
            {
                "name": card.name,
                "memory_mib": card.memory,
                "compute_capability": card.compute_capability,
            }
            for card in cards
        ],
        "driver": cards[0].driver if cards else None,
        "visible": os.environ.get(VISIBLE),
    }
