"""A family is one file in `models/`, one schema class and one preset: the toy has no more."""

import inspect
import json
from pathlib import Path

import keras
import pytest
from conftest import sentences, write_csv
from resume_parts import Killed, kill_at, write_always
from toy_parts import add_family

import zoo
from zoo.models import MODELS
from zoo.preset.loading import names
from zoo.training.monitor import Monitor


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path) -> None:
    add_family(monkeypatch, tmp_path)


def test_its_builder_has_its_signature_and_its_description() -> None:
    assert "toynet" in zoo.__all__ and "toynet" in MODELS
    assert names("toynet") == ["toynet/default"] and "textcnn/default" in names()
    assert list(inspect.signature(zoo.toynet).parameters)[-2:] == ["dropout", "hidden_dim"]
    assert "hidden_dim: units of the hidden layer." in zoo.toynet.__doc__
    assert zoo.toynet(num_classes=3)(keras.ops.ones((4, 16), "int32")).shape == (4, 3)
    with pytest.raises(zoo.ZooError, match=r"zoo\.toynet 'hiden_dim'.*mean 'hidden_dim'"):
        zoo.toynet(hiden_dim=3)


def test_every_command_knows_it(zoo_command, monkeypatch, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "reviews.csv", sentences(60))
    run = tmp_path / "run"
    train = ("train", "toynet", data, "--out", run, "--seed", 1)
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, Monitor, "on_train_batch_end", 8)  # of 6 steps an epoch
        with pytest.raises(Killed):
            zoo_command(*train)
    assert not (run / "metrics.json").exists()
    zoo_command(*train, "--resume", code=0)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["model"] == "toynet" and "accuracy" in metrics["validation"]

    scores = json.loads(zoo_command("evaluate", run, data, "--json", code=0).stdout)
    assert scores["metrics"]["accuracy"] > 0.5
    (tmp_path / "new.txt").write_text("a great film\nthe plot was dull\n", encoding="utf-8")
    lines = zoo_command("predict", run, tmp_path / "new.txt", code=0).stdout.splitlines()
    assert [json.loads(line)["label"] for line in lines] and len(lines) == 2
    zoo_command("export", run, tmp_path / "serving", code=0)
    assert (tmp_path / "serving" / "saved_model.pb").is_file()

    assert "toy family" in zoo_command("presets", "toynet", code=0).stdout
    assert "0.01" in zoo_command("explain", "toynet", "recipe.optimizer", code=0).stdout
    assert (
        "60 rows, 2 classes"
        in zoo_command("data", data, "--preset", "toynet/default", code=0).stdout
    )
    assert "toynet" in zoo_command("runs", tmp_path, code=0).stdout
