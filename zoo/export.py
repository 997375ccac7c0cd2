"""SavedModels: a trained classifier that takes raw strings, written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.text.tokenizers import Tokenizer


class StringClassifier(tf.Module):
    """Tokenizer, network and labels in one graph.

    Args:
        network: int32 `(batch, time)` token ids to `(batch, classes)` logits.
        tokenizer: the tokenizer the network was trained with.
        labels: the classes in the order of the logits; all strings or all integers.
        max_length: tokens of a text that are read.
    """

    def __init__(
        self, network: keras.Model, tokenizer: Tokenizer, labels: list[Any], max_length: int
    ):
        super().__init__(name="string_classifier")
        self.network = network
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.labels = tf.constant(labels)

    def __call__(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return `label` and `probabilities` `(batch, classes)` of strings `(batch,)`."""
        ids = self.tokenizer.encode_dense(texts, self.max_length)
        probabilities = tf.nn.softmax(self.network(ids, training=False))
        return {
            "label": tf.gather(self.labels, tf.argmax(probabilities, axis=1)),
            "probabilities": probabilities,
        }


def export_saved_model(classifier: StringClassifier, folder: Path) -> Path:
    """Write a SavedModel whose `serve` signature takes a vector of strings.

    A process that loads it needs `tensorflow` and `import tensorflow_text`, nothing of the zoo.

    Raises:
        ZooError: the folder exists and is not empty, or cannot be written.
    """
    archive = keras.export.ExportArchive()
    archive.track(classifier.network)
    archive.track(classifier.tokenizer)
    archive.add_endpoint(
        "serve",
        classifier.__call__,
        input_signature=[tf.TensorSpec([None], tf.string, name="texts")],
    )
    return write_archive(archive, Path(folder))


def write_archive(
    archive: keras.export.ExportArchive,
    folder: Path,
    also: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """Write a SavedModel beside and rename it: an error leaves nothing half-written.

    Args:
        archive: with its endpoints.
        folder: a new or empty one.
        also: what else writes into the folder.

    Raises:
        ZooError: the folder exists and is not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ZooError(f"{folder}: is already there. Export to a new folder, or remove it first.")
    beside = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        archive.write_out(str(beside), verbose=False)
        also(beside)
        if folder.exists():
            folder.rmdir()
        beside.replace(folder)
    except (OSError, tf.errors.OpError) as error:
        raise ZooError(f"{folder}: cannot be written: {error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder
