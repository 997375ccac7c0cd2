"""What the recipe does around the steps, on models that really train."""

import ctypes
import functools
import resource
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_parts import arrays, compiled

from zoo.errors import ZooError
from zoo.training.callbacks import MMAP_THRESHOLD, KeepBest, recipe_callbacks

X, Y = arrays(48)
SIZE = 28 << 20  # bytes of the memory that a step takes and frees
PAGES = SIZE // 4096


class Weights(keras.callbacks.Callback):
    """Note the weights of each epoch's end and what a validation saw."""

    def __init__(self) -> None:
        super().__init__()
        self.ends, self.seen, self.steps = [], [], []

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.steps.append(self.model.get_weights())

    def on_test_begin(self, logs=None) -> None:
        self.seen.append(self.model.get_weights())

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.ends.append(self.model.get_weights())


class Scripted(keras.callbacks.Callback):
    """Put given scores in the place of an epoch's own; runs before all others."""

    def __init__(self, **scores) -> None:
        super().__init__()
        self.scores = scores

    def on_epoch_end(self, epoch, logs=None) -> None:
        logs.update({name: values[epoch] for name, values in self.scores.items()})


@functools.cache
def untrained():
    """Return a model without callbacks of its own, whose graph is made once, and its variables."""
    model = compiled()
    model.recipe = None
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    return model, [(variable, variable.numpy()) for variable in variables]


def fitted(callbacks, epochs=4):
    """Train with these callbacks in the place of the recipe's own."""
    model, variables = untrained()
    for variable, value in variables:
        variable.assign(value)
    notes = Weights()
    model.fit(
        X, Y, batch_size=16, epochs=epochs, verbose=0, validation_data=(X, Y),
        callbacks=[*callbacks, notes],
    )  # fmt: skip
    return model, notes


def same(left, right) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize(
    ("score", "values", "best"),
    [
        ("val_loss", [3.0, 1.0, 2.0, 1.0], 2),  # a tie goes to the earlier epoch
        ("val_accuracy", [0.1, 0.5, 0.5, 0.7], 4),
        ("val_macro_f1", [0.6, 0.5, float("nan"), 0.4], 1),
    ],
)
def test_the_best_epoch_is_kept(score: str, values: list[float], best: int) -> None:
    model, notes = fitted([Scripted(**{score: values}), KeepBest(score)])
    assert model.best_epoch == best
    assert same(model.get_weights(), notes.ends[best - 1])


def test_of_equal_scores_the_lower_loss_is_better() -> None:
    script = Scripted(val_accuracy=[1.0, 1.0, 0.9, 1.0], val_loss=[0.69, 0.25, 0.01, 0.54])
    model, notes = fitted([script, KeepBest("val_accuracy")])
    assert model.best_epoch == 2
    assert same(model.get_weights(), notes.ends[1])


def test_of_equal_scores_and_losses_the_earlier_is_kept() -> None:
    script = Scripted(val_accuracy=[0.5, 0.9, 0.9, 0.9], val_loss=[0.6, 0.4, 0.4, 0.5])
    assert fitted([script, KeepBest("val_accuracy")])[0].best_epoch == 2


def test_smoothed_accuracy_is_the_mean_of_three_epochs() -> None:
    script = Scripted(val_accuracy=[0.5, 0.9, 0.5, 0.7, 0.7, 0.7], val_loss=[1, 2, 3, 4, 5, 4.5])
    model, notes = fitted([script, KeepBest("val_accuracy", smooth=3)], epochs=6)
    assert model.best_epoch == 2  # means .5, .7, .633, .7, .633, .7: of equal ones the lower loss
    script.scores["val_accuracy"] = [0.5, 0.9, 0.5, 0.8, 0.8, 0.8]
    model, notes = fitted([script, KeepBest("val_accuracy", smooth=3)], epochs=6)
    assert model.best_epoch == 6
    assert same(model.get_weights(), notes.ends[5])


