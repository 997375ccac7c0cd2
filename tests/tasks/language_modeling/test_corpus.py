"""Corpora: every token once, streams side by side, ids written once, and bad input told."""

import gzip
import json
import os
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import sentences

from zoo import ZooError
from zoo.data.epochs import EpochCursor
from zoo.preset.loading import load_preset
from zoo.tasks.corpora.lines import content_digest, lines_between, read_lines
from zoo.tasks.corpora.parts import bundled_corpus
from zoo.tasks.corpora.token_ids import (
    StoredIds,
    Tokens,
    blocks,
    cache_folder,
    cached_tokens,
    check_ids,
)
from zoo.tasks.language_modeling.batches import few_lengths, window_lengths, windows
from zoo.tasks.language_modeling.data import load_corpus
from zoo.tasks.request import Request
from zoo.text.corpus_tokenizer import learn_corpus_tokenizer

TEXT = "\n".join(text for text, _ in sentences(200)) + "\n"


def settings(**changes):
    changes = {"batch_size": 4, "window": 5} | changes
    return load_preset(
        "lstm_lm", "default", {f"data.{key}": value for key, value in changes.items()}
    ).data


def load(source, *, vocabulary_size=1000, validation=None, test=None, fraction=1.0, **changes):
    return load_corpus(
        Request(source, validation=validation, test=test, fraction=fraction),
        settings=settings(**changes),
        vocabulary_size=vocabulary_size,
    )


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("read", ["blocks", "windows"])
def test_a_stored_stream_does_not_become_memory_by_being_read(read, tmp_path) -> None:
    path = tmp_path / "large.ids"
    kind, count = np.dtype(np.uint16), 1 << 27
    np.tile(np.arange(1 << 16, dtype=kind), count >> 16).tofile(path)  # 256 MB
    ids = StoredIds.of(path, kind, count)
    list(windows(StoredIds.of(path, kind, 1 << 21), rows=64, window=1 << 15, keep_remainder=False))
    before = resident_megabytes()
    most = total = 0
    if read == "blocks":
        for block in blocks(ids):
            total += len(block)
            assert block[1] == 1 and int(block.max()) == 65535
            most = max(most, resident_megabytes() - before)
    else:
        for x, *_ in windows(ids, rows=64, window=1 << 15, keep_remainder=False):
            total += int(tf.size(x["tokens"]))
            most = max(most, resident_megabytes() - before)
    assert total == count
    assert most < 160  # of windows five are ready, of three times 8 MB each


def test_a_file_of_ids_that_is_cut_meanwhile_is_named(corpus) -> None:
    ids = load(corpus).train.ids
    for path in (cache_folder() / "tokens").glob("*.ids"):
        os.truncate(path, 10)
    with pytest.raises(ZooError, match="was cut while it was read"):
        ids[:]


# --- windows


def streams(dataset):
    """Return tokens, targets and weights of all windows side by side, and the resets of each."""
    found = [(x["tokens"].numpy(), y.numpy(), w.numpy(), x["reset"].numpy()) for x, y, w in dataset]
    tokens, targets, weights, resets = zip(*found, strict=True)
    return [np.concatenate(each, axis=1) for each in (tokens, targets, weights)], resets


@pytest.mark.parametrize("count", [1, 7, 40, 103])
def test_scored_windows_hold_every_token_once(count) -> None:
    ids = np.arange(1, count + 1, dtype=np.uint16)
    (tokens, targets, weights), resets = streams(
        windows(ids, rows=4, window=5, keep_remainder=True)
    )
    assert sorted(targets[weights > 0]) == ids.tolist()
    assert weights.sum() == count
    # Before each target is the token before it, and <eos> before the first.
    np.testing.assert_array_equal(tokens[weights > 0], targets[weights > 0] - 1)
    assert all(resets[0]) and not any(any(each) for each in resets[1:])


@pytest.mark.parametrize("seed", [None, 3])
def test_training_windows_are_equal_contiguous_stretches(seed) -> None:
    ids = np.arange(1, 1004, dtype=np.uint16)
    dataset = windows(ids, rows=4, window=20, keep_remainder=False, seed=seed)
    (tokens, targets, weights), _ = streams(dataset)
    expected = ids[:1000].reshape(4, 250)
    np.testing.assert_array_equal(targets, expected)
    np.testing.assert_array_equal(tokens, expected - 1)
    assert (weights == 1).all()
    assert int(dataset.cardinality()) == len(list(dataset))


