"""The commands, as a person types them."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest
import typer
from conftest import QUICK, sentences, write_csv
from typer.testing import CliRunner

import zoo
from zoo.cli import app
from zoo.errors import ZooError
from zoo.options import EXAMPLES

SETTINGS = [part for key, value in QUICK.items() for part in ("--set", f"{key}={value}")]


def run(*arguments: str, stdin: str | None = None):
    return CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=False)


def test_train_prints_one_json_document_on_stdout(reviews, tmp_path) -> None:
    # As users start it: whoever sets TensorFlow's level sees its lines.
    unset = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "train", "textcnn", str(reviews), "--json", *SETTINGS,
         "--out", str(tmp_path / "run")],
        capture_output=True, text=True, check=True, env=unset,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert {"run", "model", "preset", "metrics", "baseline", "seconds", "findings"} <= set(document)
    assert set(document["metrics"]) == {"validation", "test"}
    assert document["metrics"]["test"] is None
    assert "epoch" in done.stderr
    assert "E0000" not in done.stderr and "W0000" not in done.stderr  # nothing of TensorFlow's


def test_the_bundled_data_train(tmp_path) -> None:
    result = run("train", "fasttext", "--out", str(tmp_path / "run"), "--fraction", "0.05",
                 "--set", "recipe.epochs=1", "--set", "recipe.min_steps=0",
                 "--set", "architecture.ngram_buckets=65536")  # fmt: skip
    assert result.exit_code == 0
    assert "the linear baseline" in result.stdout
    assert "zoo predict" in result.stdout


def test_evaluate(trained, tmp_path) -> None:
    path = str(write_csv(tmp_path / "test.csv", sentences(20, seed=3)))
    assert "accuracy" in run("evaluate", str(trained.path), path).stdout
    document = json.loads(run("evaluate", str(trained.path), path, "--json").stdout)
    assert document["metrics"]["examples"] == 20


def test_predict_lines_from_stdin(trained) -> None:
    result = run("predict", str(trained.path), stdin="a great film\ndull\n")
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["label"], second["label"]) == ("good", "bad")
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_predict_a_table_and_a_text_file(trained, tmp_path) -> None:
    table = write_csv(tmp_path / "new.csv", [("a great film", "x"), ("awful", "y")])
    assert len(run("predict", str(trained.path), str(table)).stdout.splitlines()) == 2
    lines = tmp_path / "new.txt"
    lines.write_text("a great film\n\nawful\n")
    assert len(run("predict", str(trained.path), str(lines)).stdout.splitlines()) == 3


def test_export(trained, tmp_path) -> None:
    assert "serve" in run("export", str(trained.path), str(tmp_path / "serving")).stdout
    assert (tmp_path / "serving" / "saved_model.pb").is_file()


def test_data(reviews) -> None:
    shown = run("data", str(reviews)).stdout
    assert "200 rows, 2 classes" in shown
    document = json.loads(run("data", str(reviews), "--json").stdout)
    assert document["rows"] == 200
    assert isinstance(document["findings"], list)


def test_presets_explain_and_advice() -> None:
    assert "textcnn/kim2014" in run("presets").stdout
    assert "rcnn" not in run("presets", "textcnn").stdout.replace("textcnn", "")
    assert "architecture:" in run("presets", "textcnn/default").stdout
    assert json.loads(run("presets", "--json").stdout)[0]["preset"] == "textcnn/default"
    shown = run("explain", "textcnn", "recipe.optimizer.learning_rate").stdout
    assert "recipe.optimizer.learning_rate = " in shown
    assert "search" in shown
    assert "A47" in run("advice", "A47").stdout
    assert "textcnn/kim2014" in run("advice", "kim2014").stdout
    assert json.loads(run("advice", "A47", "--json").stdout)[0]["id"] == "A47"
    with pytest.raises(ZooError, match="A47"):
        run("advice", "A477")
    with pytest.raises(ZooError, match="Did you mean"):
        run("explain", "textcnn", "recipe.optimizer.learning_rat")


def test_a_preset_copied_from_the_command_works(tmp_path, reviews) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(run("presets", "textcnn/default").stdout)
    assert "dropout" in run("explain", str(path), "architecture.dropout").stdout


def test_runs(trained) -> None:
    folder = str(trained.path.parent)
    assert "textcnn/default" in run("runs", folder).stdout
    assert json.loads(run("runs", folder, "--json").stdout)[0]["run"] == str(trained.path)
    with pytest.raises(ZooError, match="no such folder"):
        run("runs", "/nothing/here")


def test_names_are_shown_as_they_are(trained, tmp_path, zoo_command) -> None:
    shutil.copytree(trained.path, tmp_path / "[red] a")
    assert "[red] a" in zoo_command("runs", tmp_path, code=0).stdout.replace("\n", "")


def test_set_wants_key_and_value(reviews) -> None:
    with pytest.raises(ZooError, match="KEY=VALUE"):
        run("train", "textcnn", str(reviews), "--set", "recipe.epochs")


COMMANDS = typer.main.get_command(app).commands


def test_version_and_help(zoo_command) -> None:
    assert zoo_command("--version", code=0).stdout.startswith(f"zoo {zoo.__version__}\n")
    whole = zoo_command("--help", code=0).stdout
    assert "143 SIGTERM" in whole and "--install-completion" in whole
    assert zoo_command("-h", code=0).stdout == zoo_command("help", code=0).stdout == whole
    for name in COMMANDS:
        shown = zoo_command(name, "-h", code=0).stdout
        assert zoo_command("help", name, code=0).stdout == shown
        assert all(" ".join(line.split()) in shown for line in EXAMPLES.get(name, ()))
    assert "Did you mean 'train'?" in zoo_command("help", "trian", code=1).stderr
    assert "-- COMMAND" in zoo_command("launch", "--help", code=0).stdout


def test_every_command_has_examples_that_parse() -> None:
    assert set(EXAMPLES) == set(COMMANDS) - {"help"}
    for name, lines in EXAMPLES.items():
        for line in lines:
            words = shlex.split(line.split("|")[-1].split(">")[0])
            assert words[:2] == ["zoo", name]
            COMMANDS[name].make_context(name, words[2:])


def test_a_misspelt_command_or_option_says_what_was_meant(zoo_command) -> None:
    assert "Did you mean 'train'?" in zoo_command("trian", code=2).stderr
    assert "--overwrite" in zoo_command("train", "textcnn", "--ovrwrite", code=2).stderr
