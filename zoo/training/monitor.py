"""What a run is doing and did: progress on stderr, history as CSV, speeds and counts."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.errors import ZooError
from zoo.files import write_text
from zoo.finding import Finding


class Monitor(keras.callbacks.Callback):
    """Counts, times and shows a run.

    Args:
        started: `time.perf_counter()` when the command began.
        history: file that gets a line an epoch, written anew each time; None for none.
        rows: examples an epoch.
        show: whether progress goes to stderr: a bar with the time left on a terminal, a line an
            epoch elsewhere.
    """

    reads_logs_rarely = True  # see `zoo.training.step_callbacks`

    def __init__(self, started: float, history: Path | None, rows: int, show: bool):
        super().__init__()
        self.started, self.history, self.rows, self.show = started, history, rows, show
        self.epochs = self.steps = 0
        self.seconds = 0.0
        self.seconds_to_first_step: float | None = None
        self.lines: list[dict[str, Any]] = []
        self._begun = time.perf_counter()
        self._unwritten: str | None = None
        self._progress: Progress | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock and the bar."""
        self._begun = time.perf_counter()
        console = Console(stderr=True)
        if self.show and console.is_terminal:
            total = self.params["epochs"] * (self.params["steps"] or 0)
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
                console=console, transient=True,
            )  # fmt: skip
            self._task = self._progress.add_task("epoch 1", total=total or None)
            self._progress.start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count a step."""
        self.steps += 1
        if self.seconds_to_first_step is None:
            self.seconds_to_first_step = time.perf_counter() - self.started
        if self._progress is not None:
            self._progress.advance(self._task)

    def on_probe_end(self, logs: dict[str, Any]) -> None:
        """Write the line of the linear probe, epoch 0 without a training loss, and show it."""
        self.on_epoch_end(-1, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's line, and show it."""
        self.epochs = epoch + 1
        now = time.perf_counter() - self._begun
        line: dict[str, float] = {"epoch": epoch + 1}
        line |= {key: round(float(value), 6) for key, value in (logs or {}).items()}
        rate = float(np.asarray(self.model.optimizer.learning_rate))
        line |= {"learning_rate": rate, "seconds": round(now, 2)}
        self.lines.append(line)
        self.seconds = now
        if self.history is not None:
            stream = io.StringIO()
            # the keys of all lines: an epoch without validation has fewer
            names = list(dict.fromkeys(key for line in self.lines for key in line))
            writer = csv.DictWriter(stream, fieldnames=names)
            writer.writeheader()
            writer.writerows(self.lines)
            try:
                # Training does not wait for the disk: a checkpoint has these lines, too.
                write_text(self.history, stream.getvalue(), durable=False)
                self._unwritten = None
            except ZooError as error:  # the next epoch writes all lines again
                self._unwritten = str(error)
        if self.show:
            self._show(line)

    def on_train_end(self, logs: Any = None) -> None:
        """Stop the bar."""
        self.close()

    def close(self) -> None:
        """Stop the bar; needed after an interruption."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to resume."""
        now = time.perf_counter()
        return {
            "epochs": self.epochs,
            "steps": self.steps,
            "seconds": now - self._begun,
            "seconds_to_first_step": self.seconds_to_first_step,
            "seconds_in_all": now - self.started,
            "lines": list(self.lines),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state, the clocks too."""
        self.epochs, self.steps = int(state["epochs"]), int(state["steps"])
        self.seconds_to_first_step = state["seconds_to_first_step"]
        self.lines = list(state["lines"])
        self.seconds = float(state["seconds"])
        self._begun -= self.seconds
        self.started -= float(state["seconds_in_all"])
        if self._progress is not None:
            self._progress.update(
                self._task, completed=self.steps, description=f"epoch {self.epochs + 1}"
            )

    @property
    def seconds_in_all(self) -> float:
        """Seconds since the command began, with those of the processes before a resumption."""
        return time.perf_counter() - self.started

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights are kept, from 1; None before the first ended."""
        return self.model.best_epoch

    def to_dict(self) -> dict[str, Any]:
        """Return the figures of the training as JSON types."""
        seconds = max(self.seconds, 1e-9)
        return {
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "steps": self.steps,
            "seconds": self.seconds,
            "seconds_to_first_step": self.seconds_to_first_step,
            "examples_per_second": self.rows * self.epochs / seconds,
            "input_wait_share": min(self.model.seconds_waiting / seconds, 1.0),
        }

    def findings(self) -> list[Finding]:
        """Return what the course of the training says."""
        planned = self.params["epochs"]
        if self._unwritten is not None:
            what = f"history.csv lacks the last epochs: {self._unwritten}"
            return [Finding("warning", what, {}, "Free some space.")]
        chosen = self.model.recipe is None or self.model.recipe.monitor != "last"
        if self.best_epoch == planned and planned > 1 and chosen:
            return [
                Finding(
                    "info",
                    f"the last of {planned} epochs was the best.",
                    {"best_epoch": self.best_epoch, "epochs": planned},
                    "More epochs may help: raise recipe.epochs.",
                )
            ]
        return []

    def _show(self, line: dict[str, Any]) -> None:
        shown = "  ".join(
            f"{key} {line[key]:.4f}"
            for key in (
                "loss",
                "val_loss",
                "val_perplexity",
                "val_accuracy",
                "val_micro_f1",
                "val_macro_f1",
            )
            if key in line
        )
        console = self._progress.console if self._progress else Console(stderr=True)
        epoch = (
            f"epoch {line['epoch']}/{self.params['epochs']}" if line["epoch"] else "linear probe"
        )
        console.print(
            f"{epoch}  {shown}  {line['seconds']:.0f} s",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        if self._progress is not None:
            self._progress.update(self._task, description=f"epoch {line['epoch'] + 1}")
