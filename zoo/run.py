"""A run: the folder that holds everything about one training, and the object that reads it."""

from __future__ import annotations

import dataclasses
import functools
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras

from zoo import scores
from zoo.data import load_split
from zoo.data.image_sources import picture_files
from zoo.data.lines import content_digest, read_lines
from zoo.data.tokens import cached_tokens
from zoo.errors import ZooError
from zoo.evaluate import predict_logits, split_logits
from zoo.export import StringClassifier, export_saved_model
from zoo.files import read_json, write_json, written_beside
from zoo.finding import Finding
from zoo.image_classifier import ImageClassifier, load_image_classifier
from zoo.language import TrainedLanguageModel, load_language_model
from zoo.preset import Preset, load_preset
from zoo.text.tokenizers import Tokenizer, load_tokenizer


@dataclasses.dataclass(frozen=True)
class Classifier:
    """What serves: network, tokenizer, labels and the length at which texts are cut."""

    network: keras.Model
    tokenizer: Tokenizer
    labels: list[Any]
    max_length: int

    def save(self, folder: Path) -> None:
        """Write `model.keras`, `tokenizer/` and `labels.json` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        with written_beside(folder / "model.keras") as temporary:
            self.network.save(temporary)
        self.tokenizer.save(folder / "tokenizer")
        write_json(folder / "labels.json", {"labels": self.labels, "max_length": self.max_length})


@dataclasses.dataclass(frozen=True)
class Run:
    """One training's folder: `preset.yaml`, `metrics.json`, `model/` and the rest.

    Args:
        path: the folder.
    """

    path: Path

    @functools.cached_property
    def preset(self) -> Preset:
        """The resolved preset the run was trained with."""
        return load_preset(None, self.path / "preset.yaml")

    @functools.cached_property
    def metrics(self) -> dict[str, Any]:
        """The document of `metrics.json`."""
        return _document(self.path / "metrics.json")

    @functools.cached_property
    def findings(self) -> list[Finding]:
        """What was judged about the data and the training."""
        document = read_json(self.path / "findings.json")
        try:
            return [Finding(**entry) for entry in document]
        except TypeError as error:
            raise ZooError(f"{self.path / 'findings.json'}: is not a list of findings.") from error

    @property
    def is_language_model(self) -> bool:
        """Whether the run is one of a language model."""
        return self.preset.task == "language-modeling"

    @property
    def is_image_classifier(self) -> bool:
        """Whether the run is one of a classifier of pictures."""
        return self.preset.task == "image-classification"

    @functools.cached_property
    def classifier(self) -> Classifier:
        """The trained network with its tokenizer and labels."""
        if self.is_language_model:
            raise ZooError(
                f"{self.path}: is a language model, no classifier. Use generate or score."
            )
        return load_classifier(self.path / "model")

    @functools.cached_property
    def image_classifier(self) -> ImageClassifier:
        """The trained network with its labels and the part of a picture that it sees."""
        return load_image_classifier(self.path / "model", load_network)

    @functools.cached_property
    def language_model(self) -> TrainedLanguageModel:
        """The trained network with its vocabulary."""
        if not self.is_language_model:
            raise ZooError(
                f"{self.path}: is a classifier, no language model. Use predict or evaluate."
            )
        return load_language_model(self.path / "model", load_network)

    def generate(
        self,
        prompt: str = "",
        length: int = 100,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
    ) -> str:
        """Return a prompt with text of a language model behind it.

        See `zoo.language.TrainedLanguageModel.generate`.
        """
        return self.language_model.generate(prompt, length, temperature, top_k, seed)

    def score(self, texts: Iterable[str]) -> list[dict[str, Any]]:
        """Return the log probability of every token of each text, by a language model.

        See `zoo.language.TrainedLanguageModel.score`.
        """
        return self.language_model.score(texts)

    def predict(self, texts: Iterable[str]) -> list[dict[str, Any]]:
        """Return label and probabilities of each text, or of each picture in files and folders.

        Returns:
            A list of `{"label": ..., "probabilities": {label: probability}}`, one a text; of a
            picture with its `file`.

        Raises:
            ZooError: `texts` is one string, a picture or the saved model cannot be read.
        """
        if isinstance(texts, str):
            raise ZooError(
                "predict takes a list of texts, or of files. Received one string: wrap it in []."
            )
        return list(self.iter_predictions(texts))

    def iter_predictions(self, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield what `predict` returns, at a memory that does not grow with the texts."""
        if self.is_image_classifier:
            yield from self.image_classifier.predictions(picture_files(list(map(str, texts))))
            return
        classifier = self.classifier
        for logits in predict_logits(
            classifier.network, classifier.tokenizer, texts, classifier.max_length
        ):
            for row in scores.softmax(logits):
                yield {
                    "label": classifier.labels[int(row.argmax())],
                    "probabilities": {
                        str(label): round(float(value), 6)
                        for label, value in zip(classifier.labels, row, strict=True)
                    },
                }

    def evaluate(
        self, data: Any, *, text: str | None = None, label: str | None = None
    ) -> dict[str, Any]:
        """Return the scores on a file or table, with the keys of `metrics.json`.

        A classifier needs labels; a language model takes what it can be trained on, and gives loss
        and perplexity a token.

        Raises:
            ZooError: the data cannot be read, or holds a label unknown to the run.
        """
        if self.is_language_model:
            vocabulary = self.language_model.vocabulary
            tokens = cached_tokens(
                f"{content_digest(data)} {text}", read_lines(data, text=text), vocabulary
            )
            return self.language_model.evaluate(tokens)
        if self.is_image_classifier:
            return self.image_classifier.evaluate(data, path=text, label=label)
        classifier = self.classifier
        with load_split(data, classes=classifier.labels, text=text, label=label) as split:
            logits = split_logits(
                classifier.network, classifier.tokenizer, split, classifier.max_length
            )
            return scores.report(split.labels, logits, classifier.labels)

    def export(self, folder: str | Path) -> Path:
        """Write a SavedModel that serves: raw strings in, or the bytes of picture files.

        See `zoo.export.export_saved_model`, `zoo.image_classifier.ImageClassifier.export` and
        `zoo.language.TrainedLanguageModel.export`.
        """
        if self.is_language_model:
            return self.language_model.export(Path(folder))
        if self.is_image_classifier:
            return self.image_classifier.export(Path(folder))
        served = StringClassifier(
            self.classifier.network,
            self.classifier.tokenizer,
            self.classifier.labels,
            self.classifier.max_length,
        )
        return export_saved_model(served, Path(folder))


