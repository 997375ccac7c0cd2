"""A trained image classifier: files in, labels and probabilities out; and a SavedModel."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.columns import Columns
from zoo.errors import ZooError
from zoo.files import read_json, write_json
from zoo.finding import Finding
from zoo.tasks.archive import load_network, save_network, write_archive
from zoo.tasks.classifiers import saved_kind
from zoo.tasks.image_classification.data import load_labelled_images
from zoo.tasks.image_classification.image import (
    DEEPEST,
    UNREADABLE,
    AnyImage,
    CenterCrop,
    ImageInput,
    check_image,
    describe,
)
from zoo.tasks.image_classification.serving.graph import read_images
from zoo.tasks.image_classification.sheet import write_sheet
from zoo.tasks.image_classification.sources.inputs import NamedImage, named_images
from zoo.tasks.image_classification.sources.source import ImageSplit
from zoo.tasks.label_kind import LabelKind
from zoo.tasks.one_label import OneLabel
from zoo.tasks.request import Request
from zoo.tasks.tflite import in_float32, write_tflite
from zoo.training.features import VECTOR, feature_network

BATCH = 64  # images of one forward pass
ONE = OneLabel()
MISTAKES = 48


@dataclasses.dataclass(frozen=True)
class ImageClassifier:
    """What serves: network, labels, and the crop of an image that the network sees.

    Args:
        network: `(batch, height, width, 3)` pixels in [0, 255] to logits `(batch, classes)`.
        labels: the classes in the order of the logits.
        center_crop: from an image to what the network sees of it.
        kind: one label an image or several.
    """

    network: keras.Model
    labels: list[Any]
    center_crop: CenterCrop
    kind: LabelKind = ONE

    def with_kind(self, kind: LabelKind) -> ImageClassifier:
        """Return the classifier with another threshold of several labels."""
        return dataclasses.replace(self, kind=kind)

    def save(self, folder: Path) -> None:
        """Write `model.keras` and `labels.json` into a folder.

        The second holds the labels in the order of the logits, and the arguments of `CenterCrop`.
        """
        save_network(self.network, folder)
        crop = dataclasses.asdict(self.center_crop)
        document = {"labels": self.labels, **crop, **self.kind.to_dict()}
        write_json(folder / "labels.json", document)

    @functools.cached_property
    def _forward(self) -> Any:
        return self._compiled(self.network)

    @functools.cached_property
    def _features(self) -> Any:
        return self._compiled(feature_network(self.network))

    def _compiled(self, network: keras.Model) -> Any:
        size = self.center_crop.size
        return tf.function(
            lambda images: network(images, training=False),
            input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32)],
        )

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of center crops."""
        return self._forward(crops.astype(np.float32)).numpy()

    def _crop(self, image: ImageInput) -> np.ndarray:
        crop = self._crop_or_problem(image)
        if isinstance(crop, str):
            raise ZooError(f"{describe(image)}: {crop}.")
        return crop

    def _crop_or_problem(self, image: AnyImage) -> np.ndarray | str:
        """Return the center crop of an image, or why it cannot be read."""
        try:
            return self.center_crop(image)
        except UNREADABLE as error:
            return check_image(image).problem or f"cannot be read ({error})"

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

        Of several labels an image, `labels` is the list of those above the threshold. Images in
        memory have no `file`.

        Args:
            data: see `sources.inputs.named_images`.
            text: path column of tables; None finds it by name.
            trained: the columns of the run, read where none are named.
            findings: findings on the columns that are read are appended to it.
            keep_going: yield `{"file": ..., "error": ...}` of an image that cannot be read.

        Raises:
            ZooError: an image cannot be read, and `keep_going` is not set; the message names it.
        """
        images = named_images(data, path=text, trained=trained, findings=findings)

        def answers(crops: np.ndarray) -> Iterator[dict[str, Any]]:
            return self.kind.predictions(self.logits(crops), self.labels)

        yield from self._answered(images, answers, keep_going)

    def embeddings(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield `{"file": ..., "embedding": vector}` of each image: what the logits are made of.

        The arguments are those of `predictions`.

        Raises:
            ZooError: as `predictions`.
        """
        images = named_images(data, path=text, trained=trained, findings=findings)

        def answers(crops: np.ndarray) -> Iterator[dict[str, Any]]:
            vectors = self._features(crops.astype(np.float32)).numpy().astype(np.float32)
            return ({VECTOR: vector} for vector in vectors)

        yield from self._answered(images, answers, keep_going)

    def _answered(
        self,
        images: Iterator[NamedImage],
        answers: Callable[[np.ndarray], Iterator[dict[str, Any]]],
        keep_going: bool,
    ) -> Iterator[dict[str, Any]]:
        """Yield the file of each image with what is answered for it.

        Args:
            images: in the order of the answers.
            answers: from crops `(rows, size, size, 3)` to an answer a row.
            keep_going: yield an `error` of an image that cannot be read.

        Raises:
            ZooError: an image cannot be read, and `keep_going` is not set; the message names it.
        """

        def read(named: NamedImage) -> np.ndarray | str:
            return named.problem if named.image is None else self._crop_or_problem(named.image)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while batch := list(itertools.islice(images, BATCH)):
                results = list(pool.map(read, batch))
                crops = [result for result in results if not isinstance(result, str)]
                answered = answers(np.stack(crops)) if crops else iter(())
                for named, result in zip(batch, results, strict=True):
                    if not isinstance(result, str):
                        yield ({"file": named.name} if named.is_file else {}) | next(answered)
                    elif keep_going:
                        yield {"file": named.name, "error": result}
                    else:
                        raise ZooError(f"{named.name}: {result}.")

    def evaluate(
        self,
        request: Request,
        *,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
    ) -> dict[str, Any]:
        """Return the scores on labelled images, with the keys of `metrics.json`.

        The arguments are those of `zoo.tasks.task.Predictor.evaluate`.

        Raises:
            ZooError: the data cannot be read, or hold a label unknown to the run.
        """
        images = load_labelled_images(
            request, self.labels, kind=self.kind, trained=trained, findings=findings
        )
        with images.split:
            return self.kind.report(images, self.logits_of(images))

    def logits_of(self, images: ImageSplit) -> np.ndarray:
        """Return float32 logits `(rows, classes)` of a split."""
        logits = []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(images), BATCH):
                batch = images.inputs(range(start, min(start + BATCH, len(images))))
                logits.append(self.logits(np.stack(list(pool.map(self._crop, batch)))))
        return np.concatenate(logits)

    def write_mistakes(self, folder: Path, images: ImageSplit, logits: np.ndarray) -> int:
        """Write the most confident mistakes as a sheet, `mistakes.png` (A26); return their count.

        Worst first. Under each image stand its label and what was predicted with which
        probability.

        Args:
            folder: to write into.
            images: a split.
            logits: of the split, `(rows, classes)`.
        """
        mistakes, count = self.kind.mistakes(images, logits, MISTAKES)
        captions = [f"is {m.label}\n{m.predicted} {m.probability:.2f}" for m in mistakes]
        crops = [self._crop(image) for image in images.inputs([m.row for m in mistakes])]
        write_sheet(folder / "mistakes.png", crops, captions)
        return count

    def export(self, folder: Path) -> Path:
        """Write a SavedModel whose `serve` takes the bytes of image files, and `classify` pixels.

        The input of `serve` is `images`, strings `(batch,)`, of JPEG, PNG, GIF, BMP or WebP
        files, of which it sees what `zoo predict` sees; its outputs are `label` and `probabilities`
        `(batch, classes)`; of several labels an image as `LabelKind.serve` has them. Where files
        cannot be read it answers with an error that names their positions; see
        `serving.headers.problem`. A process that loads it needs TensorFlow alone.

        The input of `classify` is `pixels`, float32 `(batch, size, size, 3)` in [0, 255], and its
        output `probabilities`: what a device that decodes and crops by itself calls.

        Raises:
            ZooError: the folder exists and is not empty, or cannot be written.
        """
        archive = keras.export.ExportArchive()
        archive.track(self.network)

        def classify(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"probabilities": self.kind.probabilities(self.network(pixels, training=False))}

        def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
            pixels = read_images(images, self.center_crop)
            return self.kind.serve(self.network(pixels, training=False), self.labels)

        size = self.center_crop.size
        for function, spec in (
            (serve, tf.TensorSpec([None], tf.string, name="images")),
            (classify, tf.TensorSpec([None, size, size, 3], tf.float32, name="pixels")),
        ):
            archive.add_endpoint(function.__name__, function, input_signature=[spec])
        return write_archive(archive, folder)

    def export_tflite(self, folder: Path, *, int8: bool) -> Path:
        """Write `model.tflite`, the `classify` of `export`, and the labels.

        Args:
            folder: a new or empty one.
            int8: see `zoo.tasks.tflite.write_tflite`, which says what is raised.
        """
        about = {"labels": self.labels, "size": self.center_crop.size, **self.kind.to_dict()}
        plain = dataclasses.replace(self, network=in_float32(self.network))
        return write_tflite(plain.export, folder, int8=int8, about=about)


def load_image_classifier(folder: Path) -> ImageClassifier:
    """Read what `ImageClassifier.save` wrote.

    Raises:
        ZooError: a file is missing or damaged.
    """
    path = folder / "labels.json"
    document = read_json(path)
    try:
        labels = list(document["labels"])
        deep_scale = int(document.get("deep_scale", DEEPEST))  # older runs do not say
        crop = CenterCrop(int(document["size"]), float(document["fraction"]), deep_scale)
        kind = saved_kind(document)
    except (KeyError, TypeError, ValueError) as error:
        raise ZooError(f"{path}: is damaged: labels, size and fraction.") from error
    network = load_network(folder)
    if int(network.output.shape[-1]) != len(labels):
        raise ZooError(
            f"{folder}: network and labels do not belong together: "
            f"{network.output.shape[-1]} and {len(labels)} classes."
        )
    return ImageClassifier(network, labels, crop, kind)