def test_random_windows_differ_from_epoch_to_epoch_and_agree_in_number() -> None:
    ids = np.ones(40_000, np.uint16)
    dataset = windows(ids, rows=4, window=70, keep_remainder=False, seed=1)
    epochs = [[x["tokens"].shape[1] for x, *_ in dataset] for _ in range(2)]
    assert epochs[0] != epochs[1]
    assert len(epochs[0]) == len(epochs[1]) and sum(epochs[0]) == sum(epochs[1]) == 10_000
    again = windows(ids, rows=4, window=70, keep_remainder=False, seed=1)
    assert [x["tokens"].shape[1] for x, *_ in again] == epochs[0]


def test_lengths_of_windows_are_those_of_the_awd_lstm() -> None:
    assert window_lengths(12, 5, None).tolist() == [5, 5, 2]
    lengths = window_lengths(700_000, 70, np.random.default_rng(0))
    assert lengths.sum() == 700_000
    long = lengths[lengths > 52]
    # 5 % of some 10,000 windows are half as long; the others deviate by 5.
    assert len(long) / len(lengths) == pytest.approx(0.95, abs=0.01)
    assert long.mean() == pytest.approx(70, abs=0.5)
    assert long.std() == pytest.approx(5, abs=0.3)


def test_few_lengths_are_about_those_of_the_awd_lstm() -> None:
    """Where each is compiled: six in all epochs."""
    epochs = [few_lengths(700_003, 70, np.random.default_rng(seed)) for seed in range(3)]
    assert {length for lengths in epochs for length in lengths} == {30, 40, 60, 70, 80, 13}
    assert len({len(lengths) for lengths in epochs}) == 1
    assert epochs[0].tolist() != epochs[1].tolist()
    for lengths in epochs:
        assert lengths.sum() == 700_003 and lengths[-1] == 13
        whole = lengths[lengths > 50]
        assert len(whole) / len(lengths) == pytest.approx(0.95, abs=0.01)
        assert whole.mean() == pytest.approx(70, abs=0.5)
        assert whole.std() == pytest.approx(6, abs=0.5)  # 5, rounded to tens


@pytest.mark.parametrize("total", [1, 5, 12, 40, 69, 70, 71, 100, 300])
@pytest.mark.parametrize("window", [2, 7, 35, 70])
def test_few_lengths_of_short_streams(total: int, window: int) -> None:
    counts = set()
    for seed in range(5):
        lengths = few_lengths(total, window, np.random.default_rng(seed))
        assert lengths.sum() == total and (lengths > 0).all()
        counts.add(len(lengths))
    assert len(counts) == 1


def test_replicas_share_the_streams_and_reading_begins_at_a_cursor() -> None:
    ids = np.arange(1, 101, dtype=np.uint16)
    whole = list(windows(ids, rows=5, window=6, keep_remainder=False))
    parts = list(
        windows(ids, rows=5, window=6, keep_remainder=False, replica_ids=range(2), replicas=2)
    )
    assert len(parts) == 2 * len(whole)
    for number, (_, targets, _) in enumerate(whole):
        shared = [parts[2 * number + replica][1].numpy() for replica in range(2)]
        np.testing.assert_array_equal(np.concatenate(shared), targets)
    cursor = EpochCursor()
    cursor.set(0, 2)
    later = list(windows(ids, rows=5, window=6, keep_remainder=False, cursor=cursor))
    np.testing.assert_array_equal(later[0][1], whole[2][1])
    assert not later[0][0]["reset"].numpy().any()  # the state comes from the checkpoint


# --- files


def test_ids_are_written_once_and_found_by_content(corpus, tmp_path, monkeypatch) -> None:
    first = load(corpus)
    assert first.train.ids.dtype == np.uint16
    moved = tmp_path / "elsewhere.txt.gz"
    moved.write_bytes(gzip.compress(corpus.read_bytes()))

    def never(*_, **__):
        yield from ()
        raise AssertionError("read again")

    monkeypatch.setattr("zoo.tasks.corpora.parts.read_lines", never)
    second = load(moved)
    assert second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(second.train.ids[:], first.train.ids[:])
    monkeypatch.undo()


