"""A trained classifier of images: files in, labels and probabilities out; and a SavedModel."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from zoo import scores
from zoo.data.columns import Columns
from zoo.errors import ZooError
from zoo.files import read_json, write_json
from zoo.finding import Finding
from zoo.tasks.archive import load_network, save_network, write_archive
from zoo.tasks.image_classification.batches import ImageSplit
from zoo.tasks.image_classification.image import (
    DEEPEST,
    AnySource,
    CenterCrop,
    Source,
    check_image,
    name_of,
)
from zoo.tasks.image_classification.scoring import load_labelled_images
from zoo.tasks.image_classification.serving.graph import read_images
from zoo.tasks.image_classification.sheet import write_sheet
from zoo.tasks.image_classification.sources.inputs import given_images

BATCH = 64  # images of one forward pass
MISTAKES = 48


@dataclasses.dataclass(frozen=True)
class ImageClassifier:
    """What serves: network, labels, and the part of an image that the network sees.

    Args:
        network: `(batch, height, width, 3)` pixels in [0, 255] to logits `(batch, classes)`.
        labels: the classes in the order of the logits.
        center: from a file or pixels to what the network sees of it.
    """

    network: keras.Model
    labels: list[Any]
    center: CenterCrop

    def save(self, folder: Path) -> None:
        """Write `model.keras` and `labels.json` into a folder.

        The second holds the labels in the order of the logits, and what `CenterCrop` says of size,
        fraction and `deep_scale`: the value of a 16-bit image that becomes white.
        """
        save_network(self.network, folder)
        document = {"labels": self.labels, **dataclasses.asdict(self.center)}
        write_json(folder / "labels.json", document)

    @functools.cached_property
    def _forward(self) -> Any:
        size = self.center.size
        return tf.function(
            lambda images: self.network(images, training=False),
            input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32)],
        )

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of what the network sees of some images."""
        return self._forward(images.astype(np.float32)).numpy()

    def _shown(self, source: Source) -> np.ndarray:
        seen = self._seen(source)
        if isinstance(seen, str):
            raise ZooError(f"{name_of(source)}: {seen}.")
        return seen

    def _seen(self, source: AnySource) -> np.ndarray | str:
        """Return what the network sees of an image, or why it cannot be read."""
        try:
            return self.center(source)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            return check_image(source).problem or f"cannot be read ({error})"

    def predictions(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield `{"file": ..., "label": ..., "probabilities": {label: probability}}` of each image.

        Images in memory have no `file`.

        Args:
            data: see `sources.inputs.given_images`, as of the next three.
            text: path column of tables.
            trained: the columns of the run, read where none are named.
            findings: what there is to say is added to it.
            keep_going: yield `{"file": ..., "error": ...}` of an image that cannot be read.

        Raises:
            ZooError: an image cannot be read, and `keep_going` is not set; the message names it.
        """
        given = given_images(data, path=text, trained=trained, findings=findings)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while some := list(itertools.islice(given, BATCH)):
                seen = list(pool.map(lambda each: each.problem or self._seen(each.source), some))
                images = [each for each in seen if not isinstance(each, str)]
                logits = self.logits(np.stack(images)) if images else np.zeros((0, 1))
                found = scores.predictions(logits, self.labels)
                for each, image in zip(some, seen, strict=True):
                    if isinstance(image, str) and not keep_going:
                        raise ZooError(f"{each.name}: {image}.")
                    name = {"file": each.name} if each.is_file or isinstance(image, str) else {}
                    yield name | ({"error": image} if isinstance(image, str) else next(found))

    def evaluate(
        self,
        data: Any,
        *,
        text: str | None = None,
        label: str | None = None,
        trained: Columns | None = None,
        drop_missing: bool = False,
        findings: list[Finding] | None = None,
    ) -> dict[str, Any]:
        """Return the scores on labelled images, with the keys of `metrics.json`.

        Args:
            data: what a training takes.
            text: the column of paths, where the data are a table.
            label: the column of labels.
            trained: the columns of the run, read where none are named.
            drop_missing: leave out what has no label or cannot be read, instead of refusing it.
            findings: what there is to say is added to it.

        Raises:
            ZooError: the data cannot be read, or hold a label unknown to the run.
        """
        images = load_labelled_images(
            data, classes=self.labels, path=text, label=label, trained=trained,
            drop_missing=drop_missing, findings=findings,
        )  # fmt: skip
        with images.split:
            return scores.report(images.labels, self.logits_of(images), self.labels)

    def logits_of(self, images: ImageSplit) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of a whole part."""
        found = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(images), BATCH):
                some = images.sources(range(start, min(start + BATCH, len(images))))
                found.append(self.logits(np.stack(list(pool.map(self._shown, some)))))
        return np.concatenate(found)

    def write_mistakes(self, folder: Path, images: ImageSplit, logits: np.ndarray) -> int:
        """Write the most confident mistakes as a sheet, `mistakes.png` (A26); return their count.

        Worst first. Under each image stand its label and what was predicted with which
        probability.
        """
        worst, count = scores.mistakes(images.labels, logits, MISTAKES)
        captions = [
            f"is {self.labels[each.label]}\n{self.labels[each.predicted]} {each.probability:.2f}"
            for each in worst
        ]
        rows = np.array([each.row for each in worst], np.int64)
        shown = [self._shown(source) for source in images.sources(rows)]
        write_sheet(folder / "mistakes.png", shown, captions)
        return count

    def export(self, folder: Path) -> Path:
        """Write a SavedModel whose `serve` takes the bytes of image files, and `classify` pixels.

        The input of `serve` is `images`, strings `(batch,)`, of JPEG, PNG, GIF, BMP or WebP
        files, of which it sees what `zoo predict` sees; its outputs are `label` and `probabilities`
        `(batch, classes)`. Where files cannot be read it answers with an error that names their
        places; see `serving.headers.problem`. A process that loads it needs TensorFlow
        alone.

        The input of `classify` is `pixels`, float32 `(batch, size, size, 3)` in [0, 255], and its
        output `probabilities`: what a device that decodes and crops by itself calls, and what
        `tf.lite.TFLiteConverter` can convert (`signature_keys=["classify"]`).

        Raises:
            ZooError: the folder exists and is not empty, or cannot be written.
        """
        archive = keras.export.ExportArchive()
        archive.track(self.network)
        labels = tf.constant(self.labels)

        def classify(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"probabilities": tf.nn.softmax(self.network(pixels, training=False))}

        def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
            found = classify(read_images(images, self.center))
            label = tf.gather(labels, tf.argmax(found["probabilities"], axis=1))
            return {"label": label, **found}

        size = self.center.size
        for function, spec in (
            (serve, tf.TensorSpec([None], tf.string, name="images")),
            (classify, tf.TensorSpec([None, size, size, 3], tf.float32, name="pixels")),
        ):
            archive.add_endpoint(function.__name__, function, input_signature=[spec])
        return write_archive(archive, folder)


def load_image_classifier(folder: Path) -> ImageClassifier:
    """Read what `ImageClassifier.save` wrote.

    Raises:
        ZooError: a file is missing or damaged.
    """
    path = folder / "labels.json"
    document = read_json(path)
    try:
        labels = list(document["labels"])
        scale = int(document.get("deep_scale", DEEPEST))  # older runs do not say
        center = CenterCrop(int(document["size"]), float(document["fraction"]), scale)
    except (KeyError, TypeError, ValueError) as error:
        raise ZooError(f"{path}: is damaged: labels, size and fraction.") from error
    network = load_network(folder)
    if int(network.output.shape[-1]) != len(labels):
        raise ZooError(
            f"{folder}: network and labels do not belong together: "
            f"{network.output.shape[-1]} and {len(labels)} classes."
        )
    return ImageClassifier(network, labels, center)
