"""Several inputs, several outputs, targets and sample weights by name: the same step in parts."""

import functools
import signal
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.data.epochs import EpochCursor, epoch_of
from zoo.distribute import strategy_for
from zoo.errors import ZooError
from zoo.preset.loading import load_preset
from zoo.training.checkpoints.callback import Checkpoints
from zoo.training.checkpoints.files import CheckpointFiles
from zoo.training.interruption import Stop, Stopped
from zoo.training.model import TrainingModel
from zoo.training.optimizers import make_optimizer
from zoo.training.prediction import predict_together
from zoo.training.schedules import RecipeSchedule
from zoo.training.statistics import count_by_rows

ONE = tf.distribute.get_strategy()
ROWS, CLASSES, VOCABULARY, BATCH = 37, 3, 20, 8  # the last batch has 5 rows: 3 and 2 in two parts
CHANGES = {
    "recipe.epochs": 3, "recipe.min_steps": 0, "recipe.ema": 0.9, "recipe.global_clipnorm": 0.5,
    "recipe.monitor": "loss", "recipe.optimizer.learning_rate": 0.02, "data.batch_size": BATCH,
}  # fmt: skip


def rows() -> tuple[Any, Any, Any]:
    """Return inputs, targets and sample weights by name."""
    generator = np.random.default_rng(0)
    ids = generator.integers(1, VOCABULARY, (ROWS, 6)).astype("int32")
    numbers = generator.normal(size=(ROWS, 4)).astype("float32")
    targets = {"label": (ids[:, 0] % CLASSES).astype("int32"), "box": numbers[:, :2] * 2 + 1}
    weights = {name: generator.uniform(0.5, 2, ROWS).astype("float32") for name in targets}
    return {"ids": ids, "numbers": numbers}, targets, weights


X, Y, WEIGHTS = rows()


def distance(y_true: Any, y_pred: Any) -> Any:
    """A custom loss: the L1 distance of boxes, `(batch,)`."""
    return keras.ops.sum(keras.ops.abs(y_true - y_pred), axis=-1)


def built(**changes: Any) -> TrainingModel:
    """Return a network with a loss and a metric for each output."""
    preset = load_preset("textcnn", "default", CHANGES | changes)
    keras.utils.set_random_seed(1)
    inputs = {
        "ids": keras.Input((None,), dtype="int32", name="ids"),
        "numbers": keras.Input((4,), name="numbers"),
    }
    words = keras.layers.Embedding(VOCABULARY, 5)(inputs["ids"])
    both = [keras.layers.GlobalAveragePooling1D()(words), inputs["numbers"]]
    hidden = keras.layers.Dense(6, activation="tanh")(keras.layers.Concatenate()(both))
    outputs = {
        "label": keras.layers.Dense(CLASSES, name="label")(hidden),
        "box": keras.layers.Dense(2, name="box")(hidden),
    }
    model = TrainingModel(inputs, outputs)
    model.recipe, model.batch_size = preset.recipe, BATCH
    schedule = RecipeSchedule(
        preset.recipe.optimizer.learning_rate, preset.recipe.schedule.model_dump()
    )
    model.compile(
        optimizer=make_optimizer(preset.recipe, schedule),
        loss={
            "label": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "box": distance,
        },
        loss_weights={"label": 1.0, "box": 0.5},
        metrics={"label": ["accuracy"], "box": ["mae"]},
    )
    model.name_variables()
    return model


def trained(strategy: tf.distribute.Strategy = ONE, **changes: Any) -> tuple[Any, Any, Any]:
    """Return weights, history and predictions of a model after three epochs."""
    with strategy.scope():
        model = built(**changes)
    history = model.fit(
        X, Y, sample_weight=WEIGHTS, shuffle=False, verbose=0, validation_data=(X, Y, WEIGHTS)
    )
    return model.get_weights(), history.history, model.predict(X, batch_size=BATCH, verbose=0)


@functools.cache
def trained_whole() -> tuple[Any, Any, Any]:
    return trained()


@pytest.mark.parametrize(
    "parts",
    [
        "micro-batches",
        pytest.param("replicas", marks=pytest.mark.slow),
        pytest.param("both", marks=pytest.mark.slow),
    ],
)
def test_parts_train_as_one_batch(parts: str) -> None:
    strategy = ONE if parts == "micro-batches" else strategy_for("cpu:0,1")
    weights, history, outputs = trained_whole()
    pieces = {} if parts == "replicas" else {"recipe.micro_batches": 2}
    other_weights, other_history, other_outputs = trained(strategy, **pieces)
    for one, other in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    # The mean of each output's loss, too, counts rows and not batches.
    assert {"loss", "label_loss", "box_loss", "label_accuracy", "box_mae"} <= history.keys()
    assert history.keys() == other_history.keys()
    for key, values in history.items():
        np.testing.assert_allclose(values, other_history[key], atol=1e-5, err_msg=key)
    for name, values in outputs.items():
        np.testing.assert_allclose(values, other_outputs[name], atol=1e-4)


