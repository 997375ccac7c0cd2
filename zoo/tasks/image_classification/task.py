"""Image classification: labelled images, a linear baseline, accuracy and F1."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np

from zoo.data.epochs import epoch_rows
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.models.receptive_field import receptive_fields
from zoo.preset.linear_probe import FIRST, LINEAR_PROBE, ONLY
from zoo.preset.preset import Preset
from zoo.preset.recipe import Recipe
from zoo.tasks import classifiers
from zoo.tasks.image_classification.baseline import fit_image_baseline
from zoo.tasks.image_classification.checks import progressive_sizes
from zoo.tasks.image_classification.data import ImageDataset, bundled_images, load_images
from zoo.tasks.image_classification.few_images import choose_linear_probe
from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.inspection import inspect_images
from zoo.tasks.image_classification.predictor import ImageClassifier, load_image_classifier
from zoo.tasks.image_classification.settings import INFO
from zoo.tasks.image_classification.sources.find import looks_like_images
from zoo.tasks.inspection import Inspection
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.training.linear_probe import LinearProbe
from zoo.training.model import TrainingModel

WHITENED = 1000  # images whose patches are decorrelated
FACTS = ("num_classes", "image_size", "pixel_mean", "pixel_std")


class ImageClassification:
    """See `zoo.tasks.task.Task`."""

    info = INFO
    recorded_facts = (
        *(f"architecture.{name}" for name in FACTS), LINEAR_PROBE, *classifiers.LABEL_FACTS,
    )  # fmt: skip
    bundled = staticmethod(bundled_images)
    recognises = staticmethod(looks_like_images)
    check_preset = staticmethod(classifiers.check_preset)
    training_model = staticmethod(classifiers.training_model)
    loss_and_metrics = staticmethod(classifiers.loss_and_metrics)
    findings_on_epochs = staticmethod(classifiers.findings_on_epochs)
    load_predictor = staticmethod(load_image_classifier)

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> ImageDataset:
        """Return the images of a request."""
        data = load_images(request, preset.data, preset.architecture.image_size)
        colours = {
            name: getattr(preset.architecture, name)
            for name in ("pixel_mean", "pixel_std")
            if f"architecture.{name}" in request.fixed
        }
        probe, findings = choose_linear_probe(
            preset, len(data.train), len(data.classes), request.fixed
        )
        data = dataclasses.replace(
            data, **colours, linear_probe=probe, findings=[*data.findings, *findings]
        )
        return _in_stages(data, preset.recipe)

    def inspect(
        self, request: Request, preset: Preset, sheet: Path | None, tokenizer: Any = None
    ) -> Inspection:
        """Look at labelled images."""
        return inspect_images(request, preset.data, preset.architecture.image_size, sheet)

    def prepare_data(
        self, data: ImageDataset, preset: Preset, seed: int, baseline: bool
    ) -> Prepared:
        """Fit the linear model."""
        scores = fit_image_baseline(data) if baseline else {}
        return Prepared(preset.name, data.classes, scores, self.facts_from_data(data))

    def facts_from_data(self, data: ImageDataset) -> dict[str, Any]:
        """Return the number of classes, the size and colours of images, and what fits the head."""
        return {
            **classifiers.facts_on_labels(data),
            "architecture.image_size": data.image_size,
            "architecture.pixel_mean": data.pixel_mean,
            "architecture.pixel_std": data.pixel_std,
            LINEAR_PROBE: data.linear_probe,
        }

    def callbacks(self, data: ImageDataset) -> list[keras.callbacks.Callback]:
        """Return what fits the head to frozen features, where that is asked for."""
        if data.linear_probe not in (ONLY, FIRST):
            return []
        return [LinearProbe(data.plain_rows(), mirrored=data.settings.flip != "none")]

    def step_bytes(self, network: keras.Model, preset: Preset) -> int:
        """Return the bytes of the feature maps of a micro-batch."""
        rows = preset.data.batch_size // preset.recipe.micro_batches or 1
        value = 4 if preset.recipe.dtype_policy == "float32" else 2
        side = preset.architecture.image_size
        maps = keras.Model(network.inputs, [layer.output for layer in network.layers])
        shapes = maps.compute_output_shape((rows, side, side, 3))
        return value * sum(math.prod(shape) for shape in shapes)

    def initialise_weights(
        self, model: TrainingModel, preset: Preset, data: ImageDataset, seed: int
    ) -> list[Finding]:
        """Set the whitening of the first layer, if there is one, and report receptive fields."""
        for layer in model.layers:
            if layer.name == "whitening":
                layer.adapt(_normalised_images(data, seed))
        return [_receptive_field_finding(model, data.image_size)]

    def evaluate_and_save(
        self,
        model: TrainingModel,
        preset: Preset,
        data: ImageDataset,
        prepared: Prepared,
        folder: Path,
    ) -> dict[str, Any]:
        """Save the classifier, score it, and write a sheet of its mistakes."""
        crop = data.transform.center_crop
        classifier = ImageClassifier(model, prepared.classes, crop, data.kind)
        return classifiers.save_and_score(classifier, data, prepared.baseline, folder)

    def compare_with_baseline(self, metrics: dict[str, Any]) -> Finding:
        """Compare with the linear model."""
        return classifiers.compare_with_linear(metrics, INFO, "mistakes.png")

    def inputs_to_predict(
        self, files: Sequence[str], standard_input: Callable[[], BinaryIO]
    ) -> Iterable[Any]:
        """Return all files at once: images, folders and tables of paths."""
        if not files:
            raise ZooError("predict needs the paths of images, of folders, or of tables of paths.")
        return [list(files)]


TASK = ImageClassification()


def _in_stages(data: ImageDataset, recipe: Recipe) -> ImageDataset:
    """Return images for a run whose epochs the stages of progressive resizing share."""
    settings = data.settings
    if settings.resizing.name == "constant":
        return data
    rows = epoch_rows(data.train.labels, settings.balance)
    epochs = recipe.total_epochs(-(-rows // settings.batch_size))
    sizes = [stage.size for stage in data.transform.stages(epochs)]
    finding = progressive_sizes(sizes, epochs, settings.resizing.first_size)
    return dataclasses.replace(data, epochs=epochs, findings=[*data.findings, finding])


def _normalised_images(data: ImageDataset, seed: int) -> np.ndarray:
    """Return training images as the first layer sees them, float32."""
    positions = np.arange(len(data.train))
    if len(positions) > WHITENED:
        positions = np.random.default_rng(seed).choice(positions, WHITENED, replace=False)
    crop = CenterCrop(data.image_size, data.settings.center_fraction, data.deep_scale)
    images = np.stack([crop(image) for image in data.train.iter_inputs(positions)])
    mean, std = np.array(data.pixel_mean, np.float32), np.array(data.pixel_std, np.float32)
    return (images.astype(np.float32) - mean) / std


def _receptive_field_finding(model: TrainingModel, image_size: int) -> Finding:
    """Return how much of an image a feature sees at the end of each stage (A136)."""
    stages = receptive_fields(model)
    listed = ", ".join(f"{stage.name} {stage.field} (stride {stage.stride})" for stage in stages)
    what = f"receptive fields in pixels, of images of {image_size}: {listed}."
    evidence = {stage.name: {"field": stage.field, "stride": stage.stride} for stage in stages}
    if stages[-1].field < image_size:
        hint = "No feature sees a whole image: take a deeper network or smaller images."
        return Finding("warning", what, evidence, hint)
    if stages[-1].stride > image_size:
        hint = "The last stage has one feature an image: take a smaller stem or larger images."
        return Finding("warning", what, evidence, hint)
    return Finding("info", what, evidence, "")
