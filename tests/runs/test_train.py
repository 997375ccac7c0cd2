"""A whole training, and what its folder holds."""

import csv
import json

import keras
import numpy as np
import pytest
from conftest import QUICK, sentences, write_csv

import zoo
from zoo import ZooError
from zoo.plain_yaml import read_yaml


def test_the_folder_of_a_run(trained) -> None:
    names = {path.name for path in trained.path.iterdir()}
    assert {
        "preset.yaml", "metrics.json", "history.csv", "environment.json", "findings.json",
        "notes.yaml", "mistakes.csv", "model",
    } <= names  # fmt: skip
    assert not [name for name in names if name.startswith(".")]


def test_golden_scores(trained, assert_golden) -> None:
    assert_golden(trained)
    assert trained.metrics["validation"]["accuracy"] >= 0.85
    assert trained.metrics["test"]["accuracy"] >= 0.85


def test_metrics_have_the_promised_keys(trained) -> None:
    for part in ("validation", "test"):
        assert {"loss", "accuracy", "macro_f1", "weighted_f1"} <= set(trained.metrics[part])
        assert {"loss", "accuracy", "macro_f1", "weighted_f1"} <= set(
            trained.metrics["baseline"][part]
        )
        assert set(trained.metrics[part]["classes"]) == {"bad", "good"}
    training = trained.metrics["training"]
    assert training["examples_per_second"] > 0
    assert 0 <= training["input_wait_share"] < 1
    assert training["parameters"] == trained.model.network.count_params()


def test_the_result_line_compares_with_the_linear_model(trained) -> None:
    assert "the linear baseline" in trained.findings[-1].what
    part = trained.metrics["test"]["accuracy"] - trained.metrics["baseline"]["test"]["accuracy"]
    assert trained.findings[-1].evidence["points"] == pytest.approx(100 * part)


def test_the_saved_model_scores_what_metrics_say(trained, tmp_path) -> None:
    path = write_csv(tmp_path / "test.csv", sentences(60, seed=1))
    found = zoo.load_run(trained.path).evaluate(str(path))
    assert found["accuracy"] == pytest.approx(trained.metrics["test"]["accuracy"])
    assert found["loss"] == pytest.approx(trained.metrics["test"]["loss"], rel=1e-5)


def test_predictions_come_in_order_and_padding_is_harmless(trained) -> None:
    texts = ["great " * 50, "dull", "a great film", "", "the plot was awful"]
    together = trained.predict(texts)
    for text, prediction in zip(texts, together, strict=True):
        (alone,) = trained.predict([text])
        assert alone["label"] == prediction["label"]
        for label, value in alone["probabilities"].items():
            assert value == pytest.approx(prediction["probabilities"][label], abs=1e-5)
    assert together[2]["label"] == "good"
    assert together[4]["label"] == "bad"


def test_predict_refuses_one_string(trained) -> None:
    with pytest.raises(ZooError, match="list of texts"):
        trained.predict("a film")


def test_keras_reads_the_saved_model(trained) -> None:
    model = keras.models.load_model(trained.path / "model" / "model.keras")
    ids = np.array([[5, 6, 7]], dtype="int32")
    expected = trained.model.network(ids)
    np.testing.assert_allclose(model(ids), expected, atol=1e-6)


