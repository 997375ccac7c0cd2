"""Logits of texts, in row order and at flat memory; scores and the most confident mistakes."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import scores
from zoo.data import Split
from zoo.files import written_beside
from zoo.text.tokenizers import Tokenizer

CHUNK = 4096  # texts tokenized and sorted by length together
TOKENS = 32_768  # of one forward pass, padding included: bounds its memory
MISTAKES = 100


def predict_logits(
    network: keras.Model, tokenizer: Tokenizer, texts: Iterable[str], max_length: int
) -> Iterator[np.ndarray]:
    """Yield float32 logits `(rows, classes)`, some thousand rows at a time, in the texts' order.

    Texts of like length go through the network together, so that little is padding.
    """
    forward = tf.function(
        lambda ids: network(ids, training=False),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
    )
    remaining = iter(texts)
    while chunk := list(itertools.islice(remaining, CHUNK)):
        ids = tokenizer(tf.constant(chunk))[:, :max_length]
        lengths = ids.row_lengths().numpy()
        order = np.argsort(lengths, kind="stable")
        found: np.ndarray | None = None
        start = 0
        while start < len(order):
            # the longest of the group decides its width, so grow it while the product is small
            stop = start + 1
            while stop < len(order) and (stop + 1 - start) * lengths[order[stop]] <= TOKENS:
                stop += 1
            rows = order[start:stop]
            logits = forward(tf.gather(ids, rows).to_tensor()).numpy()
            if found is None:
                found = np.empty((len(chunk), logits.shape[1]), np.float32)
            found[rows] = logits
            start = stop
        if found is not None:
            yield found


def split_logits(
    network: keras.Model, tokenizer: Tokenizer, split: Split, max_length: int
) -> np.ndarray:
    """Return float32 logits `(rows, classes)` of a whole split."""
    return np.concatenate(list(predict_logits(network, tokenizer, split.iter_texts(), max_length)))


def write_mistakes(path: Path, split: Split, logits: np.ndarray, classes: list[Any]) -> int:
    """Write the most confident mistakes of a split as CSV, worst first (A26); return their count.

    Columns: row (of the file, from 1), probability of the predicted class, label, predicted, text.
    """
    probabilities = scores.softmax(logits)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != split.labels)
    confidence = probabilities[wrong, predicted[wrong]]
    worst = wrong[np.argsort(-confidence, kind="stable")][:MISTAKES]
    with written_beside(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "probability", "label", "predicted", "text"])
        for index, text in zip(worst, split.texts(worst), strict=True):
            writer.writerow(
                [
                    split.row_number(int(index)),
                    f"{probabilities[index, predicted[index]]:.4f}",
                    classes[split.labels[index]],
                    classes[predicted[index]],
                    text,
                ]
            )
    return len(wrong)
