"""What `fit` does beside the steps leaves the device to them: its logs, and its batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_parts import arrays, compiled

from zoo.training.batches import adapted
from zoo.training.model import TrainingModel


class Logs(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.steps, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.steps.append(logs["loss"])

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.epochs.append(logs["loss"])


class RareLogs(Logs):
    reads_logs_rarely = True


def fitted(*callbacks, **kwargs) -> TrainingModel:
    model = compiled(seed=1)
    model.fit(*arrays(64), epochs=2, verbose=0, callbacks=list(callbacks), **kwargs)
    return model


def test_metrics_stay_on_the_device_until_they_are_asked_for() -> None:
    rare = RareLogs()
    fitted(rare)
    assert len(rare.steps) == 8
    assert all(tf.is_tensor(loss) for loss in rare.steps)
    assert all(isinstance(loss, float) for loss in rare.epochs)


def test_a_users_callback_gets_numbers() -> None:
    own, rare = Logs(), RareLogs()
    fitted(own, rare)
    assert all(type(loss) is float for loss in own.steps)
    assert own.steps == rare.steps


def test_history_progress_and_steps_are_those_of_keras(capfd) -> None:
    model = compiled(seed=1)
    history = model.fit(*arrays(64), epochs=2, verbose="auto")
    assert len(history.history["loss"]) == 2
    assert history.params == {"verbose": 1, "epochs": 2, "steps": 4}
    assert "Epoch 2/2" in capfd.readouterr().out


def test_batches_are_copied_to_the_device_in_advance(monkeypatch) -> None:
    dataset = tf.data.Dataset.from_tensor_slices(arrays(64)).batch(16)
    for x, y in adapted(dataset, "CPU:1").get_tf_dataset():
        assert x.device.endswith("CPU:1")
        assert y.device.endswith("CPU:1")
    plain = compiled(seed=1)
    plain.fit(dataset, epochs=2, verbose=0, validation_data=dataset)
    monkeypatch.setattr(TrainingModel, "prefetch_device", "CPU:1")
    copied = compiled(seed=1)
    copied.fit(dataset, epochs=2, verbose=0, validation_data=dataset)
    for one, other in zip(plain.get_weights(), copied.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "dataset",
    [
        tf.data.Dataset.from_tensors(["a", "b"]),
        tf.data.Dataset.from_tensors(tf.ragged.constant([[1], [2, 3]])),
    ],
)
def test_what_a_gpu_cannot_hold_stays(dataset) -> None:
    assert adapted(dataset, "CPU:1") is dataset


def test_without_a_gpu_nothing_is_copied() -> None:
    assert compiled().prefetch_device is None
