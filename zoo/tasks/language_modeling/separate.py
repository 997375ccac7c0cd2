"""Windows that stand by themselves: in random order for training, overlapping for scoring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.epochs import EpochCursor, epoch_of
from zoo.tasks.corpora.token_ids import Ids
from zoo.text.corpus_tokenizer import END

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def shuffled_windows(
    ids: Ids,
    *,
    rows: int,
    window: int,
    seed: int,
    replica_ids: range = range(1),
    replicas: int = 1,
    cursor: EpochCursor | None = None,
) -> tf.data.Dataset:
    """Return an epoch of training windows: tokens, targets and weights, each `(rows, time)`.

    The stream, its end joined to its beginning, is cut at a random token of every epoch and every
    `window` tokens from there; the windows come in random order. Those that are left over at the
    end, fewer than `rows`, are other ones in every epoch. A target is the token after each token;
    weights are 1.

    Args:
        ids: the stream.
        rows: of a batch of all replicas.
        window: tokens of a window.
        seed: of cuts and orders; other ones in each reading.
        replica_ids: numbers of the replicas that this dataset feeds, as in other tasks.
        replicas: number of all replicas.
        cursor: where to begin, for a run that is resumed.
    """
    steps = len(ids) // (rows * window)
    cursor = cursor or EpochCursor()

    def batches() -> Iterator[tuple[np.ndarray, Callable[[int], Batch]]]:
        epoch, skipped = cursor.take()
        random = np.random.default_rng([seed, epoch])
        cut = int(random.integers(len(ids)))
        order = random.permutation(len(ids) // window)
        for step in range(skipped, steps):
            starts = cut + order[step * rows : (step + 1) * rows] * window
            yield starts, lambda start: _training_window(ids, start, window)

    return _dataset(batches, rows, window, steps, replica_ids, replicas)


def overlapping_windows(
    ids: Ids,
    *,
    rows: int,
    window: int,
    stride: int,
    replica_ids: range = range(1),
    replicas: int = 1,
) -> tf.data.Dataset:
    """Return windows to score a stream with: tokens, targets and weights, each `(rows, time)`.

    A window begins `stride` tokens after the one before. The weights of the tokens that it has in
    common with that one are 0, so that every token of the stream counts once: the first window's
    after all that there is before them, the others after `window - stride` tokens of context and
    more. Before the first token of all is `<eos>`. The last batch has empty windows.

    Args:
        ids: the stream; at least one token.
        rows: of a batch of all replicas.
        window: tokens of a window.
        stride: tokens from one window to the next, in [1, window].
        replica_ids: numbers of the replicas that this dataset feeds, as in other tasks.
        replicas: number of all replicas.
    """
    count = 1 + window_number(len(ids), window, stride)
    steps = -(-count // rows)

    def batches() -> Iterator[tuple[np.ndarray, Callable[[int], Batch]]]:
        for step in range(steps):
            starts = np.arange(step * rows, (step + 1) * rows) * stride
            yield starts, lambda start: _scoring_window(ids, start, window, stride)

    return _dataset(batches, rows, window, steps, replica_ids, replicas)


def window_number(count: int, window: int, stride: int) -> int:
    """Return which of the overlapping windows predicts the last of so many tokens, from 0.

    Args:
        count: tokens, at least one.
        window: tokens of a window.
        stride: tokens from one window to the next.
    """
    return -(-max(count - window, 0) // stride)


def _dataset(
    batches: Callable[[], Iterator[tuple[np.ndarray, Callable[[int], Batch]]]],
    rows: int,
    window: int,
    steps: int,
    replica_ids: range,
    replicas: int,
) -> tf.data.Dataset:
    """Return a dataset of batches, each as the first tokens of its windows and how one is read."""

    def generate() -> Iterator[Any]:
        for starts, read in batches():
            for replica in replica_ids:
                share = starts[rows * replica // replicas : rows * (replica + 1) // replicas]
                parts = zip(*(read(start) for start in share.tolist()), strict=True)
                arrays = [np.stack(part) for part in parts]
                yield tuple(arrays) if arrays else _empty(window)

    dtypes = (tf.int32, tf.int32, tf.float32)
    signature = tuple(tf.TensorSpec([None, window], dtype) for dtype in dtypes)
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return epoch_of(dataset, steps * len(replica_ids), ahead=4)


def _empty(window: int) -> Batch:
    """Return the share of a replica beyond the rows of the batch."""
    ids = np.zeros((0, window), np.int32)
    return ids, ids, np.zeros((0, window), np.float32)


def _training_window(ids: Ids, start: int, window: int) -> Batch:
    """Return a window of the ring of a stream; its first target is token `start`."""
    first, count = (start - 1) % len(ids), window + 1
    parts = [ids[first : first + count]]
    while missing := count - sum(map(len, parts)):
        parts.append(ids[:missing])
    stretch = np.concatenate(parts).astype(np.int32)
    return stretch[:-1], stretch[1:], np.ones(window, np.float32)


def _scoring_window(ids: Ids, start: int, window: int, stride: int) -> Batch:
    """Return a window whose first target is token `start`, and what of it counts."""
    tokens, targets = np.full((2, window), END, np.int32)
    weights = np.zeros(window, np.float32)
    stretch = ids[max(start - 1, 0) : start + window]
    behind = int(start == 0)  # before the first token of all is <eos>
    count = max(len(stretch) - 1 + behind, 0)
    targets[:count] = stretch[1 - behind :]
    tokens[behind:count] = stretch[: count - behind]
    weights[0 if behind else window - stride : count] = 1.0
    return tokens, targets, weights
