"""Checks of a model on its data before training: what the guides look at first, with a verdict."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.diagnosis.by_heart import learned_by_heart
from zoo.diagnosis.layers import layer_outputs
from zoo.diagnosis.lr_sweep import left_as_it_was, train_steps
from zoo.diagnosis.subject import Subject
from zoo.finding import Finding, first_few

SAME = 1e-5  # absolute and relative: what rounding alone leaves between two ways to one output
HALF = 0.5  # of a guess's loss, or of units: more is no accident
FEWEST = 8  # rows of a batch: fewer are mostly noise (A45)
BATCHES = 12  # that say something of their order
SORTED = 0.6  # of that ratio; of 20 batches by chance it is 2 with a deviation of .4
LARGE = 1.5  # times the loss of even chances, at the first step (A159)


def check_model(subject: Subject) -> list[Finding]:
    """Return a finding for each check, in the order of the guides; the model is left as it was.

    Args:
        subject: what is checked.
    """
    values = in_range(subject)
    if values.level == "error":
        return [values]  # every other check would stumble over the same values
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")  # `gradients_reach` says it
        findings = [check(subject) for check in CHECKS]
        findings += learned_by_heart(subject)
    return [values, *(finding for finding in findings if finding is not None)]


def in_range(subject: Subject) -> Finding:
    """Inputs are finite, ids are in the vocabulary, labels are classes (A142, A161)."""
    wrong = []
    for name, array in (("inputs", subject.x), ("targets", subject.batch[1])):
        for leaf in map(np.asarray, tf.nest.flatten(array)):
            if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
                rows = np.unique(np.argwhere(~np.isfinite(leaf))[:, 0])
                wrong.append(f"{name} are not finite in rows {first_few(rows, len(rows))}")
    rows_of_table = _vocabulary(subject.model)
    ids = np.asarray(subject.x)
    if rows_of_table and ids.dtype.kind in "iu" and ids.size:
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= rows_of_table:
            wrong.append(
                f"ids go from {low:,} to {high:,} and the table has {rows_of_table:,} rows"
            )
    y = subject.y
    if y.dtype.kind in "iu" and (y.min() < 0 or y.max() >= subject.classes):
        wrong.append(
            f"targets go from {y.min()} to {y.max()}, and there are {subject.classes:,} classes"
        )
    advice = ("A142", "A161")
    if wrong:
        hint = "Mend the data: `zoo data` names the rows."
        return Finding("error", f"{'; '.join(wrong)}.", {}, hint, "values", advice)
    what = f"values: {len(y):,} rows are finite, and ids and labels are in range."
    return Finding("info", what, {"rows": len(y)}, "", "values", advice)


def shuffled(subject: Subject) -> Finding | None:
    """Batches have the classes in a changing order, not one after the other (A123).

    Batches of texts of one length have other shares than those of another: that is no order. What
    is sorted has shares that are nearly those of the batch before.
    """
    shares = [
        np.bincount(y, minlength=subject.classes) / len(y)
        for y in subject.targets
        if y.ndim == 1 and y.dtype.kind in "iu" and len(y) >= FEWEST
    ]
    if len(shares) < BATCHES:
        return None
    table = np.asarray(shares)
    around = float(((table - table.mean(0)) ** 2).sum())
    alone = subject.classes > 1 and bool((table == 1).any(1).all())
    # Of batches in any order the ratio is 2 on average (von Neumann 1941), of sorted ones near 0.
    by_chance = 0.0 if alone else 2.0
    ratio = float((np.diff(table, axis=0) ** 2).sum()) / around if around else by_chance
    evidence = {"batches": len(table), "ratio": ratio}
    if ratio < SORTED:
        what = f"the shares of the classes in {len(table)} batches are nearly those of the batch "
        what += "before: the rows come sorted."
        hint = "Shuffle them: a network forgets the classes it does not see."
        return Finding("warning", what, evidence, hint, "shuffled", ("A123", "A152"))
    what = f"the classes come in no order in {len(table)} batches."
    return Finding("info", what, evidence, "", "shuffled", ("A123",))


def batch_size(subject: Subject) -> Finding | None:
    """A batch has rows enough for a gradient that is no noise (A45)."""
    rows = len(subject.y)
    if rows >= FEWEST:
        return None
    what = f"a batch has {rows} rows: the gradient of so few is mostly noise."
    hint = "Raise data.batch_size: too large a batch rarely hurts, too small a one can (A45)."
    return Finding("warning", what, {"rows": rows}, hint, "batch-size", ("A45", "A154"))


def frozen(subject: Subject) -> Finding | None:
    """What is not trained was trained before (A152)."""
    model = subject.model
    fixed = [
        layer.name
        for layer in model._flatten_layers()
        if not layer.trainable and layer is not model and len(layer.weights) > 0
    ]
    if not fixed or not subject.random:
        return None
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    share = 1 - trained / max(model.count_params(), 1)
    what = f"{first_few(fixed, len(fixed))} are not trained, {share:.0%} of the weights, and "
    what += "start at random: they stay so."
    hint = "Start from weights (--init), or train all: recipe.fine_tuning.name=uniform."
    return Finding("warning", what, {"layers": fixed, "share": share}, hint, "frozen", ("A152",))


def same_twice(subject: Subject) -> Finding:
    """The same batch twice in inference gives the same outputs (A88)."""
    first, second = subject.outputs(subject.x), subject.outputs(subject.x)
    apart = float(np.abs(first - second).max())
    evidence = {"difference": apart}
    if apart > SAME * max(1.0, float(np.abs(first).max())):  # a GPU may round otherwise
        what = f"the same batch twice in inference differs by {apart:.2g}."
        hint = "Look for dropout, noise or a state that does not ask whether it is trained."
        return Finding("error", what, evidence, hint, "same-twice", ("A88",))
    what = "inference: the same batch twice gives the same outputs."
    return Finding("info", what, evidence, "", "same-twice", ("A88",))


def modes(subject: Subject) -> Finding:
    """Training and inference differ where layers say so, and nowhere else (A88)."""
    layers = [layer for layer in subject.model._flatten_layers() if _differs_in_training(layer)]
    names = [layer.name for layer in layers]
    with left_as_it_was(subject.model, lambda: [subject.batch]):
        inference, training = subject.outputs(subject.x), subject.outputs(subject.x, True)
    apart = not np.allclose(inference, training, SAME, SAME)
    evidence = {"layers": names, "differ": apart}
    advice = ("A88",)
    if apart == bool(names):
        listed = f": {first_few(names, len(names))}" if names else ""
        what = f"training and inference {'differ' if apart else 'are the same'}, as they should"
        return Finding("info", f"{what}{listed}.", evidence, "", "modes", advice)
    if names:
        what = f"{first_few(names, len(names))} should make training differ from inference, and "
        what += "the outputs are the same: they do nothing yet, or are switched off."
        return Finding("info", what, evidence, "", "modes", advice)
    what = "training and inference differ, and no layer of the network has two modes."
    hint = "Look for a layer of your own that does not pass `training` on."
    return Finding("warning", what, evidence, hint, "modes", advice)


def first_loss(subject: Subject) -> Finding | None:
    """The first loss is that of a guess (A159)."""
    guess = subject.guess()
    if guess is None:
        return None
    loss, even = subject.loss(subject.batch), math.log(subject.classes)
    evidence = {"loss": loss, "guess": guess, "even": even}
    advice = ("A159", "A165")
    # Small outputs give every class the same share: more than a guess by the shares where one
    # class is rare.
    if loss > LARGE * even + 0.1:
        what = f"the first loss, {loss:.3g}, is {loss / even:.1f} times that of even chances, "
        what += f"{even:.3g}: the outputs are large before anything is learned."
        hint = "Normalise the inputs, and start the last layer with smaller weights."
        return Finding("warning", what, evidence, hint, "first-loss", advice)
    what = f"first loss: {loss:.3g}; even chances have {even:.3g}"
    what += "." if guess == even else f", a guess by the shares of the classes {guess:.3g}."
    if subject.random and loss < HALF * guess:
        hint = "Nothing was trained yet: is the label in the input?"
        return Finding("warning", what, evidence, hint, "first-loss", advice)
    return Finding("info", what, evidence, "", "first-loss", advice)


def gradients_reach(subject: Subject) -> Finding:
    """The gradient reaches every variable that is trained (A152)."""
    model = subject.model
    batch = tf.nest.map_structure(tf.convert_to_tensor, subject.batch)
    with left_as_it_was(model, lambda: [subject.batch]) as (rate, _):
        rate.assign(subject.rate)
        steps = train_steps(model, lambda: tf.data.Dataset.from_tensors(subject.batch).repeat())
        for _ in range(2):  # what starts at zero on purpose lets a gradient pass once it has moved
            next(steps)
        gradients = tf.function(
            lambda parts: model._gradients(*keras.utils.unpack_x_y_sample_weight(parts))[0]
        )(batch)
    without = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=False)
        if gradient is None or not np.any(_dense(gradient))
    ]
    broken = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=False)
        if gradient is not None and not np.isfinite(_dense(gradient)).all()
    ]
    number = len(model.trainable_variables)
    evidence = {"variables": number, "without": without, "not_finite": broken}
    advice = ("A152", "A164")
    if broken:
        what = f"the gradient of {first_few(broken, len(broken))} is not finite."
        hint = "Look at what this layer gets and divides by."
        return Finding("error", what, evidence, hint, "gradients", advice)
    if without:
        what = f"no gradient reaches {len(without)} of {number} variables, after two steps: "
        what += f"{first_few(without, len(without))}."
        hint = "Look for a dead activation, or a layer that is cut off."
        return Finding("warning", what, evidence, hint, "gradients", advice)
    what = f"gradients reach all {number} variables."
    return Finding("info", what, evidence, "", "gradients", advice)


def rows_apart(subject: Subject) -> Finding | None:
    """No row of a batch changes the outputs of another in inference (A142)."""
    x = np.asarray(subject.x)
    if len(x) < 3 or np.array_equal(x[0], x[1]):
        return None
    changed = x.copy()
    changed[0] = x[1]
    outputs = subject.outputs(x)
    apart = np.abs(outputs[1:] - subject.outputs(changed)[1:])
    norms = [
        layer.name for layer in subject.model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]  # fmt: skip
    evidence = {"difference": float(apart.max()), "batch_norms": len(norms)}
    if apart.max() > SAME * max(1.0, float(np.abs(outputs).max())):
        what = f"a row changes the outputs of other rows of its batch, by {apart.max():.2g}."
        hint = "Look for a reshape, or an axis that is that of the rows."
        return Finding("error", what, evidence, hint, "rows-apart", ("A142",))
    but = f"; in training {len(norms)} batch norms join them, as they should" if norms else ""
    return Finding(
        "info", f"rows of a batch do not change each other{but}.", evidence, "", "rows-apart",
        ("A142",),
    )  # fmt: skip


def padding_ignored(subject: Subject) -> Finding | None:
    """More padding behind a text changes nothing."""
    x = np.asarray(subject.x)
    if x.dtype.kind not in "iu" or x.ndim != 2 or subject.y.ndim == x.ndim:
        return None
    longer = np.pad(x, ((0, 0), (0, 8)))
    apart = float(np.abs(subject.outputs(x) - subject.outputs(longer)).max())
    evidence = {"difference": apart}
    if apart > 1e-3:
        what = f"eight more ids of padding behind each text change the outputs by {apart:.2g}."
        hint = "Look for a layer that does not mask id 0."
        return Finding("warning", what, evidence, hint, "padding", ("A88",))
    what = "padding behind a text changes nothing."
    return Finding("info", what, evidence, "", "padding", ("A88",))


def layer_ranges(subject: Subject) -> Finding:
    """Outputs of layers have a deviation of .5 to 2, and units that are not dead (A145)."""
    deviations, dead = layer_outputs(subject.model, subject.x)
    # What starts at zero on purpose, as the last norm of a block, is no output that vanishes.
    far = {name: value for name, value in deviations.items() if value and not 1e-3 < value < 100}
    inside = sum(0.5 <= value <= 2.0 for value in deviations.values())
    evidence = {"deviations": deviations, "dead": dead}
    advice = ("A145", "A89")
    half = {name: share for name, share in dead.items() if share > HALF}
    if half:
        listed = first_few([f"{name} {share:.0%}" for name, share in half.items()], len(half))
        what = f"units that answer no row of the batch: {listed}."
        hint = "Lower the learning rate, or start biases at 0 and weights by He (A112, A113)."
        return Finding("warning", what, evidence, hint, "layers", ("A145", "A152"))
    if far:
        listed = first_few([f"{name} {value:.2g}" for name, value in far.items()], len(far))
        what = f"outputs vanish or explode: their deviation is {listed}."
        hint = "Normalise the inputs, or start the layer before with other weights."
        return Finding("warning", what, evidence, hint, "layers", advice)
    what = f"outputs of {inside} of {len(deviations)} layers have a deviation of .5 to 2"
    if deviations:
        lowest, highest = min(deviations.values()), max(deviations.values())
        what += f", all of {lowest:.2g} to {highest:.2g}"
    return Finding("info", f"{what}.", evidence, "", "layers", advice)


def _dense(gradient: Any) -> np.ndarray:
    return np.asarray(gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient)


def _vocabulary(model: keras.Model) -> int:
    """Return the rows of the table that the ids of the input are rows of; 0 without one."""
    tables = [layer for layer in model.layers if layer.name == "embedding"]
    return int(getattr(tables[0], "input_dim", 0)) if tables else 0


def _differs_in_training(layer: Any) -> bool:
    """Whether a layer has two modes, and is not switched off."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return bool(layer.trainable)
    rates: Sequence[Any] = [
        getattr(layer, name, 0) or 0 for name in ("rate", "dropout", "stddev", "word_dropout")
    ]
    return any(isinstance(rate, int | float) and rate > 0 for rate in rates)


CHECKS: tuple[Callable[[Subject], Finding | None], ...] = (
    shuffled,
    batch_size,
    frozen,
    same_twice,
    modes,
    first_loss,
    layer_ranges,
    gradients_reach,
    rows_apart,
    padding_ignored,
)
