"""Windows that stand by themselves: what training and scoring see of a stream."""

import numpy as np
import pytest

from zoo.data.epochs import EpochCursor
from zoo.tasks.language_modeling.separate import (
    overlapping_windows,
    shuffled_windows,
    window_number,
)


def read(dataset):
    """Return tokens, targets and weights of all windows, one below the other."""
    return [np.concatenate([each.numpy() for each in part]) for part in zip(*dataset, strict=True)]


@pytest.mark.parametrize("count", [1, 6, 7, 40, 103])
@pytest.mark.parametrize("stride", [1, 3, 7])
def test_every_token_is_scored_once_in_its_context(count, stride) -> None:
    ids = np.arange(1, count + 1, dtype=np.uint16)
    dataset = overlapping_windows(ids, rows=4, window=7, stride=stride)
    assert int(dataset.cardinality()) == len(list(dataset))
    tokens, targets, weights = read(dataset)
    assert tokens.shape[1] == 7 and tokens.shape[0] % 4 == 0
    assert targets[weights > 0].tolist() == ids.tolist()  # in order, too
    # Before each target is the token before it, and <eos> before the first.
    np.testing.assert_array_equal(tokens[weights > 0], targets[weights > 0] - 1)
    for row, line in zip(tokens, weights, strict=True):
        for at in np.flatnonzero(line):
            context = row[: at + 1].tolist()
            assert context == list(range(int(row[0]), int(row[0]) + at + 1))
            assert row[0] == 0 or len(context) > 7 - stride


def test_the_window_that_predicts_a_token() -> None:
    for count in (1, 7, 8, 10, 11, 29):
        ids = np.arange(1, count + 1, dtype=np.uint16)
        tokens, _, weights = read(overlapping_windows(ids, rows=1, window=7, stride=3))
        number = window_number(count, 7, 3)
        assert weights[number].any() and not weights[number + 1 :].any()
        assert tokens[number, 0] == 3 * number


def test_an_epoch_has_every_window_of_a_ring_once() -> None:
    ids = np.arange(103, dtype=np.uint16)
    cursor = EpochCursor()
    dataset = shuffled_windows(ids, rows=4, window=5, seed=3, cursor=cursor)
    assert int(dataset.cardinality()) == 103 // 20
    cuts, orders = set(), set()
    for _ in range(4):
        tokens, targets, weights = read(dataset)
        np.testing.assert_array_equal(targets, (tokens + 1) % 103)  # the end is before the start
        np.testing.assert_array_equal(tokens, (tokens[:, :1] + np.arange(5)) % 103)
        assert len(np.unique(targets)) == targets.size == 100 and (weights == 1).all()
        cuts.add(int(targets[0, 0]) % 5)
        orders.add(tuple(targets[:, 0]))
        assert (np.diff(targets[:, 0].astype(int)) != 5).any()
    assert len(orders) == 4 and len(cuts) > 1
    again = read(shuffled_windows(ids, rows=4, window=5, seed=3))[1]
    other = read(shuffled_windows(ids, rows=4, window=5, seed=4))[1]
    assert tuple(again[:, 0]) in orders and tuple(other[:, 0]) not in orders


def test_an_epoch_is_resumed_where_it_was_left() -> None:
    ids = np.arange(203, dtype=np.uint16)
    cursor = EpochCursor()
    dataset = shuffled_windows(ids, rows=4, window=5, seed=3, cursor=cursor)
    read(dataset)
    whole = read(dataset)
    resumed = EpochCursor()
    resumed.set(1, 6)
    rest = read(shuffled_windows(ids, rows=4, window=5, seed=3, cursor=resumed))
    for left, right in zip(whole, rest, strict=True):
        np.testing.assert_array_equal(left[24:], right)


@pytest.mark.parametrize("kind", ["training", "scoring"])
def test_replicas_share_the_rows_of_a_batch(kind) -> None:
    ids = np.arange(211, dtype=np.uint16)

    def made(**more):
        if kind == "training":
            return list(shuffled_windows(ids, rows=5, window=8, seed=1, **more))
        return list(overlapping_windows(ids, rows=5, window=8, stride=4, **more))

    whole = made()
    first, second = (made(replica_ids=range(i, i + 1), replicas=2) for i in range(2))
    both = made(replica_ids=range(2), replicas=2)
    for number, batch in enumerate(whole):
        for i, part in enumerate(batch):
            joined = np.concatenate([first[number][i], second[number][i]])
            np.testing.assert_array_equal(part, joined)
            np.testing.assert_array_equal(
                joined, np.concatenate([both[2 * number][i], both[2 * number + 1][i]])
            )
    # More replicas than rows: some have none, of the same shape.
    parts = made(replica_ids=range(7), replicas=7)[:7]
    assert sorted(len(part[0]) for part in parts) == [0, 0, 1, 1, 1, 1, 1]
    assert {part[0].shape[1] for part in parts} == {8}
