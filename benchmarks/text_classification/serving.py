"""What serving a text classifier takes: megabytes, milliseconds a request, texts a second.

A run is trained for one epoch on some rows, since weights decide nothing here but the labels, and
exported as a SavedModel and for TensorFlow Lite, in float32 and with weights of 8 bits. Requests
are texts of the test part, one or 32 of them, from strings to probabilities: the SavedModel's
`serve`, or its tokenizer and then the interpreter, in turn in one process. `zoo predict` reads a
file of lines, as the command does after its start.
Options: models=textcnn/default;transformer/minilm data=mr rows=2000 rounds=5 requests=40
"""

from __future__ import annotations

import os
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import files, read_rows
from benchmarks.timing import time_in_turn

SHORT = {"recipe.epochs": 1, "recipe.min_steps": 0}
TRAINED = 640  # rows
SIZES = (1, 32)  # texts of a request
Serve = Callable[[Sequence[str]], np.ndarray]  # from texts to probabilities


def measure(
    models: str = "textcnn/default;transformer/minilm",
    data: str = "mr",
    rows: str = "2000",
    rounds: str = "5",
    requests: str = "40",
) -> Iterator[dict[str, Any]]:
    """Yield one entry a model and form of export, and one of its `zoo predict`."""
    import zoo

    for model in models.split(";"):
        with tempfile.TemporaryDirectory(prefix="zoo-benchmark-") as name:
            folder = Path(name)
            parts = files(data, folder)
            texts, labels = read_rows(parts["data"])
            family, _, preset = model.partition("/")
            order = np.random.default_rng(0).permutation(len(texts))[:TRAINED]
            few = ([texts[row] for row in order], [labels[row] for row in order])
            run = zoo.train(
                family, few, preset=preset, set=SHORT, out=folder / "run", verbose=False
            )
            test, _ = read_rows(parts["test"])
            for form in _forms(run, folder, test, int(rounds), int(requests)):
                yield {"id": f"{model} {form['form']}", "model": model, **form}
            yield {
                "id": f"{model} zoo predict",
                "model": model,
                "form": "zoo predict",
                "texts_per_second": _texts_per_second(
                    run, test, int(rows), int(rounds), folder / "lines.txt"
                ),
            }


def _forms(
    run: Any, folder: Path, texts: list[str], rounds: int, requests: int
) -> Iterator[dict[str, Any]]:
    """Yield size, milliseconds and agreement of each form of export."""
    whole = run.export(folder / "serving")
    lite, small = (
        run.export(folder / kind, "tflite", quantize)
        for kind, quantize in (("lite", None), ("small", "int8"))
    )
    forms: dict[str, tuple[Path, Serve]] = {
        "SavedModel": (whole, _saved_model(whole)),
        "TensorFlow Lite": (lite / "model.tflite", _lite(lite)),
        "TensorFlow Lite, int8": (small / "model.tflite", _lite(small)),
    }
    timings = {}
    for size in SIZES:
        asked = [texts[start : start + size] for start in range(0, len(texts), size)][:requests]
        contestants = {form: _all(serve, asked) for form, (_, serve) in forms.items()}
        timings[size] = time_in_turn(contestants, rounds, steps=len(asked))
    answers = {form: serve(texts[:1000]).argmax(axis=1) for form, (_, serve) in forms.items()}
    for form, (path, _) in forms.items():
        yield {
            "form": form,
            "megabytes": _bytes(path) / 1e6,
            **{f"milliseconds_{size}": timings[size].milliseconds(form) for size in SIZES},
            "same_labels": float(np.mean(answers[form] == answers["SavedModel"])),
        }


def _saved_model(folder: Path) -> Serve:
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  (its ops are in the graph)

    served = tf.saved_model.load(str(folder))
    return lambda texts: served.serve(tf.constant(texts))["probabilities"].numpy()


def _lite(folder: Path) -> Serve:
    import tensorflow as tf

    with warnings.catch_warnings():  # the interpreter moves to a package of its own
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(
            str(folder / "model.tflite"), num_threads=len(os.sched_getaffinity(0))
        )
    tokenizer = tf.saved_model.load(str(folder / "tokenizer"))
    classify = interpreter.get_signature_runner("classify")

    def serve(texts: Sequence[str]) -> np.ndarray:
        return classify(ids=tokenizer.tokenize(tf.constant(texts))["ids"].numpy())["probabilities"]

    return serve


def _all(serve: Serve, requests: list[list[str]]) -> Callable[[], None]:
    def ask() -> None:
        for texts in requests:
            serve(texts)

    return ask


def _bytes(path: Path) -> int:
    written = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in written if file.is_file())


def _texts_per_second(run: Any, texts: list[str], rows: int, rounds: int, path: Path) -> float:
    lines = [" ".join(text.split()) or "-" for text in texts]
    path.write_text("".join(f"{lines[row % len(lines)]}\n" for row in range(rows)), "utf-8")

    def predict() -> None:
        for _ in run.iter_predictions(path):
            pass

    seconds = time_in_turn({"predict": predict}, rounds, steps=rows).seconds["predict"]
    return 1 / statistics.median(seconds)
