"""Training runs that are broken on purpose, and sound ones: what makes each, and its verdicts.

Those that the commands would refuse, or cannot be asked for, are networks of their own here.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import files, folder_of, read_rows
from zoo.finding import Finding

RATE = "recipe.optimizer.learning_rate"
FEW = {"recipe.epochs": 8}
IMAGES = {"recipe.epochs": 6, "data.evaluation_size": None}
Verdicts = Callable[[int, Path], list[Finding]]


def commands(
    model: str,
    data: Callable[[Path, int], Mapping[str, str]],
    changes: Mapping[str, Any],
    fraction: float = 1.0,
) -> Verdicts:
    """Return what `zoo check`, `zoo train` and `zoo diagnose` find, in this order.

    Args:
        model: MODEL/PRESET.
        data: from a folder to write into and a seed to the files of `data`, and of other parts.
        changes: values in place of the preset's.
        fraction: share of the training part.
    """

    def findings(seed: int, folder: Path) -> list[Finding]:
        import zoo

        name, _, preset = model.partition("/")
        parts = dict(data(folder, seed))
        common: dict[str, Any] = {"preset": preset or "default", "set": changes, "seed": seed}
        found = zoo.check(name, parts["data"], fraction=fraction, **common)
        try:
            run = zoo.train(
                name, **parts, fraction=fraction, out=folder / "run", verbose=False, **common
            )
        except zoo.ZooError:
            return found + (zoo.diagnose(folder / "run") if (folder / "run").is_dir() else [])
        return [*found, *zoo.diagnose(run)]

    return findings


def rows_of(name: str) -> Callable[[Path, int], Mapping[str, str]]:
    """Return a set as it is."""
    return lambda folder, seed: {"data": files(name, folder)["data"]}


def bundled(folder: Path, seed: int) -> Mapping[str, str]:
    """Return the messages that come with the zoo, of which an eighth is spam."""
    from zoo.tasks.task import load_task

    return {"data": str(load_task("text-classification").bundled())}


def shuffled_labels(folder: Path, seed: int) -> Mapping[str, str]:
    """Return mr with its labels in another order."""
    texts, labels = read_rows(files("mr", folder)["data"])
    order = np.random.default_rng(seed).permutation(len(labels))
    return {"data": _write(folder, texts, [labels[row] for row in order])}


def copied_rows(folder: Path, seed: int) -> Mapping[str, str]:
    """Return mr, and as its test part rows that it trains on."""
    texts, labels = read_rows(files("mr", folder)["data"])
    chosen = np.random.default_rng(seed).permutation(len(texts))[:400]
    test = folder / "copies"
    test.mkdir()
    copies = _write(test, [texts[row] for row in chosen], [labels[row] for row in chosen])
    return {"data": files("mr", folder)["data"], "test": copies}


def photographs(folder: Path, seed: int) -> Mapping[str, str]:
    """Return the 2,000 images of cifar10_folder."""
    return {"data": str(folder_of("cifar10_folder") / "train")}


def sentences(folder: Path, seed: int) -> Mapping[str, str]:
    """Return 70,000 words of the Penn Treebank."""
    return {"data": str(folder_of("ptb") / "valid.txt")}


def network(kind: str) -> Verdicts:
    """Return what is found on a small network of its own, with one fault.

    Args:
        kind: `softmax`, `sign`, `sorted`, `nan`, `ids` or `dead`.
    """

    def findings(seed: int, folder: Path) -> list[Finding]:
        import keras

        import zoo
        from zoo.diagnosis.checks import check_model
        from zoo.diagnosis.subject import Subject
        from zoo.training.model import TrainingModel

        keras.utils.set_random_seed(seed)
        generator = np.random.default_rng(seed)
        x = generator.normal(size=(1024, 20)).astype("float32")
        y = (x[:, :5].sum(axis=1) > 0).astype("int32")
        if kind == "sorted":
            order = np.argsort(y, kind="stable")
            x, y = x[order], y[order]
        if kind == "nan":
            x[int(generator.integers(32)), 3] = np.nan
        if kind == "ids":
            x = generator.integers(1, 500, (1024, 20)).astype("int32")
            x[int(generator.integers(32)), 7] = 500
        inputs = keras.Input(x.shape[1:], dtype=str(x.dtype))
        hidden: Any = inputs
        if kind == "ids":
            hidden = keras.layers.Embedding(500, 8, name="embedding")(hidden)
            hidden = keras.layers.GlobalAveragePooling1D()(hidden)
        start = keras.initializers.Constant(-30.0 if kind == "dead" else 0.0)
        hidden = keras.layers.Dense(32, "relu", bias_initializer=start, name="hidden")(hidden)
        outputs = keras.layers.Dense(2, "softmax" if kind == "softmax" else None)(hidden)
        if kind == "softmax":  # Keras sees one that is the last layer, and takes it back
            outputs = keras.layers.Rescaling(1.0)(outputs)
        model = TrainingModel(inputs, outputs)
        loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if kind == "sign":
            right = loss

            def loss(targets: Any, logits: Any) -> Any:
                return -right(targets, logits)

        model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
        batches = [y[row : row + 32] for row in range(0, len(y), 32)]
        subject = Subject(model, (x[:32], y[:32]), 1e-2, steps=256, targets=batches)
        found = check_model(subject)
        if any(finding.level == "error" for finding in found):
            return found
        fitted = model.fit(
            x, y, batch_size=32, epochs=8, verbose=0, shuffle=kind != "sorted",
            validation_split=0.2,
        )  # fmt: skip
        return found + zoo.diagnose(fitted, classes=2)

    return findings


def _write(folder: Path, texts: list[str], labels: list[str]) -> str:
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    return str(path)


# What each run should be told first; any of the names is right.
BROKEN: dict[str, tuple[tuple[str, ...], Verdicts]] = {
    "rate x 100": (
        ("rate-too-high", "blow-up", "not-finite"),
        commands("textcnn", rows_of("mr"), FEW | {RATE: 0.2}, 0.25),
    ),
    "rate / 1,000": (
        ("rate-too-low",), commands("textcnn", rows_of("mr"), FEW | {RATE: 2e-6}, 0.25),
    ),
    "labels shuffled": (("memorised",), commands("textcnn", shuffled_labels, FEW, 0.25)),
    "inputs not normalised": (
        ("first-loss", "layers"),
        commands("resnet/debug", photographs, IMAGES | {
            "architecture.norm": "none",
            "architecture.pixel_mean": [0.0, 0.0, 0.0],
            "architecture.pixel_std": [1.0, 1.0, 1.0],
        }),
    ),
    "softmax twice": (("loss-of-other-outputs",), network("softmax")),
    "batch of 2": (
        ("batch-size",), commands("lstm_lm/small", sentences, FEW | {"data.batch_size": 2}),
    ),
    "sorted, not shuffled": (("shuffled",), network("sorted")),
    "test part in training": (("shared-rows",), commands("textcnn", copied_rows, FEW, 0.25)),
    "augmentation too strong": (
        ("augmentation-too-strong",),
        commands("resnet/fast-cifar", photographs, {
            "data.randaugment_ops": 3, "data.randaugment_magnitude": 1.0, "data.erasing": 1.0,
        }),
    ),
    "frozen body": (
        ("frozen",),
        commands("textrnn", rows_of("mr"), FEW | {
            "recipe.fine_tuning.name": "by-block", "recipe.fine_tuning.frozen_blocks": "all",
        }, 0.25),
    ),
    "sign of the loss": (("wrong-sign",), network("sign")),
    "a row with NaN": (("values",), network("nan")),
    "an id beyond the vocabulary": (("values",), network("ids")),
    "dead ReLUs": (("layers",), network("dead")),
}  # fmt: skip
# The presets as they are.
SOUND: dict[str, Verdicts] = {
    "textcnn, mr": commands("textcnn", rows_of("mr"), {}, 0.25),
    "textcnn, trec": commands("textcnn", rows_of("trec"), {}),
    "textcnn, subj": commands("textcnn", rows_of("subj"), {}, 0.25),
    "textcnn, sms_spam": commands("textcnn", bundled, {}),
    "fasttext, trec": commands("fasttext", rows_of("trec"), {}),
    "textrnn, mr": commands("textrnn", rows_of("mr"), {}, 0.25),
    "transformer, trec": commands("transformer", rows_of("trec"), {}, 0.5),
    "resnet/fast-cifar, cifar10_folder": commands("resnet/fast-cifar", photographs, {}),
    "lstm_lm/small, ptb": commands("lstm_lm/small", sentences, {}),
}


def first_verdict(make: Verdicts, seed: int) -> tuple[str, str, str]:
    """Return level, name and words of what a run is told first; the best it can be is `info`."""
    with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as folder:
        found = make(seed, Path(folder))
    for level in ("error", "warning"):
        for finding in found:
            if finding.level == level and finding.name:
                return level, finding.name, finding.what
    return "info", found[-1].name, found[-1].what
