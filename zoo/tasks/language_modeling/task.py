"""Language modelling: a corpus, a bigram baseline, loss and perplexity a token."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import keras

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.preset import Preset
from zoo.tasks.corpora.parts import bundled_corpus
from zoo.tasks.inspection import Inspection
from zoo.tasks.language_modeling.baseline import fit_bigrams, log_shares
from zoo.tasks.language_modeling.data import Corpus, load_corpus
from zoo.tasks.language_modeling.inspection import inspect_corpus
from zoo.tasks.language_modeling.model import LanguageModel
from zoo.tasks.language_modeling.predictor import TrainedLanguageModel, load_language_model
from zoo.tasks.language_modeling.settings import INFO, LanguageRecipe, SeparateWindows
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.training.compiled import is_compiled
from zoo.training.model import TrainingModel

# What the papers' recipes bear: AWD-LSTM's rate at 3 layers of 70 steps, for the mean a token; its
# character model's Adam rate at 3 layers of 150 steps.
MOST = {"sgd": 30.0 * 3 * 70, "adam": 2e-3 * 3 * 150}
LARGEST_START = 0.1


class LanguageModeling:
    """See `zoo.tasks.task.Task`."""

    info = INFO
    recorded_facts = ()
    bundled = staticmethod(bundled_corpus)
    load_predictor = staticmethod(load_language_model)

    def recognises(self, source: Any) -> bool:
        """Whether data are of this task: lines of text may as well be those of a classifier."""
        return False

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> Corpus:
        """Return the corpus of a request."""
        size = preset.architecture.vocabulary_size
        corpus = load_corpus(request, preset.data, size, tokenizer)
        return dataclasses.replace(corpus, few_lengths=is_compiled(preset.recipe))

    def inspect(
        self, request: Request, preset: Preset, sheet: Path | None, tokenizer: Any = None
    ) -> Inspection:
        """Look at a corpus."""
        size = preset.architecture.vocabulary_size
        return inspect_corpus(request, preset.data, size, tokenizer)

    def prepare_data(self, data: Corpus, preset: Preset, seed: int, baseline: bool) -> Prepared:
        """Fit the bigrams."""
        scores: dict[str, Any] = {}
        if baseline:
            bigrams = fit_bigrams(data.train.ids, data.tokenizer.vocabulary_size)
            scores = {
                "validation": bigrams.scores(data.validation.ids),
                "test": bigrams.scores(data.test.ids) if data.test is not None else None,
                "name": "bigrams",
            }
        return Prepared(preset.name, [], scores, self.facts_from_data(data), data.tokenizer)

    def facts_from_data(self, data: Corpus) -> dict[str, Any]:
        """Return the size of the vocabulary."""
        return {"architecture.vocabulary_size": data.tokenizer.vocabulary_size}

    def check_preset(self, preset: Preset) -> list[Finding]:
        """Warn of tied weights that start large (A03), and of a rate too high for length (A40).

        Raises:
            ZooError: windows are longer than the network has positions for.
        """
        if isinstance(preset.data, SeparateWindows):
            return [*_check_tied(preset), *_check_positions(preset)]
        return [*_check_tied(preset), *_check_rate(preset)]

    def callbacks(self, data: Any) -> list[keras.callbacks.Callback]:
        """Return nothing: the recipe's callbacks know all that is needed."""
        return []

    def training_model(self, network: keras.Model, preset: Preset) -> TrainingModel:
        """Return the model that trains, and knows how windows belong together."""
        model = LanguageModel(network.input, network.output, name=network.name)
        data = preset.data
        if isinstance(data, SeparateWindows):
            model.context, model.scoring_stride = data.window, data.scoring_stride
        else:
            model.window = data.window if data.random_window else None
        return model

    def loss_and_metrics(self, network: keras.Model, preset: Preset) -> tuple[Any, Any]:
        """Return the loss of arrays of ids; windows of a corpus have a loss of their own."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True), None

    def step_bytes(self, network: keras.Model, preset: Preset) -> int:
        """Return the bytes of what the network keeps of the tokens of a batch."""
        rows = preset.data.batch_size // preset.recipe.micro_batches or 1
        value = 4 if preset.recipe.dtype_policy == "float32" else 2
        window = preset.data.window
        return int(value * rows * window * preset.architecture.values_a_token(window))

    def initialise_weights(
        self, model: TrainingModel, preset: Preset, data: Corpus, seed: int
    ) -> list[Finding]:
        """Set the bias of the logits to the tokens' log shares, where the recipe says so."""
        if isinstance(preset.recipe, LanguageRecipe) and preset.recipe.prior_bias:
            shares = log_shares(data.train.ids, data.tokenizer.vocabulary_size)
            model.get_layer("embedding").bias.assign(shares)
        return []

    def evaluate_and_save(
        self, model: TrainingModel, preset: Preset, data: Corpus, prepared: Prepared, folder: Path
    ) -> dict[str, Any]:
        """Save the model and score it, each token once."""
        trained = TrainedLanguageModel(model, data.tokenizer)
        trained.save(folder / "model")
        parts = {"validation": data.validation, "test": data.test}
        scores = {
            name: trained.scores(tokens) if tokens is not None else None
            for name, tokens in parts.items()
        }
        return scores | {"baseline": prepared.baseline}

    def findings_on_epochs(
        self, data: Corpus, preset: Preset, history: Sequence[Mapping[str, Any]], best: int | None
    ) -> list[Finding]:
        """Return nothing: a mean over tokens tells epochs apart."""
        return []

    def compare_with_baseline(self, metrics: dict[str, Any]) -> Finding:
        """Compare with the bigrams."""
        part = "test" if metrics["test"] else "validation"
        network = metrics[part]["perplexity"]
        bigrams = metrics["baseline"][part]["perplexity"]
        numbers = f"{network:.1f} against {bigrams:.1f} on {part}"
        evidence = {"split": part, "network": network, "baseline": bigrams}
        if network < bigrams:
            what = f"{metrics['model']} has a lower perplexity than bigrams: {numbers}."
            return Finding("info", what, evidence, "")
        what = f"{metrics['model']} has no lower perplexity than bigrams: {numbers}."
        advice = "Train longer (recipe.epochs), give more text, or try another preset."
        return Finding("warning", what, evidence, advice)

    def inputs_to_predict(
        self, files: Sequence[str], standard_input: Callable[[], BinaryIO]
    ) -> Iterable[Any]:
        """Return files of texts, and stdin: of a language model what is embedded."""
        return (standard_input() if name == "-" else Path(name) for name in files or ["-"])


