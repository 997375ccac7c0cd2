"""GPUs that are there, those that TensorFlow cannot use, and which worker gets which."""

import functools
import json
import os
import subprocess
import sys

import pytest

from zoo import distribute, gpu
from zoo.environment import environment
from zoo.errors import ZooError
from zoo.launch import _gpu_shares

SMI = """#!/bin/sh
echo "NVIDIA H200, 143771, 9.0, 580.95.05"
echo "NVIDIA T4, [N/A], 7.5, 580.95.05"
echo "something else"
"""


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """What the driver of a machine with two cards shows under /proc."""
    monkeypatch.delenv(gpu.VISIBLE, raising=False)
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def smi(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


@pytest.mark.parametrize(
    ("listed", "visible"),
    [
        (None, ["0", "1", "2"]),
        ("", []),
        ("-1", []),
        ("2,0", ["2", "0"]),
        ("1, 7, 0", ["1"]),
        ("GPU-aa,MIG-bb", ["GPU-aa", "MIG-bb"]),
    ],
)
def test_visible_gpus(listed, visible) -> None:
    assert gpu.visible_gpus({} if listed is None else {gpu.VISIBLE: listed}, 3) == visible


def test_cards_are_those_of_the_driver(smi) -> None:
    assert gpu.gpus() == [
        gpu.Gpu("NVIDIA H200", 143771, "9.0", "580.95.05"),
        gpu.Gpu("NVIDIA T4", 0, "7.5", "580.95.05"),
    ]
    stack = environment()["gpu"]
    assert stack["devices"][0] == {
        "name": "NVIDIA H200", "memory_mib": 143771, "compute_capability": "9.0",
    }  # fmt: skip
    assert stack["driver"] == "580.95.05"
    assert stack["used"] == []  # TensorFlow is loaded, and sees none
    assert {"cuda", "cudnn"} <= set(stack)
    json.dumps(stack)


def test_a_machine_without_cards(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.gpus() == []
    assert gpu.count_gpus(tmp_path / "no") == 0
    assert gpu.why_unused(tmp_path / "no") == ""
    assert gpu.described() == []


def test_a_library_is_found_with_python_or_the_system(tmp_path) -> None:
    folder = tmp_path / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    (folder / "libcudnn.so.9").touch()
    names = ["libcudnn.so.9", "libc.so.6", "libnobody.so.1"]
    assert gpu.missing_libraries(names, [tmp_path]) == ["libnobody.so.1"]


@pytest.fixture
def uncached(monkeypatch) -> None:
    """Strategies are made anew, and those of this process stay the only ones of their devices."""
    monkeypatch.setattr(distribute, "_one_machine", distribute._one_machine.__wrapped__)


@pytest.mark.usefixtures("uncached")
@pytest.mark.skipif(not gpu.missing_libraries(), reason="CUDA's libraries are here")
def test_what_tensorflow_lacks_is_named(driver, monkeypatch) -> None:
    reason = gpu.why_unused(driver)
    assert "2 NVIDIA GPUs" in reason
    assert "Cannot dlopen some GPU libraries (" in reason
    assert gpu.missing_libraries()[0] in reason
    assert reason.endswith('pip install "keras-preset-zoo[gpu]"')
    monkeypatch.setattr(distribute, "why_unused", functools.partial(gpu.why_unused, driver))
    with pytest.raises(ZooError, match=r"--devices gpu: .* Cannot dlopen some GPU libraries"):
        distribute.strategy_for("gpu")
    assert "trained on the CPU" in distribute.unused_gpus()[0].what
    monkeypatch.setenv(gpu.VISIBLE, "-1")  # whoever hides them knows
    assert gpu.why_unused(driver) == ""


@pytest.mark.usefixtures("uncached")
def test_training_on_the_cpu_beside_a_gpu_is_said(driver, monkeypatch, capfd) -> None:
    monkeypatch.setattr(distribute, "why_unused", functools.partial(gpu.why_unused, driver))
    assert distribute.strategy_for("auto").num_replicas_in_sync == 1
    assert "zoo: training on the CPU: this machine has 2 NVIDIA GPUs" in capfd.readouterr().err


def test_gpus_are_divided_among_workers(monkeypatch, capfd) -> None:
    monkeypatch.delenv(gpu.VISIBLE, raising=False)
    assert _gpu_shares(2, 0) == [None, None]
    assert _gpu_shares(2, 4) == ["0,1", "2,3"]
    assert not capfd.readouterr().err
    assert _gpu_shares(2, 5) == ["0,1", "2,3"]
    assert "2 workers have 2 GPUs each (0, 1, 2, 3); 1 stay unused" in capfd.readouterr().err
    assert _gpu_shares(2, 3) == ["0", "1"]
    assert "2 workers have 1 GPU each (0, 1); 1 stay unused" in capfd.readouterr().err
    monkeypatch.setenv(gpu.VISIBLE, "7,3")
    assert _gpu_shares(2, 8) == ["7", "3"]
    with pytest.raises(ZooError, match=r"--workers 3: this machine has 2 GPUs.*--workers 2"):
        _gpu_shares(3, 8)
    monkeypatch.setenv(gpu.VISIBLE, "-1")
    assert _gpu_shares(3, 8) == [None] * 3


def test_launch_gives_each_worker_its_own(monkeypatch) -> None:
    monkeypatch.setenv(gpu.VISIBLE, "GPU-aa,GPU-bb")
    code = f"import os; print(os.environ['{gpu.VISIBLE}'])"
    ended = subprocess.run(
        [sys.executable, "-m", "zoo", "launch", "--workers", "2", "--", sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert sorted(ended.stdout.splitlines()) == ["[worker 0] GPU-aa", "[worker 1] GPU-bb"]


def test_the_version_names_the_cards(smi, zoo_command) -> None:
    lines = zoo_command("--version", code=0).stdout.splitlines()
    assert "GPU: NVIDIA H200, 143,771 MiB, compute capability 9.0, driver 580.95.05" in lines


def test_memory_of_a_card_is_taken_as_needed_unless_the_user_says_otherwise(monkeypatch) -> None:
    monkeypatch.delenv(gpu.GROWTH, raising=False)
    gpu.grow_memory()
    assert os.environ[gpu.GROWTH] == "true"
    monkeypatch.setenv(gpu.GROWTH, "false")
    gpu.grow_memory()
    assert os.environ[gpu.GROWTH] == "false"