def test_another_text_or_vocabulary_is_another_corpus(corpus, tmp_path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(TEXT + "one more line\n")
    prints = {load(corpus).fingerprint, load(other).fingerprint}
    prints |= {load(corpus, vocabulary_size=20).fingerprint, load(corpus, fraction=0.5).fingerprint}
    assert len(prints) == 4


def test_cut_files_of_ids_are_written_anew(corpus) -> None:
    expected = load(corpus).train.ids[:]
    for path in (cache_folder() / "tokens").glob("*.ids"):
        path.write_bytes(path.read_bytes()[:-2])
    np.testing.assert_array_equal(load(corpus).train.ids[:], expected)


@pytest.mark.parametrize("form", ["txt", "gz", "folder", "jsonl", "texts", "list"])
def test_every_form_of_a_corpus_gives_the_same_ids(form, corpus, tmp_path) -> None:
    expected = load(corpus)
    lines = TEXT.splitlines()
    folder = tmp_path / "folder"
    folder.mkdir()
    if form == "gz":
        source = tmp_path / "corpus.txt.gz"
        source.write_bytes(gzip.compress(TEXT.encode()))
    elif form == "jsonl":
        source = tmp_path / "corpus.jsonl"
        texts = ["\n".join(lines[:50]), "\n".join(lines[50:])]
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    elif form == "texts":
        source = np.array(lines, dtype=object)
    else:
        halves = [folder / "a.txt", folder / "b.txt"]
        for path, half in zip(halves, (lines[:90], lines[90:]), strict=True):
            path.write_text("\n".join(half) + "\n")
        source = {"folder": folder, "list": halves, "txt": corpus}[form]
    found = load(source)
    np.testing.assert_array_equal(found.train.ids[:], expected.train.ids[:])
    assert found.tokenizer.pieces == expected.tokenizer.pieces


def test_a_folder_of_parts_is_train_validation_and_test(tmp_path) -> None:
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(f"{name} a b c d\n" * 40)
    corpus = load(tmp_path, lowercase=True)
    sizes = [len(corpus.train), len(corpus.validation), len(corpus.test)]
    assert sizes == [240, 240, 240]
    assert corpus.test.unknown == 40  # the word "test" is not in the training part


def test_without_validation_the_last_lines_are_set_aside(corpus) -> None:
    found = load(corpus, validation_fraction=0.1)
    lines = list(read_lines(corpus))
    kept = found.tokenizer.decode(found.train.ids[:]).splitlines()
    assert kept == lines[: len(kept)]  # whole lines
    assert len(kept) / len(lines) == pytest.approx(0.9, abs=0.01)
    held_out = found.tokenizer.encode(lines[len(kept) :])
    np.testing.assert_array_equal(found.validation.ids[:], held_out)
    # None of its numbers, which no other line has, are in the vocabulary.
    assert found.validation.unknown == len(lines) - len(kept)


def test_what_is_held_out_leaves_no_trace_in_the_vocabulary(tmp_path) -> None:
    lines = [f"a b c {'d e f' if number < 90 else 'x y z'}" for number in range(100)]
    for name, source in (("file", tmp_path / "lines.txt"), ("texts", lines)):
        if name == "file":
            source.write_text("\n".join(lines) + "\n")
        found = load(source, validation_fraction=0.1)
        assert set(found.tokenizer.pieces[2:]) == set("abcdef"), name
        assert found.validation.unknown_share == pytest.approx(3 / 7)
        (finding,) = [each for each in found.findings if each.level == "warning"]
        assert "42.9 % of the validation tokens are unknown" in finding.what
    half = [f"{'a' if number < 40 else 'b' if number < 90 else 'c'} d" for number in range(100)]
    found = load(half, validation_fraction=0.1, fraction=0.4)
    assert set(found.tokenizer.pieces[2:]) == {"a", "d"}
    assert found.tokenizer.decode(found.train.ids[:]).splitlines() == half[:36]
    found = load(half, validation=["c d"] * 9, fraction=0.4)
    assert set(found.tokenizer.pieces[2:]) == {"a", "d"} and len(found.train) == 120


@pytest.mark.parametrize("blank", [" ", ""])
def test_a_corpus_of_one_line_is_cut_within_it(blank) -> None:
    line = blank.join("abcde" * 200)
    found = load([line], validation_fraction=0.1, tokenizer="characters")
    kept = found.tokenizer.decode(found.train.ids[:]).removesuffix("\n")
    rest = found.tokenizer.decode(found.validation.ids[:]).removesuffix("\n")
    assert kept + rest == line
    assert len(kept) / len(line) == pytest.approx(0.9, abs=0.01)


def test_lines_between_places_are_those_on_both_sides_of_them_together() -> None:
    for lines in (
        ["abc", "", "de f", "ghi jkl mno", "p"],
        ["", ""],
        ["abcdefg"],
        ["a b c d e f g"],
    ):
        total = sum(len(line) + 1 for line in lines)
        for place in range(total + 1):
            sides = [
                list(lines_between(lines, *some, total)) for some in ((0, place), (place, total))
            ]
            assert "".join(sides[0] + sides[1]) == "".join(lines)


def test_bundled_corpus_has_its_parts() -> None:
    found = load(bundled_corpus(), tokenizer="characters")
    assert [len(found.train), len(found.validation), len(found.test)] == [
        1_003_855, 55_771, 55_770,  # the last line of a file gets its end
    ]  # fmt: skip
    assert found.tokenizer.vocabulary_size == 66  # 65 characters, and <unk>


# --- bad input


def test_a_corpus_that_is_too_short_names_what_to_change(tmp_path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("a few words\n")
    with pytest.raises(ZooError, match=r"short\.txt: 4 tokens.*one window of 4 rows.*data\.window"):
        load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n\n", "every line is empty or blank"),
        (b"abc\x00\x01\x02", "no text: it holds zero bytes"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not UTF-8"),
    ],
)
def test_files_that_are_no_text_are_told(content, message, tmp_path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    with pytest.raises(ZooError, match=message):
        load(path)


def test_missing_files_and_folders_without_text(tmp_path) -> None:
    with pytest.raises(ZooError, match="no such file or folder"):
        load(tmp_path / "nothing.txt")
    (tmp_path / "a.txt").write_text(TEXT)
    with pytest.raises(ZooError, match=r"nothing\.txt: no such file or folder"):
        load([str(tmp_path / "a.txt"), str(tmp_path / "nothing.txt")])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "image.png").write_bytes(b"x")
    with pytest.raises(ZooError, match="holds no text"):
        load(tmp_path / "folder")
    with pytest.raises(ZooError, match="made of strings. Received: int"):
        load(np.array([1, 2]))
    with pytest.raises(ZooError, match="fraction"):
        load(tmp_path / "nothing.txt", fraction=0.0)


def test_a_broken_archive_is_told(tmp_path) -> None:
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress(TEXT.encode())[:200])
    with pytest.raises(ZooError, match=r"corpus\.txt\.gz: cannot be read"):
        content_digest(path)


