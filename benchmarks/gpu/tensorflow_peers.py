"""The zoo and plain Keras on a GPU: `fit` on batches in the memory of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.gpu.jobs import Job, Shape, precision
from benchmarks.gpu.turns import Rounds
from benchmarks.language_modeling import speed as language
from benchmarks.text_classification import speed as text
from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.training.model import TrainingModel

POLICIES = {"bfloat16": "mixed_bfloat16", "TF32": "float32"}
HOST_BATCHES = 8  # different ones, in the memory of the host


def device() -> str:
    """Return the name of the GPU, or nothing."""
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else ""


def versions() -> dict[str, str]:
    """Return those of the framework."""
    about = tf.sysconfig.get_build_info()
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "cuda": str(about.get("cuda_version", "")),
        "cudnn": str(about.get("cudnn_version", "")),
    }


def measure(job: Job, contestant: str, shape: Shape, rounds: Rounds) -> dict[str, Any]:
    """Return milliseconds a step of one batch again and again; of ResNet-50, of many, too."""
    policy = POLICIES[precision(job, contestant)]
    model = NETWORKS[job.network](job, contestant, shape, policy)
    batch = BATCHES[job.network](shape)
    if contestant == "keras" and job.network == "language":
        batch = (batch[1], batch[1])  # a state that is carried and never begun anew
    result: dict[str, Any] = _fit(model, tf.data.Dataset.from_tensors(batch), rounds)
    if job.network == "image" and shape.length > 100 and contestant == "zoo":
        again = Rounds(rounds.turns, warm=5, steps=shape.steps, rounds=rounds.rounds)
        images, labels = _images(shape, HOST_BATCHES)
        source = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(labels))
        fitted = _fit(model, source.batch(shape.batch, drop_remainder=True), again)
        result["host_milliseconds"] = fitted["milliseconds"]
    if device():
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        result["peak_gigabytes"] = peak / 1e9
    result["gradient_megabytes"] = 4e-6 * sum(
        int(np.prod(weight.shape)) for weight in model.trainable_variables
    )
    return result


def _fit(model: keras.Model, batches: tf.data.Dataset, rounds: Rounds) -> dict[str, Any]:
    """Time the steps of one `fit`; only at the end of a round is a loss waited for."""
    dataset = batches.repeat().take(rounds.total).prefetch(4)
    if device() and not isinstance(model, TrainingModel):  # the zoo's `fit` does it by itself
        dataset = dataset.apply(tf.data.experimental.prefetch_to_device("GPU:0", 2))
    model.make_train_function()
    step, losses = model.train_function, [0.0]

    def timed(iterator: Any) -> Any:
        waits = rounds.waits
        logs = step(iterator)
        if waits:
            losses[0] = float(logs["loss"])
        rounds.step()
        return logs

    model.train_function = timed
    rounds.begin()
    try:
        model.fit(dataset, epochs=1, verbose=0, steps_per_epoch=rounds.total)
    finally:
        rounds.turns.leave()
        model.train_function = step
    return rounds.result() | {"loss": losses[0]}


def _image_network(job: Job, contestant: str, shape: Shape, policy: str) -> keras.Model:
    changes = {
        "recipe.dtype_policy": policy,
        "data.batch_size": shape.batch,
        "architecture.image_size": shape.length,
        "recipe.optimizer.learning_rate": 0.01,
        **dict(job.changes),
    }
    if shape.batch < 16:
        changes["architecture.norm"] = "batch"
    model = build(load_preset("resnet", job.preset, changes))
    if contestant.startswith("zoo"):
        return model
    plain = keras.Model(model.input, model.output)
    plain.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True,
    )
    return plain


def _textcnn(job: Job, contestant: str, shape: Shape, policy: str) -> keras.Model:
    if contestant.startswith("zoo"):
        return text.zoo_model(shape.vocabulary, {"recipe.dtype_policy": policy})
    return text.keras_model(shape.vocabulary, jit_compile=True)


def _textrnn(job: Job, contestant: str, shape: Shape, policy: str) -> keras.Model:
    if contestant.startswith("zoo"):
        return build(
            load_preset(
                "textrnn",
                "default",
                {
                    "architecture.vocabulary_size": shape.vocabulary,
                    "architecture.num_classes": text.CLASSES,
                    "architecture.hidden_dim": shape.units,
                    "architecture.embedding_dropout": 0.0,
                    "architecture.word_dropout": 0.0,
                    "data.batch_size": shape.batch,
                    "recipe.ema": None,
                    "recipe.dtype_policy": policy,
                },
            )
        )
    tokens = keras.Input((None,), dtype="int32")
    sequence = keras.layers.Embedding(shape.vocabulary, text.DIM, mask_zero=True)(tokens)
    lstm = keras.layers.LSTM(shape.units, return_sequences=True)  # cuDNN's
    sequence = keras.layers.Bidirectional(lstm)(sequence)
    pooled = keras.layers.Dropout(0.5)(keras.layers.GlobalMaxPooling1D()(sequence))
    model = keras.Model(tokens, keras.layers.Dense(text.CLASSES)(pooled))
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=0.0, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def _language(job: Job, contestant: str, shape: Shape, policy: str) -> keras.Model:
    sizes = (shape.layers, shape.units, shape.embedding, shape.batch, shape.length)
    if contestant.startswith("zoo"):
        return language.zoo_model(sizes, policy, shape.vocabulary)
    return language.keras_model(sizes, shape.vocabulary)


def _images(shape: Shape, batches: int = 1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    count = shape.batch * batches
    images = generator.integers(0, 256, (count, shape.length, shape.length, 3), np.uint8)
    return images, generator.integers(0, 10, count).astype(np.int32)


def _text_batch(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    return text.batches(shape.vocabulary, shape.batch, shape.length, 1)


def _padded_batch(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    x, y = _text_batch(shape)
    lengths = np.random.default_rng(1).integers(shape.length // 2, shape.length + 1, shape.batch)
    lengths[0] = shape.length
    return x * (np.arange(shape.length) < lengths[:, None]), y


def _window(shape: Shape) -> tuple[Any, np.ndarray]:
    ids = language.ids(shape.batch, shape.length, shape.vocabulary)
    return {"tokens": ids, "reset": np.zeros(shape.batch, bool)}, ids


NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "image": _image_network,
    "textcnn": _textcnn,
    "textrnn": _textrnn,
    "language": _language,
}
BATCHES: dict[str, Callable[..., Any]] = {
    "image": _images,
    "textcnn": _text_batch,
    "textrnn": _padded_batch,
    "language": _window,
}
