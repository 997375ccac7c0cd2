"""What is known of a task before any of its libraries is loaded: names, scores and words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class TaskInfo:
    """How a task is named, scored and reported.

    Args:
        noun: what a model of the task is.
        default_model: family whose `default` preset `zoo data` checks data against.
        metrics: of a part in metrics.json, in the order in which they are shown, each with its
            format, such as `.4f`, or `.2%` for a share.
        primary_metric: the one that lists of runs show.
        baseline: name of the baseline in tables.
        unit: what an epoch counts: examples or tokens.
        items: what `predict` takes.
        verbs: what a run can do beside `export`, as methods of `zoo.Run`.
        next_command: what to try after training, with `{run}` for the folder.
        serves: what the `serve` of an export takes.
        has_sheet: whether `zoo data --show` can write a sheet of what training sees.
        several_labels: metrics of rows with several labels, as `metrics`; empty of a task without
            such rows.
    """

    noun: str
    default_model: str
    metrics: Mapping[str, str]
    primary_metric: str
    baseline: str
    unit: str
    items: str
    verbs: tuple[str, ...]
    next_command: str
    serves: str
    has_sheet: bool = False
    several_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def of_labels(self, kind: str) -> TaskInfo:
        """Return what is known where rows have `one` label or `several`."""
        if kind != "several":
            return self
        return dataclasses.replace(self, metrics=self.several_labels, primary_metric="micro_f1")

    def number(self, metric: str, value: float | None) -> str:
        """Return a score as it is shown; `-` for none."""
        if value is None:
            return "-"
        form = self.metrics[metric]
        return f"{100 * value:{form[:-1]}f} %" if form.endswith("%") else f"{value:{form}}"


CLASSIFICATION_METRICS = {"loss": ".4f", "accuracy": ".2%", "macro_f1": ".2%", "weighted_f1": ".2%"}
MULTILABEL = {"loss": ".4f", "micro_f1": ".2%", "macro_f1": ".2%", "exact_match": ".2%"}
