"""What is known of a task before any of its libraries is loaded: names, scores and words."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class TaskInfo:
    """How a task is named, scored and reported.

    Args:
        noun: what a model of the task is.
        default_model: family whose `default` preset `zoo data` judges data by.
        metrics: of a part in metrics.json, in the order in which they are shown.
        primary_metric: the one that lists of runs show.
        baseline: name of the baseline in tables.
        unit: what an epoch counts: examples or tokens.
        items: what `predict` takes.
        verbs: what a run can do beside `export`, as methods of `zoo.Run`.
        next_command: what to try after training, with `{run}` for the folder.
        serves: what the `serve` of an export takes.
    """

    noun: str
    default_model: str
    metrics: tuple[str, ...]
    primary_metric: str
    baseline: str
    unit: str
    items: str
    verbs: tuple[str, ...]
    next_command: str
    serves: str


CLASSIFICATION_METRICS = ("loss", "accuracy", "macro_f1", "weighted_f1")
