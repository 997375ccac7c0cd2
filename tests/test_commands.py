"""Every task, every command: what a person types works, or is refused in words, for all of them."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import tensorflow as tf
from conftest import QUICK, sentences, write_csv
from image_parts import write_folder

import zoo
from zoo.cli import app
from zoo.preset.schemas import TASKS, architectures, info_of

RESNET = {"architecture.depth": 8, "architecture.filters": (8, 8, 8)}
FEW = {"recipe.epochs": 2, "recipe.min_steps": 0}


# Run of one task, data of another: tables of text are a corpus, too.
CORPORA = ("language-modeling", "masked-language-modeling")
READABLE = {(task, other) for task in CORPORA for other in (*CORPORA, "text-classification")}
# Commands with a test of every task below, and those that know no task.
SWEPT = {
    "train",
    "evaluate",
    "predict",
    "embed",
    "generate",
    "export",
    "data",
    "runs",
    "diagnose",
    "find-lr",
    "check",
}
OF_NO_TASK = {"launch", "help", "advice", "presets", "explain"}


def test_every_command_is_swept() -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert names == SWEPT | OF_NO_TASK


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A folder of a small run of each task, named after it, beside the data it was trained on."""
    root = tmp_path_factory.mktemp("tasks")
    write_csv(root / "text-classification.csv", sentences(60))
    write_folder(root / "image-classification.data", 8)
    lines = " ".join(text for text, _ in sentences(600)).replace(" the ", "\n")
    for task in CORPORA:
        (root / f"{task}.txt").write_text(lines + "\n")
    small = {
        "text-classification": QUICK,
        "image-classification": RESNET | {"architecture.image_size": 16},
        "language-modeling": {"architecture.hidden_dim": 8, "architecture.embedding_dim": 8},
        "masked-language-modeling": {"architecture.hidden_dim": 8, "data.tokenizer": "words"},
    }
    assert set(small) == set(TASKS)
    for task, changes in small.items():
        out, model = root / "runs" / task, info_of(task).default_model
        zoo.train(model, data(root, task), set=changes | FEW, out=out, verbose=False)
    return root


def data(root: Path, task: str) -> str:
    (path,) = (path for path in root.iterdir() if path.stem == task)
    return str(path)


@pytest.mark.parametrize("task", TASKS)
def test_evaluate(task: str, runs, zoo_command) -> None:
    source, info = data(runs, task), info_of(task)
    scores = json.loads(
        zoo_command("evaluate", runs / "runs" / task, source, "--json", code=0).stdout
    )
    assert set(info.metrics) <= set(scores["metrics"])
    shown = zoo_command("evaluate", runs / "runs" / task, source, code=0).stdout
    assert f" {info.unit}" in shown
    for metric, form in info.metrics.items():
        number = rf"{metric} \d+\.\d\d %" if form.endswith("%") else rf"{metric} \d+\.\d\d"
        assert re.search(number, " ".join(shown.split())), shown


@pytest.mark.parametrize("task", TASKS)
def test_predict_and_generate(task: str, runs, zoo_command, tmp_path) -> None:
    run, verbs = runs / "runs" / task, info_of(task).verbs
    (tmp_path / "new.txt").write_text("a great film\nthe plot was dull\n")
    inputs = tmp_path / "new.txt" if info_of(task).items == "texts" else data(runs, task)
    predicted = zoo_command("predict", run, inputs, code=int("predict" not in verbs))
    generated = zoo_command(
        "generate", run, "the", "--length", 3, code=int("generate" not in verbs)
    )
    if "predict" in verbs:
        answers = [json.loads(line) for line in predicted.stdout.splitlines()]
        assert answers and all(sum(each["probabilities"].values()) > 0.99 for each in answers)
        assert "is a classifier, no language model. Use predict or evaluate." in generated.stderr
    elif "generate" not in verbs:
        for ended in (predicted, generated):
            assert "is a masked language model, no " in ended.stderr
            assert "Use evaluate or features." in ended.stderr
    else:
        assert generated.stdout.startswith("the")
        assert "is a language model, no classifier. Use generate or score." in predicted.stderr


