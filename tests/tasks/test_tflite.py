"""Classifiers for TensorFlow Lite answer as the run does, in float32 and with weights of 8 bits."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from classifier_parts import CLASSIFIERS, small_classifier, small_inputs
from conftest import sentences

from zoo import ZooError
from zoo.tasks.tflite import HALF, in_float32

pytestmark = pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")


def probabilities(folder, **inputs: np.ndarray) -> np.ndarray:
    """Return what `model.tflite` of a folder answers; text lengths and rows are free."""
    interpreter = tf.lite.Interpreter(str(folder / "model.tflite"))
    return interpreter.get_signature_runner("classify")(**inputs)["probabilities"]


def test_texts_are_classified_by_the_files_of_one_folder(trained, zoo_command, tmp_path) -> None:
    folder = tmp_path / "small"
    said = zoo_command("export", trained.path, folder, "--format", "tflite", code=0).stdout
    assert f"{folder / 'model.tflite'}: 2." in said
    assert sorted(path.name for path in folder.iterdir()) == [
        "labels.json", "model.tflite", "tokenizer",
    ]  # fmt: skip
    texts = [text for text, _ in sentences(7, seed=3)] + [""]
    ids = tf.saved_model.load(str(folder / "tokenizer")).tokenize(tf.constant(texts))["ids"]
    labels = json.loads((folder / "labels.json").read_text())["labels"]
    answers = probabilities(folder, ids=ids.numpy())
    for answer, expected in zip(answers, trained.predict(texts), strict=True):
        assert labels[answer.argmax()] == expected["label"]
        assert answer == pytest.approx(list(expected["probabilities"].values()), abs=1e-5)


def test_weights_of_8_bits_are_smaller_and_answer_nearly_the_same(trained, tmp_path) -> None:
    whole = trained.export(tmp_path / "whole", "tflite")
    small = trained.export(tmp_path / "small", "tflite", "int8")
    size, smaller = ((folder / "model.tflite").stat().st_size for folder in (whole, small))
    assert smaller < 0.8 * size
    texts = [text for text, _ in sentences(50, seed=3)]
    served = tf.saved_model.load(str(trained.export(tmp_path / "serving")))
    ids = served.tokenize(tf.constant(texts))["ids"].numpy()
    expected, found = (probabilities(folder, ids=ids) for folder in (whole, small))
    np.testing.assert_allclose(served.classify(ids)["probabilities"], expected, atol=1e-5)
    assert 0 < np.abs(found - expected).max() < 0.1
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


# Recurrences are refused, in whatever precision.
@pytest.mark.parametrize("model", sorted({*CLASSIFIERS} - {"rcnn", "textrnn"}))
def test_half_precision_is_taken_back(model: str) -> None:
    network = small_classifier(model, {"recipe.dtype_policy": "mixed_bfloat16"})
    plain = in_float32(network)
    assert plain is not network
    assert not {layer.compute_dtype for layer in plain.layers} & set(HALF)
    x = small_inputs(model, 5)
    expected = small_classifier(model, {"recipe.dtype_policy": "float32"})
    expected.set_weights(network.get_weights())
    np.testing.assert_allclose(plain(x, training=False), expected(x, training=False), atol=1e-5)
    assert in_float32(expected) is expected


def test_what_cannot_be_exported_so_is_said(trained, zoo_command, tmp_path) -> None:
    folder = tmp_path / "new"
    ended = zoo_command("export", trained.path, folder, "--format", "tfLite", code=1)
    assert "unknown format 'tfLite'. Did you mean 'tflite'? Accepted: saved-model" in ended.stderr
    ended = zoo_command("export", trained.path, folder, "--quantize", "int8", code=1)
    assert "quantize=int8 is of format tflite. Give both, or neither." in ended.stderr
    with pytest.raises(ZooError, match="unknown quantize 'int4'. Did you mean 'int8'"):
        trained.export(folder, "tflite", "int4")
    folder.mkdir()
    (folder / "mine.txt").touch()
    with pytest.raises(ZooError, match="new: is already there. Export to a new folder"):
        trained.export(folder, "tflite")
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_network_that_tensorflow_lite_cannot_run_is_said(trained, tmp_path, capfd) -> None:
    network = small_classifier("textrnn", {})
    assert isinstance(network, keras.Model)
    recurrent = trained.model.__class__(network, trained.model.tokenizer, ["a", "b", "c"], 8)
    capfd.readouterr()
    with pytest.raises(
        ZooError, match=r"new: TensorFlow Lite cannot run this network: it lacks Tensor\w+\. Export"
    ):
        recurrent.export_tflite(tmp_path / "new", int8=False)
    assert "error" not in capfd.readouterr().err  # the compiler says it on fifty lines
    assert list(tmp_path.iterdir()) == []
