"""Which epoch to keep: rules for `recipe.monitor`, by what the weights they pick are worth.

Training data are cut into a part to train on and one that no rule sees, the judge; the test split
is not read. Of the first, the preset's `validation_fraction` validates. After every epoch the
weights that were validated are scored on both; each rule then picks an epoch by validation alone,
and is worth what the judge says of it.

Options: data=trec,mr,... seeds=0,1,2 rows=500 (0: all) judged=1000
model=textcnn preset=default
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import FLOORS, files, read_csv
from zoo.tasks.request import Request

Curve = Sequence[float]


def measure(
    data: str = ",".join(FLOORS),
    seeds: str = "0,1,2",
    rows: str = "500",
    judged: str = "1000",
    model: str = "textcnn",
    preset: str = "default",
) -> Iterator[dict[str, Any]]:
    """Train once a set and seed; yield what each rule picked and what it was worth."""
    for name in data.split(","):
        for seed in seeds.split(","):
            yield one(model, preset, name, int(seed), int(rows), int(judged))


def one(model: str, preset: str, name: str, seed: int, rows: int, judged: int) -> dict[str, Any]:
    """Train once; compare the rules."""
    started = time.perf_counter()
    train, judge = _parts(name, seed, rows, judged)
    curves, validated = _curves(model, preset, train, judge, seed)
    picked = {rule: pick(curves) for rule, pick in RULES.items()}
    return {
        "id": f"{model}/{preset} {name} {rows or 'all'} rows seed {seed}",
        "preset": f"{model}/{preset}",
        "data": name,
        "seed": seed,
        "rows": len(train[0]),
        "validated": validated,
        "judged": len(judge[0]),
        "epochs": len(curves["loss"]),
        "most_equal": _most_equal(curves["accuracy"], validated),
        "rules": {
            rule: {
                "epoch": epoch + 1,
                "accuracy": round(curves["judged_accuracy"][epoch], 5),
                "loss": round(curves["judged_loss"][epoch], 5),
            }
            for rule, epoch in picked.items()
        },
        "minutes": (time.perf_counter() - started) / 60,
    }


def _first(curves: dict[str, Curve]) -> int:
    return int(np.argmax(curves["accuracy"]))


def _tie_to_loss(curves: dict[str, Curve]) -> int:
    pairs = zip(curves["accuracy"], curves["loss"], range(len(curves["loss"])), strict=True)
    return min(pairs, key=lambda epoch: (-round(epoch[0], 6), epoch[1], epoch[2]))[2]


def _loss(curves: dict[str, Curve]) -> int:
    return int(np.argmin(curves["loss"]))


def _smoothed(curves: dict[str, Curve]) -> int:
    """Pick the last of the three epochs with the highest mean accuracy; a tie goes to the loss."""
    accuracy = np.asarray(curves["accuracy"])
    mean = [accuracy[max(epoch - 2, 0) : epoch + 1].mean() for epoch in range(len(accuracy))]
    return _tie_to_loss({"accuracy": mean, "loss": curves["loss"]})


def _last(curves: dict[str, Curve]) -> int:
    return len(curves["loss"]) - 1


RULES = {
    "accuracy, first of ties": _first,
    "accuracy, ties to the loss": _tie_to_loss,
    "loss": _loss,
    "accuracy of three epochs": _smoothed,
    "last epoch": _last,
}


def _most_equal(accuracy: Curve, rows: int) -> int:
    """Return how many epochs have the best accuracy."""
    right = np.round(np.asarray(accuracy) * rows)
    return int((right == right.max()).sum())


def _parts(name: str, seed: int, rows: int, judged: int) -> tuple[Any, Any]:
    """Return `(texts, labels)` to train on and to judge by, of the training part alone."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        header, *read = read_csv(files(name, Path(folder))["data"])
    text, label = header.index("text"), header.index("label")
    # A text in both parts would be memorised.
    seen = list({row[text]: row[label] for row in read}.items())
    order = np.random.default_rng(seed).permutation(len(seen))
    judge, rest = order[: min(judged, len(seen) // 3)], order[min(judged, len(seen) // 3) :]
    chosen = _with_all_classes(rest[: rows or None], rest, [label for _, label in seen])
    return tuple(
        ([seen[index][0] for index in part], [seen[index][1] for index in part])
        for part in (chosen, judge)
    )


def _with_all_classes(part: np.ndarray, rest: np.ndarray, labels: list[str]) -> np.ndarray:
    """Return a part with two rows of every class, so that each can be trained and validated."""
    chosen = list(part)
    for label in sorted(set(labels)):
        missing = 2 - sum(labels[index] == label for index in part)
        more = [index for index in rest[len(part) :] if labels[index] == label]
        chosen += more[: max(missing, 0)]
    return np.array(chosen)


def _curves(
    model: str, preset: str, train: Any, judge: Any, seed: int
) -> tuple[dict[str, list[float]], int]:
    """Return the scores of every epoch on both parts, and the number of validated rows."""
    import keras

    from zoo.builders import build
    from zoo.preset.loading import load_preset
    from zoo.tasks.text_classification.data import load_data

    chosen = load_preset(model, preset)
    keras.utils.set_random_seed(seed)
    with load_data(
        Request(train, test=judge, seed=seed),
        settings=chosen.data,
        vocabulary_size=chosen.architecture.vocabulary_size,
    ) as data:
        sizes = {
            "architecture.num_classes": len(data.classes),
            "architecture.vocabulary_size": data.tokenizer.vocabulary_size,
        }
        network = build(chosen.override(sizes))
        judged = data.dataset("test")
        curves: dict[str, list[float]] = {
            name: [] for name in ("accuracy", "loss", "judged_accuracy", "judged_loss")
        }

        def score(epoch: int, logs: dict[str, float]) -> None:
            # At the end of an epoch the model has the weights that were validated.
            scores = network.evaluate(judged, verbose=0, return_dict=True)
            for name in ("accuracy", "loss"):
                curves[name].append(float(logs[f"val_{name}"]))
                curves[f"judged_{name}"].append(float(scores[name]))

        network.fit(
            data.dataset("train"),
            validation_data=data.dataset("validation"),
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=score)],
            verbose=0,
        )
        return curves, len(data.validation)
