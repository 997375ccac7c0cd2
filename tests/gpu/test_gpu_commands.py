"""Training from files, predicting, exporting, and one GPU as two, which share a batch."""

import json

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, sentences, write_csv
from gpu_parts import DEVICES, program

import zoo

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("gpu")]
SHORT = {"recipe.epochs": 1, "recipe.min_steps": 0}
PLAIN = "The king spoke of the sea and of the land .\n"


def exported_by(run, tmp_path) -> object:
    """Return what was exported, loaded; it must be kept while it is called."""
    import tensorflow_text

    del tensorflow_text  # its ops are what matters
    run.export(tmp_path / "serving")
    return tf.saved_model.load(str(tmp_path / "serving"))


@pytest.mark.parametrize(
    ("family", "preset"),
    [
        ("textcnn", "default"),
        ("textrnn", "attention"),
        ("rcnn", "default"),
        ("fasttext", "default"),
    ],
)
def test_texts(family, preset, tmp_path) -> None:
    path = write_csv(tmp_path / "rows.csv", sentences(400))
    run = zoo.train(
        family, str(path), preset=preset, set=SHORT | {"recipe.dtype_policy": "auto"},
        out=tmp_path / "run", devices=DEVICES, verbose=False,
    )  # fmt: skip
    assert np.isfinite(run.metrics["validation"]["loss"])
    texts = [text for text, _ in sentences(5, seed=3)]
    expected = [one["probabilities"] for one in run.predict(texts)]
    if family == "textcnn":
        exported = exported_by(run, tmp_path)
        served = exported.serve(tf.constant(texts))["probabilities"].numpy()
        rows = [list(one.values()) for one in expected]
        np.testing.assert_allclose(served, rows, atol=2e-2)


def test_images(tmp_path) -> None:
    run = zoo.train(
        "resnet", None, set=SHORT, fraction=0.2, out=tmp_path / "run", devices=DEVICES,
        verbose=False,
    )  # fmt: skip
    assert np.isfinite(run.metrics["validation"]["loss"])
    pixels = np.full((2, run.model.center_crop.size, run.model.center_crop.size, 3), 100, np.uint8)
    expected = [list(one["probabilities"].values()) for one in run.predict(pixels)]
    exported = exported_by(run, tmp_path)
    served = exported.classify(tf.cast(pixels, tf.float32))["probabilities"]
    np.testing.assert_allclose(served.numpy(), expected, atol=2e-2)


def test_language_models(tmp_path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(PLAIN * 600)
    run = zoo.train(
        "lstm_lm", str(corpus), set=SHORT, out=tmp_path / "run", devices=DEVICES, verbose=False
    )
    assert np.isfinite(run.metrics["validation"]["loss"])
    assert run.generate("The king", length=5, seed=1)
    assert exported_by(run, tmp_path).serve


def test_one_gpu_as_two_trains_to_the_same() -> None:
    """In a process of its own: devices are split before TensorFlow starts."""
    with program(str(ROOT / "tests" / "helpers" / "two_gpus.py")) as process:
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    replicas, difference, one, two = json.loads(out.splitlines()[-1])
    assert replicas == 2
    assert difference < 1e-3
    np.testing.assert_allclose(two, one, rtol=1e-4)
