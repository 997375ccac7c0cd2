"""Old names of keys are read, and say their new name."""

import shutil
from pathlib import Path

import pytest
from conftest import sentences
from resume_parts import Killed, assert_equal_runs, kill_at, train, write_always

import zoo
from zoo import ZooError
from zoo.layers import LSTMStack
from zoo.plain_yaml import yaml_text
from zoo.preset.loading import load_preset, recipe_from
from zoo.preset.renamed import RENAMED
from zoo.training.checkpoints import callback
from zoo.training.schedules import RecipeSchedule

OF_LANGUAGE = {old: new for old, new in RENAMED.items() if not old.startswith("data.")}
# `resnet/default` as it was until 2026-11-27, with the values of every schedule, loss and crop.
FLAT = Path(__file__).with_name("resnet-flat.yaml")


@pytest.fixture
def old_file(tmp_path):
    """A preset file as it was written before keys were renamed."""
    text = zoo.load_preset("lstm_lm").to_yaml()
    for old, new in OF_LANGUAGE.items():
        text = text.replace(new, old).replace(new.split(".")[1], old.split(".")[1])
    assert "best: loss" in text and "unclipped: false" in text and "allow_" not in text
    path = tmp_path / "preset.yaml"
    path.write_text(text)
    return path


def test_a_file_with_old_names_is_read_and_says_the_new_ones(old_file) -> None:
    loaded = zoo.load_preset("lstm_lm", old_file)
    assert loaded.document() == zoo.load_preset("lstm_lm").document()
    assert [notice.what for notice in loaded.notices] == [
        f"{old} is called {new} now." for old, new in OF_LANGUAGE.items()
    ]
    assert loaded.override({"recipe.epochs": 2}).notices == loaded.notices
    assert zoo.load_preset("lstm_lm").notices == ()


def test_old_names_in_search_and_set() -> None:
    changes = {"recipe.best": "loss", "architecture.change_penalty": 1.0}
    changed = zoo.load_preset("lstm_lm", "default", changes)
    assert changed.architecture.temporal_activation_penalty == 1.0
    assert len(changed.notices) == 2


def test_a_search_block_with_an_old_name(old_file) -> None:
    text = old_file.read_text()
    entry = "  architecture.change_penalty: {values: [0.0, 1.0]}\n"
    old_file.write_text(text.replace("search:\n", f"search:\n{entry}"))
    search = zoo.load_preset("lstm_lm", old_file).search
    assert search["architecture.temporal_activation_penalty"].values == (0.0, 1.0)


def test_both_names_at_once_are_refused(old_file) -> None:
    both = {"recipe.best": "loss", "recipe.monitor": "loss"}
    with pytest.raises(ZooError, match=r"'recipe\.best' is the old name of 'recipe\.monitor'"):
        zoo.load_preset("lstm_lm", "default", both)
    old_file.write_text(old_file.read_text().replace("  best: ", "  monitor: loss\n  best: "))
    with pytest.raises(ZooError, match=r"preset\.yaml: 'recipe\.best' is the old name"):
        zoo.load_preset("lstm_lm", old_file)


def test_a_file_with_the_values_of_every_variant_is_read() -> None:
    flat, shipped = load_preset(None, FLAT), zoo.load_preset("resnet")
    assert flat.values() == shipped.values()
    assert list(flat.search) == list(shipped.search)
    assert flat.why == shipped.why
    said = [notice.what for notice in flat.notices]
    assert "data.crop is called data.crop.name now." in said
    assert (
        "recipe.schedule.milestones, recipe.schedule.factor, recipe.schedule.patience_epochs: not "
        "read, as recipe.schedule.name is cosine."
    ) in said
    assert "recipe.loss.gamma: not read, as recipe.loss.name is cross-entropy." in said
    with pytest.raises(ZooError, match="unknown key 'recipe.schedule.milestone'.*Did you mean"):
        flat.override({"recipe.schedule.name": "multistep", "recipe.schedule.milestone": (0.5,)})


