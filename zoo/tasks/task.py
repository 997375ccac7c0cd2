"""What a task is: everything that differs between kinds of models, asked by every command."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import keras

from zoo.data.columns import Columns
from zoo.finding import Finding
from zoo.preset.preset import Preset
from zoo.preset.schemas import TASKS
from zoo.preset.task_info import TaskInfo
from zoo.tasks.inspection import Inspection
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.training.model import TrainingModel


class Data(Protocol):
    """The parts of a data set as training reads them, with the facts they decide."""

    train: Any  # its length is the examples, or tokens, of an epoch
    validation: Any
    test: Any
    findings: list[Finding]
    fingerprint: str  # tells contents, split and sample apart

    @property
    def columns(self) -> Columns | None:
        """Which columns of a table were read; None of other data."""

    @property
    def classes(self) -> Sequence[Any] | None:
        """The labels in the order of their ids; None of data without labels."""

    def dataset(self, part: str, cursor: Any, replica_ids: range, replicas: int) -> Any:
        """Return the batches of a part as a `tf.data.Dataset`.

        Args:
            part: `train`, `validation` or `test`.
            cursor: the `zoo.data.epochs.EpochCursor` that says where the next reading begins, or
                None for the beginning.
            replica_ids: the replicas that the dataset feeds, in turn for every batch.
            replicas: number of all replicas.
        """

    def close(self) -> None:
        """Remove what the data keep on disk."""


class Predictor(Protocol):
    """A trained network with what belongs to it: it scores, predicts and serves."""

    network: keras.Model

    def predictions(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield a prediction of each input.

        Args:
            data: what `zoo.Run.iter_predictions` takes.
            text: another column of texts, or of paths, than that of the run.
            trained: the columns of the run, read where none are named.
            findings: on the data; they are added to it.
            keep_going: yield `{"file": ..., "error": ...}` of an input that cannot be read.
        """

    def embeddings(
        self,
        data: Any,
        *,
        text: str | None = None,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
        keep_going: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Yield the vector of each input as `embedding`, float32 `(features,)`, beside the input.

        The arguments are those of `predictions`.
        """

    def evaluate(
        self,
        request: Request,
        *,
        trained: Columns | None = None,
        findings: list[Finding] | None = None,
    ) -> dict[str, Any]:
        """Return the scores on data, with the keys of metrics.json.

        Args:
            request: the data, their columns, and whether rows without a label are left out.
            trained: the columns of the run, read where none are named.
            findings: on the data; they are added to it.

        Raises:
            ZooError: the data cannot be read, or are not for this run.
        """

    def export(self, folder: Path) -> Path:
        """Write a SavedModel into a new folder and return it."""


class Task(Protocol):
    """Data, facts, scores and files of one kind of model.

    Attributes:
        info: names and words, known before any library is loaded.
        recorded_facts: those of `facts_from_data`, where it has them, that a run's preset.yaml
            holds; the others, such as the size of a vocabulary, stay upper bounds there.
    """

    info: TaskInfo
    recorded_facts: tuple[str, ...]

    def bundled(self) -> Path:
        """Return the path of the data that come with the package."""

    def recognises(self, source: Any) -> bool:
        """Whether data are of this task as far as their names tell."""

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> Any:
        """Return the `Data` of a request.

        Args:
            request: the data, their columns, classes and seed.
            preset: whose `data` block says how they are read.
            tokenizer: of a run that is resumed; None to learn one, or where a task has none.

        Raises:
            ZooError: the data cannot be read, or an option is not for this task.
        """

    def inspect(
        self, request: Request, preset: Preset, sheet: Path | None, tokenizer: Any = None
    ) -> Inspection:
        """Look at data as training would read them.

        Args:
            request: the data, their columns and seed.
            preset: whose lengths and sizes they are checked against.
            sheet: file of a sheet of examples as training sees them; None without one, and where
                `info.has_sheet` is not set.
            tokenizer: of the weights that the preset starts from; None to learn one.

        Raises:
            ZooError: the data cannot be trained on, or an option is not for this task.
        """

    def prepare_data(self, data: Any, preset: Preset, seed: int, baseline: bool) -> Prepared:
        """Fit the baseline, if asked to; return what a run keeps to be resumed.

        Args:
            data: without findings of level `error`: with those, no run begins.
            preset: the resolved one.
            seed: of the run.
            baseline: whether one is fitted.

        Raises:
            ZooError: the data cannot be trained on.
        """

    def facts_from_data(self, data: Any) -> dict[str, Any]:
        """Return the values of the preset that the data decide, by dotted key."""

    def check_preset(self, preset: Preset) -> list[Finding]:
        """Return findings on a preset's values before training."""

    def training_model(self, network: keras.Model, preset: Preset) -> TrainingModel:
        """Return a network as the model that trains; its weights are shared."""

    def callbacks(self, data: Any) -> list[keras.callbacks.Callback]:
        """Return what `fit` runs beside the recipe's callbacks, for what only the data tell."""

    def loss_and_metrics(self, network: keras.Model, preset: Preset) -> tuple[Any, Any]:
        """Return loss and metrics as `keras.Model.compile` takes them."""

    def step_bytes(self, network: keras.Model, preset: Preset) -> int:
        """Return the bytes that a step keeps for its gradients; 0 where inputs vary in length."""

    def initialise_weights(
        self, model: TrainingModel, preset: Preset, data: Any, seed: int
    ) -> list[Finding]:
        """Set weights that do not start at random; return findings on them.

        Args:
            model: built, with random weights.
            preset: the resolved one.
            data: that the model trains on.
            seed: of the run.
        """

    def evaluate_and_save(
        self, model: TrainingModel, preset: Preset, data: Any, prepared: Prepared, folder: Path
    ) -> dict[str, Any]:
        """Save the trained model in a run's folder and score it.

        Args:
            model: with the weights of the best epoch.
            preset: the resolved one.
            data: that it was trained on.
            prepared: what `prepare_data` returned.
            folder: of the run.

        Returns:
            The keys `validation`, `test` and `baseline` of metrics.json.
        """

    def findings_on_epochs(
        self, data: Any, preset: Preset, history: Sequence[Mapping[str, Any]], best: int | None
    ) -> list[Finding]:
        """Return findings on how far validation tells epochs apart.

        Args:
            data: that was trained on.
            preset: the resolved one.
            history: a mapping an epoch, as history.csv.
            best: the epoch whose weights were kept, from 1; None without validation.
        """

    def compare_with_baseline(self, metrics: dict[str, Any]) -> Finding:
        """Return what the scores are beside the baseline's."""

    def load_predictor(self, folder: Path) -> Any:
        """Return the `Predictor` that `evaluate_and_save` left in a folder.

        Raises:
            ZooError: a file is missing or damaged.
        """

    def inputs_to_predict(
        self, files: Sequence[str], standard_input: Callable[[], BinaryIO]
    ) -> Iterable[Any]:
        """Return what `zoo predict` reads, as `predictions` takes it.

        Args:
            files: names from the command line; `-`, or none, is stdin where texts are read.
            standard_input: opens it.

        Raises:
            ZooError: nothing was named, and nothing can be read from stdin.
        """


def load_task(name: str) -> Task:
    """Return the task of a name in `zoo.preset.schemas.TASKS`; its libraries are loaded with it."""
    task: Task = importlib.import_module(f"{TASKS[name]}.task").TASK
    return task


def recognised_task(source: Any) -> Task:
    """Return the task that recognises data; the first of `TASKS` is asked last and takes all."""
    return next(task for task in map(load_task, reversed(TASKS)) if task.recognises(source))
