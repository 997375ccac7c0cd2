"""The README's tables of pretrained text classifiers, beside networks and models that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.cells import Columns, Entries, first, mean, score, table
from benchmarks.published import PYTORCH
from benchmarks.results import groups, load
from benchmarks.state import state

PLAIN = "textcnn/default"
STARTED = ("transformer/", "textcnn/default, glove")


def _svm(metric: str) -> Callable[[Entries], str]:
    """Return a cell: the score of the SVM on the same set."""

    def cell(entries: Entries) -> str:
        data = entries[0]["data"]
        scores = [entry[metric] for entry in load("svm") if entry["data"] == data]
        return f"{100 * scores[0]:.1f}" if scores else "-"

    return cell


def _textcnn(entries: Entries) -> str:
    data = entries[0]["data"]
    groups_of_it = [each for each in groups("quality") if each[0]["preset"] == PLAIN]
    same = [each for each in groups_of_it if each[0]["data"] == data]
    return score("accuracy")(same[0]) if same else "-"


def _pytorch(entries: Entries) -> str:
    """Return a cell: what the same weights reach in PyTorch."""
    start = entries[0]["preset"].partition(",")[0].rpartition("/")[2]
    reached = PYTORCH.get((start, entries[0]["data"]))
    return "-" if reached is None else f"{100 * reached:.1f}"


def minutes(entries: Entries) -> str:
    """Return a cell: the mean over the seeds, and the card where it was not the processor."""
    cards = {entry["gpu"] for entry in entries if "gpu" in entry}
    return ", ".join([mean("minutes")(entries), *sorted(cards)])


PRETRAINED: Columns = {
    "preset": first("preset"),
    "data": first("data"),
    "test accuracy ± std": score("accuracy"),
    "the same weights in PyTorch": _pytorch,
    PLAIN: _textcnn,
    "SVM": _svm("accuracy"),
    "linear model, same run": mean("linear", factor=100),
    "minutes": minutes,
    "measured at": state,
}
SEVERAL_LABELS: Columns = {
    "preset": first("preset"),
    "data": first("data"),
    "micro F1 ± std": score("micro_f1"),
    "macro F1": mean("macro_f1", factor=100),
    "exact matches": mean("exact_match", factor=100),
    "the same weights in PyTorch, micro F1": _pytorch,
    "linear models, same run: micro F1": mean("linear", factor=100),
    "macro F1 of those": mean("linear_macro_f1", factor=100),
    "minutes": minutes,
    "measured at": state,
}


def pretrained() -> str:
    """Return the table of what starts from pretrained weights, one label a text."""
    rows = [
        group
        for group in groups("quality")
        if group[0]["preset"].startswith(STARTED) and "accuracy" in group[0]
    ]
    return table(PRETRAINED, rows)


def several_labels() -> str:
    """Return the table of several labels a text; the last rows are of SVMs, one a label."""
    rows = [group for group in groups("quality") if "micro_f1" in group[0]]
    return table(SEVERAL_LABELS, [*rows, *_svms()])


def _svms() -> Iterator[tuple[str, ...]]:
    for entry in load("svm"):
        if "micro_f1" in entry:
            scores = [f"{100 * entry[key]:.1f}" for key in ("micro_f1", "macro_f1", "exact_match")]
            yield "SVMs, one a label", entry["data"], *scores, "", "", "", f"{entry['minutes']:.1f}"