def test_a_validation_part_of_unknown_words_is_reported_with_its_share(corpus, tmp_path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("dies ist ein anderer satz ohne bekanntes wort\n" * 9)
    found = load(corpus, validation=other)
    (finding,) = [each for each in found.findings if each.level == "warning"]
    assert finding.what.startswith("88.9 % of the validation tokens are unknown")
    assert finding.evidence["unknown_share"] == pytest.approx(8 / 9)
    assert not [each for each in load(corpus, validation=corpus).findings if each.level != "info"]


def test_a_vocabulary_larger_than_the_corpus_supports_is_told(corpus) -> None:
    (finding,) = [
        each for each in load(corpus, vocabulary_size=1000).findings if each.level == "info"
    ]
    assert finding.evidence["asked"] == 1000
    assert finding.evidence["vocabulary_size"] == load(corpus).tokenizer.vocabulary_size
    assert not load(corpus, vocabulary_size=10, validation=corpus).findings


def test_ids_beyond_the_vocabulary_are_named_with_their_place() -> None:
    check_ids(np.array([0, 9]), 10, "here")
    with pytest.raises(ZooError, match=r"here: id 10 at position 1 .* \[0, 10\)"):
        check_ids(np.array([3, 10, 11]), 10, "here")


def test_no_such_part(corpus) -> None:
    with pytest.raises(ZooError, match="Did you mean 'validation'"):
        load(corpus).dataset("validaton")


def test_a_large_vocabulary_takes_larger_ids(tmp_path) -> None:
    words = [f"w{i}" for i in range(70_000)]
    vocabulary = learn_corpus_tokenizer("words", words, vocabulary_size=100_000, lowercase=False)
    found = cached_tokens("x", words, vocabulary)
    assert found.ids.dtype == np.int32 and len(found) == 140_000
    assert isinstance(found, Tokens) and found.unknown == 0
