"""One training a folder: who may use it, and what is there afterwards."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import QUICK, sentences, write_csv
from resume_parts import Killed

import zoo
from zoo import ZooError
from zoo.runs import folder as module
from zoo.runs.folder import run_folder

RUN = {"preset.yaml": "old", "metrics.json": '{"training": {}}', "model/model.keras": "old"}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def claimed(folder: Path, **asked: bool):
    return run_folder(folder, **({"overwrite": False, "resume": False} | asked))


HOLDER = """
import sys, time
from pathlib import Path
from zoo.runs.folder import run_folder
with run_folder(Path(sys.argv[1]), overwrite=True, resume=False):
    print("mine", flush=True)
    time.sleep(600)
"""


def test_a_training_keeps_its_folder_whatever_the_others_ask_for(tmp_path, zoo_command) -> None:
    """Two processes: the second is refused, loses nothing of the first, and may after its end."""
    run = written(tmp_path / "run", RUN)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, run], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"mine\n"
    written(run, {"preset.yaml": "new"})
    before = files(run)
    for asked in ([], ["--overwrite"], ["--resume"]):
        ended = zoo_command("train", "textcnn", "--out", run, *asked, code=1)
        assert "another process is training in it. Wait for its end" in ended.stderr
        assert "--overwrite" not in ended.stderr and "--resume" not in ended.stderr
    assert files(run) == before
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    # The lock is free, and what the killed process had set aside is back.
    with pytest.raises(ZooError, match="already there"), claimed(run):
        pass
    assert files(run) == RUN


@pytest.mark.parametrize("asked", ["overwrite", "resume", "neither"])
def test_a_second_claim_in_the_same_process_is_refused(asked, tmp_path) -> None:
    with claimed(tmp_path / "run"), pytest.raises(ZooError, match="another process is training"):
        with claimed(tmp_path / "run", **({} if asked == "neither" else {asked: True})):
            pass


def test_a_new_run_takes_the_place_of_the_old_one_when_it_is_there(tmp_path) -> None:
    run = written(tmp_path / "run", RUN)
    with claimed(run, overwrite=True) as made:
        assert made == run
        assert not (run / "preset.yaml").exists()
        written(run, {"metrics.json": "{}"})
    assert files(run) == {"metrics.json": "{}"}
    assert list(tmp_path.iterdir()) == [run]


@pytest.mark.parametrize("error", [ZooError, KeyboardInterrupt])
def test_the_old_run_is_back_when_the_new_one_comes_to_nothing(error, tmp_path) -> None:
    run = written(tmp_path / "run", RUN)
    with pytest.raises(error), claimed(run, overwrite=True):
        written(run, {"preset.yaml": "new", "checkpoints/prepared/prepared.json": "{}"})
        raise error
    assert files(run) == RUN


@pytest.mark.parametrize("renames", [0, 1, 2, 3])
@pytest.mark.parametrize("put_back", [False, True], ids=["set aside", "put back"])
def test_killed_while_files_are_moved(put_back, renames, tmp_path, monkeypatch) -> None:
    """Whatever rename is the last one, the next look at the folder finds the old run whole."""
    run, rename, calls = written(tmp_path / "run", RUN), Path.rename, []

    def killed(self, target):
        calls.append(self)
        if len(calls) > renames:
            raise Killed
        return rename(self, target)

    with pytest.raises(Killed), pytest.MonkeyPatch.context() as patch:
        if not put_back:
            patch.setattr(Path, "rename", killed)
        with claimed(run, overwrite=True):
            patch.setattr(Path, "rename", killed)
    assert len(calls) > renames
    with pytest.raises(ZooError, match="already there"), claimed(run):
        pass
    assert files(run) == RUN


def test_a_folder_that_vanishes_between_opening_and_locking_is_made_again(
    tmp_path, monkeypatch
) -> None:
    run, flock = tmp_path / "run", module.fcntl.flock

    def late(handle, operation):
        monkeypatch.setattr(module.fcntl, "flock", flock)
        run.rmdir()
        flock(handle, operation)

    monkeypatch.setattr(module.fcntl, "flock", late)
    with claimed(run):
        with pytest.raises(ZooError, match="another process"), claimed(run):
            pass


def test_names_without_out_are_free_names(tmp_path) -> None:
    named = tmp_path / "runs" / "textcnn-default-20260101-000000"
    with claimed(named, numbered=True) as first, claimed(named, numbered=True) as second:
        assert (first, second) == (named, named.with_name(f"{named.name}-2"))
        written(second, {"metrics.json": "{}"})
    with claimed(named, numbered=True) as third:
        assert third == named
        with claimed(named, numbered=True) as fourth:
            assert fourth.name.endswith("-3")
    assert named.parent.is_dir()  # a run is in it


def test_data_that_are_refused_leave_no_folder_behind(tmp_path, monkeypatch, zoo_command) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "rows.csv", sentences(8))
    write_csv(tmp_path / "more.csv", [("a plot", "z"), ("a joke", "good")])
    said = zoo_command("train", "textcnn", "rows.csv", "--test", "more.csv", code=1).stderr
    assert "'z'" in said
    assert "baseline" not in said  # nothing is fitted to data that are refused
    assert not (tmp_path / "runs").exists()


def test_hidden_files_of_a_folder_that_is_no_run_stay(tmp_path) -> None:
    run = written(tmp_path / "run", {".film.part.mkv": "mine", "thesis.txt": "mine"})
    for asked in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(ZooError, match="Choose another --out"), claimed(run, **asked):
            pass
    assert files(run) == {".film.part.mkv": "mine", "thesis.txt": "mine"}
    with pytest.raises(ZooError, match="is a file"), claimed(run / "thesis.txt"):
        pass


def test_two_runs_of_one_second_have_two_names(reviews, tmp_path, monkeypatch) -> None:
    """Through `zoo.train`, without `out`, with the clock standing still."""
    import datetime

    class Still(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 1, tzinfo=tz)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zoo.runs.train.datetime.datetime", Still)
    stamp = Path("runs") / "textcnn-default-20260101-000000"
    stamp.mkdir(parents=True)  # another process has just made it
    run = zoo.train("textcnn", reviews, set=QUICK | {"recipe.epochs": 1}, verbose=False)
    assert run.path == Path(f"{stamp}-2")