def test_the_last_scores_are_continued() -> None:
    model = compiled(**{"recipe.monitor": "smoothed-accuracy"})
    kept = recipe_callbacks(model, model.recipe, validated=True)[0][0]
    for epoch, accuracy in enumerate((0.5, 0.9)):
        kept.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": 1.0})
    again = recipe_callbacks(model, model.recipe, validated=True)[0][0]
    again.restore(kept.state())
    again.on_epoch_end(2, {"val_accuracy": 0.8, "val_loss": 1.0})
    assert again.best == (-round(2.2 / 3, 9), 1.0)
    assert model.best_epoch == 3


def test_patience_begins_anew_with_a_lower_loss() -> None:
    script = Scripted(val_accuracy=[1.0] * 6, val_loss=[0.6, 0.5, 0.5, 0.4, 0.4, 0.4])
    model, notes = fitted([script, KeepBest("val_accuracy", patience_epochs=2)], epochs=6)
    assert len(notes.ends) == 6
    assert model.best_epoch == 4


def test_the_best_so_far_is_kept_on_resume() -> None:
    model = compiled()
    kept = KeepBest("val_accuracy")
    kept.set_model(model)
    kept.on_epoch_end(0, {"val_accuracy": 0.9, "val_loss": 0.4})
    again = KeepBest("val_accuracy")
    again.set_model(model)
    again.restore(kept.state())
    again.on_epoch_end(1, {"val_accuracy": 0.9, "val_loss": 0.5})
    assert (model.best_epoch, again.waited) == (1, 1)
    again.on_epoch_end(2, {"val_accuracy": 0.9, "val_loss": 0.3})
    assert (model.best_epoch, again.waited) == (3, 0)


def test_a_score_of_broken_weights_is_not_the_best() -> None:
    script = Scripted(val_accuracy=[0.5, 0.9, 0.4, 0.3], val_loss=[1, float("nan"), 1, 1])
    assert fitted([script, KeepBest("val_accuracy")])[0].best_epoch == 1


def test_patience() -> None:
    script = Scripted(val_loss=[5.0, 4.0, 4.5, 4.2, 1.0, 1.0])
    model, notes = fitted([script, KeepBest("val_loss", patience_epochs=2)], epochs=6)
    assert len(notes.ends) == 4
    assert model.best_epoch == 2


def test_patience_counts_validated_epochs_only() -> None:
    model = compiled(**{"recipe.patience_epochs": 1, "recipe.epochs": 6})
    history = model.fit(
        X, Y, verbose=0, validation_data=(X, Y), validation_freq=3,
        callbacks=[], epochs=6,
    )  # fmt: skip
    assert len(history.epoch) == 6
    assert model.best_epoch == 6  # the loss falls from the third epoch to the sixth


def test_plateau_lowers_the_rate() -> None:
    model = compiled(**{"recipe.schedule.name": "plateau", "recipe.schedule.factor": 0.5,
                        "recipe.schedule.patience_epochs": 1})  # fmt: skip
    plateau = recipe_callbacks(model, model.recipe, validated=True)[0][-2]
    rates = []
    for loss in [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0]:
        plateau.on_epoch_end(0, {"val_loss": loss})
        rates.append(float(model.schedule.scale))
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_plateau_needs_the_recipes_schedule() -> None:
    model = compiled(**{"recipe.schedule.name": "plateau"})
    model.compile("sgd", loss=model.loss)
    assert [len(part) for part in recipe_callbacks(model, model.recipe, validated=True)] == [2, 0]


def test_validation_sees_the_averages_and_training_goes_on_without() -> None:
    model = compiled(**{"recipe.ema": 0.9, "recipe.monitor": "loss"})
    notes = Weights()
    model.fit(X, Y, epochs=3, verbose=0, validation_data=(X, Y), callbacks=[notes])
    for seen, end, trained in zip(notes.seen, notes.ends, notes.steps[2::3], strict=True):
        assert same(seen, end)
        assert not same(end, trained)
    assert same(model.get_weights(), notes.seen[model.best_epoch - 1])


