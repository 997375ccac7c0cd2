"""The callback that writes checkpoints of a run, and resumes one from a checkpoint."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from zoo.data.epochs import EpochCursor
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.training import randomness
from zoo.training.checkpoints import state
from zoo.training.checkpoints.files import CheckpointFiles
from zoo.training.interruption import Stop

# Writing then takes a hundredth of the time; with the early one and the last one, which no wait
# spaces out, under 2 % of any training of half a minute.
WAIT_TIMES = 100
LEAST_SECONDS = 5.0
# The first one comes early: a run that is killed in its first minute loses little.
FIRST_SECONDS = 2.0


class Unusable(ZooError):
    """A checkpoint without damage does not hold what it should."""


class Checkpoints(keras.callbacks.Callback):
    """Writes checkpoints, and resumes from one; the last callback of a run.

    One is written when the last is `WAIT_TIMES` as old as its writing took, when the process is
    asked to stop, and when the last epoch is over. Its arrays are copies, and a thread writes them:
    training waits for the disk at its end alone. One that cannot be written is a finding, and
    training continues. None is written of weights that are not finite.

    Args:
        files: where they are written.
        cursor: where the training data are read from, which `fit` was given the dataset of.
        stop: whether the process was asked to stop; `Stopped` is then raised after the step.
        document: that of the checkpoint to resume from, or None.
        writes: whether this process writes; one of several workers does.
        within_epochs: whether some are written in the middle of an epoch. On several replicas the
            metrics so far are spread over all of them, and are not gathered for it.

    Attributes:
        step: optimizer steps since the training began.
        seconds: time that training waited, and the processor's time of the thread.
        findings: what could not be written.
        failed: whether the last one could not be written.
    """

    reads_logs_rarely = True  # see `zoo.training.step_callbacks`

    def __init__(
        self,
        files: CheckpointFiles,
        cursor: EpochCursor,
        stop: Stop,
        document: dict[str, Any] | None,
        *,
        writes: bool = True,
        within_epochs: bool = True,
    ):
        super().__init__()
        self.writes, self.within_epochs = writes, within_epochs
        self.files, self.cursor, self.stop = files, cursor, stop
        self.step = 0
        self.seconds = 0.0
        self.findings: list[Finding] = []
        self.failed = False
        if document is not None:
            numbers = [document.get(name) for name in ("epoch", "epochs", "batch", "step")]
            if not all(type(number) is int and number >= 0 for number in numbers):
                raise self._damaged(f"epoch, epochs, batch and step are {numbers}")
        self._document = document
        self._callbacks: list[Any] = []
        self._epoch = self._batch = 0
        self._metrics: list[np.ndarray] = []  # of the training, while validation uses the same
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._writing: Future[float] | None = None
        self._last: float | None = None
        self._wait = FIRST_SECONDS
        self._cost = 0.0  # seconds of the last one

    @property
    def initial_epoch(self) -> int:
        """The epoch to begin with, for `fit`."""
        return int(self._document["epoch"]) if self._document else 0

    @property
    def epochs(self) -> int | None:
        """The epochs of the run, for `fit`; None until they are known."""
        return int(self._document["epochs"]) if self._document else None

    def watch(self, callbacks: Sequence[Any]) -> None:
        """Name the callbacks of the training; the state of those that have one is kept, too."""
        self._callbacks = [callback for callback in callbacks if hasattr(callback, "state")]

    def on_train_begin(self, logs: Any = None) -> None:
        """Resume from the checkpoint; all other callbacks have begun."""
        if self._document is None:
            return
        try:
            self._restore(self._document)
        except (ZooError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(str(error) or repr(error)) from error

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Tell the data where to begin, and put the metrics of a begun epoch back."""
        self._epoch, self._batch = epoch, 0
        if self._document is not None and self._document["epoch"] == epoch:
            self._batch = int(self._document["batch"])
            if self._batch:
                # The last batch may be all that is left of the epoch, and have fewer rows.
                rows = (self.model.batch_size or 0) / self.model.replicas
                self.model.compilation.most_rows = rows
                try:
                    state.assign(self.model.metrics_variables, self._document["metrics"])
                except ZooError as error:
                    raise self._damaged(str(error)) from error
        self._document = None
        self.cursor.set(epoch, self._batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write one if it is time, or if the process is to stop."""
        self.step += 1
        self._batch += 1
        if self._last is None:
            self._last = time.perf_counter()
        if self.within_epochs and (self.stop.asked is not None or self._is_late()):
            self._write(logs)
        self.stop.check()

    def on_probe_batch_end(self) -> None:
        """Stop if the process is to: there is nothing to keep of a linear probe before its end."""
        self.stop.check()

    def on_test_begin(self, logs: Any = None) -> None:
        """Keep the metrics of the training."""
        if self.within_epochs:
            self._metrics = state.values(self.model.metrics_variables)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Write one if the process is to stop, as if validation had not begun."""
        if self.stop.asked is not None:
            if self.within_epochs:
                if self.model.averages is not None:
                    self.model.averages.restore()
                self._write({}, self._metrics)
            self.stop.check()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write one if it is time; after the last epoch always."""
        self._epoch, self._batch = epoch + 1, 0
        over = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if any(getattr(callback, "error", None) for callback in self._callbacks):
            return  # a run that failed has no end to resume from
        if over:
            self._epoch = self.params["epochs"]
        if over or self.stop.asked is not None or self._is_late():
            self._write(logs)
        self.stop.check()

    def close(self) -> None:
        """Wait until what is being written is on the disk."""
        if self._writing is None:
            return
        started, writing, self._writing = time.perf_counter(), self._writing, None
        self._cost += writing.result()
        self._cost += time.perf_counter() - started
        self.seconds += self._cost
        self._wait = max(LEAST_SECONDS, WAIT_TIMES * self._cost)

    def _is_late(self) -> bool:
        """Whether it is time for one; never while one is being written."""
        if self._writing is not None:
            if not self._writing.done():
                return False
            self.close()
        return self._last is None or time.perf_counter() - self._last >= self._wait

    def _damaged(self, what: str) -> Unusable:
        return Unusable(
            f"{self.files.path}: a checkpoint does not hold what it should: {what}. "
            "Train again with --overwrite."
        )

    def _write(self, logs: dict[str, Any] | None, metrics: list[np.ndarray] | None = None) -> None:
        """Begin to write one, and wait for it where training ends with it."""
        if not self.writes:
            return
        self.close()
        started = time.perf_counter()
        if math.isfinite(float((logs or {}).get("loss", 0.0))) and state.are_finite(self.model):
            document = self._make_document(metrics)
            self._writing = self._thread.submit(self._save, self.step, document)
        self._last = time.perf_counter()
        self._cost = self._last - started
        if self.stop.asked is not None or self._epoch == self.params["epochs"]:
            self.close()

    def _save(self, step: int, document: dict[str, Any]) -> float:
        """Write a document; return the processor's seconds. In the thread."""
        started = time.thread_time()
        try:
            self.files.save(step, document)
            self.failed = False
        except ZooError as error:
            self._note(step, error)
        return time.thread_time() - started

    def _note(self, step: int, error: ZooError) -> None:
        if not self.failed:
            finding = Finding(
                "warning",
                f"a checkpoint could not be written: {error}",
                {"step": step},
                "Training continued; an interruption would have lost more of it. Free some space.",
            )
            self.findings.append(finding)
            logging.getLogger("zoo").warning("%s", finding)
        self.failed = True

    def _make_document(self, metrics: list[np.ndarray] | None) -> dict[str, Any]:
        model = self.model
        if metrics is None:  # between epochs there are none
            metrics = state.values(model.metrics_variables) if self._batch else []
        callbacks = {type(callback).__name__: callback.state() for callback in self._callbacks}
        if self._epoch == self.params["epochs"]:
            for saved in callbacks.values():
                saved.pop("snapshot", None)  # no step is left that could blow up
        return {
            "epoch": self._epoch,
            "epochs": self.params["epochs"],
            "batch": self._batch,
            "step": self.step,
            "best_epoch": model.best_epoch,
            "seconds_waiting": model.seconds_waiting,
            "seconds": self.seconds,
            "findings": [finding.to_dict() for finding in self.findings],
            "random": randomness.random_state(),
            "global_seed": randomness.global_seed(),
            "variables": state.values(state.state_variables(model)),
            "metrics": metrics,
            "callbacks": callbacks,
        }

    def _restore(self, document: dict[str, Any]) -> None:
        model = self.model
        state.assign(state.state_variables(model), document["variables"])
        randomness.set_random_state(document["random"])
        randomness.set_global_seed(document["global_seed"])
        model.best_epoch = document["best_epoch"]
        model.seconds_waiting = document["seconds_waiting"]
        self.step, self.seconds = int(document["step"]), float(document["seconds"])
        self.findings += [Finding(**finding) for finding in document["findings"]]
        for callback in self._callbacks:
            callback.restore(document["callbacks"][type(callback).__name__])
