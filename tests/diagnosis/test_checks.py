"""Checks before training find what was broken on purpose, and nothing in a sound model."""

import dataclasses
import re
import warnings
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import pytest
from replica_parts import rows, small

from zoo.diagnosis import checks
from zoo.diagnosis.by_heart import learned_by_heart
from zoo.diagnosis.checks import check_model
from zoo.diagnosis.subject import Subject
from zoo.finding import Finding
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


def by_name(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_a_sound_model_passes_and_is_left_as_it_was() -> None:
    subject = textcnn(targets=np.split(np.tile(LABELS, 4), 12))
    before = [value.copy() for value in subject.model.get_weights()]
    state = np.random.get_state()[1].copy()
    findings = by_name(check_model(subject))
    assert {finding.level for finding in findings.values()} == {"info"}
    assert list(findings) == [
        "values", "shuffled", "same-twice", "modes", "first-loss", "layers", "gradients",
        "rows-apart", "padding", "by-heart", "needs-inputs", "whole-run",
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
    "same_twice": (lambda: dense(Noise()), "error", "the same batch twice"),
    "modes": (lambda: dense(TwoModes()), "warning", "no layer of the network has two modes"),
    "rows_apart": (lambda: dense(MinusMeanOfRows()), "error", "changes the outputs of other rows"),
    "gradients_reach": (lambda: dense(Cut()), "warning", "reaches 2 of 4 variables.*first/kernel"),
    "first_loss": (
        lambda: dense(kernel_initializer=keras.initializers.RandomNormal(stddev=30.0)),
        "warning",
        "times that of even chances",
    ),
    "layer_ranges": (
        lambda: dense(keras.layers.Dense(8, "relu", bias_initializer=LOW, name="dead")),
        "warning",
        "answer no row of the batch: dead 100%",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name: str) -> None:
    make, level, message = BROKEN[name]
    subject = make()
    if name == "first_loss":
        recipe = textcnn().model.recipe
        loss = recipe.loss.model_copy(update={"label_smoothing": 0.0})
        subject.model.recipe = recipe.model_copy(update={"loss": loss})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")
        finding = getattr(checks, name)(subject)
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
    assert "inputs are not finite in rows 3, 7" in finding.what


def test_padding_that_is_not_masked_is_found() -> None:
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(50, 8, name="embedding")(inputs)
    x = keras.layers.GlobalAveragePooling1D(name="features")(x)
    model = TrainingModel(inputs, keras.layers.Dense(3, name="logits")(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    finding = checks.padding_ignored(Subject(model, (IDS, LABELS), 0.03, 100))
    assert finding.level == "warning"


def test_a_rate_that_learns_nothing_is_found() -> None:
    finding = learned_by_heart(dataclasses.replace(dense(), rate=1e-12))[0]
    assert finding.level == "warning"
    assert "not even 16 rows can be learned by heart" in finding.what


@pytest.mark.parametrize(("rate", "name"), [(1e-3, "rate-too-low"), (1e3, "rate-too-high")])
def test_a_rate_that_is_wrong_is_told_from_one_that_works(rate: float, name: str) -> None:
    subject = dense()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    subject.model.compile(keras.optimizers.SGD(), loss)
    findings = by_name(learned_by_heart(dataclasses.replace(subject, rate=rate)))
    finding = findings[name]
    assert finding.level == "warning"
    assert (finding.evidence["works_at"] > rate) == (name == "rate-too-low")
    assert "by-heart" not in findings


def test_a_loss_of_the_wrong_sign_is_found() -> None:
    subject = dense()
    right = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    subject.model.compile("adam", loss=lambda targets, logits: -right(targets, logits))
    assert learned_by_heart(subject)[0].name == "wrong-sign"


def test_rows_that_come_sorted_are_found() -> None:
    labels = np.tile(LABELS % 2, 8)
    batches = np.split(np.sort(labels), 24)
    finding = checks.shuffled(dataclasses.replace(dense(), targets=batches))
    assert finding.level == "warning"
    assert "the rows come sorted" in finding.what


def test_batches_of_one_class_are_sorted_and_those_of_one_length_are_not() -> None:
    one = [np.zeros(16, int)] * 12
    assert checks.shuffled(dataclasses.replace(dense(), targets=one)).level == "warning"
    # Short texts are mostly of one class, long ones of the other; their batches come in any order.
    generator = np.random.default_rng(0)
    lengths = [(generator.random(32) < share).astype(int) for share in (0.05, 0.6)]
    mixed = [lengths[generator.integers(2)] for _ in range(20)]
    assert checks.shuffled(dataclasses.replace(dense(), targets=mixed)).level == "info"
    assert checks.shuffled(dataclasses.replace(dense(), targets=mixed[:11])) is None


def test_the_first_loss_of_a_rare_class_is_that_of_even_chances() -> None:
    labels = (np.arange(48) % 12 == 0).astype("int32")
    finding = checks.first_loss(dataclasses.replace(textcnn(), batch=(IDS, labels)))
    assert finding.level == "info"
    assert finding.evidence["guess"] < finding.evidence["even"] == pytest.approx(np.log(3))


def test_a_small_batch_is_found() -> None:
    finding = checks.batch_size(dataclasses.replace(dense(), batch=(X[:4], Y[:4])))
    assert (finding.level, finding.evidence) == ("warning", {"rows": 4})


def test_what_is_frozen_at_random_is_found_and_what_was_trained_before_is_not() -> None:
    frozen = {"recipe.fine_tuning.name": "by-block", "recipe.fine_tuning.frozen_blocks": "all"}
    model = small("textcnn", "lazy_adamw", **{"recipe.dtype_policy": "float32"}, **frozen)
    subject = Subject(model, (IDS, LABELS), 0.03, steps=100)
    finding = checks.frozen(subject)
    assert finding.level == "warning"
    assert "embedding" in finding.evidence["layers"]
    assert 0.5 < finding.evidence["share"] < 1
    assert checks.frozen(dataclasses.replace(subject, random=False)) is None


def test_inputs_that_are_not_used_are_found() -> None:
    subject = dataclasses.replace(dense(keras.layers.Rescaling(0.0)), batch=(X, 0 * Y))
    finding = by_name(learned_by_heart(subject))["needs-inputs"]
    assert finding.level == "warning"
    assert "they are not used" in finding.what
