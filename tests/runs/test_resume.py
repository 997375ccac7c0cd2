"""A run that was interrupted ends, bit for bit, as if it had not been."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import pytest
from conftest import ROOT, sentences, write_csv
from resume_parts import SETTINGS, Killed, assert_equal_runs, kill_at, train, write_always

import zoo
from zoo import ZooError
from zoo.tasks.text_classification import batches as pipeline
from zoo.tasks.text_classification import task as classification
from zoo.tasks.text_classification.predictor import TextClassifier
from zoo.training.averages import ValidateAverages
from zoo.training.checkpoints import callback, files
from zoo.training.checkpoints.callback import Checkpoints
from zoo.training.interruption import Stopped, stop_signals
from zoo.training.model import TrainingModel
from zoo.training.monitor import Monitor


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    return write_csv(tmp_path_factory.mktemp("rows") / "reviews.csv", sentences(200))


@pytest.fixture(scope="module")
def whole(rows, tmp_path_factory) -> Path:
    """The run that nothing interrupts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "BLOCK_BATCHES", 5)
        return train(rows, tmp_path_factory.mktemp("whole") / "run").path


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "BLOCK_BATCHES", 5)


SLOW = pytest.mark.slow
PLACES = [
    pytest.param(Monitor, "on_train_batch_end", 36, id="in the middle of an epoch"),
    pytest.param(Monitor, "on_train_batch_end", 24, id="after its last step", marks=SLOW),
    pytest.param(files, "_write", 100, id="while a checkpoint is written"),
    pytest.param(files, "_write", 2, id="while the first one is", marks=SLOW),
    pytest.param(files, "_sync", 41, id="before it gets its name", marks=SLOW),
    pytest.param(ValidateAverages, "on_test_begin", 2, id="when validation begins", marks=SLOW),
    pytest.param(ValidateAverages, "on_test_end", 2, id="when validation ends", marks=SLOW),
    pytest.param(Monitor, "on_epoch_end", 2, id="between epochs", marks=SLOW),
    pytest.param(Checkpoints, "on_epoch_end", 3, id="at the end", marks=SLOW),
]


@pytest.mark.parametrize(("owner", "name", "call"), PLACES)
def test_ends_as_if_it_had_not_been_interrupted(owner, name, call, rows, whole, tmp_path) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, owner, name, call)
        with pytest.raises(Killed):
            train(rows, run)
    train(rows, run, resume=True)
    assert_equal_runs(whole, run)


def test_after_the_last_epoch_only_the_scoring_is_repeated(
    rows, whole, tmp_path, monkeypatch, capsys
) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, TextClassifier, "logits_of", 1)
        with pytest.raises(Killed):
            train(rows, run)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, TrainingModel, "train_step", 1)  # no step is taken any more
        kill_at(patch, classification, "fit_baseline", 1)
        train(rows, run, resume=True)
    assert_equal_runs(whole, run)
    # And a run that is finished is returned as it is.
    again = train(rows, run, resume=True, verbose=True)
    assert again.metrics == zoo.load_run(run).metrics
    assert "is finished" in capsys.readouterr().err
    with pytest.raises(ZooError, match="seed was 3 and is 4"):
        train(rows, run, resume=True, seed=4)


def test_before_the_first_checkpoint_it_begins_again(rows, whole, tmp_path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / ".preset.yaml.xyz.part.yaml").write_text("half")
    train(rows, run, resume=True)
    assert_equal_runs(whole, run)


# --- what else may happen to a run that was interrupted -------------------------------------------


@pytest.fixture(scope="module")
def stopped(rows, tmp_path_factory) -> Path:
    """A run that was killed in its second epoch; tests take a copy."""
    run = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "BLOCK_BATCHES", 5)
        write_always(patch)
        kill_at(patch, Monitor, "on_train_batch_end", 30)
        with pytest.raises(Killed):
            train(rows, run)
    return run


@pytest.fixture
def copied(stopped, tmp_path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "run"))


