"""Linear probing: logistic regression on the features of a network as it starts is its head.

What is not public in Keras was written against 3.15.1: `train_validation_split`, by which `fit`
sets arrays aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.array_slicing import train_validation_split

from zoo.distribute import gathered
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.layers.images import MirroredViews
from zoo.preset.linear_probe import FIRST, ONLY
from zoo.preset.recipe import Recipe
from zoo.training.features import HEAD, feature_network
from zoo.training.logistic_head import Choice, LogisticHead, fitted_head, loss
from zoo.training.multilabel import MultilabelLoss

PENALTIES = tuple(10.0**power for power in range(0, -7, -1))


def probes(recipe: Recipe | None) -> bool:
    """Whether a recipe fits the head before the first step."""
    return getattr(getattr(recipe, "linear_probe", None), "name", None) in (ONLY, FIRST)


class LinearProbe(keras.callbacks.Callback):
    """Fit the head to the features of rows before the first step, and validate it as epoch 0.

    Layers see the rows as outside of training: batch norm has its moving statistics, nothing is
    dropped.

    Args:
        rows: batches of inputs and targets, and of weights where rows have any; read once.
        mirrored: whether the mirror images of the rows are rows, too.

    Source: Kornblith 2019, https://arxiv.org/abs/1805.08974; Kumar 2022,
        https://arxiv.org/abs/2202.10054 (before all is trained).
    """

    reads_logs_rarely = True  # see `zoo.training.step_callbacks`

    def __init__(self, rows: Iterable[Any], mirrored: bool = False):
        super().__init__()
        self.rows, self.mirrored = rows, mirrored
        self.validation: dict[str, Any] | None = None
        self._watched: list[Any] = []
        self._finding: Finding | None = None

    def watch(self, callbacks: Sequence[Any]) -> None:
        """Name the other callbacks: those with `on_probe_end` are told the scores."""
        self._watched = list(callbacks)

    def on_train_begin(self, logs: Any = None) -> None:
        """Fit the head where no epoch comes."""
        self._finding = None
        if not self.params["epochs"]:
            self._fit()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Fit the head before the first epoch; a run that is resumed has one."""
        if epoch == 0 and self._finding is None:
            self._fit()

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to resume."""
        return {"finding": self._finding and self._finding.to_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        if state["finding"] is not None:
            self._say(Finding(**state["finding"]))

    def fit_head(self) -> None:
        """Fit the head to the rows."""
        model: Any = self.model
        head = model.get_layer(HEAD)
        views, targets, weights = self._read()
        penalty = model.recipe.linear_probe.penalty
        choice = fitted_head(
            views, targets, head.units, PENALTIES if penalty == "auto" else [penalty], weights
        )
        same = _of_first_worker(model.distribute_strategy, choice.head)
        scale = [layer.scale for layer in model.layers if layer.name == "scaled_logits"]
        LogisticHead(*(part / (scale or [1.0])[0] for part in same)).put_into(head)
        fitted = loss(targets, choice.head.logits(views[0])) / len(targets)
        self._say(_finding(choice, len(targets), fitted))

    def _fit(self) -> None:
        """Fit the head, validate it, and tell the other callbacks."""
        model: Any = self.model
        self.fit_head()
        scores: dict[str, float] = {}
        if model.averages is not None:
            model.averages.restart()
        if self.validation is not None:
            validated = model.evaluate(**self.validation, verbose=0, return_dict=True)
            scores = {f"val_{name}": value for name, value in validated.items()}
            model.reset_metrics()  # those of the epoch that has begun
        for callback in self._watched:
            if hasattr(callback, "on_probe_end"):
                callback.on_probe_end(scores)

    def _say(self, finding: Finding) -> None:
        self._finding = finding
        self.model.findings = [*self.model.findings, finding]

    def _read(self) -> tuple[list[np.ndarray], np.ndarray, np.ndarray | None]:
        """Return features of each view, float32 `(rows, features)`, targets, and weights or None.

        Raises:
            ZooError: there are no rows.
        """
        network = feature_network(self.model)

        @tf.function(reduce_retracing=True)
        def features(inputs: tf.Tensor) -> tf.Tensor:
            return network(tf.cast(inputs, tf.float32), training=False)

        averaged = any(isinstance(layer, MirroredViews) for layer in self.model.layers)
        sides = [1, -1] if self.mirrored and not averaged else [1]
        read: list[list[np.ndarray]] = [[] for _ in sides]
        targets, weights = [], []
        for batch in self.rows:
            for callback in self._watched:
                if hasattr(callback, "on_probe_batch_end"):
                    callback.on_probe_batch_end()
            x, y, some = keras.utils.unpack_x_y_sample_weight(batch)
            for own, side in zip(read, sides, strict=True):
                own.append(features(tf.convert_to_tensor(x)[:, :, ::side]).numpy())
            targets.append(np.asarray(y))
            weights += [] if some is None else [np.asarray(some)]
        if not targets:
            raise ZooError("recipe.linear_probe: there are no rows to fit the head to.")
        labels = np.concatenate(targets)
        if labels.ndim == 2 and not isinstance(self.model.loss, MultilabelLoss):
            labels = labels.argmax(axis=1)  # of a blend of two classes, the larger share
        views = [np.concatenate(own) for own in read]
        return views, labels, np.concatenate(weights) if weights else None


def with_probe(
    data: tuple[Any, Any, Any],
    validation_split: float,
    validation_data: Any,
    callbacks: Any,
    batch_size: int | None,
) -> list[Any]:
    """Return the callbacks of `fit` with a linear probe of its data, unless it was given one.

    Args:
        data: inputs, targets and sample weights, or a dataset and None; as `fit` takes them.
        validation_split: share of the arrays held out, in [0, 1).
        validation_data: as `fit` takes them.
        callbacks: what `fit` was given: None, one callback, or a list of them.
        batch_size: rows of a batch of arrays.

    Raises:
        ZooError: the data are those of several replicas, and no callback has the rows.
    """
    flat: list[Any] = keras.tree.flatten(callbacks) if callbacks else []
    if validation_split and validation_data is None:
        data, validation_data = train_validation_split(data, validation_split=validation_split)
    probe = next((one for one in flat if isinstance(one, LinearProbe)), None)
    if probe is None:
        probe = LinearProbe(_batches(data, batch_size or 32))
        flat = [probe, *flat]
    if validation_data is not None:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
        probe.validation = {"x": x, "y": y, "sample_weight": weights, "batch_size": batch_size}
    return flat


def _batches(data: tuple[Any, Any, Any], size: int) -> Iterable[Any]:
    x = data[0]
    if isinstance(x, tf.data.Dataset):
        return x
    if isinstance(x, keras.utils.PyDataset):
        return (x[number] for number in range(len(x)))
    if isinstance(x, tf.distribute.DistributedDataset):
        raise ZooError(
            "recipe.linear_probe reads all rows, and a distributed dataset has those of a replica. "
            "Pass zoo.training.linear_probe.LinearProbe(rows) as a callback, or set "
            "recipe.linear_probe.name=none."
        )
    return _slices(data, size)


def _slices(data: tuple[Any, Any, Any], size: int) -> Iterator[Any]:
    for start in range(0, len(data[0]), size):
        yield tuple(None if part is None else part[start : start + size] for part in data)


def _of_first_worker(strategy: tf.distribute.Strategy, head: LogisticHead) -> LogisticHead:
    """Return the head of the first worker: another machine may have rounded otherwise."""
    kernel, bias = head
    rows = gathered(strategy, np.concatenate([kernel.ravel(), bias])[np.newaxis])
    flat = np.asarray(rows[0])
    return LogisticHead(flat[: kernel.size].reshape(kernel.shape), flat[kernel.size :])


def _finding(choice: Choice, rows: int, fitted: float) -> Finding:
    what = f"linear probe: logistic regression on the features of {rows:,} rows is the head"
    evidence = {"rows": rows, "loss": fitted, "penalty": choice.penalty}
    if not choice.losses:
        return Finding("info", f"{what}; penalty {choice.penalty:g}.", evidence)
    least = choice.losses[choice.penalty]
    what += f"; penalty {choice.penalty:g}, of loss {least:.3f} in cross-validation on them."
    losses = {f"{penalty:g}": value for penalty, value in choice.losses.items()}
    return Finding("info", what, evidence | {"losses": losses})
