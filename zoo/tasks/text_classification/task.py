"""Text classification: labelled texts, a linear baseline, accuracy and F1."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import keras

from zoo.finding import Finding
from zoo.preset.contrastive import CONTRASTIVE, PAIRS
from zoo.preset.preset import Preset
from zoo.tasks import classifiers
from zoo.tasks.inspection import Inspection
from zoo.tasks.positions import check_positions
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.tasks.text_classification.baseline import fit_baseline
from zoo.tasks.text_classification.checks import classes_of_batches
from zoo.tasks.text_classification.data import Data, bundled_texts, load_data
from zoo.tasks.text_classification.few_rows import choose_contrastive, contrastive_of
from zoo.tasks.text_classification.inspection import inspect_texts
from zoo.tasks.text_classification.predictor import TextClassifier, load_text_classifier
from zoo.tasks.text_classification.settings import INFO, TextData
from zoo.text.vectors import read_vectors
from zoo.training.compiled import is_compiled
from zoo.training.contrastive import FitHead, contrastive_model
from zoo.training.model import TrainingModel


class TextClassification:
    """See `zoo.tasks.task.Task`."""

    info = INFO
    recorded_facts = (
        "architecture.num_classes", "data.texts", CONTRASTIVE, *classifiers.LABEL_FACTS,
    )  # fmt: skip
    bundled = staticmethod(bundled_texts)
    loss_and_metrics = staticmethod(classifiers.loss_and_metrics)
    findings_on_epochs = staticmethod(classifiers.findings_on_epochs)
    load_predictor = staticmethod(load_text_classifier)

    def recognises(self, source: Any) -> bool:
        """Whether data are of this task: it is asked last, and takes them for texts."""
        return True

    def check_preset(self, preset: Preset) -> list[Finding]:
        """Return nothing.

        Raises:
            ZooError: texts may be longer than the network has positions for.
        """
        return check_positions(preset)

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> Data:
        """Return the texts of a request, and of few of them pairs."""
        settings = _padded(preset)
        data = load_data(request, settings, preset.architecture.vocabulary_size, tokenizer)
        with contextlib.ExitStack() as opened:
            opened.enter_context(data)
            name, findings = choose_contrastive(
                preset, len(data.train), data.kind.name == "several", data.train.store.pairs,
                request.fixed,
            )  # fmt: skip
            if name != contrastive_of(preset).name:
                preset = preset.override({CONTRASTIVE: name})
            if name != PAIRS:  # of which each row has as many, whatever its class
                findings += classes_of_batches(data.train, data.classes, settings)
            opened.pop_all()
        return dataclasses.replace(
            data,
            settings=_padded(preset),
            contrastive=contrastive_of(preset),
            findings=[*data.findings, *findings],
        )

    def inspect(
        self, request: Request, preset: Preset, sheet: Path | None, tokenizer: Any = None
    ) -> Inspection:
        """Look at labelled texts."""
        with self.load(request, preset, tokenizer) as data:
            return inspect_texts(data, request.seed)

    def prepare_data(self, data: Data, preset: Preset, seed: int, baseline: bool) -> Prepared:
        """Fit the linear model."""
        scores: dict[str, Any] = {}
        if baseline:
            linear = fit_baseline(
                data.train, data.validation, data.test,
                num_classes=len(data.classes), seed=seed, kind=data.kind,
            )  # fmt: skip
            scores = linear.to_dict()
        facts = self.facts_from_data(data)
        return Prepared(preset.name, data.classes, scores, facts, data.tokenizer)

    def facts_from_data(self, data: Data) -> dict[str, Any]:
        """Return the numbers of classes and pieces, of texts a row, and whether pairs are made."""
        return {
            **classifiers.facts_on_labels(data),
            "architecture.vocabulary_size": data.tokenizer.vocabulary_size,
            "data.texts": "pair" if data.train.store.pairs else "one",
            CONTRASTIVE: data.contrastive.name,
        }

    def training_model(self, network: keras.Model, preset: Preset) -> TrainingModel:
        """Return a network as the model that trains, on rows or on pairs of them."""
        if contrastive_of(preset).name == PAIRS:
            return contrastive_model(network)
        return classifiers.training_model(network, preset)

    def callbacks(self, data: Data) -> list[keras.callbacks.Callback]:
        """Return what fits the head of a network that trains on pairs."""
        return [FitHead(data.train)] if data.contrastive.name == PAIRS else []

    def step_bytes(self, network: keras.Model, preset: Preset) -> int:
        """Return 0: a batch is as long as its longest text."""
        return 0

    def initialise_weights(
        self, model: TrainingModel, preset: Preset, data: Data, seed: int
    ) -> list[Finding]:
        """Set the embedding tables from vectors of words, if any are named; report the coverage."""
        if not preset.data.vectors:
            return []
        block = preset.architecture
        width = "embedding_dim" if hasattr(block, "embedding_dim") else "hidden_dim"
        matrix, coverage = read_vectors(
            preset.data.vectors,
            data.tokenizer.pieces,
            getattr(block, width),
            seed=seed,
            setting=width,
        )
        for layer in model.layers:
            if layer.name in ("embedding", "embedding_static"):
                layer.set_weights([matrix])
        enough = coverage["share"] >= 0.5
        finding = Finding(
            "info" if enough else "warning",
            f"{preset.data.vectors}: vectors for {coverage['found']} of {coverage['pieces']} "
            f"pieces ({100 * coverage['share']:.1f} %).",
            coverage,
            "" if enough else "Set data.tokenizer=words: vectors are of words.",
        )
        return [finding]

    def evaluate_and_save(
        self, model: TrainingModel, preset: Preset, data: Data, prepared: Prepared, folder: Path
    ) -> dict[str, Any]:
        """Save the classifier, score it, and write its mistakes."""
        length = preset.data.max_length
        classifier = TextClassifier(model, data.tokenizer, prepared.classes, length, data.kind)
        return classifiers.save_and_score(classifier, data, prepared.baseline, folder)

    def compare_with_baseline(self, metrics: dict[str, Any]) -> Finding:
        """Compare with the linear model."""
        return classifiers.compare_with_linear(metrics, INFO, "mistakes.csv")

    def inputs_to_predict(
        self, files: Sequence[str], standard_input: Callable[[], BinaryIO]
    ) -> Iterable[Any]:
        """Return files of texts, and stdin."""
        return (standard_input() if name == "-" else Path(name) for name in files or ["-"])


def _padded(preset: Preset) -> TextData:
    """Return the data block of a preset with what `auto` pads to."""
    settings: TextData = preset.data
    if settings.pad_to != "auto":
        return settings
    pad_to = "fixed" if is_compiled(preset.recipe) else "longest"
    return settings.model_copy(update={"pad_to": pad_to})


TASK = TextClassification()
