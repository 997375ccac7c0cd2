"""Image classifiers from files to predictions: runs, scores, resuming, the saved model."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from image_parts import QUICK, pixels, write_folder
from PIL import Image
from resume_parts import Killed, assert_equal_runs, kill_at, write_always
from typer.testing import CliRunner

import zoo
from zoo import ZooError
from zoo.cli import app
from zoo.layers.kernels import BatchNorm
from zoo.runs.resolve import resolve
from zoo.tasks.image_classification.task import TASK
from zoo.tasks.request import Request
from zoo.training.checkpoints.callback import Checkpoints
from zoo.training.checkpoints.files import CheckpointFiles


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run on a folder of parts; tests must not change it."""
    folder = tmp_path_factory.mktemp("images")
    for number, part in enumerate(("train", "test")):
        write_folder(folder / "data" / part, 40 - 25 * number, first=100 * number)
    return zoo.train(
        "resnet", data=str(folder / "data"), set=QUICK | {"recipe.epochs": 15}, out=folder / "run",
        verbose=False,
    )  # fmt: skip


def test_golden_scores(run, assert_golden):
    assert_golden(run)


def test_a_run_has_scores_a_sheet_of_mistakes_and_what_the_data_decided(run):
    metrics = run.metrics
    assert metrics["test"]["accuracy"] > 0.9
    assert set(metrics["test"]["classes"]) == {"blue", "red"}
    assert metrics["baseline"]["test"]["accuracy"] > 0.9
    assert metrics["training"]["parameters"] == run.model.network.count_params()
    assert metrics["training"]["compiled_shapes"] == 0  # on a CPU, unless asked for
    with Image.open(run.path / "mistakes.png") as sheet:
        assert sheet.width > 900
    decided = run.preset.architecture
    assert (decided.num_classes, decided.image_size) == (2, 24)
    assert 50 < decided.pixel_mean[1] < 75
    assert "receptive fields" in "\n".join(map(str, run.findings))