def test_a_loss_that_is_not_finite_stops_with_the_best_weights() -> None:
    model = compiled(**{"recipe.epochs": 5, "recipe.optimizer.learning_rate": 0.01})
    notes = Weights()

    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None) -> None:
            if epoch >= 2:
                self.model.optimizer._learning_rate.scale.assign(float("nan"))

    with pytest.raises(ZooError, match=r"not finite any more .*step 15, .*A166"):
        model.fit(
            X, Y, batch_size=16, verbose=0, validation_data=(X, Y), callbacks=[Break(), notes]
        )
    assert model.best_epoch == 2
    assert same(model.get_weights(), notes.ends[model.best_epoch - 1])
    assert len(notes.ends) == 5  # two restarts; the callbacks of others saw the end of it


def test_a_checkpoint_of_keras_has_the_weights_that_were_validated(tmp_path: Path) -> None:
    model = compiled(**{"recipe.ema": 0.9})
    saved = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True)
    history = model.fit(X, Y, epochs=3, verbose=0, validation_data=(X, Y), callbacks=[saved])
    for epoch in (1, 2, 3):
        model.load_weights(tmp_path / f"{epoch}.weights.h5")
        loss = model.evaluate(X, Y, verbose=0, return_dict=True)["loss"]
        assert loss == pytest.approx(history.history["val_loss"][epoch - 1], rel=1e-5)


def test_early_stopping_restores_the_weights_that_were_validated() -> None:
    model = compiled(**{"recipe.ema": 0.9, "recipe.monitor": "accuracy"})
    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss", mode="max", patience=1, restore_best_weights=True
    )
    history = model.fit(X, Y, epochs=5, verbose=0, validation_data=(X, Y), callbacks=stop)
    assert len(history.epoch) == 2  # the loss falls, and was to rise
    assert model.best_epoch == 1
    loss = model.evaluate(X, Y, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(history.history["val_loss"][0], rel=1e-5)


def test_callbacks_change_nothing_of_the_training() -> None:
    changes = {"recipe.ema": 0.9, "recipe.epochs": 3}
    plain, watched = compiled(**changes), compiled(**changes)
    for model, callbacks in ((plain, None), (watched, [keras.callbacks.LambdaCallback()])):
        keras.utils.set_random_seed(0)
        model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=callbacks)
    assert same(plain.get_weights(), watched.get_weights())


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
    ],
)
def test_a_callback_that_sets_the_rate_is_refused_before_the_first_step(callback) -> None:
    model = compiled()
    with pytest.raises(ZooError, match=r"recipe\.schedule\.name=plateau.*model\.compile\("):
        model.fit(X, Y, verbose=0, callbacks=[callback])
    assert int(model.optimizer.iterations) == 0
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=model.loss, metrics=["accuracy"])
    model.fit(X, Y, epochs=1, verbose=0, validation_data=(X, Y), callbacks=[callback])


def faults(libc: ctypes.CDLL) -> int:
    """Return the pages that the system had to give to a work that takes memory and frees it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        block = libc.malloc(ctypes.c_size_t(SIZE))
        ctypes.memset(block, 1, SIZE)
        libc.free(ctypes.c_void_p(block))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's limits")
def test_training_on_a_generator_keeps_its_memory() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    model = compiled()

    def batches():
        yield tf.ones((4, 7), tf.int32), tf.zeros(4, tf.int32)

    signature = (tf.TensorSpec([4, 7], tf.int32), tf.TensorSpec([4], tf.int32))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    list(data)
    # The limit of a new process; what larger blocks this one has freed before, moves it.
    libc.mallopt(MMAP_THRESHOLD, 128 << 10)
    assert faults(libc) > 9 * PAGES  # all of it is given back, every time
    model.fit(data.repeat(), epochs=1, steps_per_epoch=2, verbose=0)
    assert faults(libc) < 2 * PAGES
