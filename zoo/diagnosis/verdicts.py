"""Verdicts on the curves of a training run, by the guides' tables (A152 to A160): pure rules."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zoo.diagnosis.curves import Curves, roughness, straightness, turns
from zoo.finding import Level

PATIENCE_STEPS = 100  # with fewer, nothing but a failure is judged (A19)
BLOWN_UP = 3.0  # times the first loss, or a guess's (A153)
RISEN = 1.1  # times the first loss: more than the noise of an epoch's mean
NOT_LEARNED = 0.1  # share of a guess's loss that is gone: what the shares of classes can do alone
BEGUN = 0.3  # share of a guess's loss that is gone, of a run whose rate may be right
STRAIGHT = 0.6  # of the first speed is left at the end: no rate that fits leaves so much (A155)
ROUGH = 0.5  # half the way down is climbed again (A154)
EARLY, LATE = 0.1, 0.75  # shares of the epochs in which a best epoch says something
OVERFITTED = 1.1  # times the lowest validation loss at the end


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One judgement on curves.

    Args:
        name: of the verdict, for programs: `overfitted`.
        level: how serious it is.
        what: what was seen, in one sentence with its numbers.
        evidence: the numbers.
        advice: ids of the guides' advice behind it.
        changes: what to do: factors by key of the recipe, such as `{"learning_rate": 0.1}`.
        hint: the same in words; or what else to do.
    """

    name: str
    level: Level
    what: str
    evidence: Mapping[str, Any]
    advice: tuple[str, ...]
    changes: Mapping[str, float] = dataclasses.field(default_factory=dict)
    hint: str = ""


LOWER = {"learning_rate": 0.1}
HIGHER = {"learning_rate": 10.0}
LONGER = {"epochs": 2.0}


def verdicts(curves: Curves) -> list[Verdict]:
    """Return what the curves of a training run say, the most serious first; one at the least.

    Args:
        curves: of two epochs or more.
    """
    failed = [verdict for rule in FAILURES if (verdict := rule(curves))]
    if failed:
        return failed[:1]  # what a broken training did otherwise says nothing
    found = [verdict for rule in RULES if (verdict := rule(curves))]
    if curves.steps is not None and curves.steps < PATIENCE_STEPS:
        milder = [dataclasses.replace(verdict, level="info") for verdict in found]
        return [_too_early(curves), *milder]
    if not any(verdict.level == "warning" for verdict in found):
        found.insert(0, _healthy(curves))
    return sorted(found, key=lambda verdict: verdict.level == "info")


def not_finite(curves: Curves) -> Verdict | None:
    """The loss is NaN or infinite (A161, A166)."""
    both = np.isfinite(curves.train) & np.isfinite(curves.validation)
    if both.all():
        return None
    epoch = int(np.argmin(both)) + 1
    what = f"the loss is not a number from epoch {epoch} on."
    return Verdict("not-finite", "error", what, {"epoch": epoch}, ("A161", "A166"), LOWER)


def negative(curves: Curves) -> Verdict | None:
    """A loss that cannot be negative is: its sign is wrong (A153)."""
    if curves.chance is None or min(curves.loss) >= 0:
        return None
    what = f"the training loss falls below zero, to {min(curves.loss):.3g}: its sign is wrong."
    hint = "A cross-entropy is minimised, not its negative: look at the loss function."
    return Verdict("wrong-sign", "error", what, {"loss": min(curves.loss)}, ("A153",), {}, hint)


def blown_up(curves: Curves) -> Verdict | None:
    """The loss rises (A153)."""
    first, last = float(curves.train[0]), float(curves.train[-1])
    worst = max(first, curves.guess)
    if last > BLOWN_UP * worst:
        what = f"the training loss blows up: {last:.3g} in the end, {last / worst:.1f} times "
        what += "that of a guess." if worst > first else "that of the first epoch."
        evidence = {"first": first, "last": last, "guess": curves.guess}
        return Verdict("blow-up", "error", what, evidence, ("A153",), LOWER)
    return None