def test_history_has_a_line_an_epoch(trained) -> None:
    with (trained.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == trained.metrics["training"]["epochs"] == 6
    assert {"epoch", "loss", "val_loss", "val_accuracy", "learning_rate"} <= set(rows[0])


def test_notes_and_environment(trained) -> None:
    assert read_yaml(trained.path / "notes.yaml")["why"] == "the run of the tests"
    about = json.loads((trained.path / "environment.json").read_text())
    assert about["request"]["seed"] == 1
    assert about["versions"]["keras"] == keras.__version__
    assert about["fingerprint"]
    assert {"versions", "commit", "code", "hardware", "platform", "command", "date"} <= set(about)


@pytest.mark.slow  # a run that is repeated from its preset file is one with the same seed
def test_the_same_seed_gives_the_same_weights(reviews, tmp_path) -> None:
    runs = [
        zoo.train("textcnn", reviews, set=QUICK, out=tmp_path / name, seed=5, verbose=False)
        for name in "ab"
    ]
    first, second = (run.model.network.get_weights() for run in runs)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_is_repeated_from_its_preset_file(reviews, tmp_path, monkeypatch) -> None:
    """From another folder, too: paths are kept as they are from everywhere."""
    monkeypatch.chdir(reviews.parent)
    arguments = {"seed": 4, "fraction": 0.8, "verbose": False}
    first = zoo.train("textcnn", reviews.name, set=QUICK, out="a", **arguments)
    ours = first.model.network.get_weights()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = zoo.train(tmp_path / "a" / "preset.yaml", out=tmp_path / "b", verbose=False)
    for a, b in zip(ours, again.model.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_paths_and_commands_of_a_run_hold_from_everywhere(tmp_path, monkeypatch) -> None:
    from zoo.runs.resolve import resolve
    from zoo.tasks.request import Request

    monkeypatch.chdir(tmp_path)
    vectors = resolve(zoo.load_preset("textcnn"), {"data.vectors": "v.txt"})[0].data.vectors
    assert vectors == str(tmp_path / "v.txt")
    request = Request(
        "a.csv", tmp_path / "b.csv", ["c.csv", "d"], None, None, 0, 1.0, None, False
    ).to_dict()
    assert request["data"] == str(tmp_path / "a.csv")
    assert request["validation"] == str(tmp_path / "b.csv")
    assert request["test"] == [str(tmp_path / "c.csv"), str(tmp_path / "d")]


@pytest.mark.parametrize(
    ("model", "epochs", "rate"),
    [("rcnn", 4, 0.02), ("textrnn", 4, 0.02), ("fasttext", 4, 0.02), ("transformer", 6, 0.002)],
)
def test_golden_scores_of_every_family(
    model, epochs, rate, reviews, tmp_path, assert_golden
) -> None:
    known = zoo.load_preset(model).values()
    changes = {key: value for key, value in QUICK.items() if key in known}
    changes |= {"data.batch_size": 16, "recipe.epochs": epochs}
    changes |= {"recipe.optimizer.learning_rate": rate}
    run = zoo.train(model, reviews, set=changes, out=tmp_path / "run", seed=1, verbose=False)
    assert_golden(run)
    assert len(run.predict(["a great film", "dull"])) == 2


def test_integer_labels_come_back_as_integers(tmp_path) -> None:
    rows = [(text, {"good": 10, "bad": 9}[label]) for text, label in sentences(100)]
    texts, labels = map(list, zip(*rows, strict=True))
    run = zoo.train("textcnn", (texts, labels), set=QUICK, out=tmp_path / "run", verbose=False)
    assert zoo.load_run(run.path).predict(["a great film"])[0]["label"] in (9, 10)


@pytest.mark.slow  # tests/starts/test_word_vectors.py trains with GloVe's
def test_start_vectors(reviews, tmp_path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text(
        "great " + " ".join(["0.5"] * 16) + "\ndull " + " ".join(["-0.5"] * 16) + "\n"
    )
    run = zoo.train(
        "textcnn",
        reviews,
        set=QUICK
        | {
            "data.tokenizer": "words",
            "data.vectors": str(vectors),
            "architecture.embedding": "static",
        },
        out=tmp_path / "run",
        verbose=False,
    )
    finding = next(finding for finding in run.findings if "vectors for" in finding.what)
    assert finding.evidence["found"] == 2
    pieces = run.model.tokenizer.pieces
    layer = next(layer for layer in run.model.network.layers if layer.name.startswith("embedding"))
    np.testing.assert_allclose(layer.get_weights()[0][pieces.index("great")], 0.5)


def test_ctrl_c_keeps_the_best_so_far(reviews, tmp_path) -> None:
    """A real SIGINT in the middle of a run of a real process."""
    import os
    import signal
    import subprocess
    import sys
    import time

    out = tmp_path / "run"
    command = [
        sys.executable, "-m", "zoo", "train", "textcnn", str(reviews), "--out", str(out),
        "--set", "recipe.epochs=100000", "--set", "recipe.patience_epochs=null",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    history = out / "history.csv"
    for _ in range(600):
        if history.is_file() and len(history.read_text().splitlines()) > 2:
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "zoo predict" in stderr
    assert f"--out {out} --resume" in stderr
    assert zoo.load_run(out).predict(["a great film"])
    assert zoo.load_run(out).metrics["training"]["interrupted"] is True


def test_ctrl_c_before_the_first_epoch_leaves_nothing(reviews, tmp_path, monkeypatch) -> None:
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.training.model.TrainingModel.fit", interrupt)
    with pytest.raises(ZooError, match="nothing is kept"):
        zoo.train("textcnn", reviews, set=QUICK, out=tmp_path / "run", verbose=False)
    assert not (tmp_path / "run").exists()
