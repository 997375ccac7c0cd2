"""Language modelling: a corpus, a bigram baseline, loss and perplexity a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.preset.loading import Preset
from zoo.tasks.language_modeling.baseline import fit_bigrams, log_shares
from zoo.tasks.language_modeling.data import Corpus, bundled_corpus, load_corpus
from zoo.tasks.language_modeling.predictor import TrainedLanguageModel
from zoo.tasks.language_modeling.settings import LanguageRecipe
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.training.model import TrainingModel

# What the papers' recipes bear: AWD-LSTM's rate at 3 layers of 70 steps, for the mean a token; its
# character model's Adam rate at 3 layers of 150 steps.
MOST = {"sgd": 30.0 * 3 * 70, "adam": 2e-3 * 3 * 150}
LARGEST_START = 0.1


class LanguageModeling:
    """What `zoo.tasks.task.Task` says, for language models."""

    def bundled(self, model: str) -> Path:
        """Return the path of the bundled plays."""
        return bundled_corpus()

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> Corpus:
        """Return the corpus of a request."""
        for name in ("label", "classes", "drop_missing"):
            if getattr(request, name):
                raise ZooError(f"a language model has no labels: leave out `{name}`.")
        return load_corpus(
            request.data,
            validation=request.validation,
            test=request.test,
            text=request.text,
            settings=preset.data,
            vocabulary_size=preset.architecture.vocabulary_size,
            seed=request.seed,
            fraction=request.fraction,
            vocabulary=tokenizer,
        )

    def begin(self, data: Corpus, preset: Preset, seed: int, chief: bool) -> Prepared:
        """Fit the bigram baseline."""
        baseline: dict[str, Any] = {}
        if chief:
            bigrams = fit_bigrams(data.train.ids, len(data.vocabulary))
            baseline = {
                "validation": bigrams.scores(data.validation.ids),
                "test": bigrams.scores(data.test.ids) if data.test is not None else None,
                "name": "bigrams",
            }
        return Prepared(preset.name, [], baseline, data.vocabulary)

    def decided(self, start: Prepared) -> dict[str, Any]:
        """Return nothing: the size of the vocabulary stays the bound it is."""
        return {}

    def sizes(self, start: Prepared) -> dict[str, Any]:
        """Return the size of the vocabulary."""
        return {"architecture.vocabulary_size": len(start.tokenizer)}

    def judged(self, preset: Preset) -> list[Finding]:
        """Warn of tied weights that start large (A03), and of a rate too high for length (A40)."""
        return [*_tied(preset), *_long(preset)]

    def prepare(
        self, model: TrainingModel, preset: Preset, data: Corpus, seed: int
    ) -> list[Finding]:
        """Start the bias of the logits at the tokens' log shares, where the recipe says so."""
        if isinstance(preset.recipe, LanguageRecipe) and preset.recipe.prior_bias:
            model.get_layer("embedding").bias.assign(
                log_shares(data.train.ids, len(data.vocabulary))
            )
        return []

    def finish(
        self, model: TrainingModel, preset: Preset, data: Corpus, start: Prepared, folder: Path
    ) -> dict[str, Any]:
        """Save the model and score it, each token once with the state carried."""
        trained = TrainedLanguageModel(model, data.vocabulary)
        trained.save(folder / "model")
        parts = {"validation": data.validation, "test": data.test}
        scored = {
            name: trained.scores(tokens) if tokens is not None else None
            for name, tokens in parts.items()
        }
        return scored | {"baseline": start.baseline}

    def verdict(self, metrics: dict[str, Any]) -> Finding:
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


TASK = LanguageModeling()


def _tied(preset: Preset) -> list[Finding]:
    architecture, recipe = preset.architecture, preset.recipe
    large = architecture.embedding_range > LARGEST_START
    if not architecture.tied or not (large or recipe.global_clipnorm is None):
        return []
    what = "tied embeddings want clipped gradients and a small start, or they end in NaN (A03)."
    evidence = {
        "architecture.embedding_range": architecture.embedding_range,
        "recipe.global_clipnorm": recipe.global_clipnorm,
    }
    advice = f"Set architecture.embedding_range to {LARGEST_START} or less, and a clipnorm."
    return [Finding("warning", what, evidence, advice)]


def _long(preset: Preset) -> list[Finding]:
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
