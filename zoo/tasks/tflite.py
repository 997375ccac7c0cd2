"""Classifiers for TensorFlow Lite: one file, float32 or with weights of 8 bits."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from zoo.errors import ZooError, reason
from zoo.files import write_json
from zoo.quiet import no_stderr
from zoo.tasks.archive import new_folder

MODEL = "model.tflite"
HALF = ("bfloat16", "float16")
CLASSIFY = "classify"  # the endpoint of an export from numbers to probabilities


def write_tflite(
    export: Callable[[Path], Path],
    folder: Path,
    *,
    int8: bool,
    about: dict[str, Any],
    also: Callable[[Path], object] = lambda folder: None,
) -> Path:
    """Write `model.tflite`, the `classify` of an export, and `labels.json` beside it.

    Args:
        export: writes the SavedModel into a folder.
        folder: a new or empty one.
        int8: whether the large weights have 8 bits, a scale each row or filter; what they are
            multiplied with is rounded to 8 bits as it comes, so that nothing is calibrated.
        about: what `labels.json` holds.
        also: what else writes into the folder.

    Raises:
        ZooError: the folder exists and is not empty, cannot be written, or the network has
            operations that TensorFlow Lite lacks.
    """
    with new_folder(folder) as beside:
        beside.mkdir(parents=True)
        saved = export(beside / "saved")
        (beside / MODEL).write_bytes(_converted(saved, int8, folder))
        shutil.rmtree(saved)
        write_json(beside / "labels.json", about)
        also(beside)
    return folder


def in_float32(network: keras.Model) -> keras.Model:
    """Return a network that computes in float32, with the same weights.

    What is trained in half precision keeps its weights in float32; TensorFlow Lite has no bfloat16.
    """
    if not any(layer.compute_dtype in HALF for layer in network.layers):
        return network

    def clone(operation: Any) -> Any:
        half = getattr(operation, "compute_dtype", None) in HALF
        config = operation.get_config() | ({"dtype": "float32"} if half else {})
        return type(operation).from_config(config)

    plain = keras.models.clone_model(network, clone_function=clone)
    plain.set_weights(network.get_weights())
    return plain


def _converted(saved: Path, int8: bool, folder: Path) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved), signature_keys=[CLASSIFY])
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        with no_stderr():  # the compiler's log; what is an error is raised as well
            converted: bytes = converter.convert()
    except ConverterError as error:
        lacking = sorted(set(re.findall(r"'tf\.(\w+)'", str(error))))
        why = f"it lacks {', '.join(lacking)}." if lacking else reason(error)
        raise ZooError(
            f"{folder}: TensorFlow Lite cannot run this network: {why} Export a SavedModel "
            "instead, which TensorFlow Serving runs."
        ) from error
    return converted