@pytest.mark.parametrize("task", TASKS)
def test_embed(task: str, runs, zoo_command, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts, images = ["a great film", "the plot was dull"], info_of(task).items == "images"
    (tmp_path / "new.txt").write_text("\n".join(texts) + "\n")
    inputs = data(runs, task) if images else tmp_path / "new.txt"
    ended = zoo_command("embed", runs / "runs" / task, inputs, "--json", code=0)
    said = json.loads(ended.stdout)
    name = f"{Path(inputs).name.split('.')[0]}-embeddings.parquet"
    assert (said["file"], said["problems"]) == (name, [])
    table = parquet.read_table(tmp_path / name)
    vectors = np.stack(table["embedding"].to_pylist())
    assert table.column_names == said["columns"] == ["row", said["columns"][1], "embedding"]
    assert vectors.shape == (said["rows"], said["features"]) and table["row"][0].as_py() == 1
    run = zoo.load_run(runs / "runs" / task)
    expected = run.features([inputs] if images else texts)
    assert expected.dtype == np.float32 and np.isfinite(expected).all()
    np.testing.assert_array_equal(vectors.astype(np.float32), expected)
    assert images or table["text"].to_pylist() == texts
    again = zoo_command("embed", runs / "runs" / task, inputs, code=1)
    assert f"{name}: is already there" in again.stderr
    shown = zoo_command("embed", runs / "runs" / task, inputs, "--overwrite", code=0).stdout
    assert f"{name}: {said['rows']} rows, vectors of {said['features']} features" in shown


def test_what_cannot_predict_says_so_before_it_reads(runs, zoo_command) -> None:
    ended = zoo_command("predict", runs / "runs" / "language-modeling", code=1)
    assert "is a language model, no classifier. Use generate or score." in ended.stderr
    ended = zoo_command("predict", runs / "runs" / "image-classification", code=1)
    assert "predict needs the paths of images" in ended.stderr


@pytest.mark.parametrize("task", TASKS)
def test_export(task: str, runs, zoo_command, tmp_path) -> None:
    said = zoo_command("export", runs / "runs" / task, tmp_path / "serving", code=0).stdout
    assert info_of(task).serves in said
    assert "serve" in tf.saved_model.load(str(tmp_path / "serving")).signatures


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=[pytest.mark.slow] * (task in CORPORA)) for task in TASKS]
)
def test_check(task: str, runs, zoo_command) -> None:
    ended = zoo_command("check", runs / "runs" / task / "preset.yaml", "--json", code=0)
    names = {finding["name"] for finding in json.loads(ended.stdout)["findings"]}
    assert {"values", "same-twice", "gradients", "rows-apart", "whole-run"} <= names
    assert names & {"by-heart", "rate-too-low"}  # such small networks are slow learners


# Texts have theirs in tests/runs/test_find_lr.py, and of two language models one is enough.
SLOW = {"text-classification", "masked-language-modeling"}


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=[pytest.mark.slow] * (task in SLOW)) for task in TASKS]
)
def test_find_lr(task: str, runs) -> None:
    preset = runs / "runs" / task / "preset.yaml"
    found = zoo.find_lr(preset, lowest=1e-6, factor=2.0, highest=1.0)
    assert len(found.rates) == len(found.losses) > 10
    assert found.preset_rate == zoo.load_run(preset.parent).preset.recipe.optimizer.learning_rate


@pytest.mark.parametrize("task", TASKS)
def test_diagnose(task: str, runs, zoo_command) -> None:
    run = runs / "runs" / task
    document = json.loads(zoo_command("diagnose", run, "--json", code=0).stdout)
    # So few steps are no training run that anything can be told of.
    assert document["verdict"] == "too-early"
    assert "too-early" in {finding.name for finding in zoo.load_run(run).findings}


@pytest.mark.parametrize("task", TASKS)
def test_data_by_every_preset_of_the_task(task: str, runs, zoo_command) -> None:
    for model, schema in architectures().items():
        if schema.task == task:
            ended = zoo_command(
                "data", data(runs, task), "--preset", f"{model}/default", "--json", code=0
            )
            assert {"findings"} < set(json.loads(ended.stdout)), ended
    shown = zoo_command("data", data(runs, task), "--preset", info_of(task).default_model, code=0)
    assert shown.stdout


@pytest.mark.parametrize("task", TASKS)
def test_a_sheet_of_images_alone(task: str, runs, zoo_command, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    preset, images = info_of(task).default_model, info_of(task).items == "images"
    ended = zoo_command(
        "data", data(runs, task), "--preset", preset, "--show", code=int(not images)
    )
    assert bool(list(tmp_path.glob("*.png"))) == images
    assert images or "--show is for images" in ended.stderr


@pytest.mark.parametrize("task", TASKS)
def test_a_finished_run_is_not_trained_again(task: str, runs, zoo_command) -> None:
    run = runs / "runs" / task
    before = (run / "model" / "model.keras").read_bytes()
    ended = zoo_command("train", run / "preset.yaml", "--out", run, "--resume", code=0)
    assert "there is nothing to resume" in ended.stderr
    assert (run / "model" / "model.keras").read_bytes() == before
    assert info_of(task).baseline in ended.stdout


@pytest.mark.parametrize("task", TASKS)
def test_the_data_of_another_task_are_refused_in_words(task: str, runs, zoo_command) -> None:
    for other in TASKS:
        if other != task:
            code = int((task, other) not in READABLE)
            ended = zoo_command("evaluate", runs / "runs" / task, data(runs, other), code=code)
            assert not code or (ended.stderr.startswith("zoo: ") and not ended.stdout)


def test_runs_of_all_tasks_are_listed(runs, zoo_command) -> None:
    listed = json.loads(zoo_command("runs", runs / "runs", "--json", code=0).stdout)
    assert {Path(line["run"]).name for line in listed} == set(TASKS)
    for line in listed:
        assert line[info_of(Path(line["run"]).name).primary_metric] is not None
    shown = zoo_command("runs", runs / "runs", code=0).stdout
    assert "perplexity" in shown and "accuracy" in shown
