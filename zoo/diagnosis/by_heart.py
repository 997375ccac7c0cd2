"""Whether a few rows can be learned by heart, and what a whole run will take."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.diagnosis.lr_sweep import left_as_it_was, train_steps
from zoo.diagnosis.subject import Subject
from zoo.finding import Finding

FEW = 16  # rows that are learned by heart
MOST_STEPS = 150  # of that
LEARNED = 0.1  # share of the first loss that may be left (A74)
HALF = 0.5  # share that says the rate, not the network, was the limit
LAST = 5  # steps, whose mean counts
TIMED = 3  # steps
OTHER_RATES = (0.1, 0.01, 10.0, 100.0, 1000.0)  # times the rate at which nothing was learned


@dataclasses.dataclass(frozen=True)
class Trial:
    """What some steps on the same few rows did to their loss, above the lowest possible.

    Args:
        before: of the rows.
        after: of the rows, at its best of inference and of the last steps.
        without: of the rows without their inputs, afterwards.
        steps: that were taken.
    """

    before: float
    after: float
    without: float
    steps: int

    @property
    def left(self) -> float:
        """Share of the loss that is left."""
        return self.after / max(self.before, 1e-9)


def learned_by_heart(subject: Subject) -> list[Finding]:
    """Return whether a few rows are learned to near zero loss, and not without their inputs.

    Where they are not, other rates are tried (A74, A151). Behind it, what a whole run will take.

    Args:
        subject: what is checked; its model is left as it was.
    """
    with left_as_it_was(subject.model, lambda: [subject.batch]) as (rate, put_back):

        def trial(times: float) -> Trial:
            put_back()
            rate.assign(subject.rate * times)
            return _trial(subject)

        own = trial(1.0)
        seconds = _step_seconds(subject)
        found = [_verdict(subject, own, trial)]
    if abs(own.left) < HALF:
        found.append(_needs_inputs(own))
    return [*found, _whole_run(subject, seconds)]


def _verdict(subject: Subject, own: Trial, trial: Callable[[float], Trial]) -> Finding:
    rows = min(FEW, len(subject.y))
    evidence: dict[str, Any] = {
        "rows": rows, "steps": own.steps, "before": own.before, "after": own.after,
    }  # fmt: skip
    advice = ("A74", "A151")
    told = f"{rows} rows, {own.steps} steps at {subject.rate:.2g}: the loss goes from "
    told += f"{own.before:.3g} to {own.after:.3g}"
    if own.after < -LEARNED * abs(own.before):
        what = f"{told}, below the lowest that is possible: its sign is wrong."
        hint = "A loss is minimised, not its negative."
        return Finding("error", what, evidence, hint, "wrong-sign", ("A153",))
    if own.left < LEARNED:
        what = f"learned by heart: {told}."
        return Finding("info", what, evidence, "", "by-heart", advice)
    if own.left < HALF:
        what = f"{told}: on the way to learn them by heart, and not there yet."
        return Finding("info", what, evidence, "", "by-heart", advice)
    for times in OTHER_RATES:
        other, rate = trial(times), subject.rate * times
        if other.left < HALF:
            side = "high" if times < 1 else "low"
            what = f"{told}; at {rate:.2g} it goes to {other.after:.3g}: the rate is too {side}."
            works = {"works_at": rate, "after_there": other.after}
            hint = "`zoo find-lr` shows at which rates the loss falls."
            name, sources = f"rate-too-{side}", ("A36", "A74", "A12")
            return Finding("warning", what, evidence | works, hint, name, sources)
    what = f"{told}: not even {rows} rows can be learned by heart, at other rates neither."
    hint = "Do not train yet. Look at the loss, the labels and what is frozen."
    return Finding("warning", what, evidence, hint, "by-heart", ("A74", "A151", "A152"))


def _trial(subject: Subject) -> Trial:
    """Take steps on the first rows of the batch, until they are learned."""
    few, floor = subject.part(FEW), subject.floor()
    before, losses = subject.loss(few) - floor, []
    for loss in train_steps(subject.model, lambda: _repeated(few)):
        losses.append(loss - floor)
        last = float(np.mean(losses[-LAST:]))
        if len(losses) == MOST_STEPS or (len(losses) > LAST and last < LEARNED / 2 * before):
            break
    # In training, too: batch norms know the statistics of so few steps badly (A20).
    after = min(subject.loss(few) - floor, last)
    blank = (_blank(few[0]), *few[1:])
    return Trial(before, after, subject.loss(blank) - floor, len(losses))


def _needs_inputs(trial: Trial) -> Finding:
    before, after, without = trial.before, trial.after, trial.without
    evidence = {"loss": after, "without_inputs": without}
    if without < after + 0.1 * (before - after):
        what = f"the loss without inputs is {without:.3g}, as low as with them, {after:.3g}: they "
        what += "are not used."
        hint = "Look whether the inputs reach the network, and whether there is one label alone."
        return Finding("warning", what, evidence, hint, "needs-inputs", ("A74",))
    what = f"inputs are needed: without them those rows have a loss of {without:.3g}."
    return Finding("info", what, evidence, "", "needs-inputs", ("A74",))


def _step_seconds(subject: Subject) -> float:
    """Return the seconds of a step on the whole batch, its compilation left out."""
    steps = train_steps(subject.model, lambda: _repeated(subject.batch))
    next(steps)
    begun = time.perf_counter()
    for _ in range(TIMED):
        next(steps)
    return (time.perf_counter() - begun) / TIMED


def _whole_run(subject: Subject, seconds: float) -> Finding:
    minutes = seconds * subject.steps / 60
    size = subject.model.count_params()
    what = (
        f"a whole run has {subject.steps:,} steps: about {minutes:.0f} minutes here"
        if (minutes >= 1.5)
        else f"a whole run has {subject.steps:,} steps: about {60 * minutes:.0f} seconds here"
    )
    what += f", validation not counted; {size:,} weights."
    evidence = {"steps": subject.steps, "seconds_a_step": seconds, "parameters": size}
    return Finding("info", what, evidence, "", "whole-run", ("A05",))


def _repeated(batch: tuple[Any, ...]) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(batch).repeat()


def _blank(x: Any) -> Any:
    """Return inputs without contents: grey images, texts of one token; what windows say stays."""
    if isinstance(x, dict):
        return {**x, "tokens": _blank(x["tokens"])}
    array = np.asarray(x)
    if array.dtype.kind in "iu" and array.ndim == 2:
        return np.where(array > 0, np.ones_like(array), 0).astype(array.dtype)
    return np.full_like(array, 127 if array.ndim == 4 else 0)
