"""`compile_model`, `fit` and what a saved model keeps."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_parts import arrays, compiled, network

import zoo
from zoo.builders import build, compile_model
from zoo.errors import ZooError
from zoo.models import MODELS
from zoo.preset.loading import load_preset
from zoo.training.model import TrainingModel
from zoo.training.optimizers import LazyAdamW
from zoo.training.randomness import global_seed, set_global_seed

X, Y = arrays(64)
MOVING = {
    "recipe.optimizer.weight_decay": 0.01,
    "recipe.schedule.name": "cosine",
    "recipe.schedule.warmup_fraction": 0.2,
    "recipe.global_clipnorm": 1.0,
    "recipe.ema": 0.9,
    "recipe.monitor": "accuracy",
}


def batches(known: bool = True) -> tf.data.Dataset:
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    return data if known else data.filter(lambda x, y: True)


def weights_equal(left: keras.Model, right: keras.Model) -> bool:
    pairs = zip(left.get_weights(), right.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# --- fit ------------------------------------------------------------------------------------------


def test_learns() -> None:
    model = compiled(**MOVING, **{"recipe.epochs": 30, "recipe.optimizer.learning_rate": 0.05})
    history = model.fit(X, Y, validation_data=(X, Y), verbose=0)
    assert len(history.epoch) == 30  # the preset's epochs, by itself
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["accuracy"] == 1.0
    assert (model.predict(X, verbose=0).argmax(1) == Y).all()


def test_a_metric_that_cannot_be_traced_runs_eagerly() -> None:
    def agreement(labels: tf.Tensor, logits: tf.Tensor) -> float:
        return float(np.mean(logits.numpy().argmax(1) == labels.numpy().reshape(-1)))

    model = compiled()
    model.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[agreement], run_eagerly=True,
    )  # fmt: skip
    history = model.fit(X, Y, verbose=0, epochs=1, shuffle=False).history
    assert 0 <= history["agreement"][0] <= 1 and np.isfinite(history["loss"][0])


@pytest.mark.parametrize("known", [True, False])
def test_datasets_of_known_and_unknown_length(known: bool) -> None:
    data = batches(known)
    assert (int(data.cardinality()) == 4) is known
    model = compiled(**{"recipe.schedule.name": "linear"})
    history = model.fit(data, validation_data=data, verbose=0)
    assert len(history.epoch) == 3
    assert int(model.optimizer.iterations) == int(model.schedule.total_steps) == 12


def test_keras_alone_counts_a_step_too_many_each_epoch() -> None:
    """Written against Keras 3.15.1, where schedules run ahead on data of unknown length."""
    model = network()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.warns(UserWarning, match="ran out of data"):
        model.fit(batches(False), epochs=3, verbose=0, shuffle=False)
    assert int(model.optimizer.iterations) == 15


def test_trains_under_xla_which_knows_no_sparse_product() -> None:
    model = compiled()
    model.compile("adam", model.loss, jit_compile=True)
    assert np.all(np.isfinite(model.train_on_batch(X, Y)))


def test_rows_without_validation_keep_the_last_averages() -> None:
    model = compiled(**MOVING)
    model.fit(X, Y, verbose=0)
    again = compiled(**MOVING)
    again.fit(X, Y, verbose=0, callbacks=[Raw()])
    assert model.best_epoch is None
    raw = again.get_weights()
    assert weights_equal(model, again)
    assert any(not np.array_equal(a, b) for a, b in zip(raw, Raw.weights, strict=True))


class Raw(keras.callbacks.Callback):
    """The weights after the last step, before averages take their place."""

    weights: list = []  # noqa: RUF012

    def on_train_batch_end(self, batch, logs=None) -> None:
        Raw.weights = self.model.get_weights()


def test_evaluate_after_fit_gives_the_kept_validation_score() -> None:
    model = compiled(**MOVING)
    history = model.fit(X, Y, validation_data=(X, Y), verbose=0)
    scores = model.evaluate(X, Y, verbose=0, return_dict=True)
    kept = model.best_epoch - 1
    assert scores["accuracy"] == pytest.approx(max(history.history["val_accuracy"]))
    assert scores["loss"] == pytest.approx(history.history["val_loss"][kept], rel=1e-5)


def test_a_second_fit_starts_where_the_first_ended() -> None:
    """Schedule and average begin anew; the averages are validated again."""
    model = compiled(**MOVING)
    model.fit(X, Y, validation_data=(X, Y), verbose=0)
    first = model.evaluate(X, Y, verbose=0, return_dict=True)["loss"]
    history = model.fit(X, Y, validation_data=(X, Y), verbose=0, epochs=6)
    assert history.history["val_loss"][0] < 1.05 * first
    assert int(model.schedule.begun) == 12
    kept = history.history["val_loss"][model.best_epoch - 1]
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["loss"] == pytest.approx(
        kept, rel=1e-5
    )


def test_few_rows_get_the_recipes_least_steps() -> None:
    model = compiled(**{"recipe.min_steps": 20})
    assert len(model.fit(X, Y, verbose=0).epoch) == 5
    assert len(model.fit(X, Y, verbose=0, epochs=2).epoch) == 2  # what is asked for comes first


def test_steps_of_an_endless_dataset() -> None:
    model = compiled(**{"recipe.schedule.name": "linear"})
    model.fit(batches().repeat(), steps_per_epoch=2, verbose=0)
    assert int(model.optimizer.iterations) == int(model.schedule.total_steps) == 6


def test_validation_split_and_sample_weights() -> None:
    model = compiled()
    model.fit(X, Y, validation_split=0.25, sample_weight=np.ones(64), verbose=0)
    assert int(model.optimizer.iterations) == int(model.schedule.total_steps) == 9
    weighted = tf.data.Dataset.from_tensor_slices((X, Y, np.ones(64, "float32"))).batch(16)
    model.fit(weighted, verbose=0)


def test_the_rate_follows_the_schedule_of_the_steps_known_at_fit() -> None:
    model = compiled(**{"recipe.schedule.name": "linear", "recipe.schedule.final_fraction": 0.5})
    rates = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None) -> None:
            rates.append(float(self.model.optimizer.learning_rate))  # of the next step

    model.fit(batches(False), verbose=0, callbacks=[Note()])
    np.testing.assert_allclose(rates, 0.01 * (1 - 0.5 * np.arange(1, 13) / 12), rtol=1e-6)


def test_the_same_seed_gives_the_same_weights() -> None:
    def trained() -> TrainingModel:
        model = compiled(**MOVING)
        model.fit(X, Y, validation_data=(X, Y), verbose=0)
        return model

    assert weights_equal(trained(), trained())


@pytest.mark.parametrize("best", ["loss", "accuracy", "macro_f1"])
def test_every_score_that_may_pick_the_best_epoch(best: str) -> None:
    model = compiled(**{"recipe.monitor": best})
    logs = model.fit(X, Y, validation_data=(X, Y), verbose=0).history
    pick = np.argmin if best == "loss" else np.argmax
    assert model.best_epoch == 1 + pick(logs[f"val_{best}"])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "adadelta", "rmsprop"])
def test_other_optimizers_train_too(name: str) -> None:
    changes = {key: value for key, value in MOVING.items() if "weight_decay" not in key}
    changes["recipe.optimizer.name"] = name
    changes["recipe.optimizer.learning_rate"] = 1.0 if name in ("adadelta", "sgd") else 0.05
    losses = compiled(**changes).fit(X, Y, verbose=0, epochs=8).history["loss"]
    assert losses[-1] < losses[0]


def test_an_interruption_leaves_the_best_weights() -> None:
    model = compiled(**MOVING)
    seen = []

    class Interrupt(keras.callbacks.Callback):
        def on_test_begin(self, logs=None) -> None:
            seen.append(self.model.get_weights())
            if len(seen) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, validation_data=(X, Y), verbose=0, callbacks=[Interrupt()])
    assert model.best_epoch == 1
    for value, kept in zip(model.get_weights(), seen[0], strict=True):
        np.testing.assert_array_equal(value, kept)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": iter([])}, r"arrays, a tf\.data\.Dataset or a keras PyDataset, not list_iterator"),
        ({"x": X[:0], "y": Y[:0]}, "no rows to train on"),
        ({"x": batches().repeat()}, "does not end: give steps_per_epoch"),
    ],
)
def test_data_that_cannot_be_trained_on(arguments: dict, message: str) -> None:
    with pytest.raises(ZooError, match=message):
        compiled().fit(**arguments)


def test_without_a_recipe_fit_is_that_of_keras() -> None:
    base = network()
    model = TrainingModel(base.input, base.output)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert len(model.fit(X, Y, verbose=0).epoch) == 1


# --- the step -------------------------------------------------------------------------------------


def step_of(model: TrainingModel, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    before = model.get_weights()
    model.train_on_batch(x, y)
    return [now - old for now, old in zip(model.get_weights(), before, strict=True)]


@pytest.mark.parametrize("limit", [0.05, 1e-3])
def test_a_step_is_clipped_by_the_norm_of_summed_rows(limit: float) -> None:
    """SGD at rate 1: the weights move by the limit, with one id in all places of the batch."""
    model = compiled(
        **{"recipe.optimizer.name": "sgd", "recipe.optimizer.learning_rate": 1.0,
           "recipe.global_clipnorm": limit}
    )  # fmt: skip
    moved = step_of(model, np.full((8, 6), 3, "int32"), np.ones(8, "int32"))
    norm = np.sqrt(sum(float((change**2).sum()) for change in moved))
    assert norm == pytest.approx(limit, rel=1e-4)


def test_only_rows_of_the_batch_move() -> None:
    moved = step_of(compiled(), np.full((4, 6), 3, "int32"), np.ones(4, "int32"))[0]
    assert np.flatnonzero(np.abs(moved).sum(axis=1)).tolist() == [3]


def test_train_on_batch() -> None:
    model = compiled()
    losses = [model.train_on_batch(X[:16], Y[:16], return_dict=True)["loss"] for _ in range(4)]
    assert losses == sorted(losses, reverse=True)


def test_steps_per_execution_and_eager_run_too() -> None:
    for options in ({"steps_per_execution": 2}, {"run_eagerly": True}):
        model = compiled(**MOVING)
        model.compile(LazyAdamW(0.01), loss=model.loss, **options)
        model.fit(X, Y, epochs=2, verbose=0)
        assert int(model.optimizer.iterations) == 8


def test_waiting_for_data_is_measured() -> None:
    def slowly(x, y):
        tf.py_function(lambda: __import__("time").sleep(0.05), [], [])
        return x, y

    model = compiled()
    model.fit(batches().map(slowly), epochs=1, verbose=0)
    assert 0.1 < model.seconds_waiting < 2.0


# --- decay, before and after saving ---------------------------------------------------------------


def decaying(model: keras.Model) -> list[str]:
    return [v.path for v in model.trainable_variables if model.optimizer._use_weight_decay(v)]


@pytest.mark.parametrize("name", ["adamw", "lazy_adamw", "sgd"])
@pytest.mark.parametrize("embeddings", [False, True])
def test_what_decays_is_the_same_after_loading(tmp_path, name: str, embeddings: bool) -> None:
    model = compiled(
        **{"recipe.optimizer.name": name, "recipe.optimizer.weight_decay": 0.05,
           "recipe.decay_embeddings": embeddings}
    )  # fmt: skip
    expected = (["embedding/embeddings"] if embeddings else []) + ["logits/kernel"]
    assert decaying(model) == expected
    model.save(tmp_path / "model.keras")
    assert decaying(keras.models.load_model(tmp_path / "model.keras")) == expected


def test_a_model_compiled_anew_is_told_again() -> None:
    model = compiled()
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), loss=model.loss)
    model.fit(X, Y, epochs=1, verbose=0)
    assert decaying(model) == ["logits/kernel"]


# --- saving ---------------------------------------------------------------------------------------


def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path) -> None:
    model = compiled(**MOVING)
    model.fit(X, Y, validation_data=(X, Y), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is TrainingModel
    assert loaded.recipe == model.recipe
    assert loaded.batch_size == 16
    assert weights_equal(loaded, model)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    for each in (model, loaded):
        each.fit(batches(), validation_data=(X, Y), verbose=0)
    assert weights_equal(loaded, model)


def test_a_fresh_process_reads_saved_models(tmp_path) -> None:
    files = []
    for labels in ("one", "several"):
        preset = load_preset("textcnn", "default", SMALL | {"data.labels.name": labels})
        model = compile_model(MODELS["textcnn"](**dict(preset.architecture)), preset)
        files.append(tmp_path / f"{labels}.keras")
        model.save(files[-1])
    code = (
        "import sys, keras, zoo.training.model\n"
        "for file in sys.argv[1:]:\n"
        "    model = keras.models.load_model(file)\n"
        "    print(type(model).__name__, model.recipe.epochs, type(model.optimizer).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["TrainingModel", "7", "LazyAdamW"] * 2


SMALL = {
    "recipe.epochs": 7,
    "architecture.vocabulary_size": 30,
    "architecture.embedding_dim": 4,
    "architecture.filters": 3,
    "architecture.ngram_buckets": 16,
}


def test_a_recipe_that_was_tampered_with_is_refused(tmp_path) -> None:
    model = compiled()
    config = model.get_config()
    config["recipe"]["epochs"] = -1
    with pytest.raises(ZooError, match=r"recipe: .*epochs"):
        TrainingModel.from_config(config)


def test_private_names_of_keras_are_still_there() -> None:
    """What TrainingModel takes from Keras 3.15.1 beside its public methods."""
    model = compiled()
    assert model._loss_tracker.name == "loss"
    assert model._outputs_struct is model.output
    assert callable(model._autoconvert_optionals) and callable(model._maybe_symbolic_build)
    assert model.optimizer._learning_rate is model.schedule
    model.make_train_function()
    assert callable(model.train_function)
    assert callable(keras.Model._get_metrics_result_or_logs)


def test_the_seed_of_layers_without_one_is_put_back() -> None:
    keras.utils.set_random_seed(1)
    assert global_seed() is None
    keras.random.uniform((2,))
    state = global_seed()
    drawn = keras.random.uniform((2,))
    set_global_seed(state)
    np.testing.assert_array_equal(keras.random.uniform((2,)), drawn)
    set_global_seed(None)
    assert global_seed() is None


def test_metrics_are_built_as_the_first_step_would() -> None:
    """Before it, so that a resumed run can put theirs back."""
    model, other = (compiled(**{"recipe.monitor": "macro_f1"}) for _ in range(2))
    built = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: built.append(
            [np.array(variable) for variable in model.metrics_variables]
        )
    )
    model.fit(X[:16], Y[:16], epochs=1, verbose=0, callbacks=[note])
    other.train_on_batch(X[:16], Y[:16])
    shapes = [[tuple(each.shape) for each in one] for one in (built[0], other.metrics_variables)]
    assert shapes[0] == shapes[1]
    assert not any(np.any(each) for each in built[0])


def test_a_clone_has_the_recipe() -> None:
    model = compiled(**MOVING)
    clone = keras.models.clone_model(model)
    assert clone.recipe == model.recipe
    assert clone.batch_size == model.batch_size
    assert clone.schedule.get_config() == model.schedule.get_config()
    clone.set_weights(model.get_weights())
    for each in (model, clone):
        keras.utils.set_random_seed(0)
        each.fit(X, Y, verbose=0, validation_data=(X, Y))
    assert weights_equal(model, clone)


def test_a_clone_of_a_language_model_has_its_window() -> None:
    sizes = {"architecture.vocabulary_size": 20, "architecture.hidden_dim": 8,
             "architecture.embedding_dim": 8, "data.random_window": True}  # fmt: skip
    model = build(load_preset("lstm_lm", "default", sizes))
    clone = keras.models.clone_model(model)
    assert type(clone) is type(model)
    assert (clone.window, clone.recipe) == (model.window, model.recipe)


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5"])
def test_hdf5_is_refused_when_saving(tmp_path: Path, name: str) -> None:
    model = compiled()
    with pytest.raises(ZooError, match=rf"{name}: .*NAME\.keras"):
        model.save(tmp_path / name)
    saved = keras.callbacks.ModelCheckpoint(tmp_path / "m.h5")
    with pytest.raises(ZooError, match="HDF5"):
        model.fit(X, Y, verbose=0, callbacks=[saved])


EAGER = {"vocabulary_size": 30, "embedding_dim": 8, "filters": 4, "ngram_buckets": 16}


def test_textcnn_trains_eagerly_as_it_does_in_a_graph() -> None:
    trained = []
    for eagerly in (False, True):
        keras.utils.set_random_seed(0)
        model = zoo.textcnn("kim2014", vocabulary_size=30, embedding_dim=8, filters=4, dropout=0.0)
        model.run_eagerly = eagerly
        model.fit(X[:16], Y[:16], epochs=2, verbose=0)
        trained.append(model.get_weights())
    for graph, eager in zip(*trained, strict=True):
        np.testing.assert_allclose(graph, eager, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
def test_models_train_where_all_functions_run_eagerly() -> None:
    tf.config.run_functions_eagerly(True)
    try:
        model = zoo.textcnn(**EAGER)
        model.fit(X[:16], Y[:16], epochs=1, verbose=0, validation_data=(X, Y))
    finally:
        tf.config.run_functions_eagerly(False)
    assert np.isfinite(model.predict(X, verbose=0)).all()


def test_epochs_that_few_rows_get_beyond_the_recipes_are_said() -> None:
    model = compiled(**{"recipe.epochs": 1, "recipe.min_steps": 7})
    history = model.fit(X, Y, verbose=0)
    assert len(history.epoch) == 2
    (found,) = model.findings
    assert found.what == (
        "2 epochs instead of recipe.epochs 1: one has 4 steps, and recipe.min_steps is 7."
    )
    model.fit(X, Y, epochs=1, verbose=0)
    assert model.findings == []


def test_rows_of_weight_zero_teach_nothing() -> None:
    weights = (np.arange(len(Y)) % 4 > 0).astype("float32")
    wrong = np.where(weights > 0, Y, 1 - Y)
    taught = []
    for labels in (Y, wrong):
        model = compiled()
        data = tf.data.Dataset.from_tensor_slices((X, labels, weights)).batch(16)
        model.fit(data, verbose=0)
        taught.append(model)
    assert weights_equal(*taught)
    unweighted = compiled()
    unweighted.fit(tf.data.Dataset.from_tensor_slices((X, wrong)).batch(16), verbose=0)
    assert not weights_equal(taught[0], unweighted)
