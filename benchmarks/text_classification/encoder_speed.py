"""Training steps of MiniLM's network: the zoo, PyTorch and KerasHub, a process each, in turn.

Every round trains all of them one after the other on the same rows: batches of 32 of a set's texts
as WordPiece ids, cut from 1,024 rows sorted by length, as `zoo train` and the PyTorch program do;
`steps` of them are spread evenly over the lengths. Weights are random, which speed does not depend
on. Ratios are medians over rounds of the ratios within a round, at the same precision.

The zoo is the preset `minilm` in `fit`, without R-Drop, which the others do not have; `r_drop` is
the preset as it is, in bfloat16. PyTorch has fused attention and AdamW, and bfloat16 by autocast.
KerasHub is `BertTextClassifier` in float32 on rows of 128 tokens, to which its preprocessor pads
every one (to 512 unless told), two batches a round. A framework that is not installed is left out
and said; `kerashub` may name the Python of another environment that has it.
Options: data=trec,mr rounds=3 steps=8 kerashub=PYTHON
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import files, read_rows
from benchmarks.timing import Timings

ROOT = Path(__file__).resolve().parents[2]
BATCH, POOL, LENGTH = 32, 1024, 128
CONTESTANTS = ("zoo", "zoo_bfloat16", "r_drop", "pytorch", "pytorch_bfloat16", "kerashub")
PAIRS = (("zoo", "pytorch"), ("zoo_bfloat16", "pytorch_bfloat16"), ("zoo", "kerashub"))
Batches = list[tuple[np.ndarray, np.ndarray]]


class Contestant:
    """A process that trains on the batches of a file whenever it is asked to.

    Args:
        name: of `CONTESTANTS`.
        python: its interpreter.
    """

    def __init__(self, name: str, python: str):
        module = "benchmarks.text_classification.encoder_contestant"
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        self.name = name
        self.process = subprocess.Popen(
            [python, "-m", module, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            encoding="utf-8", env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip

    def answer(self) -> dict[str, Any]:
        """Return its next line; the first has the versions of its framework."""
        line = self.process.stdout.readline()
        answer = json.loads(line or '{"missing": "its process ended, for the reason above"}')
        if "missing" in answer:
            print(f"encoder_speed: without {self.name}: {answer['missing']}", file=sys.stderr)
        return answer

    def seconds(self, path: Path) -> float:
        """Return those of a step on the batches of a file."""
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        return self.answer()["seconds"]


def measure(
    data: str = "trec,mr", rounds: str = "3", steps: str = "8", kerashub: str = sys.executable
) -> Iterator[dict[str, Any]]:
    """Yield one entry a set: medians in milliseconds a step, and how many times faster the zoo is.

    Args:
        data: names of sets.
        rounds: rounds that count, after a first one.
        steps: batches of a round.
        kerashub: the Python that has KerasHub.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as processes:
        contestants = [
            Contestant(name, kerashub if name == "kerashub" else sys.executable)
            for name in CONTESTANTS
        ]
        for contestant in contestants:
            processes.enter_context(contestant.process)
        answers = {contestant: contestant.answer() for contestant in contestants}
        present = {one: answer for one, answer in answers.items() if "missing" not in answer}
        frameworks = {key: answer[key] for answer in present.values() for key in answer}
        for name in data.split(","):
            batches = batches_of(name, int(steps))
            path = Path(folder) / f"{name}.npz"
            np.savez(path, *(array for batch in batches for array in batch))
            seconds: dict[str, list[float]] = {one.name: [] for one in present}
            for number in range(int(rounds) + 1):
                for one in present:
                    second = one.seconds(path)
                    if number:
                        seconds[one.name].append(second)
            yield _entry(name, batches, Timings(seconds)) | {"frameworks": frameworks}


def batches_of(name: str, steps: int) -> Batches:
    """Return batches of int32 ids `(32, time)`, 0 at the end of shorter rows, and labels.

    Args:
        name: of the set.
        steps: how many batches, at most 32.
    """
    from zoo.starts.resolve import resolve_start

    with tempfile.TemporaryDirectory() as folder:
        texts, labels = read_rows(files(name, Path(folder))["data"])
    generator = np.random.default_rng(0)
    chosen = generator.choice(len(texts), POOL, replace=False)
    ids = resolve_start("minilm").tokenizer.encode_dense([texts[row] for row in chosen], LENGTH)
    x, y = ids.numpy(), np.unique(labels, return_inverse=True)[1][chosen].astype(np.int32)
    lengths = (x > 0).sum(axis=1)
    by_length = np.argsort(lengths, kind="stable").reshape(-1, BATCH)
    taken = (np.arange(steps) + 0.5) * len(by_length) / steps
    rows = by_length[generator.permutation(taken.astype(int))]
    return [(x[batch, : lengths[batch].max()], y[batch]) for batch in rows]


def _entry(name: str, batches: Batches, timings: Timings) -> dict[str, Any]:
    tokens = sum(int((x > 0).sum()) for x, _ in batches)
    entry: dict[str, Any] = {"id": name, "tokens_a_row": tokens / (BATCH * len(batches))}
    entry["padding"] = 1 - tokens / sum(x.size for x, _ in batches)
    for who in timings.seconds:
        entry[f"{who}_milliseconds"] = timings.milliseconds(who)
    for ours, theirs in PAIRS:
        if {ours, theirs} <= set(timings.seconds):
            entry[f"{ours}_faster_than_{theirs.removesuffix('_bfloat16')}"] = timings.times(
                theirs, ours
            )
    return entry
