import keras
import numpy as np
import tensorflow as tf

from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.training.averages import EVERY, Averages


def run(values: list[float], decay: float) -> tuple[keras.Variable, Averages]:
    """Return a variable that took these values, one a step, and its average."""
    variable = keras.Variable(np.float32([10.0]))
    averages = Averages([variable], decay)

    @tf.function
    def step(value: tf.Tensor) -> None:
        variable.assign(value)
        averages.update()

    for value in values:
        step(tf.constant([value], tf.float32))
    return variable, averages


def averaged(values: list[float], decay: float) -> float:
    variable, averages = run(values, decay)
    averages.swap()
    return float(variable.numpy()[0])


def test_closed_form_every_eighth_step() -> None:
    values = list(np.linspace(0, 5, 3 * EVERY))
    expected = 10.0
    for step in (8, 16, 24):
        decay = min(0.6, (1 + step) / (10 + step)) ** 8
        expected = decay * expected + (1 - decay) * values[step - 1]
    np.testing.assert_allclose(averaged(values, 0.6), expected, rtol=1e-5)


def test_the_last_few_steps_count_too() -> None:
    """Fewer than eight steps may be all there are."""
    decay = (4 / 13) ** 3
    np.testing.assert_allclose(averaged([1, 2, 3], 0.99), decay * 10 + (1 - decay) * 3, rtol=1e-5)


def test_close_to_an_average_of_every_step() -> None:
    values = 1 + np.random.default_rng(0).normal(0, 0.1, 2000).cumsum() / 10
    each = 10.0
    for step, value in enumerate(values, 1):
        decay = min(0.995, (1 + step) / (10 + step))
        each = decay * each + (1 - decay) * value
    assert abs(averaged(list(values), 0.995) - each) < 0.02 * np.std(values)


def test_swap_and_restore_give_the_weights_back() -> None:
    variable, averages = run([4.0] * 20, 0.9)
    averages.swap()
    held = variable.numpy()
    averages.restore()
    averages.restore()  # nothing more
    assert variable.numpy() == [4.0]
    averages.swap()
    np.testing.assert_array_equal(variable.numpy(), held)  # no step between: the same average


def test_restart_begins_anew_even_when_swapped() -> None:
    variable, averages = run([4.0] * 20, 0.9)
    averages.swap()
    averages.restart()
    averages.restore()  # nothing is swapped out any more
    held = variable.numpy()
    averages.swap()
    np.testing.assert_array_equal(variable.numpy(), held)


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
