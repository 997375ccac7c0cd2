"""Whether a few rows can be learned by heart, and what a whole run will take."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
TIMED = 3  # steps


def learned_by_heart(subject: Subject) -> Iterator[Finding]:
    """A few rows are learned to near zero loss, and not without their inputs (A74, A151)."""
    model, rows = subject.model, min(FEW, len(subject.y))
    few = subject.part(rows)
    blank = (_blank(few[0]), *few[1:])
    floor = subject.floor()
    with left_as_it_was(model, lambda: [few]) as rate:
        rate.assign(subject.rate)
        before, losses = subject.loss(few) - floor, []
        for loss in train_steps(model, lambda: _repeated(few)):
            losses.append(loss - floor)
            if len(losses) == MOST_STEPS or losses[-1] < LEARNED / 2 * before:
                break
        after = min(subject.loss(few) - floor, float(np.mean(losses[-5:])))
        without = subject.loss(blank) - floor
        seconds = _step_seconds(subject)
    left = after / max(before, 1e-9)
    evidence = {"rows": rows, "steps": len(losses), "before": before, "after": after}
    advice = ("A74", "A151")
    told = f"{rows} rows, {len(losses)} steps at {subject.rate:.2g}: the loss falls from "
    told += f"{before:.3g} to {after:.3g}"
    if left < LEARNED:
        yield Finding("info", f"learned by heart: {told}.", evidence, "", "by-heart", advice)
    elif left < HALF:
        what = f"{told}, {left:.0%} of it: on the way, and not there yet."
        yield Finding("info", what, evidence, "", "by-heart", advice)
    else:
        what = f"{told}: not even {rows} rows can be learned by heart."
        hint = "Do not train yet. Look at the loss, the labels and the rate (`zoo find-lr`)."
        yield Finding("warning", what, evidence, hint, "by-heart", advice)
    if left < HALF:
        yield _needs_inputs(before, after, without)
    yield _whole_run(subject, seconds)


def _needs_inputs(before: float, after: float, without: float) -> Finding:
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
