"""What holds of any input: readers, split, vocabularies, overrides, schedules and batches."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zoo.data.epochs import EpochCursor, epoch_order, epoch_rows
from zoo.data.labels import plain_form
from zoo.data.rows import to_label
from zoo.data.split import sample_rows, split_rows
from zoo.data.store import Split, Store
from zoo.data.tables import read_rows
from zoo.data.targets import ClassTargets
from zoo.preset.loading import load_preset
from zoo.tasks.text_classification.batches import batches
from zoo.tasks.text_classification.token_ids import TokenizedSplit
from zoo.text.corpus_tokenizer import learn_corpus_tokenizer
from zoo.text.graph_tokenizer import learn_tokenizer
from zoo.training.batches import micro_batch
from zoo.training.schedules import RecipeSchedule

# Every character that UTF-8 has, the awkward ones often.
TEXTS = st.text(st.one_of(st.sampled_from(' ,;"\'\t\n\r\\#é電😀\u2028\ufeff'), st.characters(
    exclude_categories=["Cs"], exclude_characters="\0")), max_size=12)  # fmt: skip
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(["good", "bad", "só so", '"'])), min_size=1)
SEEDS = st.integers(0, 2**31 - 1)


def read(path: Path) -> list[tuple[str, str]]:
    return [
        pair
        for block in read_rows(str(path))
        for pair in zip(block.inputs, block.labels, strict=True)
    ]


# --- readers


@given(
    rows=ROWS,
    # Python's writer before 3.13 quotes no "\r" of a field when lines end with "\n".
    lines=st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
    delimiter=st.sampled_from(",\t"),
)
def test_csv_comes_back_as_written(
    tmp_path: Path, rows: list[tuple[str, str]], lines: tuple[str, int], delimiter: str
) -> None:
    path = tmp_path / {",": "rows.csv", "\t": "rows.tsv"}[delimiter]
    with path.open("w", encoding="utf-8", newline="") as file:
        end, quoting = lines
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
        writer.writerows([("text", "label"), *rows])
    assert read(path) == rows


@given(rows=ROWS, ascii_only=st.booleans())
def test_json_lines_come_back_as_written(
    tmp_path: Path, rows: list[tuple[str, str]], ascii_only: bool
) -> None:
    path = tmp_path / "rows.jsonl"
    lines = (
        json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only) for text, label in rows
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read(path) == rows


# --- labels


@given(number=st.integers(-(2**53), 2**53))
def test_a_whole_number_is_one_label_however_it_is_typed(number: int) -> None:
    assert {to_label(number), to_label(float(number)), to_label(np.int64(number))} == {str(number)}


@given(label=TEXTS)
def test_labels_are_read_once(label: str) -> None:
    text = to_label(label)
    assert text is None or to_label(text) == text
    assert plain_form(plain_form(label)) == plain_form(label)


# --- split


@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=60),
    copies=st.integers(1, 60),
    fraction=st.sampled_from([0.1, 0.25, 0.5]),
    seed=SEEDS,
)
def test_split_is_complete_disjoint_and_keeps_copies_together(
    labels: list[int], copies: int, fraction: float, seed: int
) -> None:
    ids = np.array(labels)
    hashes = np.random.default_rng(seed).integers(0, copies, len(ids)).astype(np.uint64)
    train, validation = split_rows(hashes, ids, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(ids)))
    assert not set(hashes[train]) & set(hashes[validation])
    assert len(train)


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=4), seed=SEEDS)
def test_split_and_sample_take_their_share_of_every_class(counts: list[int], seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    texts = np.arange(len(labels), dtype=np.uint64)  # no copies
    _, validation = split_rows(texts, labels, 0.2, seed)
    held_out = np.bincount(labels[validation], minlength=len(counts))
    for count, held in zip(counts, held_out, strict=True):
        assert held == 0 if count == 1 else abs(held - max(1, 0.2 * count)) <= 0.5
    sampled = np.bincount(labels[sample_rows(labels, 0.2, seed)], minlength=len(counts))
    assert sampled.tolist() == [max(1, round(0.2 * count)) for count in counts]


# --- epochs


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=50), seed=SEEDS)
def test_an_epoch_visits_every_row_and_says_how_many(labels: list[int], seed: int) -> None:
    ids = np.array(labels)
    for balance in ("none", "class-weights", "oversample", "batches"):
        order = epoch_order(ids, balance, np.random.default_rng(seed))
        assert len(order) == epoch_rows(ids, balance)
        if balance == "oversample":
            assert set(order) == set(range(len(ids)))
            assert len(set(np.bincount(ids[order])) - {0}) == 1  # as many of every class
        elif balance != "batches":
            assert sorted(order) == list(range(len(ids)))


@given(epoch=st.integers(0, 99), batch=st.integers(0, 99), readings=st.integers(1, 5))
def test_a_cursor_begins_where_it_is_set_and_then_at_epochs(
    epoch: int, batch: int, readings: int
) -> None:
    cursor = EpochCursor()
    cursor.set(epoch, batch)
    taken = [cursor.take() for _ in range(readings)]
    assert taken == [(epoch, batch), *((epoch + n, 0) for n in range(1, readings))]


# --- vocabularies


@settings(max_examples=10)
@given(lines=st.lists(TEXTS, min_size=1, max_size=5))
def test_characters_come_back_from_their_ids(lines: list[str]) -> None:
    assume(any(lines))
    lines = [line.replace("\n", "") for line in lines]
    assume(any(lines))
    vocabulary = learn_corpus_tokenizer("characters", lines, vocabulary_size=999, lowercase=False)
    assert vocabulary.decode(vocabulary.encode(lines)) == "\n".join([*lines, ""])


@settings(max_examples=10)
@given(lines=st.lists(st.text("abcé電 ", min_size=1), min_size=1, max_size=5))
def test_words_come_back_from_their_ids(lines: list[str]) -> None:
    assume(any(line.split() for line in lines))
    vocabulary = learn_corpus_tokenizer("words", lines, vocabulary_size=999, lowercase=False)
    expected = [" ".join(line.split()) for line in lines]
    assert vocabulary.decode(vocabulary.encode(lines)) == "\n".join([*expected, ""])


@settings(max_examples=10)
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_every_text_has_ids_of_the_vocabulary(texts: list[str]) -> None:
    rows = TOKENIZER(tf.constant(texts)).to_list()
    assert all(rows)  # an empty text has one token
    assert all(0 < token < TOKENIZER.vocabulary_size for row in rows for token in row)
    dense = TOKENIZER.encode_dense(tf.constant(texts), 4).numpy()
    assert dense.tolist() == [
        [*row[:4], *[0] * (dense.shape[1] - len(row[:4]))] for row in rows
    ]  # cut to the longest allowed, padded to the longest of the batch


WORDS = [" ".join("abcdefgh"[: length % 9]) for length in range(40)]
TOKENIZER = learn_tokenizer("words", WORDS, vocabulary_size=20, lowercase=True)


# --- presets and schedules

CHANGES = {
    "recipe.optimizer.name": "sgd",
    "recipe.optimizer.learning_rate": 0.5,
    "recipe.epochs": 3,
    "data.batch_size": 128,
    "architecture.num_classes": 40,
    "architecture.dropout": 0.25,
}


@settings(max_examples=8)
@given(
    keys=st.lists(st.sampled_from(sorted(CHANGES)), unique=True, min_size=2), shuffled=st.randoms()
)
def test_the_order_of_overrides_does_not_matter(keys: list[str], shuffled) -> None:
    other = list(keys)
    shuffled.shuffle(other)
    presets = [
        load_preset("textcnn", "default", {key: CHANGES[key] for key in order})
        for order in (keys, other)
    ]
    assert presets[0] == presets[1]


@given(
    name=st.sampled_from(["constant", "cosine", "linear", "exponential", "one-cycle"]),
    warmup=st.floats(0.0, 0.9),
    final=st.floats(0.001, 1.0),
    total=st.integers(1, 300),
)
def test_schedules_warm_up_stay_within_bounds_and_end_where_they_say(
    name: str, warmup: float, final: float, total: int
) -> None:
    ends = {} if name == "constant" else {"final_fraction": final}
    schedule = RecipeSchedule(1.0, {"name": name, "warmup_fraction": warmup, **ends})
    schedule.begin(0, total)
    rates = schedule(tf.range(total + 1)).numpy()
    assert (rates > 0.0).all() and (rates <= 1.0).all()
    assert (np.diff(rates[: int(warmup * total)]) > 0.0).all()
    assert (np.diff(rates[int(warmup * total) + 1 :]) <= 0.0).all()
    if ends and (1 - warmup) * total >= 1:  # else there is no step to decay in
        assert rates[-1] == pytest.approx(final, rel=1e-5)


# --- batches and replicas


@settings(max_examples=5)
@given(
    lengths=st.lists(st.integers(0, 8), min_size=1, max_size=30),
    batch_size=st.integers(1, 7),
    replicas=st.integers(1, 3),
    seed=SEEDS,
)
def test_every_row_comes_once_padded_to_the_longest_of_its_batch(
    lengths: list[int], batch_size: int, replicas: int, seed: int
) -> None:
    texts = [" ".join("abcdefgh"[:length]) for length in lengths]
    labels = [str(number) for number in range(len(texts))]  # each row is its own class
    with Store(read_rows((texts, labels))) as store:
        rows = np.arange(len(texts), dtype=np.int32)
        split = Split(store, rows, rows, ClassTargets(labels))
        ids = TokenizedSplit(split, TOKENIZER, 6)
        pieces = [
            (x.numpy(), y.numpy())
            for x, y in batches(
                ids, batch_size=batch_size, seed=seed, replica_ids=range(replicas),
                replicas=replicas,
            )
        ]  # fmt: skip
        ids.close()
    assert sorted(np.concatenate([y for _, y in pieces])) == list(range(len(texts)))
    for x, y in pieces:
        longest = max((max(min(lengths[row], 6), 1) for row in y), default=0)
        assert x.shape == (len(y), longest)
    steps = [
        sum(len(y) for _, y in pieces[n : n + replicas]) for n in range(0, len(pieces), replicas)
    ]
    full, rest = divmod(len(texts), batch_size)
    assert sorted(steps, reverse=True) == [batch_size] * full + [rest] * bool(rest)


@given(rows=st.integers(0, 40), count=st.integers(1, 9))
def test_shares_of_replicas_cover_a_batch_nearly_equally(rows: int, count: int) -> None:
    shares = [micro_batch(n, count, (tf.range(rows),), after=[])[0] for n in range(count)]
    assert np.concatenate(shares).tolist() == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