def test_predictions_of_files_and_folders(run, tmp_path):
    for label in ("blue", "red"):
        Image.fromarray(pixels(label, 999, 40, 30)).save(tmp_path / f"{label}.png")
    predictions = zoo.load_run(run.path).predict([str(tmp_path / "red.png"), str(tmp_path)])
    names = ["red.png", "blue.png", "red.png"]
    assert [p["file"] for p in predictions] == [str(tmp_path / name) for name in names]
    assert [p["label"] for p in predictions] == ["red", "blue", "red"]
    assert sum(predictions[0]["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    (tmp_path / "cut.png").write_bytes((tmp_path / "red.png").read_bytes()[:200])
    with pytest.raises(ZooError, match=r"cut\.png: is truncated"):
        run.predict([str(tmp_path / "cut.png")])
    with pytest.raises(ZooError, match="nothing: no such file"):
        run.predict([str(tmp_path / "nothing")])
    (tmp_path / "none").mkdir()
    with pytest.raises(ZooError, match="none: holds no images"):
        run.predict([str(tmp_path / "none")])


def test_evaluation(run, tmp_path):
    scored = run.evaluate(write_folder(tmp_path / "new", 5, first=500))
    assert scored["accuracy"] > 0.9 and scored["examples"] == 10
    (tmp_path / "new" / "red").rename(tmp_path / "new" / "green")
    with pytest.raises(ZooError, match="unknown to training: 'green'"):
        run.evaluate(tmp_path / "new")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return run.export(tmp_path_factory.mktemp("exported") / "serving")


def test_the_saved_model_takes_bytes_and_says_the_same(run, exported, tmp_path):
    served = tf.saved_model.load(str(exported))
    paths = []
    for number, label in enumerate(("blue", "red", "red", "blue")):
        paths.append(tmp_path / f"{number}.{('png', 'jpg', 'gif', 'webp')[number]}")
        shown = Image.fromarray(pixels(label, 70 + number, 24 + 9 * number, 40))
        options = {"save_all": True, "append_images": [shown.rotate(90)]} if number == 3 else {}
        shown.save(paths[-1], **options)
    answer = served.serve(tf.constant([path.read_bytes() for path in paths]))
    predicted = run.predict([str(path) for path in paths])
    assert [label.decode() for label in answer["label"].numpy()] == [p["label"] for p in predicted]
    expected = [list(p["probabilities"].values()) for p in predicted]
    np.testing.assert_allclose(answer["probabilities"], expected, atol=0.003)
    shown = np.stack([run.model.center_crop(path) for path in paths]).astype(np.float32)
    classified = served.classify(tf.constant(shown))["probabilities"]
    np.testing.assert_allclose(classified, expected, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"images\[1\] is empty"):
        served.serve(tf.constant([paths[0].read_bytes(), b""]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_it_is_exported_for_tensorflow_lite(run, tmp_path):
    folder = run.export(tmp_path / "small", "tflite", "int8")
    converted = tf.lite.Interpreter(str(folder / "model.tflite")).get_signature_runner("classify")
    image = np.stack([run.model.center_crop(pixels("red", 7))]).astype(np.float32)
    expected = tf.nn.softmax(run.model.network(image, training=False))
    np.testing.assert_allclose(converted(pixels=image)["probabilities"], expected, atol=0.02)
    labels = json.loads((folder / "labels.json").read_text())
    assert (labels["labels"], labels["size"]) == (run.model.labels, run.model.center_crop.size)


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "data", 12)
    changes = QUICK | {"recipe.epochs": 2, "data.crop.name": "resized", "data.color_jitter": 0.2}
    changes |= {"data.resizing.name": "progressive", "data.resizing.first_size": 16}
    arguments = {"set": changes | {"data.mixup": 0.2}, "verbose": False, "resume": True}
    undisturbed = zoo.train("resnet", source, out=tmp_path / "a", **arguments)
    findings = "\n".join(map(str, undisturbed.findings))
    assert "data.resizing: 2 stages in 2 epochs, of 16, 24 pixels" in findings
    with monkeypatch.context() as patch:
        write_always(patch)
        kill_at(patch, Checkpoints, "on_train_batch_end", 4)  # in the second epoch
        with pytest.raises(Killed):
            zoo.train("resnet", source, out=tmp_path / "b", **arguments)
    assert CheckpointFiles(tmp_path / "b" / "checkpoints").steps()[-1] == 3
    other = source / "red" / "new.png"
    Image.fromarray(pixels("red", 77)).save(other)
    with pytest.raises(ZooError, match="fingerprint of the data"):
        zoo.train("resnet", source, out=tmp_path / "b", **arguments)
    other.unlink()
    zoo.train("resnet", source, out=tmp_path / "b", **arguments)
    assert_equal_runs(tmp_path / "a", tmp_path / "b")
    again = zoo.train("resnet", source, out=tmp_path / "a", **arguments)
    assert again.metrics == undisturbed.metrics  # a finished run is read


def test_small_batches_take_group_norm(tmp_path):
    default, changes = zoo.load_preset("resnet"), {"data.batch_size": 24}
    preset, findings = resolve(default, changes, replicas=2)
    assert preset.architecture.norm == "group"
    (advice,) = [str(finding) for finding in findings if "A132" in finding.what]
    assert "would see 12 examples" in advice
    assert resolve(default, changes)[0].architecture.norm == "batch"
    pieces = changes | {"recipe.micro_batches": 2}
    assert resolve(default, pieces)[0].architecture.norm == "group"
    chosen = changes | {"architecture.norm": "batch"}
    assert resolve(default, chosen, replicas=2)[0].architecture.norm == "batch"
    together = default.override({"architecture.norm": "sync-batch"})
    assert resolve(together, changes, replicas=2)[0].architecture.norm == "sync-batch"
    assert resolve(together, pieces, replicas=2)[0].architecture.norm == "group"


def test_two_devices(tmp_path):
    source = write_folder(tmp_path / "data", 12)
    chosen = QUICK | {"architecture.norm": "batch", "recipe.epochs": 1}
    run = zoo.train(
        "resnet", source, set=chosen, out=tmp_path / "run", verbose=False, devices="cpu:0,1"
    )
    assert math.isfinite(run.metrics["validation"]["loss"])
    norms = [n for n in run.model.network.layers if isinstance(n, BatchNorm)]
    assert all(np.abs(norm.moving_mean.numpy()).max() > 0 for norm in norms)


def test_data_errors_stop_a_training(tmp_path):
    data = tmp_path / "data"
    write_folder(data / "train", 8)
    write_folder(data / "val", 4, first=50)
    (data / "val" / "red").rename(data / "val" / "green")
    with pytest.raises(ZooError, match="unknown to training: 'green'"):
        zoo.train("resnet", data, set=QUICK, out=tmp_path / "run", verbose=False)
    assert not (tmp_path / "run").exists()


def test_commands(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "photos", 10)
    call = CliRunner().invoke
    shown = call(app, ["data", "photos", "--show"])
    assert shown.exit_code == 0, shown.output
    assert "photos-sheet.png" in shown.output and (tmp_path / "photos-sheet.png").is_file()
    document = json.loads(call(app, ["data", "photos", "--json"]).stdout)
    assert document["rows"] == 20 and document["classes"] == {"blue": 10, "red": 10}
    predicted = call(app, ["predict", str(run.path), "photos/red", "photos/blue/000.png"])
    lines = [json.loads(line) for line in predicted.stdout.splitlines()]
    assert len(lines) == 11 and lines[-1]["label"] == "blue"
    scored = json.loads(call(app, ["evaluate", str(run.path), "photos", "--json"]).stdout)
    assert scored["metrics"]["accuracy"] > 0.9
    assert isinstance(call(app, ["predict", str(run.path)]).exception, ZooError)
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    assert isinstance(call(app, ["data", "a.csv", "--show"]).exception, ZooError)
    assert isinstance(call(app, ["generate", str(run.path)]).exception, ZooError)


def test_blends_train(tmp_path):
    x = np.stack([pixels(label, n, 16, 16) for label in ("blue", "red") for n in range(16)])
    data = (x, np.repeat(["blue", "red"], 16))
    changes = QUICK | {"data.mixup": 0.2, "data.cutmix": 1.0, "recipe.epochs": 2}
    run = zoo.train("resnet", data, set=changes, out=tmp_path / "run", verbose=False)
    assert math.isfinite(run.metrics["validation"]["loss"])


def test_what_is_set_holds_and_a_run_repeats_it(tmp_path):
    data = write_folder(tmp_path / "data", count=12)
    changes = QUICK | {
        "architecture.image_size": 48, "architecture.pixel_mean": [10.0, 20.0, 30.0],
        "recipe.epochs": 1,
    }  # fmt: skip
    run = zoo.train("resnet", data, set=changes, out=tmp_path / "a", verbose=False)
    assert run.preset.architecture.image_size == 48
    assert run.preset.architecture.pixel_mean == (10.0, 20.0, 30.0)
    findings = "\n".join(map(str, run.findings))
    assert "architecture.image_size 48, as set or as the weights have it: " in findings
    again = zoo.train(run.path / "preset.yaml", out=tmp_path / "b", verbose=False)
    assert again.preset.architecture == run.preset.architecture
    assert again.metrics["validation"] == run.metrics["validation"]


@pytest.mark.slow
def test_the_debug_preset_trains_whatever_the_number_of_images(zoo_command, tmp_path):
    data = write_folder(tmp_path / "data", count=20)
    for number in range(3):  # 36 of 40 are trained on, then 37 and 39 of more
        write_folder(data, count=1, first=100 + number)
        out = tmp_path / f"run{number}"
        zoo_command("train", "resnet", data, "--preset", "debug", "--out", out, code=0)
        assert json.loads((out / "metrics.json").read_text())["training"]["epochs"] == 3


def test_progressive_resizing_that_does_not_grow(tmp_path):
    changes = {"data.resizing.name": "progressive", "data.resizing.first_size": 200}
    preset = zoo.load_preset("resnet", "debug", changes)
    with TASK.load(Request(write_folder(tmp_path, 6)), preset, None) as data:
        assert data.epochs == 3
        assert "Nothing grows: data.resizing.first_size 200 is not below the 24" in "".join(
            map(str, data.findings)
        )
    with pytest.raises(ZooError, match=r"data\.resizing\.stages: .*or equal to 2"):
        zoo.load_preset("resnet", "debug", changes | {"data.resizing.stages": 1})
    with pytest.raises(ZooError, match=r"unknown key 'data\.resizing\.first_siz'"):
        zoo.load_preset("resnet", "debug", {"data.resizing.first_siz": 64})
