"""Peak memory of language models: a step over 50,000 words, and training on a large corpus.

Each in a process of its own, measured by the operating system. The step: 2 x 256 tied, 64 rows of
70 tokens, by the zoo and by plain Keras, whose logits take 0.9 GB. The corpora are WikiText-2's
training text over and over, each time with a number of its own in every line. All of it is
tokenized; the model is small, of 2,000 words, and its training is stopped after some minutes, since
an epoch of a billion tokens would take hours.
Options: small=50 large=5000 (megabytes) minutes=4 (of training, at the most)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import files, open_text
from benchmarks.training_runs import peak_megabytes, train_command

SMALL = {
    "recipe.epochs": 1,
    "data.batch_size": 256,
    "data.window": 512,
    "data.validation_fraction": 0.001,
    "architecture.hidden_dim": 16,
    "architecture.embedding_dim": 16,
    "architecture.vocabulary_size": 2000,
}

STEP = """
import sys
import numpy as np
import tensorflow as tf
import keras

(peer,) = sys.argv[1:]
ids = np.random.default_rng(0).integers(0, 50_000, (64, 70)).astype("int32")
if peer == "zoo":
    import zoo
    changes = {
        "architecture.vocabulary_size": 50_000, "data.batch_size": 64,
        "architecture.num_layers": 2, "architecture.hidden_dim": 256,
        "architecture.embedding_dim": 256, "recipe.dtype_policy": "float32",
    }
    from zoo.builders import build
    model = build(zoo.load_preset("lstm_lm", "default", changes))
    step = tf.function(model.train_step, autograph=False)
    batch = ({"tokens": tf.constant(ids), "reset": tf.zeros(64, tf.bool)}, tf.constant(ids))
else:
    tokens = keras.Input((70,), batch_size=64, dtype="int32")
    table = keras.layers.ReversibleEmbedding(50_000, 256)
    features = table(tokens)
    for _ in range(2):
        features = keras.layers.LSTM(256, return_sequences=True, stateful=True)(features)
    model = keras.Model(tokens, table(features, reverse=True))
    model.compile(keras.optimizers.Adam(global_clipnorm=1.0),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, autograph=False)
    batch = (tf.constant(ids), tf.constant(ids))
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
for _ in range(3):
    float(step(batch)["loss"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure(small: str = "50", large: str = "5000", minutes: str = "4") -> Iterator[dict[str, Any]]:
    """Yield the peaks, what a step adds to model and optimizer, and the ratios."""
    added = {}
    for peer in ("zoo", "keras"):
        command = [sys.executable, "-c", STEP, peer]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        built, peak = (int(line) / 1024 for line in done.stdout.split()[-2:])
        added[peer] = peak - built
        yield {"id": f"step, {peer}", "peak_megabytes": peak, "built_megabytes": built}
    yield {"id": "step, added by zoo / by keras", "ratio": added["zoo"] / added["keras"]}
    peaks = []
    for megabytes in (int(small), int(large)):
        with tempfile.TemporaryDirectory() as name:
            corpus = _repeated_wikitext(megabytes, Path(name))
            command = train_command(
                "lstm_lm", corpus, Path(name) / "run", SMALL, "--preset", "small"
            )
            cache = Path(name) / "cache"
            watch = StopAfterTokenizing(cache, 60 * float(minutes))
            peaks.append(peak_megabytes(command, watch, {"ZOO_CACHE": str(cache)}))
        yield {
            "id": f"corpus, {megabytes} MB",
            "peak_megabytes": peaks[-1],
            "tokenized_minutes": watch.tokenizing / 60,
        }
    yield {"id": "corpus, large / small", "ratio": peaks[1] / peaks[0]}


class StopAfterTokenizing:
    """Stops a run some time after its corpus is tokenized.

    Args:
        cache: the zoo's cache, where the tokens are written.
        seconds: of training.

    Attributes:
        tokenizing: seconds until the tokens were written.
    """

    def __init__(self, cache: Path, seconds: float):
        self.cache, self.seconds = cache, seconds
        self.tokenizing = 0.0

    def __call__(self, process: subprocess.Popen[bytes]) -> None:
        """Watch a process until it ends, and ask it to stop once."""
        started = time.time()
        asked = False
        while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            written = [path.stat().st_mtime for path in self.cache.glob("tokens/*.json")]
            if written:
                self.tokenizing = max(written) - started
            if written and not asked and time.time() - max(written) > self.seconds:
                process.send_signal(signal.SIGTERM)
                asked = True
            time.sleep(1.0)


def _repeated_wikitext(megabytes: int, folder: Path) -> Path:
    """Write a corpus of that size, every repetition with a number of its own in every line."""
    with open_text(files("wikitext2", folder)["data"]) as file:
        lines = file.read().splitlines()
    text = "\n".join([*lines, ""]).encode()
    path = folder / "grown.txt"
    number = 0
    with path.open("wb") as file:
        while file.tell() < megabytes << 20:
            file.write(text.replace(b"\n", b" %d\n" % number))
            number += 1
    return path
