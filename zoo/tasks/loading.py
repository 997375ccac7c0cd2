"""What a run's `model/` holds, read by its task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.tasks.image_classification.predictor import ImageClassifier, load_image_classifier
from zoo.tasks.language_modeling.predictor import TrainedLanguageModel, load_language_model
from zoo.tasks.text_classification.predictor import TextClassifier, load_text_classifier

TrainedModel = TextClassifier | ImageClassifier | TrainedLanguageModel
LOADERS: dict[str, Callable[[Path], TrainedModel]] = {
    "text-classification": load_text_classifier,
    "image-classification": load_image_classifier,
    "language-modeling": load_language_model,
}


def load_trained(task: str, folder: Path) -> TrainedModel:
    """Return what a training of a task left in a folder.

    Raises:
        ZooError: a file is missing or damaged.
    """
    return LOADERS[task](folder)
