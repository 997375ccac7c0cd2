"""Bad input to the main job: a clear ZooError each, and nothing lost."""

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import pytest
from conftest import QUICK, sentences, write_csv

import zoo
from zoo import ZooError


def train(data, folder: Path, **arguments):
    return zoo.train("textcnn", data, out=folder / "run", set=QUICK, verbose=False, **arguments)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("text,label\n", "no rows|only a header|header"),
        ("text,label\n,a\n,b\n  ,a\n", "empty"),
        ("text,label\nx,a\ny,a\nz,a\n", "one class"),
        ("text,label\nx,a\ny,\nz,b\n", r"row.* 2"),
        ("text,label\nx,a\ny,b,c,d\nz,b\n", r"row.* 2"),
    ],
)
def test_files_that_cannot_be_trained_on(content, message, tmp_path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(content)
    with pytest.raises(ZooError, match=message) as error:
        train(path, tmp_path)
    assert "data.csv" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_not_utf8(tmp_path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"text,label\nfine,a\ncaf\xe9,b\n")
    with pytest.raises(ZooError, match=r"row.* 2.*UTF-8|UTF-8.*row.* 2"):
        train(path, tmp_path)


def test_missing_file_empty_folder_and_wrong_column(tmp_path, reviews) -> None:
    with pytest.raises(ZooError, match="nothing.csv"):
        train(tmp_path / "nothing.csv", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ZooError, match="empty"):
        train(tmp_path / "empty", tmp_path)
    with pytest.raises(ZooError, match="'txt'.*Did you mean 'text'"):
        train(reviews, tmp_path, text="txt")


def test_preset_and_key_misspelt_and_value_out_of_range(reviews, tmp_path) -> None:
    with pytest.raises(ZooError, match="Did you mean 'kim2014'"):
        train(reviews, tmp_path, preset="kim2041")
    with pytest.raises(ZooError, match="Did you mean 'textcnn'"):
        zoo.train("textcn", reviews)
    with pytest.raises(ZooError, match="Did you mean 'recipe.optimizer.learning_rate'"):
        zoo.train("textcnn", reviews, set={"recipe.optimizer.learning_rat": 0.1})
    with pytest.raises(ZooError, match="dropout.*1.5"):
        zoo.train("textcnn", reviews, set={"architecture.dropout": 1.5})
    assert not (tmp_path / "run").exists()


def test_a_test_label_unknown_to_training(reviews, tmp_path) -> None:
    other = write_csv(tmp_path / "test.csv", [("a film", "good"), ("a story", "ugly")])
    with pytest.raises(ZooError, match="ugly"):
        train(reviews, tmp_path, test=other)
    assert not (tmp_path / "run").exists()


def test_a_run_that_is_there_is_not_lost(reviews, tmp_path) -> None:
    first = train(reviews, tmp_path)
    before = (first.path / "metrics.json").read_bytes()
    with pytest.raises(ZooError, match="--overwrite"):
        train(reviews, tmp_path)
    with pytest.raises(ZooError, match="no such|missing|not found|nothing.csv"):
        train(tmp_path / "nothing.csv", tmp_path, overwrite=True)
    assert (first.path / "metrics.json").read_bytes() == before
    again = train(reviews, tmp_path, overwrite=True, seed=9)
    assert (again.path / "metrics.json").read_bytes() != before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_overwrite_leaves_a_folder_alone_that_is_no_run(reviews, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    with pytest.raises(ZooError, match="not a run"):
        train(reviews, tmp_path, overwrite=True)
    assert (tmp_path / "run" / "thesis.txt").read_text() == "years of work"


def test_folders_that_are_not_runs(tmp_path) -> None:
    with pytest.raises(ZooError, match="no such run folder"):
        zoo.load_run(tmp_path / "nothing")
    with pytest.raises(ZooError, match="not a finished run"):
        zoo.load_run(tmp_path)


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    import shutil

    return Path(shutil.copytree(trained.path, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model/model.keras", b"not a zip"),
        ("model/labels.json", b"{"),
        ("model/labels.json", b"[]"),
        ("model/tokenizer/sentencepiece.model", b"\x00\x01\x02"),
        ("model/tokenizer/tokenizer.json", b"{}"),
        ("preset.yaml", b"model: ["),
    ],
)
def test_damaged_runs(copied, name, content) -> None:
    (copied / name).write_bytes(content)
    run = zoo.load_run(copied)
    with pytest.raises(ZooError, match=name.rsplit("/", 1)[-1].split(".")[0]):
        assert run.preset
        run.predict(["a film"])


def test_a_truncated_model_file(copied) -> None:
    path = copied / "model" / "model.keras"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ZooError, match=r"model\.keras"):
        zoo.load_run(copied).predict(["a film"])


class Hostile:
    """Unpickling it would make a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_a_pickle_is_never_unpickled(copied, tmp_path) -> None:
    target = tmp_path / "executed"
    payload = pickle.dumps(Hostile(target))
    for name in ("data.csv", "data.parquet", "data.jsonl", "data.tsv"):
        (tmp_path / name).write_bytes(payload)
        with pytest.raises(ZooError):
            train(tmp_path / name, tmp_path)
    for name in ("model.keras", "labels.json", "tokenizer/tokenizer.json"):
        broken = copied / "model" / name
        kept = broken.read_bytes()
        broken.write_bytes(payload)
        with pytest.raises(ZooError):
            zoo.load_run(copied).predict(["a film"])
        broken.write_bytes(kept)
    assert not target.exists()


def test_a_lambda_layer_is_refused(copied, tmp_path) -> None:
    inputs = keras.Input((None,), dtype="int32")
    outputs = keras.layers.Lambda(lambda x: x)(inputs)
    keras.Model(inputs, outputs).save(copied / "model" / "model.keras")
    with pytest.raises(ZooError, match="holds code"):
        zoo.load_run(copied).predict(["a film"])


def test_a_model_file_that_names_a_function_of_the_system(copied, tmp_path) -> None:
    path = copied / "model" / "model.keras"
    target = tmp_path / "executed"
    config = {
        "module": "subprocess", "class_name": "run", "registered_name": None,
        "config": {"args": ["touch", str(target)]},
    }  # fmt: skip
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(ZooError, match=r"model\.keras"):
        zoo.load_run(copied).predict(["a film"])
    assert not target.exists()


def test_hostile_preset_file(reviews, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"!!python/object/apply:pathlib.Path.touch ['{tmp_path}/executed']\n")
    with pytest.raises(ZooError, match=r"mine\.yaml"):
        train(reviews, tmp_path, preset=path)
    assert not (tmp_path / "executed").exists()


def test_a_full_disk_while_training(reviews, tmp_path, monkeypatch) -> None:
    """The run's folder lies on a file system of one megabyte, where this machine may mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        with pytest.raises(ZooError, match="No space left"):
            zoo.train("textcnn", reviews, out=small / "run", set=QUICK, verbose=False)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_export_refuses_a_folder_that_is_not_empty(trained, tmp_path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(ZooError, match="already there"):
        trained.export(tmp_path)
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_evaluate_on_a_label_unknown_to_the_run(trained, tmp_path) -> None:
    path = write_csv(tmp_path / "test.csv", [*sentences(4), ("a film", "ugly")])
    with pytest.raises(ZooError, match="ugly"):
        trained.evaluate(path)


def test_errors_of_the_command_are_one_message_and_exit_code_1(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "train", "textcnn", str(tmp_path / "nothing.csv")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nothing.csv" in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", ["-1", "5000000000"])
def test_a_seed_that_numpy_does_not_take_is_refused(zoo_command, reviews, tmp_path, seed) -> None:
    out = tmp_path / "run"
    ended = zoo_command("train", "textcnn", reviews, "--seed", seed, "--out", out, code=1)
    assert f"`seed` must be a whole number in [0, 4,294,967,296). Received: {seed}." in ended.stderr
    assert not out.exists()


def test_another_number_of_classes_than_the_data_have(zoo_command, reviews, tmp_path) -> None:
    asked, out = ["--set", "architecture.num_classes=5"], tmp_path / "run"
    ended = zoo_command("train", "textcnn", reviews, *asked, "--out", out, code=1)
    assert "architecture.num_classes=5 was set, and the data have 2 classes: 'bad', 'good'" in (
        " ".join(ended.stderr.split())
    )
    assert not out.exists()
