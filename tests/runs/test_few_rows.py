"""Runs on few rows: contrastive pairs from pretrained weights, and when they are chosen."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import sentences, write_csv
from resume_parts import Killed, assert_equal_runs, kill_at, write_always
from start_parts import bert_folder

import zoo
from zoo import ZooError
from zoo.preset.contrastive import BROUGHT
from zoo.preset.loading import load_preset
from zoo.tasks.request import Request
from zoo.tasks.task import load_task
from zoo.tasks.text_classification.few_rows import FEW_ROWS, choose_contrastive
from zoo.training.contrastive import ContrastiveModel
from zoo.training.monitor import Monitor

QUICK = {"recipe.dtype_policy": "float32", "data.validation_fraction": 0.2}
FEW = QUICK | {"recipe.contrastive.pairs_per_row": 2}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_folder(tmp_path_factory.mktemp("starts") / "bert")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("rows") / "rows.csv", sentences(60))


def train(rows: Path, out: Path, preset: str = "minilm-few", **arguments) -> zoo.Run:
    arguments = {"set": FEW, "seed": 2, "verbose": False} | arguments
    return zoo.train("transformer", str(rows), preset=preset, out=out, **arguments)


@pytest.fixture(scope="module")
def run(bert: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    return train(rows, tmp_path_factory.mktemp("runs") / "run", init=bert)


def test_it_is_a_run_as_any_other(run: zoo.Run, rows: Path, tmp_path: Path) -> None:
    assert isinstance(run.model.network, ContrastiveModel)
    scores = run.metrics["validation"]
    again = run.evaluate(str(rows))
    assert {"loss", "accuracy", "macro_f1"} <= scores.keys() & again.keys()
    texts = ["a great film", "dull", "the story was moving"]
    predicted = run.predict(texts)
    vectors = run.features(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.ones(3), atol=1e-5)
    kernel, bias = run.model.network.get_layer("logits").get_weights()
    odds = np.exp(vectors @ kernel + bias)
    for row, answer in zip(odds / odds.sum(axis=1, keepdims=True), predicted, strict=True):
        np.testing.assert_allclose(row, list(answer["probabilities"].values()), atol=1e-5)
    model = tf.saved_model.load(str(run.export(tmp_path / "serving")))
    served = model.serve(tf.constant(texts))
    for row, answer in zip(served["probabilities"].numpy(), predicted, strict=True):
        np.testing.assert_allclose(row, list(answer["probabilities"].values()), atol=1e-5)
    with (run.path / "history.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line.keys() == {"epoch", "loss", "val_loss", "val_accuracy", "learning_rate", "seconds"}
    assert float(line["val_accuracy"]) == pytest.approx(scores["accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        pytest.param(Monitor, "on_train_batch_end", 5, marks=pytest.mark.slow),
        (ContrastiveModel, "fit_head", 1),
    ],
)
def test_killed_and_resumed_it_ends_with_the_same_weights(
    run: zoo.Run, bert: Path, rows: Path, tmp_path: Path, owner: type, name: str, call: int
) -> None:
    """Within the pass over the pairs, and after it."""
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, owner, name, call)
        with pytest.raises(Killed):
            train(rows, folder, init=bert)
    train(rows, folder, init=bert, resume=True)
    assert_equal_runs(run.path, folder)


def test_few_rows_with_pretrained_weights_become_pairs(
    run: zoo.Run, bert: Path, rows: Path, tmp_path: Path
) -> None:
    found = train(rows, tmp_path / "run", "minilm", init=bert, set=QUICK)
    assert any("auto -> pairs, as in the preset minilm-few" in str(f) for f in found.findings)
    brought = [str(f) for f in found.findings if "data.batch_size 16" in str(f)]
    assert len(brought) == 1
    assert "pairs brings data.batch_size 16, recipe.epochs 1" in brought[0]
    assert not [f for f in found.findings if "was set" in str(f) and "init" not in str(f)]
    values, few = found.preset.values(), run.preset.values()
    assert values.pop("recipe.contrastive.pairs_per_row") == "auto"
    assert values == {k: few[k] for k in values}
    again = zoo.train(found.path / "preset.yaml", out=tmp_path / "again", verbose=False)
    for one, other in zip(
        found.model.network.get_weights(), again.model.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ZooError, match=r"learning_rate was 5e-05 and is 0\.0003"):
        train(
            rows, found.path, "minilm", init=bert, resume=True,
            set=QUICK | {"recipe.optimizer.learning_rate": 3e-4},
        )  # fmt: skip
    assert train(rows, found.path, "minilm", init=bert, set=QUICK, resume=True).path == found.path


@pytest.mark.slow
def test_a_run_is_a_start_of_pairs_too(run: zoo.Run, rows: Path, tmp_path: Path) -> None:
    found = train(rows, tmp_path / "run", init=run.path)
    assert any("at random: logits" in str(finding) for finding in found.findings)
    tuned = train(rows, tmp_path / "tuned", "minilm", init=found.path, set={"recipe.epochs": 1})
    assert tuned.model.network.get_layer("logits").trainable


@pytest.mark.slow
def test_pairs_of_texts_are_trained_where_asked(bert: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    lines = [f"{text},{text[::-1]},{label}" for text, label in sentences(40)]
    table.write_text("sentence1,sentence2,label\n" + "\n".join(lines) + "\n")
    found = train(table, tmp_path / "run", init=bert)
    assert found.preset.data.texts == "pair"
    assert len(found.predict([("a great film", "a dull film")])) == 1


def test_rows_with_several_labels_are_refused(bert: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    lines = [f"{text},{label}|{'long' if i % 3 else 'short'}" for i, (text, label) in
             enumerate(sentences(40))]  # fmt: skip
    table.write_text("text,label\n" + "\n".join(lines) + "\n")
    with pytest.raises(ZooError, match="like or unlike by one label.*name=none"):
        train(table, tmp_path / "run", init=bert)


@pytest.mark.parametrize(
    ("rows", "several", "pairs", "fixed", "preset", "name", "says"),
    [
        (FEW_ROWS, False, False, (), "minilm", "pairs", "auto -> pairs"),
        (FEW_ROWS, False, False, ("data.max_length",), "e5", "pairs", "auto -> pairs"),
        (FEW_ROWS + 1, False, False, (), "minilm", "none", None),
        (50, True, False, (), "minilm", "none", None),
        (50, False, True, (), "minilm", "none", None),
        (50, False, False, ("recipe.epochs",), "minilm", "none", "recipe.epochs was set"),
        (50, False, False, (), "default", "none", "--preset minilm-few"),
        (50, False, True, (), "minilm-few", "pairs", None),
        (5000, False, False, (), "minilm-few", "pairs", None),
    ],
)
def test_what_is_chosen_follows_from_the_rows(
    rows, several, pairs, fixed, preset, name, says
) -> None:
    chosen, findings = choose_contrastive(
        load_preset("transformer", preset), rows, several, pairs, fixed
    )
    assert chosen == name
    assert [says in str(finding) for finding in findings] == ([True] if says else [])


@pytest.mark.parametrize(("contrastive", "said"), [("none", True), ("pairs", False)])
def test_rare_classes_are_rare_in_batches_of_rows_and_not_of_pairs(
    contrastive: str, said: bool, tmp_path: Path
) -> None:
    rows = write_csv(tmp_path / "rows.csv", [*sentences(60), ("a rare film", "third")])
    changes = {"recipe.contrastive.name": contrastive, "data.tokenizer": "words"}
    preset = load_preset("transformer", "minilm", changes)
    with load_task(preset.task).load(Request(rows), preset, None) as data:
        found = [str(finding) for finding in data.findings]
    assert any("less than one row in a batch" in finding for finding in found) == said


@pytest.mark.parametrize("preset", ["minilm", "e5", "default"])
def test_pairs_bring_the_values_of_their_preset(preset: str) -> None:
    few = load_preset("transformer", "minilm-few").values()
    changed = load_preset("transformer", preset, {"recipe.contrastive.name": "pairs"})
    values = changed.values()
    recipe = [key for key in values if key.startswith("recipe.") or key == "data.batch_size"]
    others = {"recipe.init", "recipe.dtype_policy"}
    assert {key: values[key] for key in recipe if key not in others} == {
        key: few[key] for key in recipe if key not in others
    }
    assert {key: value for key, (value, *_) in BROUGHT.items()} == {
        key: few[key] for key in BROUGHT
    }
    moved = [key for key in BROUGHT if load_preset("transformer", preset).values()[key] != few[key]]
    assert set(moved) <= changed.why.keys()


def test_what_is_set_beside_pairs_stays() -> None:
    changes = {"recipe.contrastive.name": "pairs", "recipe.epochs": 3, "data.batch_size": 64}
    values = load_preset("transformer", "minilm", changes).values()
    assert (values["recipe.epochs"], values["data.batch_size"]) == (3, 64)
    assert values["recipe.optimizer.learning_rate"] == 5e-5
    values = load_preset("transformer", "minilm", {"recipe.contrastive.pairs_per_row": 4}).values()
    assert (values["recipe.contrastive.name"], values["recipe.epochs"]) == ("pairs", 1)