def rising(curves: Curves) -> Verdict | None:
    """The loss ends above its beginning, or above a guess's, without blowing up (A153)."""
    first, last, lowest = (
        float(value) for value in (curves.train[0], curves.train[-1], curves.train.min())
    )
    evidence = {"first": first, "last": last, "lowest": lowest, "guess": curves.guess}
    if last > RISEN * first:
        what = f"the training loss rises, from {first:.3g} to {last:.3g}."
    elif curves.chance is not None and lowest > RISEN * curves.guess:
        what = f"the training loss stays above that of a guess, {lowest:.3g} against "
        what += f"{curves.guess:.3g}: what is learned is undone."
    else:
        return None
    hint = "Then look at the inputs: are they normalised, and is the softmax over the classes?"
    return Verdict("rate-too-high", "warning", what, evidence, ("A153", "A36"), LOWER, hint)


def memorised(curves: Curves) -> Verdict | None:
    """The training part is learned, and nothing of it holds for validation."""
    if curves.learned < 0.3 or curves.carried_over > 0.05:
        return None
    if curves.val_score and curves.chance_score is not None:
        above = max(curves.val_score) - curves.chance_score
        if above > 0.05:
            return None
    what = (
        f"{curves.learned:.0%} of a guess's loss is gone on the training part and "
        f"{max(curves.carried_over, 0):.0%} on validation: it is learned by heart, and nothing of "
        "it holds for other rows."
    )
    evidence = {"learned": curves.learned, "carried_over": curves.carried_over}
    hint = "Look whether the labels belong to their rows, and whether both parts are of one kind."
    return Verdict("memorised", "warning", what, evidence, ("A152", "A156"), hint=hint)


def squashed(curves: Curves) -> Verdict | None:
    """The loss is far above what the accuracy allows: a second softmax, or none (A153)."""
    if curves.chance is None or not curves.score or curves.chance_score is None:
        return None
    right, loss = float(curves.score[-1]), float(curves.train.min())
    # Probabilities that are taken for logits lie within [0, 1]: no loss is below this one.
    lowest = math.log1p((math.exp(curves.chance) - 1) / math.e)
    if right < max(0.5, curves.chance_score + 0.1) or loss < 0.98 * lowest:
        return None
    # A model that knows how often it is right, and nothing more, has this loss.
    wrong = max(1 - right, 1e-6)
    allowed = -right * math.log(max(right, 1e-6)) - wrong * math.log(wrong) + wrong * curves.chance
    if loss < 1.5 * allowed:
        return None
    what = (
        f"the training loss, {loss:.3g}, does not fit its {curves.score_name} of {right:.1%}, "
        f"with which it would be at most {allowed:.3g}: the outputs cannot become sure."
    )
    hint = "The loss takes logits: look for a softmax in front of it, or for one too many."
    evidence = {"loss": loss, "score": right, "allowed": allowed}
    return Verdict("loss-of-other-outputs", "warning", what, evidence, ("A153", "A162"), hint=hint)


def flat(curves: Curves) -> Verdict | None:
    """The training loss hardly falls (A152)."""
    if curves.learned >= NOT_LEARNED:
        return None
    first, lowest = float(curves.train[0]), float(curves.train.min())
    evidence = {"first": first, "lowest": lowest, "guess": curves.guess, "learned": curves.learned}
    what = f"the training loss hardly falls: {first:.4g} at first, {lowest:.4g} at best"
    what += f", {curves.guess:.4g} by guessing" if curves.chance is not None else ""
    falling = curves.epochs > 2 and roughness(curves.train) < 0.1
    restless = np.ptp(curves.train) > 0.05 * curves.guess and roughness(curves.train) > 1
    if first > RISEN * curves.guess or (curves.epochs > 3 and restless):
        what += ", up and down: the rate is too high."
        return Verdict("rate-too-high", "warning", what, evidence, ("A152", "A36"), LOWER)
    if falling and (curves.epochs < 4 or straightness(curves) > STRAIGHT / 2):
        what += ", and in a straight line: the rate is too low."
        return Verdict("rate-too-low", "warning", what, evidence, ("A152", "A155"), HIGHER)
    hint = "`zoo data` looks at the data: do inputs and labels belong together? Then try rates."
    advice = ("A152", "A36", "A142")
    return Verdict("not-learning", "warning", f"{what}.", evidence, advice, hint=hint)


def straight(curves: Curves) -> Verdict | None:
    """The training loss falls in a straight line (A155)."""
    if curves.epochs < 4 or curves.learned < NOT_LEARNED or curves.learned > 0.6:
        return None
    kept = straightness(curves)
    if kept < STRAIGHT or roughness(curves.train) > 0.1:
        return None
    what = (
        f"the training loss falls almost in a straight line: at the end as fast as {kept:.0%} of "
        "the beginning. The rate is too low, or the training too short."
    )
    evidence = {"speed_kept": kept, "learned": curves.learned}
    # What has learned so much may as well be a training run that ends early.
    level: Level = "warning" if curves.learned < BEGUN else "info"
    return Verdict("rate-too-low", level, what, evidence, ("A155",), HIGHER)