def test_the_losses_of_outputs_add_up() -> None:
    history = trained_whole()[1]
    total = np.add(history["val_label_loss"], 0.5 * np.array(history["val_box_loss"]))
    np.testing.assert_allclose(history["val_loss"], total, rtol=1e-5)


def test_the_mean_of_many_rows_keeps_its_digits() -> None:
    """A batch is summed by itself: float32 has no digits left for it beside millions of rows."""
    mean = keras.metrics.Mean()
    mean.total.assign(3e6)
    mean.count.assign(5e6)
    for _ in range(1000):
        with count_by_rows([mean], tf.constant(64)):
            mean.update_state(0.6)
    assert float(mean.count) == 5_064_000
    assert float(mean.result()) == pytest.approx(0.6, abs=1e-4)


def test_a_saved_model_trains_on_as_the_other(tmp_path) -> None:
    model = built()
    model.fit(X, Y, sample_weight=WEIGHTS, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(
        tmp_path / "model.keras", custom_objects={"distance": distance}
    )
    assert loaded.recipe == model.recipe
    for name, values in model.predict(X, verbose=0).items():
        np.testing.assert_array_equal(loaded.predict(X, verbose=0)[name], values)
    for one in (model, loaded):
        one.fit(X, Y, sample_weight=WEIGHTS, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def read_from(cursor: EpochCursor) -> tf.data.Dataset:
    """Return batches that begin where a cursor says."""

    def generate() -> Any:
        _, skipped = cursor.take()
        for start in range(skipped * BATCH, ROWS, BATCH):
            cut = slice(start, start + BATCH)
            yield keras.tree.map_structure(lambda array, cut=cut: array[cut], (X, Y, WEIGHTS))

    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), (X, Y, WEIGHTS)
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return epoch_of(dataset, -(-ROWS // BATCH), ahead=1)


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights(tmp_path) -> None:
    files = CheckpointFiles(tmp_path / "interrupted")

    def run(
        files: CheckpointFiles, document: Any = None, stopped_at: int | None = None
    ) -> tuple[TrainingModel, Any]:
        model, cursor, stop = built(**{"recipe.micro_batches": 2}), EpochCursor(), Stop()
        stop.waits = True
        checkpoints = Checkpoints(files, cursor, stop, document)
        steps = iter(range(1, 100))

        def end(batch: int, logs: Any) -> None:
            if next(steps) == stopped_at:
                stop.asked = signal.SIGTERM

        history = model.fit(
            read_from(cursor), verbose=0, validation_data=(X, Y, WEIGHTS), epochs=3,
            initial_epoch=checkpoints.initial_epoch,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=end), checkpoints],
        )  # fmt: skip
        return model, history.history

    model, expected = run(CheckpointFiles(tmp_path / "another"))
    with pytest.raises(Stopped):
        run(files, stopped_at=8)
    document, findings = files.newest()
    assert document is not None and (document["epoch"], document["batch"]) == (1, 3)
    assert not findings
    resumed, history = run(files, document)
    for one, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for key, values in history.items():  # the metrics of the epoch that was cut in two, as well
        np.testing.assert_array_equal(values, expected[key][1:], err_msg=key)


def test_predictions_shared_by_workers_have_the_outputs_structure() -> None:
    model = built()
    expected = model.predict(X, verbose=0)
    outputs = predict_together(model, X, batch_size=BATCH)
    from_dataset = predict_together(
        model, tf.data.Dataset.from_tensor_slices((X, Y)).batch(BATCH), batch_size=BATCH
    )
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, atol=1e-6)
        np.testing.assert_allclose(from_dataset[name], values, atol=1e-6)


def test_a_worker_without_a_batch_needs_outputs_of_known_shape() -> None:
    tokens = keras.Input((None,), dtype="int32")
    model = TrainingModel(tokens, keras.layers.Embedding(VOCABULARY, 5)(tokens))
    assert predict_together(model, X["ids"], batch_size=BATCH).shape == (ROWS, 6, 5)
    with pytest.raises(ZooError, match=r"0 batches for 1 workers.*\(None, None, 5\)"):
        predict_together(model, X["ids"][:0], batch_size=BATCH)


def test_lists_and_missing_targets() -> None:
    """Structures of lists, and an output without a target of its own."""
    ids, numbers = X["ids"], X["numbers"]
    inputs = [keras.Input((None,), dtype="int32"), keras.Input((4,))]
    words = keras.layers.Embedding(VOCABULARY, 5)(inputs[0])
    both = [keras.layers.GlobalAveragePooling1D()(words), inputs[1]]
    features = keras.layers.Concatenate()(both)
    model = TrainingModel(inputs, [keras.layers.Dense(3)(features), features])
    model.recipe, model.batch_size = built(**{"recipe.micro_batches": 2}).recipe, BATCH
    loss = [keras.losses.SparseCategoricalCrossentropy(from_logits=True), None]
    model.compile(optimizer="sgd", loss=loss)
    before = model.get_weights()
    history = model.fit([ids, numbers], [Y["label"], None], verbose=0, epochs=2).history
    assert history["loss"][1] < history["loss"][0]
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))
    logits, kept = model.predict([ids, numbers], verbose=0)
    assert logits.shape == (ROWS, 3) and kept.shape == (ROWS, 9)
