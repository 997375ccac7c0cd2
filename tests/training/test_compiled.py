"""`recipe.jit`: steps that XLA compiles train as plain ones, and say what compiling took."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from replica_parts import OPTIMIZERS, SMALL, small
from replica_parts import rows as text_rows
from training_parts import arrays, compiled

from zoo import ZooError
from zoo.builders import build
from zoo.data.epochs import EpochCursor
from zoo.distribute import strategy_for
from zoo.preset.loading import load_preset
from zoo.training import compiled as compiled_module
from zoo.training.checkpoints.callback import Checkpoints
from zoo.training.checkpoints.files import CheckpointFiles
from zoo.training.compiled import Compilation, CompiledStep, call_compiled, in_xla
from zoo.training.interruption import Stop
from zoo.training.kernels import token_loss
from zoo.training.model import TrainingModel

X, Y = arrays(80)
# All that a step can do, and a rate that changes from step to step.
BUSY = {
    "recipe.epochs": 4,
    "recipe.schedule.name": "cosine",
    "recipe.schedule.warmup_fraction": 0.2,
    "recipe.global_clipnorm": 0.05,
    "recipe.ema": 0.9,
}
FLOAT32 = {"recipe.dtype_policy": "float32"}


def trained(model: TrainingModel, x: Any, y: Any) -> dict[str, Any]:
    """Train 20 steps; return all that they leave behind."""
    history = model.fit(x, y, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 20
    averages = [] if model.averages is None else model.averages.variables
    return {
        "weights": model.get_weights(),
        "slots": [slot.numpy() for slot in model.optimizer.variables],
        "averages": [average.numpy() for average in averages],
        "loss": history.history["loss"],
        "statistics": [figure.numpy() for figure in model.statistics.variables],
    }


def assert_alike(make: Any, x: Any, y: Any, **changes: Any) -> TrainingModel:
    """Train plain and compiled, to the same state; return the model that was compiled."""
    plain = trained(make(**{"recipe.jit": False}, **changes), x, y)
    model = make(**{"recipe.jit": True}, **changes)
    results = trained(model, x, y)
    for key, values in plain.items():
        for left, right in zip(values, results[key], strict=True):
            np.testing.assert_allclose(left, right, atol=1e-5, rtol=1e-4, err_msg=key)
    assert model.compilation.shapes == 1 and model.compilation.seconds > 0
    return model


def language_model(**changes: Any) -> TrainingModel:
    block = {"vocabulary_size": 30, "embedding_dim": 4, "hidden_dim": 4, "dropout_scale": 0.0}
    values = {f"architecture.{key}": value for key, value in block.items()}
    data = {"data.batch_size": 4, "data.window": 5}
    keras.utils.set_random_seed(0)
    return build(load_preset("lstm_lm", "default", values | data | BUSY | FLOAT32 | changes))


def image_model(**changes: Any) -> TrainingModel:
    block = {"depth": 8, "filters": [4, 4, 4], "image_size": 16, "num_classes": 2}
    values = {f"architecture.{key}": value for key, value in block.items()}
    keras.utils.set_random_seed(0)
    changes = values | {"data.batch_size": 4} | BUSY | FLOAT32 | changes
    return build(load_preset("resnet", "default", changes))


# --- the same training ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("lazy_adamw", "sgd") else [pytest.mark.slow])
        for name in [*OPTIMIZERS, "lamb"]
    ],
)
def test_every_optimizer(name: str) -> None:
    settings = {"name": name, "learning_rate": 0.01, **OPTIMIZERS.get(name, {})}
    changes = {f"recipe.optimizer.{key}": value for key, value in settings.items()}
    assert_alike(compiled, X, Y, **BUSY, **changes, **{"recipe.decay_embeddings": True})


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, marks=[] if model == "textcnn" else [pytest.mark.slow])
        for model in SMALL
    ],
)
def test_text_classifiers(model: str) -> None:
    assert_alike(lambda **values: small(model, "lazy_adamw", **values), *text_rows(40), **BUSY)


def test_a_language_model_carries_its_state() -> None:
    ids = np.random.default_rng(0).integers(1, 30, (20, 6)).astype("int32")
    model = assert_alike(language_model, ids[:, :-1], ids[:, 1:])
    no_loop_outside(model)


@pytest.mark.slow
def test_a_language_model_of_attention() -> None:
    ids = np.random.default_rng(0).integers(1, 30, (20, 6)).astype("int32")

    def make(**changes: Any) -> TrainingModel:
        block = {"vocabulary_size": 30, "hidden_dim": 8, "feed_forward_dim": 12, "num_layers": 1}
        block |= {"max_positions": 5, "dropout": 0.0, "attention_dropout": 0.0}
        values = {f"architecture.{key}": value for key, value in block.items()}
        values |= {"data.window": 5, "data.batch_size": 4, "data.scoring_stride": 2}
        values |= {"recipe.min_steps": 0}
        keras.utils.set_random_seed(0)
        changes = values | BUSY | FLOAT32 | changes
        return build(load_preset("transformer_lm", "default", changes))

    assert_alike(make, ids[:, :-1], ids[:, 1:])


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["awd-ptb", "press-wolf-small"])
def test_language_models_of_papers(preset: str) -> None:
    ids = np.random.default_rng(0).integers(1, 30, (20, 6)).astype("int32")

    def make(**changes: Any) -> TrainingModel:
        block = {"vocabulary_size": 30, "embedding_dim": 4, "hidden_dim": 4, "dropout_scale": 0}
        values = {f"architecture.{key}": value for key, value in block.items()}
        values |= {"recipe.epochs": 4, "data.batch_size": 4, "data.window": 5} | FLOAT32
        keras.utils.set_random_seed(0)
        return build(load_preset("lstm_lm", preset, values | changes))

    assert_alike(make, ids[:, :-1], ids[:, 1:])


@pytest.mark.slow
def test_an_image_classifier() -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 16, 16, 3)).astype("uint8")
    assert_alike(image_model, images, generator.integers(0, 2, 20).astype("int32"))


@pytest.mark.slow
def test_micro_batches() -> None:
    assert_alike(compiled, X, Y, **BUSY, **{"recipe.micro_batches": 2})


def test_fewer_rows_than_micro_batches() -> None:
    losses = []
    for jit in (False, True):
        model = compiled(**{"recipe.jit": jit, "recipe.micro_batches": 8})
        losses.append(model.fit(X[:5], Y[:5], epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.slow
def test_scaled_losses() -> None:
    assert_alike(compiled, X, Y, **BUSY, **{"recipe.dtype_policy": "mixed_float16"})


# --- several devices ------------------------------------------------------------------------------


def text_model(**changes: Any) -> TrainingModel:
    return compiled(**BUSY, **changes)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(text_model, marks=pytest.mark.slow),
        # Batch norm's moving statistics are means over the replicas.
        pytest.param(image_model, marks=pytest.mark.slow),
        # Its state is carried, its penalty is in the loss.
        pytest.param(language_model, marks=pytest.mark.slow),
    ],
)
def test_two_devices_compile_their_parts(make: Any) -> None:
    generator = np.random.default_rng(0)
    ids = generator.integers(1, 30, (18, 6)).astype("int32")
    x, y = {
        text_model: arrays(74),  # the last batch has 10 of 16 rows
        image_model: (
            generator.integers(0, 256, (18, 16, 16, 3)).astype("uint8"),
            generator.integers(0, 2, 18).astype("int32"),
        ),
        language_model: (ids[:, :-1], ids[:, 1:]),
    }[make]

    def on_two(**changes: Any) -> TrainingModel:
        with strategy_for("cpu:0,1").scope():
            return make(**changes)

    assert_alike(on_two, x, y)


def test_a_function_assigns_after_it_was_compiled() -> None:
    count = keras.Variable(1.0)
    other = keras.Variable(5.0)

    @tf.function
    def call(x: tf.Tensor) -> Any:
        def inner(pair: Any) -> Any:
            count.assign(count + pair["x"])
            return {"twice": 2.0 * count + other, "none": None}, [pair["x"]]

        return call_compiled(inner, [count, other], {"x": x, "none": None})

    (results, (same,)) = call(tf.constant(2.0))
    assert float(results["twice"]) == 11.0 and results["none"] is None and float(same) == 2.0
    assert float(count.numpy()) == 3.0 and float(other.numpy()) == 5.0


def no_loop_outside(model: TrainingModel) -> None:
    """Assert that every step was a function that XLA must compile; what is in it, it compiles."""
    step = model.compiled_step
    assert step is not None and step.plain.experimental_get_tracing_count() == 0
    (shapes,) = step.steps
    document = step.steps[shapes].graph.as_graph_def()
    inner = [node for one in document.library.function for node in one.node_def]
    ops = {node.op for node in [*document.node, *inner]}
    assert ops & {"While", "StatelessWhile"}  # the recurrence is there
    assert step.steps[shapes].function_def.attr["_XlaMustCompile"].b


@pytest.mark.slow
@pytest.mark.parametrize("model", ["textrnn", "rcnn"])
def test_no_recurrence_runs_outside_xla(model: str) -> None:
    network = small(model, "lazy_adamw", **{"recipe.jit": True})
    network.fit(*text_rows(40), epochs=1, verbose=0)
    no_loop_outside(network)


# --- how it is done -------------------------------------------------------------------------------


def test_xla_draws_other_numbers() -> None:
    """Why dropout is off above. Its bits are those of TensorFlow 2.21, which floats are not."""

    def draw(seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform((1000,), seed=seed)

    seed = tf.constant([1, 2])
    plain, compiled_draw = tf.function(draw)(seed), tf.function(draw, jit_compile=True)(seed)
    assert not np.allclose(plain, compiled_draw)
    np.testing.assert_allclose(np.mean(compiled_draw), 0.5, atol=0.05)


def test_what_is_traced_knows_whether_xla_compiles_it() -> None:
    seen = []

    def body(i: tf.Tensor) -> tf.Tensor:
        seen.append(in_xla())
        return i + 1

    def loop() -> tf.Tensor:
        return tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])[0]

    tf.function(loop, jit_compile=True)()
    assert seen and all(seen)
    seen.clear()
    tf.function(loop)()
    assert seen and not any(seen)
    assert not in_xla()


@pytest.mark.parametrize("tokens", [1, 7, 8, 20])
def test_token_losses_in_pieces_of_xla(monkeypatch, tokens: int) -> None:
    generator = np.random.default_rng(0)
    features, table, bias, weights = (
        generator.normal(size=size).astype("float32") for size in ((tokens, 3), (5, 3), 5, tokens)
    )
    targets = generator.integers(0, 5, tokens).astype("int32")
    arguments = [tf.constant(value) for value in (features, table, bias, targets, weights)]
    whole = token_loss.token_losses_and_gradients(*arguments)
    monkeypatch.setattr(token_loss, "LOGITS", 8 * 5)  # pieces of 8 tokens
    pieces = tf.function(token_loss.token_losses_and_gradients, jit_compile=True)(*arguments)
    for left, right in zip(tf.nest.flatten(whole), tf.nest.flatten(pieces), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def batches_of(*sizes: tuple[int, int]) -> Any:
    return iter([tf.ones(size) for size in sizes])


def doubling(took: Compilation, most: list[str]) -> CompiledStep:
    """Return a step that doubles, and notes in `most` which of the two functions was traced."""

    def double(name: str) -> Any:
        def call(batch: tf.Tensor) -> dict[str, tf.Tensor]:
            most.append(name)
            return {"sum": tf.reduce_sum(batch) * 2.0}

        return tf.function(call, jit_compile=name == "compiled", reduce_retracing=name == "plain")

    return CompiledStep(lambda: double("compiled"), double("plain"), lambda: took)


def test_a_batch_of_fewer_rows_takes_the_plain_step() -> None:
    took, traced = Compilation(), []
    step = doubling(took, traced)
    iterator = batches_of((4, 3), (4, 3), (4, 5), (2, 3), (1, 5), (4, 5))
    assert [float(step(iterator)["sum"]) for _ in range(6)] == [24, 24, 40, 12, 10, 40]
    assert took.shapes == 2 and traced.count("compiled") == 2
    with pytest.raises(StopIteration):
        step(iterator)


def test_shapes_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(compiled_module, "MOST_SHAPES", 2)
    took, traced = Compilation(), []
    step = doubling(took, traced)
    iterator = batches_of(*((4, time) for time in range(1, 6)))
    assert [float(step(iterator)["sum"]) for _ in range(5)] == [8, 16, 24, 32, 40]
    assert took.shapes == 2 and "plain" in traced


def test_each_fit_has_a_largest_batch_of_its_own() -> None:
    model = compiled(**{"recipe.jit": True})
    shapes = []
    for rows in (16, 8, 16):
        model.fit(X[:44], Y[:44], batch_size=rows, epochs=1, verbose=0)
        shapes.append(model.compilation.shapes)
    assert shapes == [1, 1, 0]  # the last batches have 12 and 4 rows


def test_the_short_rest_of_an_epoch_is_not_compiled(tmp_path) -> None:
    """A run that is resumed before it does as the run that was not interrupted."""
    model = compiled(**{"recipe.jit": True, "data.batch_size": 16})
    document = {"epoch": 0, "epochs": 1, "batch": 2, "step": 2}
    document["metrics"] = [variable.numpy() for variable in model.metrics_variables]
    saved = Checkpoints(CheckpointFiles(tmp_path), EpochCursor(), Stop(), document)
    saved.set_model(model)
    saved.on_epoch_begin(0)
    step = model._compiled_step(lambda batch: {"sum": tf.reduce_sum(batch[0])})
    for rows, shapes in ((12, 0), (16, 1)):
        step(iter([(tf.ones((rows, 3)), tf.ones(rows))]))
        assert model.compilation.shapes == shapes


def in_python(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return a loss that XLA cannot compile."""
    losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    again = tf.numpy_function(lambda values: values, [losses], tf.float32)
    return losses + tf.ensure_shape(again, losses.shape)