def load_run(path: str | Path) -> Run:
    """Return the run in a folder.

    Raises:
        ZooError: the folder does not exist or is not a run.
    """
    path = Path(path)
    if not path.is_dir():
        raise ZooError(f"{path}: no such run folder. `zoo runs` lists those of ./runs.")
    missing = [
        name for name in ("preset.yaml", "metrics.json", "model") if not (path / name).exists()
    ]
    if missing:
        raise ZooError(
            f"{path}: is not a finished run: {', '.join(missing)} missing. "
            "A run folder is what `zoo train` writes; an interrupted one goes on with --resume."
        )
    return Run(path)


def list_runs(folder: str | Path = "runs") -> list[Run]:
    """Return the finished runs in a folder, oldest first.

    Raises:
        ZooError: the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ZooError(
            f"{folder}: no such folder. Runs are written to ./runs unless --out says so."
        )
    found = [path for path in folder.iterdir() if (path / "metrics.json").is_file()]
    return [Run(path) for path in sorted(found, key=lambda p: (p / "metrics.json").stat().st_mtime)]


def load_classifier(folder: Path) -> Classifier:
    """Read what `Classifier.save` wrote; no code of the files is ever run (Keras' safe mode).

    Raises:
        ZooError: a file is missing, corrupt, or holds code such as a Lambda layer.
    """
    document = _document(folder / "labels.json")
    try:
        labels, max_length = list(document["labels"]), int(document["max_length"])
    except (KeyError, TypeError, ValueError) as error:
        raise ZooError(f"{folder / 'labels.json'}: is damaged: labels and max_length.") from error
    network = load_network(folder / "model.keras")
    return Classifier(network, load_tokenizer(folder / "tokenizer"), labels, max_length)


def load_network(path: Path) -> keras.Model:
    """Read a `model.keras` of a run; no code in it is ever run (Keras' safe mode).

    Raises:
        ZooError: the file is missing, corrupt, or holds code such as a Lambda layer.
    """
    # Their classes are registered with Keras by the import.
    import zoo.training.language
    import zoo.training.model

    del zoo
    if not path.is_file():
        raise ZooError(f"{path}: is missing.")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, AttributeError, ImportError) as error:
        raise ZooError(f"{path}: {_why_not(error)}") from error
    except zipfile.BadZipFile as error:
        raise ZooError(f"{path}: is damaged or not a Keras model file.") from error


def _why_not(error: Exception) -> str:
    message = " ".join(str(error).split())
    if "ambda" in message or "unsafe" in message:
        return f"holds code, which is never run. {message[:200]}"
    return f"is damaged or not a model of the zoo: {message[:300]}"


def _document(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if not isinstance(document, dict):
        raise ZooError(f"{path}: is damaged: an object was expected.")
    return document
