"""Image classification: labelled images, a linear baseline, accuracy and F1."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from zoo.finding import Finding
from zoo.models.receptive_field import receptive_fields
from zoo.preset.loading import Preset
from zoo.tasks.classifiers import against_baseline, scored
from zoo.tasks.image_classification.baseline import fit_image_baseline
from zoo.tasks.image_classification.data import ImageDataset, bundled_images, load_images
from zoo.tasks.image_classification.image import CenterCrop
from zoo.tasks.image_classification.predictor import ImageClassifier
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.training.model import TrainingModel

WHITENED = 1000  # images whose patches are decorrelated


class ImageClassification:
    """What `zoo.tasks.task.Task` says, for classifiers of images."""

    def bundled(self, model: str) -> Path:
        """Return the path of the bundled digits."""
        return bundled_images()

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> ImageDataset:
        """Return the images of a request."""
        data = load_images(
            request.data,
            validation=request.validation,
            test=request.test,
            path=request.text,
            label=request.label,
            settings=preset.data,
            image_size=preset.architecture.image_size,
            enlarge="architecture.image_size" in request.fixed,
            seed=request.seed,
            fraction=request.fraction,
            classes=list(request.classes) if request.classes is not None else None,
            drop_missing=request.drop_missing,
        )
        colours = {
            name: getattr(preset.architecture, name)
            for name in ("pixel_mean", "pixel_std")
            if f"architecture.{name}" in request.fixed
        }
        return dataclasses.replace(data, **colours)

    def begin(self, data: ImageDataset, preset: Preset, seed: int, chief: bool) -> Prepared:
        """Fit the linear baseline."""
        decided = {
            "architecture.num_classes": len(data.classes),
            "architecture.image_size": data.image_size,
            "architecture.pixel_mean": data.pixel_mean,
            "architecture.pixel_std": data.pixel_std,
        }
        baseline = fit_image_baseline(data) if chief else {}
        return Prepared(preset.name, data.classes, baseline, decided=decided)

    def decided(self, start: Prepared) -> dict[str, Any]:
        """Return the number of classes, the size of images, and their colours."""
        return dict(start.decided)

    def sizes(self, start: Prepared) -> dict[str, Any]:
        """Return the same: there is nothing else."""
        return dict(start.decided)

    def judged(self, preset: Preset) -> list[Finding]:
        """Return nothing: the schema has checked it, and `zoo.preset.batch_rule` the norm."""
        return []

    def prepare(
        self, model: TrainingModel, preset: Preset, data: ImageDataset, seed: int
    ) -> list[Finding]:
        """Set the whitening of the first layer, if there is one, and report receptive fields."""
        for layer in model.layers:
            if layer.name == "whitening":
                layer.adapt(_normalised(data, seed))
        return [_fields(model, data.image_size)]

    def finish(
        self,
        model: TrainingModel,
        preset: Preset,
        data: ImageDataset,
        start: Prepared,
        folder: Path,
    ) -> dict[str, Any]:
        """Save the classifier, score it, and write a sheet of its mistakes."""
        classifier = ImageClassifier(model, start.classes, data.view.center)
        classifier.save(folder / "model")
        parts = {"validation": data.validation, "test": data.test}
        return scored(classifier, parts, start.baseline, folder)

    def verdict(self, metrics: dict[str, Any]) -> Finding:
        """Compare with the linear model."""
        return against_baseline(metrics, "mistakes.png")


TASK = ImageClassification()


def _normalised(data: ImageDataset, seed: int) -> np.ndarray:
    """Return training images as the first layer sees them, float32."""
    positions = np.arange(len(data.train))
    if len(positions) > WHITENED:
        positions = np.random.default_rng(seed).choice(positions, WHITENED, replace=False)
    center = CenterCrop(data.image_size, data.settings.center_fraction, data.deep_scale)
    images = np.stack([center(source) for source in data.train.sources(positions)])
    mean, std = np.array(data.pixel_mean, np.float32), np.array(data.pixel_std, np.float32)
    return (images.astype(np.float32) - mean) / std


def _fields(model: TrainingModel, image_size: int) -> Finding:
    """Say what a feature sees at the end of each stage, beside the image (A136)."""
    found = receptive_fields(model)
    said = ", ".join(f"{each.name} {each.field} (stride {each.stride})" for each in found)
    what = f"receptive fields in pixels, of images of {image_size}: {said}."
    evidence = {each.name: {"field": each.field, "stride": each.stride} for each in found}
    if found[-1].field < image_size:
        hint = "No feature sees a whole image: take a deeper network or smaller images."
        return Finding("warning", what, evidence, hint)
    if found[-1].stride > image_size:
        hint = "The last stage has one feature an image: take a smaller stem or larger images."
        return Finding("warning", what, evidence, hint)
    return Finding("info", what, evidence, "")
