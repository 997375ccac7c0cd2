"""A loss that blows up: back to the last good state, at half the rate, twice, then an error."""

import keras
import numpy as np
import pytest
from training_parts import arrays, compiled

from zoo.errors import ZooError
from zoo.training import blowup

X, Y = arrays(64)


class Break(keras.callbacks.Callback):
    """Put NaN into the weights when given epochs begin."""

    def __init__(self, epochs, value: float = float("nan")) -> None:
        super().__init__()
        self.epochs, self.value = epochs, value
        self.ends, self.steps = [], []

    def on_epoch_begin(self, epoch, logs=None) -> None:
        if epoch in self.epochs:
            kernel = self.model.layers[-1].kernel
            kernel.assign(self.value * np.random.default_rng(0).normal(size=kernel.shape))

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.ends.append(self.model.get_weights())
        self.steps.append(int(self.model.optimizer.iterations))


def fit(callback, **changes):
    model = compiled(**{"recipe.epochs": 6, "recipe.schedule.name": "linear"} | changes)
    model.fit(X, Y, verbose=0, callbacks=[callback])
    return model


def test_nan_restores_the_last_good_epoch_and_halves_the_rate(caplog) -> None:
    callback = Break([3])
    model = fit(callback)
    for before, after in zip(callback.ends[2], callback.ends[3], strict=True):
        np.testing.assert_array_equal(before, after)
    assert callback.steps == [4, 8, 12, 12, 16, 20]  # with the optimizer's own state
    assert float(model.schedule.scale) == 0.5
    # The schedule goes on from where it was, so that it still ends with the data.
    assert int(model.optimizer.iterations) - int(model.schedule.begun) == 24
    (finding,) = model.findings
    assert finding.level == "warning"
    assert finding.evidence["step"] == 16
    assert "half the rate" in caplog.text


def test_a_second_one_halves_it_again_and_a_third_stops() -> None:
    model = compiled(**{"recipe.epochs": 9})
    with pytest.raises(ZooError, match=r"step 24.*after 2 restarts at half the rate.*A166"):
        model.fit(X, Y, verbose=0, callbacks=[Break([1, 3, 5])])
    assert float(model.schedule.scale) == 0.25
    assert [finding.evidence["retry"] for finding in model.findings] == [1, 2]


def test_a_loss_three_times_the_first_is_a_blow_up(monkeypatch) -> None:
    monkeypatch.setattr(blowup, "CHECK_EVERY", 4)
    monkeypatch.setattr(blowup, "FIRST_STEPS", 2)
    model = fit(Break([3], value=1e4))
    (finding,) = model.findings
    assert "over 3 times the first 0.6" in finding.what
    assert finding.evidence["step"] == 16
    assert finding.evidence["loss"] > 3 * np.log(2)


def test_a_small_first_loss_may_rise_to_that_of_a_guess(monkeypatch) -> None:
    monkeypatch.setattr(blowup, "CHECK_EVERY", 4)
    model = compiled(**{"recipe.epochs": 20, "recipe.optimizer.learning_rate": 0.1})
    model.fit(X, Y, verbose=0)
    assert model.evaluate(X, Y, verbose=0)[0] < 0.1
    model.fit(X, 1 - Y, epochs=1, verbose=0, batch_size=64, validation_data=(X, Y))
    model.fit(X, Y, epochs=2, verbose=0)
    assert model.findings == []


def test_a_good_training_has_no_findings() -> None:
    assert fit(Break([])).findings == []


def test_with_another_optimizer_there_is_no_schedule_to_lower() -> None:
    model = compiled()
    model.compile("sgd", loss=model.loss)
    with pytest.raises(ZooError, match="not finite any more"):
        model.fit(X, Y, verbose=0, callbacks=[Break([1])])


def test_its_state_goes_with_a_checkpoint() -> None:
    model = compiled()
    one = blowup.BlowUp()
    one.set_model(model)
    model.fit(X, Y, verbose=0, epochs=1)
    one.on_train_begin()
    for step in range(blowup.FIRST_STEPS):
        one.on_train_batch_end(step, {"loss": 0.7})
    one.on_train_batch_end(0, {"loss": 0.6})
    one.retries = 1
    other = blowup.BlowUp()
    other.set_model(model)
    other.restore(one.state())
    assert other.state() == one.state()
