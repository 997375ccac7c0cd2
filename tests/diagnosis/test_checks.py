"""Checks before training find what was broken on purpose, and nothing in a sound model."""

import dataclasses
import re
from typing import Any

import keras
import numpy as np
import pytest
from replica_parts import rows, small

from zoo.diagnosis.checks import check_model
from zoo.diagnosis.subject import Subject
from zoo.training.model import TrainingModel

IDS, LABELS = rows(48)
X = np.random.default_rng(0).normal(size=(48, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


LOW = keras.initializers.Constant(-50.0)


class Noise(keras.layers.Layer):
    """Noise in inference, too."""

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x))


class TwoModes(keras.layers.Layer):
    """Twice as much in training."""

    def call(self, x: Any, training: bool = False) -> Any:
        return 2 * x if training else x


class MinusMeanOfRows(keras.layers.Layer):
    """Its rows know of each other."""

    def call(self, x: Any) -> Any:
        return x - keras.ops.mean(x, axis=0, keepdims=True)


class Cut(keras.layers.Layer):
    """No gradient comes through."""

    def call(self, x: Any) -> Any:
        return keras.ops.stop_gradient(x)


def dense(*between: keras.layers.Layer, **last: Any) -> Subject:
    """Two layers with something between them."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, "relu", name="first")(inputs)
    for layer in between:
        x = layer(x)
    model = TrainingModel(inputs, keras.layers.Dense(2, name="logits", **last)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss)
    return Subject(model, (X, Y), 0.03, steps=100)


def textcnn(**changes: Any) -> Subject:
    model = small("textcnn", "lazy_adamw", **{"recipe.dtype_policy": "float32"})
    return Subject(model, (IDS, LABELS), 0.03, steps=100, **changes)


def found(subject: Subject) -> dict[str, Any]:
    return {finding.name: finding for finding in check_model(subject)}


def test_a_sound_model_passes_and_is_left_as_it_was() -> None:
    subject = textcnn()
    before = [value.copy() for value in subject.model.get_weights()]
    state = np.random.get_state()[1].copy()
    findings = found(subject)
    assert {finding.level for finding in findings.values()} == {"info"}
    assert list(findings) == [
        "values", "same-twice", "modes", "first-loss", "gradients", "rows-apart", "padding",
        "layers", "by-heart", "needs-inputs", "whole-run",
    ]  # fmt: skip
    assert all(finding.advice for finding in findings.values())
    for left, right in zip(before, subject.model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(state, np.random.get_state()[1])
    assert int(subject.model.optimizer.iterations) == 0
    assert findings["by-heart"].evidence["after"] < 0.1 * findings["by-heart"].evidence["before"]
    assert findings["whole-run"].evidence["steps"] == 100
    assert findings["first-loss"].evidence["loss"] == pytest.approx(np.log(3), abs=0.2)


BROKEN = {
    "same-twice": (lambda: dense(Noise()), "error", "the same batch twice"),
    "modes": (lambda: dense(TwoModes()), "warning", "no layer of the network has two modes"),
    "rows-apart": (lambda: dense(MinusMeanOfRows()), "error", "changes the outputs of other rows"),
    "gradients": (lambda: dense(Cut()), "warning", "reaches 2 of 4 variables.*first/kernel"),
    "first-loss": (
        lambda: dense(kernel_initializer=keras.initializers.RandomNormal(stddev=30.0)),
        "warning",
        "times that of a guess",
    ),
    "layers": (
        lambda: dense(keras.layers.Dense(8, "relu", bias_initializer=LOW, name="dead")),
        "warning",
        "answer no row of the batch: dead 100%",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name: str) -> None:
    make, level, message = BROKEN[name]
    subject = make()
    if name == "first-loss":
        recipe = textcnn().model.recipe
        loss = recipe.loss.model_copy(update={"label_smoothing": 0.0})
        subject.model.recipe = recipe.model_copy(update={"loss": loss})
    finding = found(subject)[name]
    assert finding.level == level
    assert re.search(message, str(finding)), finding


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((IDS + 100, LABELS), "ids go from 101 to .* and the table has 50 rows"),
        ((-IDS, LABELS), "ids go from -49"),
        ((IDS, LABELS - 1), "targets go from -1 to 1, and there are 3 classes"),
        ((IDS, LABELS + 1), "targets go from 1 to 3, and there are 3 classes"),
    ],
)
def test_values_out_of_range_end_the_checks(batch: tuple, message: str) -> None:
    (finding,) = check_model(dataclasses.replace(textcnn(), batch=batch))
    assert finding.level == "error"
    assert re.search(message, finding.what), finding


def test_rows_that_are_not_finite_are_named() -> None:
    x = X.copy()
    x[[3, 7], 0] = np.nan
    (finding,) = check_model(dataclasses.replace(dense(), batch=(x, Y)))
    assert "inputs of rows 3, 7 are not finite" in finding.what


def test_padding_that_is_not_masked_is_found() -> None:
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(50, 8, name="embedding")(inputs)
    x = keras.layers.GlobalAveragePooling1D(name="features")(x)
    model = TrainingModel(inputs, keras.layers.Dense(3, name="logits")(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    finding = found(Subject(model, (IDS, LABELS), 0.03, 100))["padding"]
    assert finding.level == "warning"


def test_a_rate_that_learns_nothing_is_found() -> None:
    finding = found(dataclasses.replace(textcnn(), rate=1e-9))["by-heart"]
    assert finding.level == "warning"
    assert "not even 16 rows can be learned by heart" in finding.what


def test_inputs_that_are_not_used_are_found() -> None:
    finding = found(dataclasses.replace(textcnn(), batch=(IDS, 0 * LABELS)))["needs-inputs"]
    assert finding.level == "warning"
    assert "they are not used" in finding.what