def test_a_damaged_checkpoint_is_passed_over(rows, whole, copied) -> None:
    newest = max((copied / "checkpoints").glob("[0-9]*"), key=lambda path: int(path.name))
    path = newest / "variables.bin"
    path.write_bytes(path.read_bytes()[:-1])
    run = train(rows, copied, resume=True)
    assert_equal_runs(whole, copied)
    (finding,) = [each for each in run.findings if "passed over" in each.what]
    assert finding.evidence == {"step": 29}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"set": SETTINGS | {"recipe.epochs": 5}}, "recipe.epochs was 3 and is 5"),
        ({"seed": 4, "fraction": 0.5}, "seed was 3 and is 4; fraction was 1.0 and is 0.5"),
        ({"classes": ["good", "bad"]}, r"classes was None and is \['good', 'bad'\]"),
    ],
)
def test_other_settings_are_refused(arguments, message: str, rows, copied) -> None:
    before = sorted(copied.rglob("*"))
    with pytest.raises(ZooError, match=message):
        train(rows, copied, resume=True, **arguments)
    assert sorted(copied.rglob("*")) == before


def test_another_number_of_workers_is_named_where_it_changed_a_value(rows, copied) -> None:
    path = copied / "environment.json"
    about = json.loads(path.read_text())
    assert (about["workers"], about["devices"]) == (1, 1)
    path.write_text(json.dumps(about | {"workers": 3, "devices": 6}))
    message = (
        "the number of workers was 3 and is 1; the number of devices was 6 and is 1; "
        "recipe.epochs was 3 and is 5"
    )
    with pytest.raises(ZooError, match=message):
        train(rows, copied, resume=True, set=SETTINGS | {"recipe.epochs": 5})


def test_the_command_that_resumes_holds_from_everywhere(rows, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, Monitor, "on_train_batch_end", 10, lambda: signal.raise_signal(2))
        with pytest.raises(ZooError) as error:
            train(rows, Path("my runs/a"))
    folder = tmp_path / "my runs" / "a"
    command = f"zoo train '{folder}/preset.yaml' --out '{folder}' --resume"
    assert f"`{command}` resumes from its last checkpoint." in str(error.value)


def test_checkpoints_of_code_that_prepared_otherwise_are_refused(rows, copied) -> None:
    shutil.rmtree(copied / "checkpoints" / "prepared")
    path = copied / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": "0123"}))
    with pytest.raises(ZooError, match="the code of zoo was '0123' and is"):
        train(rows, copied, resume=True)


def test_other_data_are_refused(rows, copied, tmp_path) -> None:
    other = write_csv(tmp_path / "other.csv", sentences(201))
    with pytest.raises(ZooError, match="fingerprint of the data was .* and is "):
        train(other, copied, resume=True)
    assert (copied / "checkpoints").is_dir()


@pytest.mark.parametrize("key", ["versions", "code"])
def test_other_versions_and_other_code_are_refused(key: str, rows, copied) -> None:
    path = copied / "environment.json"
    about = json.loads(path.read_text())
    if key == "versions":
        about["versions"]["keras"] = "3.14.0"
        message = f"the version of keras was '3.14.0' and is '{keras.__version__}'"
    else:
        about["code"], message = "0123", "the code of zoo was '0123' and is"
    path.write_text(json.dumps(about))
    with pytest.raises(ZooError, match=re.escape(message)):
        train(rows, copied, resume=True)


def test_without_resume_it_is_refused_and_not_lost(rows, copied) -> None:
    with pytest.raises(ZooError, match=r"not finished\. Pass --resume .* --overwrite"):
        train(rows, copied)
    with pytest.raises(ZooError, match="--resume and --overwrite: choose one"):
        train(rows, copied, resume=True, overwrite=True)
    with pytest.raises(ZooError, match="--resume needs --out"):
        train(rows, None, resume=True)
    assert (copied / "checkpoints").is_dir()
    with pytest.raises(ZooError, match="is not a finished run"):
        zoo.load_run(copied)


def test_a_checkpoint_that_does_not_fit_is_refused_and_kept(rows, copied) -> None:
    folder = files.CheckpointFiles(copied / "checkpoints")
    found, _ = folder.newest()
    found["variables"] = found["variables"][1:]
    folder.save(99, found)
    with pytest.raises(ZooError, match=r"does not hold what it should.*arrays for"):
        train(rows, copied, resume=True)
    assert folder.steps() == [29, 99]
    folder.save(99, {"epoch": "os.system('true')"})
    with pytest.raises(ZooError, match="does not hold what it should"):
        train(rows, copied, resume=True)


