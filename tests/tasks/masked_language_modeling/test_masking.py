"""Rows that whole texts fill, and what of them is hidden."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from zoo.data.epochs import EpochCursor
from zoo.tasks.masked_language_modeling.masking import Masking, masked_rows, row_bounds
from zoo.tasks.masked_language_modeling.stream import masked_tokenizer
from zoo.text.graph_tokenizer import learn_tokenizer
from zoo.text.pretrained_tokenizer import Marks, PretrainedTokenizer

WORDS = [f"w{i}" for i in range(40)]
LINES = [" ".join(WORDS[(3 * i + j) % 40] for j in range(2 + i % 9)) for i in range(60)]


def learned():
    tokenizer = learn_tokenizer("words", LINES, vocabulary_size=99, lowercase=True)
    return masked_tokenizer(tokenizer)


def bert(doubled: bool = False):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    marks = Marks(start=2, end=3, unknown=1, mask=4, doubled=doubled)
    content = "\n".join(pieces).encode()
    return masked_tokenizer(
        PretrainedTokenizer("wordpiece", lowercase=True, content=content, marks=marks)
    )


def masking(tokenizer, length: int = 20, fraction: float = 0.15) -> Masking:
    return Masking(tokenizer, length, fraction)


def test_rows_hold_whole_texts_and_long_ones_are_cut() -> None:
    ids = np.array([5, 6, 0, 7, 0, 8, 8, 8, 8, 8, 0, 9, 0], np.uint16)
    assert row_bounds(ids, 5).tolist() == [0, 5, 11, 13]
    assert row_bounds(ids, 2).tolist() == [0, 3, 5, 7, 9, 11, 13]
    assert row_bounds(ids, 100).tolist() == [0, 13]
    assert row_bounds(ids[:0], 5).tolist() == [0]


@pytest.mark.parametrize("make", [learned, bert])
@pytest.mark.parametrize("length", [8, 9, 10, 11])
def test_no_row_is_empty_or_too_long(make, length: int) -> None:
    """Whatever the texts: ones that fill a row to the last token, longer and blank ones."""
    maker = masking(make(), length)
    lines = [" ".join(WORDS[:size]) for size in (6, 7, 8, 9, 6, 17, 1, 16, 8)]
    stream = maker.tokenizer.encode([*lines[:3], "\u200b", " ", *lines[3:]])
    bounds = row_bounds(stream, maker.room)
    rows = [maker.row(stream[first:last]) for first, last in itertools.pairwise(bounds)]
    sizes = [int((~np.isin(row, maker.tokenizer.special)).sum()) for row in rows]
    assert min(sizes) > 0 and max(map(len, rows)) == length
    assert sum(sizes) == (stream > 0).sum()


@pytest.mark.parametrize("doubled", [False, True])
def test_rows_of_pretrained_weights_have_their_special_tokens(doubled: bool) -> None:
    tokenizer = bert(doubled)
    ids = tokenizer.encode(["w0 w1", "", "w2 unheard"])
    assert ids.tolist() == [5, 6, 0, 7, 1, 0]
    row = masking(tokenizer).row(ids).tolist()
    # BERT would take what is behind a separator for the second text of a pair.
    assert row == ([2, 5, 6, 3, 7, 1, 3] if doubled else [2, 5, 6, 7, 1, 3])
    assert masking(tokenizer).row(ids[:2]).tolist() == [2, 5, 6, 3]


def test_a_learned_tokenizer_has_the_mask_as_an_id_more() -> None:
    tokenizer = learned()
    assert tokenizer.mask == tokenizer.tokenizer.vocabulary_size
    assert tokenizer.vocabulary_size == tokenizer.mask + 1
    assert masking(tokenizer).row(tokenizer.encode(["w0 w1", "w2"])).size == 3


@pytest.mark.parametrize("make", [learned, bert])
def test_shares_of_what_is_hidden_are_those_of_bert(make) -> None:
    tokenizer, random = make(), np.random.default_rng(0)
    maker = masking(tokenizer, 64)
    row = maker.row(np.tile(tokenizer.encode(["w0 w1 w2 w3 w4 w5 w6 w7"]), 6))
    able = int((~np.isin(row, tokenizer.special)).sum())
    told = hidden = kept = 0
    for _ in range(2000):
        tokens, positions, targets, weights = maker.masked(row, random)
        at = positions[weights > 0]
        assert len(set(at.tolist())) == len(at) <= maker.most
        restored = tokens.copy()
        restored[at] = targets[weights > 0]
        np.testing.assert_array_equal(restored[: len(row)], row)
        assert not restored[len(row) :].any()
        assert not np.isin(row[at], tokenizer.special).any()
        others = tokens[at][(tokens[at] != tokenizer.mask) & (tokens[at] != row[at])]
        assert not np.isin(others, tokenizer.special).any()
        told, hidden = told + len(at), hidden + int((tokens[at] == tokenizer.mask).sum())
        kept += int((tokens[at] == row[at]).sum())
    assert told / 2000 == pytest.approx(0.15 * able, rel=0.02)
    assert hidden / told == pytest.approx(0.8, abs=0.01)
    assert kept / told == pytest.approx(0.1 + 0.1 / len(tokenizer.ordinary), abs=0.01)


def test_a_row_of_one_token_has_it_hidden_and_one_of_none_is_of_no_weight() -> None:
    maker, random = masking(bert()), np.random.default_rng(0)
    assert maker.masked(np.array([2, 7, 3]), random)[3].sum() == 1
    assert maker.masked(np.array([2, 3]), random)[3].sum() == 0


def read(stream, **more):
    batches = list(masked_rows(stream, masking(learned()), **{"rows": 8, "seed": 3} | more))
    arrays = [(x["tokens"], x["positions"], y, w) for x, y, w in batches]
    return [tf.concat(part, axis=0).numpy() for part in zip(*arrays, strict=True)]


def test_each_epoch_hides_anew_and_scoring_never_does() -> None:
    stream, cursor = learned().encode(LINES), EpochCursor()
    first, second = read(stream, cursor=cursor), read(stream, cursor=cursor)
    assert not all(map(np.array_equal, first, second))
    assert all(map(np.array_equal, first, read(stream)))
    assert not all(map(np.array_equal, first, read(stream, seed=4)))
    scored, again = read(stream, seed=None, rows=8), read(stream, seed=None, rows=5)
    assert all(map(np.array_equal, scored, again))
    # Every text is in some row, once.
    tokens, positions, targets, weights = scored
    rows, places = np.nonzero(weights)
    tokens[rows, positions[rows, places]] = targets[rows, places]
    assert sorted(tokens[tokens > 0].tolist()) == sorted(stream[stream > 0].tolist())


def test_an_epoch_is_resumed_within_it_and_shared_by_replicas() -> None:
    stream, cursor = learned().encode(LINES), EpochCursor()
    whole = read(stream)
    cursor.set(0, 1)
    for part, rest in zip(whole, read(stream, cursor=cursor), strict=True):
        np.testing.assert_array_equal(part[8:], rest)
    for part, shared in zip(whole, read(stream, replica_ids=range(3), replicas=3), strict=True):
        np.testing.assert_array_equal(part, shared)
