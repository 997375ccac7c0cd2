"""`zoo find-lr` and `--learning-rate auto`: the sweep of a preset on data."""

import json
import re
from pathlib import Path

import pytest
from conftest import QUICK, sentences, write_csv
from resume_parts import assert_equal_runs

import zoo
from zoo.errors import ZooError
from zoo.runs.find_lr import RATE

FEW = QUICK | {"recipe.epochs": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("sweep") / "train.csv", sentences(300))


@pytest.fixture(scope="module")
def found(data: Path, tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    out = tmp_path_factory.mktemp("auto") / "run"
    return zoo.train("textcnn", data, set=FEW, learning_rate="auto", out=out, verbose=False)


def test_auto_trains_at_what_the_sweep_suggests(found, data: Path, tmp_path: Path) -> None:
    sweep = json.loads((found.path / "find-lr.json").read_text())
    rate = found.preset.recipe.optimizer.learning_rate
    assert rate == pytest.approx(sweep["suggested"]["minimum/10"], rel=0.05)
    assert sweep["preset_rate"] == zoo.load_preset("textcnn", "default", FEW).values()[RATE]
    assert (found.path / "find-lr.png").is_file()
    (finding,) = (one for one in found.findings if one.name == "learning-rate-found")
    assert finding.evidence["rate"] == rate
    told = zoo.train("textcnn", data, set=FEW | {RATE: rate}, out=tmp_path / "run", verbose=False)
    for name in ("find-lr.json", "find-lr.png"):
        (told.path / name).write_bytes((found.path / name).read_bytes())
    assert_equal_runs(found.path, told.path)


def test_a_run_that_is_repeated_does_not_sweep_again(found, tmp_path: Path) -> None:
    again = zoo.train(found.path / "preset.yaml", out=tmp_path / "again", verbose=False)
    assert again.preset.values()[RATE] == found.preset.values()[RATE]
    assert not (again.path / "find-lr.json").exists()


def test_a_number_is_short_for_the_key(data: Path, tmp_path: Path) -> None:
    run = zoo.train(
        "textcnn", data, set=FEW, learning_rate="0.003", out=tmp_path / "run", verbose=False
    )
    assert run.preset.values()[RATE] == 0.003


def test_command(data: Path, zoo_command, tmp_path: Path) -> None:
    arguments = [f"--set={key}={value}" for key, value in FEW.items() if "filters" not in key]
    shown = zoo_command("find-lr", "textcnn", data, "--out", tmp_path / "s", *arguments, code=0)
    assert "minimum/10" in shown.stdout
    assert re.search(rf"next: zoo train textcnn {data} --learning-rate [\d.e-]+\n", shown.stdout)
    assert (tmp_path / "s" / "find-lr.png").is_file()


def test_rates_that_are_none(data: Path, tmp_path: Path) -> None:
    for rate, message in (
        ("fast", "a number or `auto`. Received: 'fast'"),
        (0.1, f"given twice: {RATE}=0.2 and 0.1"),
        ("auto", f"given twice: {RATE}=0.2 and auto"),
    ):
        changes = FEW | ({} if rate == "fast" else {RATE: 0.2})
        with pytest.raises(ZooError, match=message):
            zoo.train("textcnn", data, set=changes, learning_rate=rate, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_sweep_needs_data_that_a_training_run_takes(tmp_path: Path) -> None:
    one = write_csv(tmp_path / "one.csv", [("a text", "a")] * 20)
    with pytest.raises(ZooError, match="class"):
        zoo.find_lr("textcnn", one)
    with pytest.raises(ZooError, match="unknown preset of textcnn 'defualt'"):
        zoo.find_lr("textcnn", one, preset="defualt")