def test_a_folder_that_cannot_be_written(rows, tmp_path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    try:
        with pytest.raises(ZooError, match="run: cannot be written: Read-only file system"):
            train(rows, tmp_path / "run", resume=True)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_checkpoint_that_cannot_be_written_is_a_finding(rows, whole, tmp_path) -> None:
    """The disk is full for as long as checkpoints are written; training goes on."""
    run = tmp_path / "run"

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        patch.setattr(files, "_write", full)
        found = train(rows, run)
    assert_equal_runs(whole, run)
    (finding,) = [each for each in found.findings if "could not be written" in each.what]
    assert "No space left" in finding.what


def test_training_goes_on_while_the_disk_writes(rows, whole, tmp_path) -> None:
    begun, moved, waited = threading.Event(), threading.Event(), []
    sync, step = files._sync, Monitor.on_train_batch_end

    def slow(folder):
        begun.set()
        waited.append(moved.wait(60))
        sync(folder)

    def watched(self, batch, logs=None):
        if begun.is_set():
            moved.set()
        step(self, batch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callback, "FIRST_SECONDS", 0)
        patch.setattr(files, "_sync", slow)
        patch.setattr(Monitor, "on_train_batch_end", watched)
        train(rows, tmp_path / "run")
    assert waited[0]
    assert_equal_runs(whole, tmp_path / "run")


# --- signals --------------------------------------------------------------------------------------

CHILD = """
import sys
from zoo.__main__ import main
from zoo.training.checkpoints import callback
callback.WAIT_TIMES = callback.LEAST_SECONDS = callback.FIRST_SECONDS = 0
sys.argv = ["zoo", *sys.argv[1:]]
main()
"""


def started(rows: Path, run: Path, *arguments: str) -> subprocess.Popen:
    """Start `zoo train` and wait for a checkpoint."""
    sets = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, "train", "textcnn", str(rows), "--out", str(run),
         "--seed", "3", *sets, "--set", "recipe.epochs=400", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((run / "checkpoints").glob("[0-9]*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_kill_9_then_sigterm(rows, tmp_path) -> None:
    run = tmp_path / "run"
    process = started(rows, run)
    process.kill()
    process.communicate()
    steps = files.CheckpointFiles(run / "checkpoints").steps()
    assert steps

    process = started(rows, run, "--resume")
    deadline = time.monotonic() + 120
    while files.CheckpointFiles(run / "checkpoints").steps()[-1] <= steps[-1] + 30:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"zoo train {run}/preset.yaml --out {run} --resume" in stderr
    assert "Traceback" not in stderr
    assert not [path for path in run.rglob("*") if ".part" in path.name]
    found, findings = files.CheckpointFiles(run / "checkpoints").newest()
    assert found["step"] > steps[-1]
    assert findings == []


@pytest.mark.parametrize(
    ("owner", "name", "call", "number"),
    [
        (Monitor, "on_train_batch_end", 40, signal.SIGINT),
        (Checkpoints, "on_test_begin", 2, signal.SIGTERM),
    ],
    ids=["Ctrl-C in an epoch", "SIGTERM in a validation"],
)
def test_a_signal_loses_no_step(owner, name, call, number, rows, whole, tmp_path) -> None:
    run, steps = tmp_path / "run", 46 if number == signal.SIGTERM else 40
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, owner, name, call, lambda: signal.raise_signal(number))
        with pytest.raises(ZooError, match=f"interrupted in epoch 2.*--out {run} --resume"):
            train(rows, run)
    assert files.CheckpointFiles(run / "checkpoints").steps()[-1] == steps
    if number == signal.SIGINT:  # whoever waits at the keyboard also gets the best model so far
        assert zoo.load_run(run).metrics["training"]["stopped"] == "interrupted in epoch 2."
    train(rows, run, resume=True)
    assert_equal_runs(whole, run)


def test_handlers_are_put_back_and_a_second_signal_does_not_wait() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as stop:
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        stop.asked, stop.waits = None, True
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            stop.check()
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_thirty_kills() -> None:
    code = (
        "import json; from benchmarks.training.resume import killed\n"
        "print(json.dumps(killed(30, 3, 0)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=ROOT,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["kills"], found["runs_bit_equal"], found["files_left_behind"]) == (30, 3, 0)
