"""Masked language modelling: texts without labels, loss and accuracy of hidden tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import keras

from zoo.data.parts import parts_of
from zoo.finding import Finding
from zoo.preset.preset import Preset
from zoo.tasks.corpora.parts import bundled_corpus
from zoo.tasks.inspection import Inspection, Line, Table
from zoo.tasks.masked_language_modeling.data import (
    MaskedTexts,
    load_masked_texts,
    token_shares,
    unigram_scores,
)
from zoo.tasks.masked_language_modeling.masking import row_bounds
from zoo.tasks.masked_language_modeling.model import MaskedLanguageModel
from zoo.tasks.masked_language_modeling.predictor import TrainedMaskedModel, load_masked_model
from zoo.tasks.masked_language_modeling.settings import INFO
from zoo.tasks.positions import check_positions
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.text.tokenizers import of_single_texts
from zoo.training.model import TrainingModel


class MaskedLanguageModeling:
    """See `zoo.tasks.task.Task`."""

    info = INFO
    recorded_facts = ()
    bundled = staticmethod(bundled_corpus)
    load_predictor = staticmethod(load_masked_model)

    def recognises(self, source: Any) -> bool:
        """Whether data are of this task: lines of text may as well be those of a classifier."""
        return False

    def check_preset(self, preset: Preset) -> list[Finding]:
        """Return nothing.

        Raises:
            ZooError: rows are longer than the network has positions for.
        """
        return check_positions(preset)

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> MaskedTexts:
        """Return the texts of a request."""
        size = preset.architecture.vocabulary_size
        return load_masked_texts(request, preset.data, size, tokenizer)

    def inspect(
        self, request: Request, preset: Preset, sheet: Path | None, tokenizer: Any = None
    ) -> Inspection:
        """Look at texts without labels: tokens and rows of each part."""
        data = self.load(request, preset, tokenizer)
        parts = {
            name: {"tokens": len(part), "rows": len(row_bounds(part.ids, data.masking.room)) - 1}
            for name, part in parts_of(data).items()
        }
        vocabulary = {
            "size": data.masking.tokenizer.vocabulary_size,
            "tokenizer": data.tokenizer.kind,
        }
        rows = [(name, f"{part['tokens']:,}", f"{part['rows']:,}") for name, part in parts.items()]
        line = f"vocabulary: {vocabulary['size']:,} {vocabulary['tokenizer']}, the mask among them"
        shown: list[Table | Line] = [
            Table(("part", "tokens", f"rows of {data.masking.max_length}"), rows),
            Line(line),
        ]
        return Inspection({"parts": parts, "vocabulary": vocabulary}, data.findings, shown)

    def prepare_data(
        self, data: MaskedTexts, preset: Preset, seed: int, baseline: bool
    ) -> Prepared:
        """Count the shares of the tokens."""
        scores: dict[str, Any] = {}
        if baseline:
            shares = token_shares(data.train.ids, data.masking.tokenizer)
            scores = {
                part: unigram_scores(shares, data.dataset(part))
                if getattr(data, part) is not None
                else None
                for part in ("validation", "test")
            } | {"name": "unigrams"}
        return Prepared(preset.name, [], scores, self.facts_from_data(data), data.tokenizer)

    def facts_from_data(self, data: MaskedTexts) -> dict[str, Any]:
        """Return the number of ids, the mask's among them."""
        return {"architecture.vocabulary_size": data.masking.tokenizer.vocabulary_size}

    def training_model(self, network: keras.Model, preset: Preset) -> TrainingModel:
        """Return the model that trains on hidden tokens."""
        return MaskedLanguageModel(network.input, network.output, name=network.name)

    def callbacks(self, data: Any) -> list[keras.callbacks.Callback]:
        """Return nothing: the recipe's callbacks know all that is needed."""
        return []

    def loss_and_metrics(self, network: keras.Model, preset: Preset) -> tuple[Any, Any]:
        """Return the loss of arrays of ids; hidden tokens have a loss of their own."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True), None

    def step_bytes(self, network: keras.Model, preset: Preset) -> int:
        """Return the bytes of features, attention weights and logits of a batch."""
        data, architecture = preset.data, preset.architecture
        rows = data.batch_size // preset.recipe.micro_batches or 1
        value = 4 if preset.recipe.dtype_policy == "float32" else 2
        features = value * data.max_length * architecture.values_a_token(data.max_length)
        told = int(data.mask_fraction * data.max_length) + 1
        return int(rows * (features + 3 * 4 * told * architecture.vocabulary_size))

    def initialise_weights(
        self, model: TrainingModel, preset: Preset, data: MaskedTexts, seed: int
    ) -> list[Finding]:
        """Do nothing: all weights start at random, or where the start has them."""
        return []

    def evaluate_and_save(
        self,
        model: TrainingModel,
        preset: Preset,
        data: MaskedTexts,
        prepared: Prepared,
        folder: Path,
    ) -> dict[str, Any]:
        """Save the model and score it on tokens that are hidden alike every time."""
        settings = preset.data
        trained = TrainedMaskedModel(
            model, of_single_texts(data.tokenizer), settings.max_length, settings.mask_fraction
        )
        trained.save(folder / "model")
        scores = {
            name: trained.scores(part) if part is not None else None
            for name, part in (("validation", data.validation), ("test", data.test))
        }
        return scores | {"baseline": prepared.baseline}

    def findings_on_epochs(
        self,
        data: MaskedTexts,
        preset: Preset,
        history: Sequence[Mapping[str, Any]],
        best: int | None,
    ) -> list[Finding]:
        """Return nothing: a mean over tokens tells epochs apart."""
        return []

    def compare_with_baseline(self, metrics: dict[str, Any]) -> Finding:
        """Compare with whoever knows the shares of the tokens alone."""
        part = "test" if metrics["test"] else "validation"
        network, unigrams = metrics[part]["loss"], metrics["baseline"][part]["loss"]
        numbers = f"{network:.3f} against {unigrams:.3f} nats a hidden token on {part}"
        evidence = {"split": part, "network": network, "baseline": unigrams}
        if network < unigrams:
            what = f"{metrics['model']} has a lower loss than unigrams: {numbers}."
            advice = "A classifier starts from it: zoo train transformer ROWS --init RUN."
            return Finding("info", what, evidence, advice)
        what = f"{metrics['model']} has no lower loss than unigrams: {numbers}."
        advice = "Train longer (recipe.epochs), give more text, or start from weights (--init)."
        return Finding("warning", what, evidence, advice)

    def inputs_to_predict(
        self, files: Sequence[str], standard_input: Callable[[], BinaryIO]
    ) -> Iterable[Any]:
        """Return files of texts, and stdin: what is embedded."""
        return (standard_input() if name == "-" else Path(name) for name in files or ["-"])


TASK = MaskedLanguageModeling()
