"""`zoo launch`: several workers, their output, and their common end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import sentences, write_csv

import zoo
from zoo.errors import ZooError
from zoo.launch import launch
from zoo.runs.folder import checkpoints

LAUNCH = [sys.executable, "-m", "zoo", "launch", "--workers", "2", "--"]
SMALL = ["--set", "architecture.filters=8", "--set", "architecture.embedding_dim=8"]


def run(*command: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LAUNCH, *command], capture_output=True, text=True, timeout=240, **options
    )


def children(parent: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


def test_output_comes_with_the_worker_and_cores_are_shared() -> None:
    code = (
        "import json, os; config = json.loads(os.environ['TF_CONFIG']);"
        "print(config['task']['index'], len(config['cluster']['worker']),"
        "os.environ['TF_NUM_INTRAOP_THREADS'])"
    )
    done = run(sys.executable, "-c", code)
    cores = max(len(os.sched_getaffinity(0)) // 2, 1)
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == [
        f"[worker 0] 0 2 {cores}", f"[worker 1] 1 2 {cores}",
    ]  # fmt: skip


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_each_worker_has_cores_of_its_own() -> None:
    done = run(sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))")
    first, second = (line.split("] ")[1].split() for line in sorted(done.stdout.splitlines()))
    assert first
    assert second
    assert not set(first) & set(second)


def test_the_first_failure_is_the_result() -> None:
    done = run(sys.executable, "-c", "raise SystemExit(7)")
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("workers", "command", "message"),
    [
        (0, ["zoo"], "at least 1"),
        (2, [], "no command"),
        (1, ["/not/a/program"], "cannot be started"),
    ],
)
def test_what_cannot_be_launched(workers, command, message) -> None:
    with pytest.raises(ZooError, match=message):
        launch(workers, command)


def test_workers_end_with_the_launcher() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
    launcher = subprocess.Popen([*LAUNCH, sys.executable, "-c", code])
    while len(workers := children(launcher.pid)) < 2:
        time.sleep(0.1)
    launcher.kill()
    launcher.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{number}/cmdline").exists() for number in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_reach_the_workers_and_are_the_exit_code(number, code) -> None:
    """Also where one that lost the others ends as if it had failed."""
    program = (
        "import os, json, signal, sys, time\n"
        "own = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
        "def stopped(*_): sys.exit(1 if own == 0 else 130)\n"
        "for each in (signal.SIGINT, signal.SIGTERM): signal.signal(each, stopped)\n"
        "print('ready', flush=True)\n"
        "time.sleep(100)\n"
    )
    with subprocess.Popen(
        [*LAUNCH, sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert sorted(launcher.stdout.readline() for _ in range(2)) == [
            "[worker 0] ready\n", "[worker 1] ready\n",
        ]  # fmt: skip
        launcher.send_signal(number)
        assert launcher.wait(timeout=60) == code


@pytest.mark.slow
def test_a_killed_worker_ends_the_others_and_resume_refuses_other_epochs(tmp_path) -> None:
    """Slow: 35 s alone, as TensorFlow starts in four workers and the survivor must notice."""
    data = write_csv(tmp_path / "rows.csv", sentences(400))
    train = ["zoo", "train", "textcnn", str(data), "--out", str(tmp_path / "run"), *SMALL]
    train += ["--set", "recipe.min_steps=0", "--set", "recipe.patience_epochs=null"]
    command = [*LAUNCH, *train, "--set", "recipe.epochs=500"]
    lines, killed_at = [], 0.0
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as launcher:
        for line in launcher.stderr:
            lines.append(line)
            if not killed_at and checkpoints(tmp_path / "run").steps():
                os.kill(children(launcher.pid)[1], signal.SIGKILL)
                killed_at = time.monotonic()
        assert launcher.wait() != 0
    assert time.monotonic() - killed_at < 60
    said = [line for line in lines if "lost another worker" in line]
    assert len(said) == 1 and "--resume" in said[0] and said[0].startswith("[worker 0] zoo: ")
    refused = run(*train, "--set", "recipe.epochs=4", "--resume")
    assert refused.returncode != 0 and "recipe.epochs" in refused.stderr


def test_workers_train_as_one_process_and_only_the_first_writes(tmp_path) -> None:
    """The same scores without dropout, whose draws differ from replica to replica."""
    data = write_csv(tmp_path / "rows.csv", sentences(300))
    off = ["dropout", "embedding_dropout", "word_dropout", "ngram_dropout", "path_dropout"]
    changes = {"architecture.filters": 8, "architecture.embedding_dim": 8}
    changes |= {"recipe.epochs": 2, "recipe.min_steps": 0}
    changes |= {f"architecture.{name}": 0.0 for name in off}
    options = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    train = ["zoo", "train", "textcnn", str(data), *options]
    done = run(*train, "--out", str(tmp_path / "two"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert all(line.startswith("[worker 0] ") for line in done.stdout.splitlines())
    zoo.train("textcnn", str(data), set=changes, out=tmp_path / "one", verbose=False)
    one, two = (zoo.load_run(tmp_path / name).metrics["validation"] for name in ("one", "two"))
    for key in ("loss", "accuracy", "macro_f1"):
        assert one[key] == pytest.approx(two[key], abs=1e-4)
    assert {each.name for each in tmp_path.iterdir()} == {"rows.csv", "one", "two"}
    files = [{each.name for each in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]


def test_workers_of_slurm_that_differ_refuse_to_train() -> None:
    """As `srun --ntasks-per-node 2` on one node would name them, on the ports TensorFlow takes.

    The first says what differs, and how; and tells what went wrong on any of them, once.
    """
    code = (
        "from zoo.distribute import check_agreement, gathered, raise_on_all, strategy_for\n"
        "from zoo.distribute import worker, workers\n"
        "strategy = strategy_for('auto')\n"
        "from zoo.errors import ZooError\n"
        "own = worker(strategy)\n"
        "rows = gathered(strategy, [[own + 10]])\n"
        "print(workers(strategy), own, [int(row[0]) for row in rows])\n"
        "facts = {'data': 'a', 'versions': {'keras': f'3.{own}', 'numpy': '2'}}\n"
        "def shown(call):\n"
        "    try: call()\n"
        "    except ZooError as error: print(error)\n"
        "shown(lambda: check_agreement(strategy, facts))\n"
        "def fails(error):\n"
        "    with raise_on_all(strategy):\n"
        "        if error: raise error\n"
        "shown(lambda: fails(None))\n"
        "shown(lambda: fails(ZooError('both')))\n"
        "shown(lambda: fails(ZooError('ä: no such file') if own else None))\n"
    )
    slurm = {
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
    }
    tasks = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **slurm, "SLURM_PROCID": str(number), "SLURM_LOCALID": str(number)},
        )
        for number in range(2)
    ]  # fmt: skip
    differ = "the workers differ: versions.keras is '3.0' on worker 0 and '3.1' on worker 1. Start"
    expected = [
        [
            "2 0 [10, 11]",
            f"{differ} all with the same code, command and data.",
            "both",
            "worker 1: ä: no such file",
        ],
        ["2 1 [10, 11]", *["worker 0 says why training does not begin."] * 3],
    ]
    for task, lines in zip(tasks, expected, strict=True):
        said, errors = task.communicate(timeout=120)
        assert said.splitlines() == lines, errors[-2000:]
