"""Rows of tokens that whole texts fill, and which of their tokens are hidden."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.data.epochs import EpochCursor, epoch_of
from zoo.tasks.corpora.token_ids import Ids, blocks
from zoo.tasks.masked_language_modeling.stream import END_OF_TEXT, MaskedTokenizer

HIDDEN, OTHER = 0.8, 0.1  # of the tokens to tell; the others stay as they are (Devlin 2019)
SCORED = 2019  # in place of seed and epoch: what is scored is hidden in the same way every time


def row_bounds(ids: Ids, room: int) -> np.ndarray:
    """Return where the rows of a stream begin and end, int64 `(rows + 1,)`.

    As many whole texts as fit, one after the other, are a row; a text that is longer than a row is
    cut (RoBERTa's full sentences). The end of a row's last text takes no room.

    Args:
        ids: texts, each with `END_OF_TEXT` behind it.
        room: tokens of a row, ends of texts within it included.
    """
    bounds, last, start = [0], 0, 0
    for block in blocks(ids):
        for end in (np.flatnonzero(block == END_OF_TEXT) + start + 1).tolist():
            if end - 1 - bounds[-1] > room and last > bounds[-1]:
                bounds.append(last)
            while end - 1 - bounds[-1] > room:
                bounds.append(bounds[-1] + room)
            last = end
        start += len(block)
    return np.array(bounds + [last] * (last > bounds[-1]), np.int64)


@dataclasses.dataclass(frozen=True)
class Masking:
    """How rows are made of a stream.

    Args:
        tokenizer: with its mask.
        max_length: tokens of a row, special ones included.
        fraction: share of the tokens that are to be told.
    """

    tokenizer: MaskedTokenizer
    max_length: int
    fraction: float

    @property
    def most(self) -> int:
        """Tokens of a row that are to be told at the most."""
        return int(self.fraction * self.max_length) + 1

    @property
    def room(self) -> int:
        """Tokens of a row beside its special ones."""
        return self.max_length - (0 if self.tokenizer.start is None else 2)

    def row(self, stretch: np.ndarray) -> np.ndarray:
        """Return the tokens of a row, int32 `(time,)`, with the special ones of the tokenizer."""
        start, end = self.tokenizer.start, self.tokenizer.end
        tokens = stretch[stretch != END_OF_TEXT]
        if start is None or end is None:
            return tokens.astype(np.int32)
        if self.tokenizer.separated:
            within = stretch[:-1] if stretch[-1] == END_OF_TEXT else stretch
            tokens = np.where(within == END_OF_TEXT, end, within)
        return np.concatenate([[start], tokens, [end]]).astype(np.int32)

    def masked(
        self, row: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return a row with hidden tokens, padded; and positions, targets, weights `(most,)`.

        Args:
            row: as `row` returns it.
            random: what is hidden is drawn from it.
        """
        able = np.flatnonzero(~np.isin(row, self.tokenizer.special))
        # The share on average (fairseq, mask_tokens_dataset.py), and one at the least.
        count = min(max(int(self.fraction * len(able) + random.random()), 1), len(able))
        at = np.sort(random.choice(able, count, replace=False)) if count else able
        others = self.tokenizer.ordinary
        drawn, other = random.random(count), others[random.integers(len(others), size=count)]
        shown = np.where(drawn < HIDDEN, self.tokenizer.mask, row[at])
        shown = np.where((drawn >= HIDDEN) & (drawn < HIDDEN + OTHER), other, shown)
        tokens = np.zeros(self.max_length, np.int32)
        tokens[: len(row)] = row
        tokens[at] = shown
        positions, targets = np.zeros((2, self.most), np.int32)
        weights = np.zeros(self.most, np.float32)
        positions[:count], targets[:count], weights[:count] = at, row[at], 1.0
        return tokens, positions, targets, weights


def masked_rows(
    ids: Ids,
    masking: Masking,
    *,
    rows: int,
    seed: int | None = None,
    cursor: EpochCursor | None = None,
    replica_ids: range = range(1),
    replicas: int = 1,
) -> tf.data.Dataset:
    """Return an epoch of batches: `{"tokens", "positions"}`, targets and weights.

    Tokens are int32 `(rows, max_length)`, some of them hidden; positions are where those are that
    are to be told, int32 `(rows, most)`, targets what stood there, and weights 1, or 0 where a row
    has fewer. What is hidden follows from seed, epoch and row alone: it is the same whatever the
    batches, the replicas, and where an epoch is resumed.

    Args:
        ids: the stream.
        masking: how rows are made of it.
        rows: of a batch of all replicas; the last may have fewer.
        seed: of orders and of what is hidden, others in each epoch; None to score: rows in order,
            and what is hidden the same every time.
        cursor: where to begin, for a run that is resumed.
        replica_ids: numbers of the replicas that this dataset feeds, as in other tasks.
        replicas: number of all replicas.
    """
    bounds = row_bounds(ids, masking.room)
    count = len(bounds) - 1
    steps = -(-count // rows)
    cursor = cursor or EpochCursor()

    def read(number: int, key: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        row = masking.row(ids[bounds[number] : bounds[number + 1]])
        return masking.masked(row, np.random.default_rng([*key, number]))

    def generate() -> Iterator[Any]:
        epoch, skipped = cursor.take()
        key = (SCORED,) if seed is None else (seed, epoch)
        order = np.arange(count) if seed is None else np.random.default_rng(key).permutation(count)
        for step in range(skipped, steps):
            batch = order[step * rows : (step + 1) * rows].tolist()
            for replica in replica_ids:
                size = len(batch)
                share = batch[size * replica // replicas : size * (replica + 1) // replicas]
                yield _batch([read(number, key) for number in share], masking)

    of_row = tf.TensorSpec([None, masking.max_length], tf.int32)
    told, weights = (tf.TensorSpec([None, masking.most], kind) for kind in (tf.int32, tf.float32))
    signature = {"tokens": of_row, "positions": told}, told, weights
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return epoch_of(dataset, steps * len(replica_ids), ahead=4)


def _batch(read: list[tuple[np.ndarray, ...]], masking: Masking) -> Any:
    if not read:  # the share of a replica beyond the rows of the batch
        told = np.zeros((0, masking.most), np.int32)
        tokens = np.zeros((0, masking.max_length), np.int32)
        return {"tokens": tokens, "positions": told}, told, told.astype(np.float32)
    tokens, positions, targets, weights = (np.stack(part) for part in zip(*read, strict=True))
    return {"tokens": tokens, "positions": positions}, targets, weights