def test_a_new_word_in_a_block_that_was_flat_is_an_error(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("model: resnet\nrecipe: {schedule: {name: cosine, final_fractoin: 0.1}}\n")
    with pytest.raises(
        ZooError, match=r"recipe\.schedule: unknown field 'final_fractoin'. Did you"
    ):
        load_preset(None, path)


def test_old_names_of_a_crop_in_set() -> None:
    changes = {"data.crop": "pad", "data.crop_padding": 2, "data.padding": "reflect"}
    crop = zoo.load_preset("resnet", "default", changes).data.crop
    assert (crop.name, crop.padding, crop.fill) == ("pad", 2, "reflect")
    whole = {"data.crop": {"name": "pad", "padding": 2, "fill": "reflect"}}
    assert zoo.load_preset("resnet", "default", whole).data.crop == crop


def write_as_before(run: Path) -> None:
    """Write a run's preset.yaml as it was written until 2026-11-27."""
    document = load_preset(None, run / "preset.yaml").document()
    every = {"final_fraction": 0.01, "milestones": [0.5, 0.75], "factor": 0.5, "patience_epochs": 1}
    recipe = document["recipe"]
    recipe["schedule"] = every | recipe["schedule"]
    recipe["loss"]["gamma"] = 2.0
    recipe["best"] = recipe.pop("monitor")
    del recipe["nonmono"]
    (run / "preset.yaml").write_text(yaml_text(document | {"measured": []}))


def test_a_run_of_before_is_loaded_scored_and_predicts(trained, tmp_path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.path, run)
    write_as_before(run)
    loaded = zoo.load_run(run)
    assert loaded.preset.values() == trained.preset.values()
    assert "recipe.best is called recipe.monitor now." in [n.what for n in loaded.preset.notices]
    texts, labels = map(list, zip(*sentences(20, seed=5), strict=True))
    assert loaded.evaluate((texts, labels)) == trained.evaluate((texts, labels))
    assert loaded.predict(texts) == trained.predict(texts)


@pytest.mark.slow
def test_a_run_of_before_is_resumed(reviews, tmp_path, monkeypatch) -> None:
    train(reviews, tmp_path / "a", resume=True)
    with monkeypatch.context() as patch:
        write_always(patch)
        kill_at(patch, callback.Checkpoints, "on_train_batch_end", 10)
        with pytest.raises(Killed):
            train(reviews, tmp_path / "b", resume=True)
    write_as_before(tmp_path / "b")
    train(reviews, tmp_path / "b", resume=True)
    assert_equal_runs(tmp_path / "a", tmp_path / "b")


def test_models_saved_with_flat_blocks_are_loaded() -> None:
    flat = {"name": "cosine", "final_fraction": 0.1, "milestones": [0.5], "factor": 0.5}
    assert RecipeSchedule(1.0, flat).get_config()["schedule"] == {
        "name": "cosine", "warmup_fraction": 0.0, "final_fraction": 0.1,
    }  # fmt: skip
    recipe = recipe_from({"best": "accuracy", "schedule": flat, "loss": {"name": "focal"}})
    assert (recipe.task, recipe.monitor, recipe.loss.gamma) == (
        "text-classification",
        "accuracy",
        2.0,
    )
    assert recipe_from({"unclipped": True, "global_clipnorm": None}).task == "language-modeling"


def test_a_builder_takes_the_old_name_and_says_the_new_one() -> None:
    small = {"vocabulary_size": 50, "hidden_dim": 4, "embedding_dim": 4}
    with pytest.warns(FutureWarning, match="is called architecture.temporal_activation_penalty"):
        zoo.lstm_lm(change_penalty=1.0, **small)
    with pytest.raises(ZooError, match="unknown argument of zoo.textcnn 'change_penalty'"):
        zoo.textcnn(change_penalty=1.0)


def test_a_layer_saved_with_the_old_name_is_built_again() -> None:
    config = LSTMStack((4,)).get_config() | {"change_penalty": 2.0}
    del config["temporal_activation_penalty"]
    assert LSTMStack.from_config(config).temporal_activation_penalty == 2.0
