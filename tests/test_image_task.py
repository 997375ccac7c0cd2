"""Classifiers of images from files to predictions; and the recipes they are trained with."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from image_parts import QUICK, pixels, write_folder
from PIL import Image
from resume_parts import Killed, assert_equal_runs, kill_at, write_always
from typer.testing import CliRunner

import zoo
from zoo import ZooError
from zoo.builders import build
from zoo.cli import app
from zoo.layers.kernels import BatchNorm
from zoo.preset.loading import load_preset
from zoo.runs.resolve import resolve
from zoo.training.checkpoints.callback import Checkpoints
from zoo.training.checkpoints.files import CheckpointFiles
from zoo.training.losses import Accuracy, ClassificationLoss
from zoo.training.optimizers import Lamb, MomentumSGD


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
def test_the_saved_model_is_converted_to_tflite(run, exported, tmp_path):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(exported), signature_keys=["classify"])
    converted = tf.lite.Interpreter(model_content=converter.convert()).get_signature_runner()
    image = np.stack([run.model.center_crop(pixels("red", 7))]).astype(np.float32)
    expected = tf.nn.softmax(run.model.network(image, training=False))
    np.testing.assert_allclose(converted(pixels=image)["probabilities"], expected, atol=1e-4)
    network = tmp_path / "network.tflite"
    run.model.network.export(network, format="litert", verbose=False)
    assert network.stat().st_size > 1000


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "data", 12)
    changes = QUICK | {"recipe.epochs": 2, "data.crop.name": "resized", "data.color_jitter": 0.2}
    arguments = {"set": changes, "verbose": False, "resume": True}
    undisturbed = zoo.train("resnet", source, out=tmp_path / "a", **arguments)
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


def test_moving_statistics_are_averaged_with_the_weights():
    """Weights that do not move, and inputs that do: the statistics are all there is to average."""
    changes = {"recipe.ema": 0.9, "recipe.optimizer.learning_rate": 1e-12, "data.batch_size": 16}
    model = build(load_preset("resnet", "debug", changes))
    x = np.concatenate([np.zeros((400, 16, 16, 3)), np.full((16, 16, 16, 3), 255.0)])
    norm = model.get_layer("stem_norm")
    history = []
    keep = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: history.append(norm.moving_mean.numpy())
    )
    model.fit(x, np.zeros(416, "int32"), epochs=1, shuffle=False, callbacks=[keep], verbose=0)
    averaged, last = norm.moving_mean.numpy(), history[-1]
    moved = np.abs(last - history[-2]).argmax()
    assert abs(averaged - last)[moved] > 0.1 * abs(history[-2] - last)[moved]


# --- recipes


def variable(*values):
    return keras.Variable(np.array(values, "float32"))


def stepped(optimizer, gradients, rates):
    weights = variable(1.0, -2.0)
    optimizer.build([weights])
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant([gradient, gradient])], [weights])
    return weights.numpy()


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_velocity_does_not_hold_the_rate(nesterov):
    gradients, rates = [1.0, -0.5, 2.0], [0.1, 0.01, 0.02]
    weight, velocity = 1.0, 0.0
    for gradient, rate in zip(gradients, rates, strict=True):  # Goyal's equation 10, by hand
        velocity = 0.9 * velocity + gradient
        weight -= rate * (gradient + 0.9 * velocity if nesterov else velocity)
    ours = stepped(MomentumSGD(0.1, momentum=0.9, nesterov=nesterov), gradients, rates)
    np.testing.assert_allclose(ours, [weight, weight - 3.0], rtol=1e-6)
    keras_own = stepped(
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov), gradients, rates
    )
    assert abs(keras_own[0] - weight) > 0.05
    constant = [0.1] * 3
    np.testing.assert_allclose(
        stepped(MomentumSGD(0.1, momentum=0.9, nesterov=nesterov), gradients, constant),
        stepped(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov), gradients, constant),
        rtol=1e-6,
    )


def test_a_coupled_decay_converted_shrinks_weights_as_in_the_papers():
    rate, momentum, coupled, steps = 0.1, 0.9, 1e-4, 3000
    weight, velocity = 1.0, 0.0
    for _ in range(steps):  # PyTorch's update without a gradient, by hand
        velocity = momentum * velocity + coupled * weight
        weight -= rate * velocity
    decay = coupled / (1 - momentum)
    assert decay == pytest.approx(1e-3)
    ours = stepped(
        MomentumSGD(rate, momentum=momentum, weight_decay=decay), [0.0] * steps, [rate] * steps
    )
    assert weight == pytest.approx((1 - rate * decay) ** steps, rel=2e-3)
    np.testing.assert_allclose(ours, [weight, -2 * weight], rtol=2e-3)
    naive = (1 - rate * coupled) ** steps  # the number taken over as it is
    assert naive > 1.25 * weight


def test_lamb_has_its_decay_inside_the_trust_ratio():
    gradients, decay, rate = [0.5, 1.0], 0.02, 0.01
    weights, first, second = np.array([1.0, -2.0]), 0.0, 0.0
    for step, gradient in enumerate(gradients, 1):  # algorithm 2, by hand
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        direction = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-6)
        update = direction + decay * weights
        weights = weights - rate * np.linalg.norm(weights) / np.linalg.norm(update) * update
    optimizer = Lamb(rate, weight_decay=decay, epsilon=1e-6)
    np.testing.assert_allclose(stepped(optimizer, gradients, [rate] * 2), weights, rtol=1e-5)


def test_losses_of_blends_and_of_yes_or_no():
    logits = tf.constant([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])
    shares = tf.constant([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]])
    logs = logits.numpy() - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(shares.numpy() * logs).sum(axis=1)
    np.testing.assert_allclose(ClassificationLoss().call(shares, logits), expected, rtol=1e-5)
    smooth = 0.9 * shares.numpy() + 0.1 / 3
    loss = ClassificationLoss(label_smoothing=0.1).call(shares, logits)
    np.testing.assert_allclose(loss, -(smooth * logs).sum(axis=1), rtol=1e-5)
    yes, probability = shares.numpy(), 1 / (1 + np.exp(-logits.numpy()))
    binary = -(yes * np.log(probability) + (1 - yes) * np.log(1 - probability)).mean(axis=1)
    np.testing.assert_allclose(
        ClassificationLoss(binary=True).call(shares, logits), binary, rtol=1e-5
    )
    labels = ClassificationLoss(binary=True).call(tf.constant([0, 2]), logits)
    np.testing.assert_allclose(labels[1], binary[1], rtol=1e-5)
    metric = Accuracy()
    metric.update_state(shares, logits)
    assert float(metric.result()) == 1.0


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
    assert "architecture.image_size 48, as set: " in findings
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