def oscillating(curves: Curves) -> Verdict | None:
    """The training loss goes up and down (A154)."""
    if curves.epochs < 5:
        return None
    climbed, turned = roughness(curves.train), turns(curves.train)
    if climbed < ROUGH or turned < 0.3:
        return None
    what = (
        f"the training loss goes up and down: it turns at {turned:.0%} of the epochs, and climbs "
        f"{climbed:.0%} of the way between its highest and its lowest value again."
    )
    evidence = {"climbed": climbed, "turned": turned}
    hint = "Or take a larger batch."
    return Verdict("oscillating", "warning", what, evidence, ("A154", "A43"), LOWER, hint)


def harder_training(curves: Curves) -> Verdict | None:
    """The training part is far harder than validation: augmentation or dropout is strong (A157)."""
    if curves.epochs < 4:
        return None
    # The mean of an epoch is of weights that are half an epoch older than those validated.
    last, other = float(curves.train[-1]), float(curves.validation[-2:].mean())
    gap = (last - other) / max(curves.guess, 1e-12)
    if gap < 0.15 or last < 1.3 * other:
        return None
    what = (
        f"the training loss, {last:.3g}, stays far above that of validation, {other:.3g}: "
        "augmentation or dropout makes training rows harder than any that will come."
    )
    learned = curves.carried_over
    evidence = {"loss": last, "val_loss": other, "carried_over": learned}
    level: Level = "warning" if learned < 0.5 or curves.behind_baseline else "info"
    hint = "Take weaker augmentation, or less dropout."
    return Verdict("augmentation-too-strong", level, what, evidence, ("A157", "A91"), hint=hint)


def underfitted(curves: Curves) -> Verdict | None:
    """Both curves stay together, and high (A160)."""
    gap = abs(float(curves.train[-1] - curves.validation[-1])) / max(curves.guess, 1e-12)
    if gap > 0.1 or not NOT_LEARNED <= curves.learned < 0.5:
        return None
    what = (
        f"both losses stay together, {curves.loss[-1]:.3g} and {curves.val_loss[-1]:.3g}, and "
        f"{1 - curves.learned:.0%} of a guess's is left: the network, or its training, is too "
        "small for the data."
    )
    level: Level = "warning" if curves.behind_baseline else "info"
    hint = "Then a larger network, or less dropout and decay."
    evidence = {"gap": gap, "learned": curves.learned}
    return Verdict("underfitted", level, what, evidence, ("A160", "A76"), LONGER, hint)


def overfitted(curves: Curves) -> Verdict | None:
    """The training loss falls on, and that of validation rises (A156)."""
    best = curves.best
    lowest, last = float(curves.validation[best - 1]), float(curves.validation[-1])
    if best == curves.epochs or last < OVERFITTED * lowest:
        return None
    if curves.train[-1] > curves.train[best - 1]:
        return None
    early = best <= max(1, EARLY * curves.epochs) and curves.epochs >= 10
    kept = curves.kept_epoch or curves.epochs
    worse = float(curves.validation[kept - 1]) > 2 * lowest
    what = (
        f"overfitting from epoch {best} on: the validation loss rises from "
        f"{curves.val_loss[best - 1]:.3g} to {curves.val_loss[-1]:.3g}, and the training loss "
        f"falls to {curves.loss[-1]:.3g}."
    )
    evidence = {"best_epoch": best, "epochs": curves.epochs, "kept_epoch": kept}
    level: Level = "warning" if early and worse else "info"
    hint = "Or more dropout, more data, a smaller network."
    changes = {"epochs": max(best, 1) / curves.epochs}
    return Verdict("overfitted", level, what, evidence, ("A156", "A76"), changes, hint)


def unsteady_validation(curves: Curves) -> Verdict | None:
    """The training loss falls, and that of validation goes up and down (A157)."""
    if curves.epochs < 6 or roughness(curves.train) > 0.2:
        return None
    climbed, turned = roughness(curves.validation), turns(curves.validation)
    if climbed < 1 or turned < 0.4:
        return None
    what = (
        f"the validation loss goes up and down, by {climbed:.1f} times its range, and the "
        "training loss does not: few rows to validate on, or of another kind."
    )
    evidence = {"climbed": climbed, "turned": turned}
    hint = "Validate on more rows: data.validation_fraction, or --validation."
    return Verdict("unsteady-validation", "info", what, evidence, ("A157",), hint=hint)


