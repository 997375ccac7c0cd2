"""What users set of a run and did not get, on inputs of the shared cases."""

import csv
import json

import pytest

FEW = ["--set", "architecture.filters=8", "--set", "architecture.embedding_dim=8"]


@pytest.mark.slow
def test_epochs_that_are_set_are_trained(zoo_command, shared_case, tmp_path) -> None:
    data = shared_case("text/columns_remembered") / "train.csv"
    out = tmp_path / "run"
    asked = ["--text", "title", "--set", "recipe.epochs=1", *FEW, "--out", out]
    ended = zoo_command("train", "textcnn", data, *asked, code=0)
    assert "recipe.epochs 1 was set, so recipe.min_steps 1,000 -> 0" in " ".join(
        ended.stderr.split() + ended.stdout.split()
    )
    with (out / "history.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 1
    assert json.loads((out / "metrics.json").read_text())["training"]["epochs"] == 1


def test_seeds_that_numpy_does_not_take_are_refused(zoo_command, shared_case, tmp_path) -> None:
    data = shared_case("text/columns_remembered") / "train.csv"
    for seed in ("-1", "5000000000"):
        ended = zoo_command("train", "textcnn", data, "--text", "title", "--seed", seed, code=1)
        assert f"Received: {seed}." in ended.stderr


@pytest.mark.slow
def test_an_image_size_that_is_set_is_taken(zoo_command, shared_case, tmp_path) -> None:
    data = shared_case("images/c05_wrapped") / "d" / "photos"
    asked = ["--set", "architecture.image_size=96", "--set", "recipe.epochs=1"]
    out = tmp_path / "run"
    ended = zoo_command("train", "resnet", data, "--preset", "debug", *asked, "--out", out, code=0)
    assert "architecture.image_size 96, as set" in " ".join(ended.stdout.split())
    assert "image_size: 96" in (out / "preset.yaml").read_text()
