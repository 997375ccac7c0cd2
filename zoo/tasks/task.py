"""What a task is: everything that differs between kinds of models."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

from zoo.finding import Finding
from zoo.preset.loading import Preset
from zoo.preset.schemas import TASKS
from zoo.tasks.prepared import Prepared
from zoo.tasks.request import Request
from zoo.training.model import TrainingModel


class Task(Protocol):
    """Data, sizes, scores and files of one kind of model.

    Data have `train` (its length is the examples of an epoch), `findings`, `fingerprint`, `columns`
    (which of a table were read), `dataset(part, cursor, replica_ids, replicas)` and `close()`.
    """

    def bundled(self, model: str) -> Path:
        """Return the path of the data that come with the package."""

    def load(self, request: Request, preset: Preset, tokenizer: Any) -> Any:
        """Return the data of a request; the tokenizer is learned unless it is given.

        Raises:
            ZooError: the data cannot be read, or an option is not for this task.
        """

    def begin(self, data: Any, preset: Preset, seed: int, chief: bool) -> Prepared:
        """Fit the baseline; return what the run begins with.

        The data have no findings of level `error`: with those, no run begins.

        Raises:
            ZooError: the data cannot be trained on.
        """

    def decided(self, start: Prepared) -> dict[str, Any]:
        """Return the values that the data decided for good, for the run's `preset.yaml`."""

    def sizes(self, start: Prepared) -> dict[str, Any]:
        """Return the sizes that the data decided, for the network."""

    def judged(self, preset: Preset) -> list[Finding]:
        """Return what there is to say of a preset's values before training."""

    def prepare(self, model: TrainingModel, preset: Preset, data: Any, seed: int) -> list[Finding]:
        """Set weights that do not start at random; return what there is to say of it."""

    def finish(
        self, model: TrainingModel, preset: Preset, data: Any, start: Prepared, folder: Path
    ) -> dict[str, Any]:
        """Save the trained model in a run's folder; return its scores, `validation`, `test` and
        `baseline` of metrics.json.
        """  # noqa: D205

    def verdict(self, metrics: dict[str, Any]) -> Finding:
        """Say what the scores are beside the baseline's."""


def load_task(name: str) -> Task:
    """Return the task of a name in `zoo.preset.schemas.TASKS`; its libraries are loaded with it."""
    found: Task = importlib.import_module(f"{TASKS[name]}.task").TASK
    return found
