"""RoBERTa's fine-tuning recipe, for weights that the user names."""

import json
from pathlib import Path

import pytest
from conftest import sentences, write_csv
from start_parts import roberta_folder

import zoo
from zoo.errors import ZooError


@pytest.mark.slow
def test_it_fine_tunes_any_folder_of_roberta_weights(tmp_path: Path) -> None:
    folder = roberta_folder(tmp_path / "roberta")
    rows = write_csv(tmp_path / "rows.csv", sentences(80))
    run = zoo.train(
        "transformer", str(rows), preset="roberta-sst2", init=folder, out=tmp_path / "run",
        set={"recipe.epochs": 1}, verbose=False,
    )  # fmt: skip
    values = run.preset.values()
    assert values["architecture.hidden_dim"] == values["architecture.head_dim"] == 16
    assert values["data.max_length"] == 30  # of 32 rows of positions two are unused
    assert values["data.tokenizer"] == "byte-pairs"
    assert run.model.network.get_layer("head").activation.__name__ == "tanh"
    texts = " ".join(map(str, run.findings))
    assert "at random: head, logits" in texts
    assert run.predict(["the film"])[0]["label"] in {"bad", "good"}


def test_a_head_of_another_width_is_kept(tmp_path: Path) -> None:
    folder = roberta_folder(tmp_path / "roberta")
    model = zoo.transformer("roberta-sst2", init=folder, head_dim=8)
    assert model.get_layer("head").units == 8


def test_it_asks_for_the_folder(reviews: Path, zoo_command) -> None:
    with pytest.raises(ZooError, match=r"weights that are yours to name: add `--init FOLDER`"):
        zoo.transformer("roberta-sst2")
    ended = zoo_command("train", "transformer", reviews, "--preset", "roberta-sst2", code=1)
    assert "add `--init FOLDER` to the command" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_presets_say_so(zoo_command) -> None:
    shown = zoo_command("presets", "transformer", code=0).stdout
    assert "--init FOLDER" in " ".join(shown.split())
    entries = json.loads(zoo_command("presets", "transformer", "--json", code=0).stdout)
    (entry,) = [entry for entry in entries if entry["preset"] == "transformer/roberta-sst2"]
    assert entry["init"] == "FOLDER" and entry["install"] is None
