"""Windows over contiguous streams of tokens, one stream a row of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.epochs import EpochCursor, epoch_of
from zoo.tasks.corpora.token_ids import Ids
from zoo.text.corpus_tokenizer import END

# AWD-LSTM (Merity 2017, section 3; main.py): a window is half as long in a twentieth of the cases,
# and its length is drawn with this deviation, in tokens.
HALF_SHARE = 0.05
DEVIATION = 5.0
SHORTEST = 5


def window_lengths(total: int, window: int, random: np.random.Generator | None) -> np.ndarray:
    """Return the lengths of the windows that cut a stream, in order; their sum is `total`.

    Random ones are as many in every epoch: what they lack or have too much is shared out.

    Args:
        total: tokens of the stream.
        window: tokens of a window; of a random one, in the mode.
        random: what lengths are drawn from; None for equal ones, the last of which may be shorter.
    """
    if random is None:
        full, remainder = divmod(total, window)
        return np.array([window] * full + [remainder] * bool(remainder))
    count = _random_count(total, window)
    base = np.where(random.random(count) < HALF_SHARE, window / 2, window)
    lengths = np.maximum(random.normal(base, DEVIATION).astype(int), min(SHORTEST, window))
    ends = np.round(np.cumsum(lengths) * (total / lengths.sum())).astype(int)
    lengths = np.diff(ends, prepend=0)
    return lengths[lengths > 0]


def _random_count(total: int, window: int) -> int:
    return max(round(total / (window * (1 - HALF_SHARE / 2))), 1)


def few_lengths(total: int, window: int, random: np.random.Generator) -> np.ndarray:
    """Return random lengths as `window_lengths` does, of six values at the most.

    They are multiples of a seventh of the window, the deviation of which is about that of the
    AWD-LSTM's, but for one, which is equal in all epochs and comes last.

    Args:
        total: tokens of the stream.
        window: tokens of a window, in the mode.
        random: what lengths are drawn from.
    """
    step = max(window // 7, 1)
    last = total % step + step
    count = _random_count(total, window) - 1
    if total < window or not count:
        return np.array([total])
    lowest, highest = np.array([3, 6]), np.array([4, 8])  # of half and of whole windows
    whole = (random.random(count) >= HALF_SHARE).astype(int)
    drawn = random.normal(np.where(whole, window, window / 2), DEVIATION)
    steps = np.clip(np.round(drawn / step).astype(int), lowest[whole], highest[whole])
    while missing := (total - last) // step - steps.sum():
        change = int(np.sign(missing))
        free = np.flatnonzero(steps < highest[whole] if change > 0 else steps > lowest[whole])
        if not free.size:  # of a few windows in all
            free = np.flatnonzero(steps + change > 0)
        steps[random.permutation(free)[: abs(missing)]] += change
    return np.append(steps * step, last)


def windows(
    ids: Ids,
    *,
    rows: int,
    window: int,
    keep_remainder: bool,
    seed: int | None = None,
    few: bool = False,
    replica_ids: range = range(1),
    replicas: int = 1,
    cursor: EpochCursor | None = None,
) -> tf.data.Dataset:
    """Return a dataset of windows: `{"tokens", "reset"}`, targets and weights.

    The stream is cut into `rows` stretches. A window holds the next tokens of each: int32 ids
    `(rows, time)`, bool resets `(rows,)` that are true where a stretch begins, int32 targets, the
    token after each, and float32 weights, 0 where a stretch is over. Before the first token of all
    is `<eos>`.

    Args:
        ids: the stream.
        rows: of a batch of all replicas.
        window: tokens of a window.
        keep_remainder: whether every token is a target, once, so that the last stretch may be
            shorter; else the stretches are equal, and fewer than `rows` tokens at the end are left
            out.
        seed: of random windows (AWD-LSTM), other ones in each reading; None for equal windows.
        few: whether random windows have few lengths (`few_lengths`).
        replica_ids: numbers of the replicas that this dataset feeds, as in other tasks.
        replicas: number of all replicas.
        cursor: where to begin, for a run that is resumed.
    """
    length = -(-len(ids) // rows) if keep_remainder else len(ids) // rows
    cursor = cursor or EpochCursor()

    def lengths(epoch: int) -> np.ndarray:
        if seed is None:
            return window_lengths(length, window, None)
        random = np.random.default_rng([seed, epoch])
        return (few_lengths if few else window_lengths)(length, window, random)

    generate = _generator(ids, rows, length, lengths, cursor, replica_ids, replicas)
    signature = (
        {
            "tokens": tf.TensorSpec([None, None], tf.int32),
            "reset": tf.TensorSpec([None], tf.bool),
        },
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None, None], tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return epoch_of(dataset, len(lengths(0)) * len(replica_ids), ahead=4)


def _generator(
    ids: Ids,
    rows: int,
    length: int,
    lengths: Callable[[int], np.ndarray],
    cursor: EpochCursor,
    replica_ids: range,
    replicas: int,
) -> Callable[[], Iterator[Any]]:
    starts = np.arange(rows) * length

    def generate() -> Iterator[Any]:
        epoch, skipped = cursor.take()
        at = 0
        for number, size in enumerate(lengths(epoch)):
            if number >= skipped:
                for replica in replica_ids:
                    share = starts[rows * replica // replicas : rows * (replica + 1) // replicas]
                    yield _window(ids, share, at, int(size), length)
            at += int(size)

    return generate


def _window(ids: Ids, starts: np.ndarray, at: int, size: int, length: int) -> Any:
    """Return a window of `size` tokens, `at` tokens into the stretches that begin at `starts`."""
    shape = (len(starts), size)
    tokens, targets = np.full(shape, END, np.int32), np.full(shape, END, np.int32)
    weights = np.zeros(shape, np.float32)
    for row, start in enumerate(starts.tolist()):
        first = start + at
        count = max(min(first + size, start + length, len(ids)) - first, 0)
        before = max(first - 1, 0)
        stretch = ids[before : first + count]
        behind = int(first == 0)  # before the first token of all is <eos>
        targets[row, :count] = stretch[1 - behind :]
        tokens[row, behind:count] = stretch[: count - behind]
        weights[row, :count] = 1.0
    reset = np.full(len(starts), at == 0)
    return {"tokens": tokens, "reset": reset}, targets, weights
