"""Histories of runs that the zoo did not make: CSV, TensorBoard files, Keras' History."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.diagnosis.curves import Curves
from zoo.errors import ZooError

# What the loss, the scores and the rate are called by Keras, its TensorBoard files, and others.
LOSS = ("loss", "train_loss", "training_loss", "epoch_loss")
VAL_LOSS = ("val_loss", "valid_loss", "validation_loss", "eval_loss")
RATE = ("learning_rate", "lr", "epoch_learning_rate")
SCORES = (
    "accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy",
    "macro_f1", "micro_f1", "f1_score", "auc",
)  # fmt: skip
EVENTS = "events.out.tfevents.*"
PARTS = ("train", "validation")  # folders of Keras' TensorBoard callback


def history_curves(columns: Mapping[str, Sequence[Any]], where: str, **known: Any) -> Curves:
    """Return the curves of a history.

    Args:
        columns: a value an epoch by name, as Keras calls them; `""` and None are no value.
        where: it comes from, for messages.
        known: further arguments of `Curves`.

    Raises:
        ZooError: there is no loss, no loss of validation, or one epoch only; or a value is no
            number.
    """
    loss, val_loss = _named(LOSS, columns), _named(VAL_LOSS, columns)
    if loss is None:
        names = ", ".join(columns) or "nothing"
        raise ZooError(
            f"{where}: has no column of the training loss. It has: {names}. Expected one of: "
            f"{', '.join(LOSS)}."
        )
    if val_loss is None or not any(_is_value(value) for value in columns[val_loss]):
        raise ZooError(
            f"{where}: has no loss of validation ({', '.join(VAL_LOSS)}), without which neither "
            "overfitting nor underfitting can be told. Train with validation data."
        )
    rows = [
        row
        for row in range(len(columns[loss]))
        if _is_value(columns[loss][row]) and _is_value(columns[val_loss][row])
    ]
    if len(rows) < 2:
        raise ZooError(f"{where}: has one epoch with both losses, which is no curve. Train longer.")

    def series(name: str | None) -> list[float]:
        if name is None or not all(_is_value(columns[name][row]) for row in rows):
            return []
        return [_number(columns[name][row], f"{where}: column '{name}'") for row in rows]

    score = next((name for name in SCORES if f"val_{name}" in columns), None)
    return Curves(
        loss=series(loss),
        val_loss=series(val_loss),
        score=series(score if score in columns else None),
        val_score=series(f"val_{score}" if score else None),
        score_name=score or "accuracy",
        rate=series(_named(RATE, columns)),
        **known,
    )


def read_csv(path: Path) -> dict[str, list[str]]:
    """Return the columns of a history, as of Keras' CSVLogger: a line an epoch.

    Raises:
        ZooError: it cannot be read, or has no line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            head = file.readline()
            file.seek(0)
            separator = max(",;\t", key=head.count)
            reader = csv.DictReader(file, delimiter=separator)
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ZooError(f"{path}: is no history in CSV: {error}.") from error
    if not lines:
        raise ZooError(f"{path}: is empty: a line with names and a line an epoch were expected.")
    return {
        name.strip(): [line.get(name) or "" for line in lines] for name in reader.fieldnames or ()
    }


def read_events(folder: Path) -> dict[str, list[float]]:
    """Return what Keras' TensorBoard callback wrote an epoch, of training and of validation.

    Args:
        folder: the callback's `log_dir`, with a folder of each part.

    Raises:
        ZooError: there are no files of TensorBoard in it.
    """
    columns: dict[str, list[float]] = {}
    for part in PARTS:
        if not list((folder / part).glob(EVENTS)):
            raise ZooError(
                f"{folder}: is neither a run nor the folder of Keras' TensorBoard callback, which "
                f"has {PARTS[0]}/ and {PARTS[1]}/ with {EVENTS}."
            )
        prefix = "val_" if part == "validation" else ""
        for name, values in _scalars(folder / part).items():
            if name.startswith("epoch_"):
                columns[prefix + name.removeprefix("epoch_")] = values
    return columns


def _scalars(folder: Path) -> dict[str, list[float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    scalars = {tag: [event.value for event in events.Scalars(tag)] for tag in tags["scalars"]}
    for tag in tags["tensors"]:
        arrays = [make_ndarray(event.tensor_proto) for event in events.Tensors(tag)]
        if all(array.size == 1 and array.dtype.kind == "f" for array in arrays):
            scalars[tag] = [float(array) for array in arrays]
    return scalars


def _named(names: Sequence[str], columns: Mapping[str, Any]) -> str | None:
    return next((name for name in names if name in columns), None)


def _is_value(value: Any) -> bool:
    return value is not None and value != ""


def _number(value: Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ZooError(f"{where}: must be numbers. Received: {value!r}.") from error