def nothing_left(curves: Curves) -> Verdict | None:
    """Both losses are zero at once: the task is too easy, or the label is in the input (A159)."""
    limit = 0.02 * (curves.chance - curves.floor if curves.chance is not None else 1.0)
    if max(curves.train[0], curves.validation[0]) > limit:
        return None
    easy = curves.baseline_score is not None and curves.baseline_score > 0.98
    what = "both losses are zero from the first epoch on: "
    what += "a linear model can do it, too." if easy else "the label may be in the input."
    evidence = {"loss": curves.loss[0], "val_loss": curves.val_loss[0]}
    hint = "" if easy else "Look for a column, a name or a border that gives it away."
    level: Level = "info" if easy else "warning"
    return Verdict("too-easy", level, what, evidence, ("A159",), hint=hint)


def leaking(curves: Curves) -> Verdict | None:
    """Validation is nearly perfect at once, where a linear model is far from it."""
    if not curves.val_score or curves.baseline_score is None:
        return None
    first = float(curves.val_score[0])
    if first < 0.98 or curves.baseline_score > first - 0.1:
        return None
    what = (
        f"validation {curves.score_name} is {first:.1%} after one epoch, and a linear model has "
        f"{curves.baseline_score:.1%}: rows of validation may be in the training part."
    )
    evidence = {"val_score": first, "baseline_score": curves.baseline_score}
    hint = "Look for copies of rows, also of one person or one video, in both parts."
    return Verdict("leak", "warning", what, evidence, ("A159", "A142"), hint=hint)


def early_best(curves: Curves) -> Verdict | None:
    """The best epoch is among the first (tuning playbook)."""
    if curves.epochs < 10 or curves.best > EARLY * curves.epochs:
        return None
    what = (
        f"the lowest validation loss is of epoch {curves.best} of {curves.epochs}: the rate may "
        "be too high, or the training too long."
    )
    evidence = {"best_epoch": curves.best, "epochs": curves.epochs}
    changes = {"learning_rate": 0.3}
    return Verdict("best-epoch-early", "info", what, evidence, ("A101", "A156"), changes)


def late_best(curves: Curves) -> Verdict | None:
    """The best epoch is among the last, and the loss still falls (tuning playbook)."""
    n = curves.epochs
    if n < 4 or curves.best <= LATE * n:
        return None
    before = float(curves.validation[: math.ceil(LATE * n)].min())
    gained = 1 - float(curves.validation.min()) / before if before > 0 else 0.0
    if gained < 0.05:
        return None
    what = (
        f"the lowest validation loss is of epoch {curves.best} of {n}, and {gained:.0%} of it "
        "went in the last quarter."
    )
    evidence = {"best_epoch": curves.best, "epochs": n, "gained": gained}
    return Verdict("best-epoch-late", "info", what, evidence, ("A19", "A101"), LONGER)


def _healthy(curves: Curves) -> Verdict:
    what = (
        f"the curves look sound: the training loss falls from {curves.loss[0]:.3g} to "
        f"{curves.loss[-1]:.3g}, that of validation is {curves.val_loss[curves.best - 1]:.3g} at "
        f"best, in epoch {curves.best} of {curves.epochs}."
    )
    evidence = {"best_epoch": curves.best, "epochs": curves.epochs, "learned": curves.learned}
    return Verdict("sound", "info", what, evidence, ("A76",))


def _too_early(curves: Curves) -> Verdict:
    what = f"{curves.steps:,} steps are too few for a verdict: {PATIENCE_STEPS} are the least."
    return Verdict("too-early", "info", what, {"steps": curves.steps}, ("A19",), LONGER)


Rule = Callable[[Curves], Verdict | None]
FAILURES: tuple[Rule, ...] = (not_finite, negative, blown_up)
# The first of a level is the verdict: causes come before what follows from them.
RULES: tuple[Rule, ...] = (
    rising,
    memorised,
    squashed,
    flat,
    straight,
    oscillating,
    leaking,
    nothing_left,
    harder_training,
    underfitted,
    overfitted,
    unsteady_validation,
    early_best,
    late_best,
)