def test_a_loss_that_xla_cannot_compile() -> None:
    model = compiled(**{"recipe.jit": True})
    model.compile(model.optimizer, loss=in_python)
    with pytest.raises(
        ZooError, match="recipe.jit true: XLA cannot compile this step: .*Set recip"
    ):
        model.fit(X, Y, verbose=0)


def test_what_xla_cannot_compile_runs_as_it_is() -> None:
    took = Compilation()

    def call(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.numpy_function(np.sum, [batch], tf.float32)}

    step = CompiledStep(
        lambda: tf.function(call, jit_compile=True), tf.function(call), lambda: took
    )
    iterator = batches_of((4, 3), (4, 3))
    assert [float(step(iterator)["sum"]) for _ in range(2)] == [12, 12]
    (finding,) = took.findings("auto", True)
    assert finding.level == "warning" and "cannot compile this step, which runs" in finding.what


def test_what_was_compiled_is_said() -> None:
    model = compiled(**{"recipe.jit": True})
    model.fit(X, Y, epochs=1, verbose=0)
    (finding,) = model.findings
    assert str(finding).startswith("recipe.jit true: XLA compiled the step for 1 shape of a batch")
    assert finding.evidence["shapes"] == 1 and finding.evidence["seconds"] > 0
    model.fit(X, Y, epochs=1, verbose=0)  # compiled already
    assert not model.findings
    eager = compiled(**{"recipe.jit": True})
    eager.compile(eager.optimizer, loss=eager.loss, run_eagerly=True)
    eager.fit(X[:16], Y[:16], epochs=1, verbose=0)
    assert "nothing was compiled" in str(eager.findings[0])


def test_a_cpu_compiles_nothing_unless_it_is_told_to() -> None:
    model = compiled()
    assert model.recipe.jit == "auto" and not model.compiles_steps
    assert compiled(**{"recipe.jit": True}).compiles_steps


def test_a_loss_that_blows_up_is_seen() -> None:
    model = compiled(
        **{"recipe.jit": True, "recipe.optimizer.name": "sgd", "recipe.optimizer.learning_rate": 90}
    )
    model.compile(model.optimizer, loss=lambda labels, logits: tf.exp(200.0 * logits[:, 0] ** 2))
    with pytest.raises(ZooError, match="after 2 restarts at half the rate"):
        model.fit(X, Y, epochs=20, verbose=0)


def test_waiting_for_data_is_measured() -> None:
    def slowly(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        tf.py_function(lambda: __import__("time").sleep(0.05), [], [])
        return x, y

    data = tf.data.Dataset.from_tensor_slices((X[:64], Y[:64])).batch(16).map(slowly)
    model = compiled(**{"recipe.jit": True})
    model.fit(data, epochs=1, verbose=0)
    assert 0.1 < model.seconds_waiting < 2.0
