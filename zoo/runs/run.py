"""A run: the folder that holds everything about one training, and the object that reads it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError, unknown
from zoo.files import read_json
from zoo.finding import Finding
from zoo.preset.loading import load_preset
from zoo.preset.preset import Preset
from zoo.preset.schemas import TASKS, info_of, task_of
from zoo.preset.task_info import TaskInfo

if TYPE_CHECKING:  # TensorFlow is loaded with a run's model, not with its figures
    import numpy as np

    from zoo.data.columns import Columns
    from zoo.tasks.task import Predictor

FORMATS = ("saved-model", "tflite")  # of exports


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
        """The findings on the data and the training."""
        document = read_json(self.path / "findings.json")
        try:
            return [Finding(**entry) for entry in document]
        except TypeError as error:
            raise ZooError(f"{self.path / 'findings.json'}: is not a list of findings.") from error

    @functools.cached_property
    def columns(self) -> Columns | None:
        """The columns of a table that the run was trained with; None of other data.

        Raises:
            ZooError: environment.json is damaged.
        """
        from zoo.data.columns import Columns

        path = self.path / "environment.json"
        columns = _document(path).get("columns") if path.is_file() else None  # older runs have none
        if columns is None:
            return None
        try:
            return Columns.from_dict(columns)
        except (KeyError, TypeError) as error:
            raise ZooError(f"{path}: is damaged: columns need `text` and `label`.") from error

    @property
    def task(self) -> str:
        """What the run was trained for: `text-classification`, or as its preset says."""
        return self.preset.task

    @functools.cached_property
    def info(self) -> TaskInfo:
        """Names and words of the task, without loading its libraries."""
        return info_of(task_of(self.metrics["model"])).of_labels(self.metrics.get("labels", "one"))

    @functools.cached_property
    def model(self) -> Predictor:
        """The trained network with what belongs to it: tokenizer, labels, vocabulary.

        Raises:
            ZooError: a file is missing or damaged.
        """
        from zoo.tasks.task import load_task

        predictor: Predictor = load_task(self.task).load_predictor(self.path / "model")
        return predictor

    def check_can(self, verb: str) -> None:
        """Refuse a verb that the run's task does not have, such as `predict`.

        Raises:
            ZooError: the message names those it has.
        """
        info = self.info
        if verb not in info.verbs:
            able = next(info_of(task) for task in TASKS if verb in info_of(task).verbs)
            verbs = " or ".join(info.verbs[:2])
            raise ZooError(f"{self.path}: is a {info.noun}, no {able.noun}. Use {verbs}.")

    def _model_that_can(self, verb: str) -> Any:
        self.check_can(verb)
        return self.model

    def generate(
        self,
        prompt: str = "",
        length: int = 100,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
        findings: list[Finding] | None = None,
    ) -> str:
        """Return a prompt with text of a language model behind it.

        Args:
            prompt: what the text begins with; may be empty.
            length: tokens to draw.
            temperature: what logits are divided by; 0 takes the most probable token.
            top_k: only so many of the most probable tokens are drawn from; None is all.
            seed: the same seed gives the same text.
            findings: findings on the prompt are appended to it.

        Raises:
            ZooError: an argument is out of its range, or the run is no language model.
        """
        return self._model_that_can("generate").generate(
            prompt, length, temperature, top_k, seed, findings
        )

    def score(self, texts: Iterable[str]) -> list[dict[str, Any]]:
        """Return the log probability of every token of each text, by a language model.

        See `language_modeling.predictor.TrainedLanguageModel.score`.
        """
        return self._model_that_can("score").score(texts)

    def predict(self, data: Any, *, text: str | None = None) -> list[dict[str, Any]]:
        """Return label and probabilities of each text, or of each image.

        Args:
            data: a list of texts, or of images: paths of files, of folders and of tables of paths,
                bytes of files, arrays, PIL images. Or an array of them, a table such as a
                DataFrame, whose columns are those of the training, or the `Path` of a file.
            text: another text column, or several separated by commas; of images that of paths.

        Returns:
            A list of `{"label": ..., "probabilities": {label: probability}}`, one a text or image;
            of an image file with its `file`. A run with several labels a row gives `labels`, a
            list of those above its threshold.

        Raises:
            ZooError: `data` is one string, or something in it cannot be read.
        """
        return list(self.iter_predictions(data, text=text))

    def iter_predictions(
        self,
        data: Any,
        *,
        text: str | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield what `predict` returns, at a memory that does not grow with the data.

        Args:
            data: see `predict`; an iterator, too, or an open binary stream of lines of text.
            text: see `predict`.
            findings: what there is to say of the data is added to it.
            keep_going: yield `{"file": ..., "error": ...}` of an image that cannot be read, instead
                of raising.
        """
        model = self._model_that_can("predict")
        _check_several(data, "predict")
        yield from model.predictions(
            data, text=text, trained=self.columns, findings=findings, keep_going=keep_going
        )

    def features(self, data: Any, *, text: str | None = None) -> np.ndarray:
        """Return the vector of each text, or of each image: what a classifier's logits are made of.

        Those of a language model are the mean over the tokens of a text.

        Args:
            data: see `predict`.
            text: see `predict`.

        Returns:
            float32 `(rows, features)`.

        Raises:
            ZooError: `data` is one string, is empty, or something in it cannot be read.
        """
        import numpy as np

        vectors = [row["embedding"] for row in self.iter_features(data, text=text)]
        if not vectors:
            raise ZooError("features: there are no rows.")
        return np.stack(vectors)

    def iter_features(
        self,
        data: Any,
        *,
        text: str | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield `{"text": ..., "embedding": vector}`, of images `file`, at a flat memory.

        Args:
            data: see `iter_predictions`.
            text: see `predict`.
            findings: what there is to say of the data is added to it.
            keep_going: yield `{"file": ..., "error": ...}` of an image that cannot be read, instead
                of raising.
        """
        model = self._model_that_can("features")
        _check_several(data, "features")
        yield from model.embeddings(
            data, text=text, trained=self.columns, findings=findings, keep_going=keep_going
        )

    def evaluate(
        self,
        data: Any,
        *,
        text: str | None = None,
        label: str | None = None,
        drop_missing: bool = False,
        findings: list[Finding] | None = None,
    ) -> dict[str, Any]:
        """Return the scores on a file or table, with the keys of `metrics.json`.

        A classifier needs labels; a language model takes what it can be trained on, and gives loss
        and perplexity a token. Of a table the columns are read that the run was trained with.

        Args:
            data: what `zoo.train` takes.
            text: another text column, or several separated by commas; of images that of paths.
            label: another label column.
            drop_missing: leave out rows without a label, and images that cannot be read, instead
                of refusing them.
            findings: what there is to say of the data is added to it.

        Raises:
            ZooError: the data cannot be read, or hold a label unknown to the run.
        """
        from zoo.tasks.request import Request

        request = Request(data, text=text, label=label, drop_missing=drop_missing)
        return self.model.evaluate(request, trained=self.columns, findings=findings)

    def export(
        self, folder: str | Path, format: str = "saved-model", quantize: str | None = None
    ) -> Path:
        """Write a SavedModel that serves: raw strings in, the bytes of image files, or ids.

        See the `export` and `export_tflite` of
        `zoo.tasks.text_classification.predictor.TextClassifier`, `predictor.ImageClassifier` and
        `language_modeling.predictor.TrainedLanguageModel`.

        Args:
            folder: a new or empty one.
            format: `saved-model`, or `tflite`, for TensorFlow Lite: token ids or pixels in.
            quantize: `int8` for weights of 8 bits, in format `tflite`.

        Raises:
            ZooError: the folder exists and is not empty, or cannot be written; or the format is
                not for this run.
        """
        if format not in FORMATS:
            raise unknown("format", format, FORMATS)
        if quantize not in (None, "int8"):
            raise unknown("quantize", quantize, ["int8"])
        if format == "saved-model":
            if quantize:
                raise ZooError("quantize=int8 is of format tflite. Give both, or neither.")
            return self.model.export(Path(folder))
        if "predict" not in self.info.verbs:
            raise ZooError(
                f"{self.path}: is a {self.info.noun}; format tflite is for classifiers. Leave out "
                "the format: a SavedModel serves it."
            )
        model: Any = self.model
        written: Path = model.export_tflite(Path(folder), int8=quantize == "int8")
        return written


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
            "A run folder is what `zoo train` writes; --resume finishes an interrupted one."
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
    finished = [path for path in folder.iterdir() if (path / "metrics.json").is_file()]
    finished.sort(key=lambda path: (path / "metrics.json").stat().st_mtime)
    return [Run(path) for path in finished]


def _check_several(data: Any, verb: str) -> None:
    if isinstance(data, str):
        raise ZooError(
            f"{verb} takes a list of texts, or of files. Received one string: wrap it in []."
        )


def _document(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if not isinstance(document, dict):
        raise ZooError(f"{path}: is damaged: an object was expected.")
    return document