TASK = LanguageModeling()


def _check_tied(preset: Preset) -> list[Finding]:
    architecture, recipe = preset.architecture, preset.recipe
    key = f"architecture.{architecture.table_start}"
    start = getattr(architecture, architecture.table_start)
    large = start > LARGEST_START
    if not architecture.tied or not (large or recipe.global_clipnorm is None):
        return []
    what = "tied embeddings want clipped gradients and a small start, or they end in NaN (A03)."
    evidence = {
        key: start,
        "recipe.global_clipnorm": recipe.global_clipnorm,
    }
    advice = f"Set {key} to {LARGEST_START} or less, and a clipnorm."
    return [Finding("warning", what, evidence, advice)]


def _check_positions(preset: Preset) -> list[Finding]:
    window, positions = preset.data.window, preset.architecture.max_positions
    if window > positions:
        raise ZooError(
            f"data.window {window:,}: the network has vectors of {positions:,} positions. Set "
            f"data.window to {positions} or less, or raise architecture.max_positions."
        )
    return []


def _check_rate(preset: Preset) -> list[Finding]:
    optimizer = preset.recipe.optimizer
    most = MOST.get("adam" if "adam" in optimizer.name else optimizer.name)
    length = preset.architecture.num_layers * preset.data.window
    if most is None or optimizer.learning_rate * length <= most * 1.001:
        return []
    highest = most / length
    what = (
        f"a learning rate of {optimizer.learning_rate:g} is high for {length} layers times steps "
        "(A40): long windows and many layers want a lower one."
    )
    evidence = {"recipe.optimizer.learning_rate": optimizer.learning_rate, "highest": highest}
    advice = f"Set recipe.optimizer.learning_rate to {highest:.2g} or less, or data.window lower."
    return [Finding("warning", what, evidence, advice)]
