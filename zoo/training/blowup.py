"""What is done when the loss blows up: back to the last good state, at half the rate, twice."""

from __future__ import annotations

import logging
import math
from typing import Any

import keras
import numpy as np

from zoo.distribute import workers
from zoo.errors import ZooError
from zoo.finding import Finding
from zoo.training.checkpoints.state import are_finite, assign, state_variables, values

# Steps between two checks of the loss: a check waits for the device, so not at every step.
CHECK_EVERY = 50
# Steps whose mean is the first loss: few enough that a bad rate has hardly moved it yet.
FIRST_STEPS = 10
# A loss of three times the first one is blowing up (A153).
TIMES = 3.0
# Half, the usual factor by which a rate is lowered (A94, A103).
FACTOR = 0.5
# Two halvings make a quarter; what still blows up then has another cause or needs a tenth (A166).
RETRIES = 2


class BlowUp(keras.callbacks.Callback):
    """Go back to the last good state and halve the rate when the loss blows up (A153, A161, A166).

    The state is kept in memory, when training begins and at the end of each epoch whose loss and
    weights are finite. The data and the schedule continue where they are; the steps since that
    state are lost. After `RETRIES` attempts, or where the optimizer has not the recipe's schedule,
    training stops and `fit` raises `error`.

    Attributes:
        error: why training stopped, or None.
        retries: attempts so far.
    """

    reads_logs_rarely = True  # see `zoo.training.step_callbacks`

    def __init__(self) -> None:
        super().__init__()
        self.error: ZooError | None = None
        self.steps = self.retries = 0
        self._snapshot: list[np.ndarray] = []
        self._since = 0  # retries from this snapshot
        self._first: float | None = None
        self._batch = 0  # steps in the mean that the logs hold
        self._seen = (0, 0.0)  # steps and sum of the losses at the last check
        self._window = (0, 0.0)  # steps and losses that were not compared yet

    def on_train_begin(self, logs: Any = None) -> None:
        """Keep the state before the first step."""
        self._snapshot = values(state_variables(self.model))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss now and then; on several workers each knows its own only."""
        self.steps += 1
        self._batch += 1
        if workers(self.model.distribute_strategy) > 1:
            return
        if self.steps % CHECK_EVERY == 0 or self.steps == FIRST_STEPS:
            self._check(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss of the epoch, and keep the state if it is good."""
        if self._check(logs) and are_finite(self.model):
            self._snapshot, self._since = values(state_variables(self.model)), 0
        self._batch, self._seen = 0, (0, 0.0)  # the metrics begin anew

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to resume."""
        return {
            "steps": self.steps,
            "retries": self.retries,
            "since": self._since,
            "first": self._first,
            "batch": self._batch,
            "seen": self._seen,
            "window": self._window,
            "snapshot": self._snapshot,
            "findings": [finding.to_dict() for finding in self.model.findings],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state."""
        self.steps, self.retries, self._since = state["steps"], state["retries"], state["since"]
        self._first, self._batch = state["first"], state["batch"]
        self._seen, self._window = tuple(state["seen"]), tuple(state["window"])
        self._snapshot = state.get("snapshot", [])  # none where training is over
        self.model.findings = [Finding(**finding) for finding in state["findings"]]

    def _check(self, logs: dict[str, Any] | None) -> bool:
        """Return whether the loss since the last check is good, as far as is known."""
        loss = float((logs or {}).get("loss", 0.0))
        if self.error is not None:
            return False
        if not math.isfinite(loss):
            self._go_back("the loss is not finite any more", loss)
            return False
        total = loss * self._batch
        steps = self._window[0] + self._batch - self._seen[0]
        losses = self._window[1] + total - self._seen[1]
        self._seen, self._window = (self._batch, total), (steps, losses)
        if self._first is None:
            if steps >= FIRST_STEPS:
                self._first, self._window = losses / steps, (0, 0.0)
            return True
        if steps < CHECK_EVERY // 2:  # too few to tell a blow-up from a hard batch
            return True
        self._window = (0, 0.0)
        # Where training begins with a small loss, it may rise to that of a guess.
        if losses / steps > TIMES * max(self._first, self._uniform_loss()):
            what = f"the loss is over {TIMES:g} times the first {self._first:.3g}"
            self._go_back(what, losses / steps)
            return False
        return True

    def _uniform_loss(self) -> float:
        """Return the loss of uniform probabilities over each output, as of classifiers, in all."""
        return sum(math.log(max(int(out.shape[-1] or 1), 1)) for out in self.model.outputs)

    def _go_back(self, what: str, loss: float) -> None:
        model, schedule = self.model, self.model.schedule
        rate = float(np.asarray(model.optimizer.learning_rate))
        seen = f"{what} (seen at step {self.steps}, learning rate {rate:.3g})"
        if schedule is None or self.retries == RETRIES:
            tried = f" after {self.retries} restarts at half the rate" if self.retries else ""
            model.stop_training = True
            self.error = ZooError(
                f"{seen}{tried}. Lower recipe.optimizer.learning_rate ten times (A166), or set "
                "recipe.global_clipnorm to 1.0 (A02)."
            )
            return
        self.retries += 1
        self._since += 1
        done = int(model.optimizer.iterations) - int(schedule.begun)
        assign(state_variables(model), self._snapshot)
        schedule.begun.assign(int(model.optimizer.iterations) - done)
        schedule.scale.assign(schedule.scale * FACTOR**self._since)
        model.reset_metrics()
        self._batch, self._seen, self._window = 0, (0, 0.0), (0, 0.0)
        finding = Finding(
            "warning",
            f"{seen}: training went back to its last good state, at half the rate.",
            {"step": self.steps, "loss": loss, "retry": self.retries},
            "Lower recipe.optimizer.learning_rate, or set recipe.global_clipnorm to 1.0 (A02).",
        )
        model.findings.append(finding)
        logging.getLogger("zoo").warning("%s", finding)
