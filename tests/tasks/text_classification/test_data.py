"""Splits, balance, findings and batches: what reaches the network is what was in the file."""

import collections

import numpy as np
import pytest
from conftest import SHARED, sentences, write_csv

import zoo
from zoo import ZooError
from zoo.data.epochs import class_weights, epoch_order, epoch_rows
from zoo.data.rows import Rows
from zoo.data.split import sample_rows, split_rows
from zoo.data.store import Store
from zoo.data.tables import read_rows
from zoo.tasks.request import Request
from zoo.tasks.text_classification import batches as pipeline
from zoo.tasks.text_classification import checks
from zoo.tasks.text_classification.data import bundled_texts, load_data, load_split
from zoo.tasks.text_classification.inspection import inspect_texts

SETTINGS = zoo.load_preset("textcnn", "default", {"data.batch_size": 8}).data


def load(source, **arguments):
    settings = arguments.pop("settings", SETTINGS)
    return load_data(Request(source, **arguments), settings=settings, vocabulary_size=200)


def finding(data, words: str):
    return next((f for f in data.findings if words in f.what), None)


def imbalanced(common=90, rare=10):
    return [(f"common words {n}", "c") for n in range(common)] + [
        (f"rare words {n}", "r") for n in range(rare)
    ]


# --- split


def test_a_split_is_stratified_shuffled_and_whole() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    hashes = np.arange(1000, dtype=np.uint64)
    train, held_out = split_rows(hashes, labels, 0.1, seed=1)
    assert sorted([*train, *held_out]) == list(range(1000))
    assert np.bincount(labels[held_out]).tolist() == [60, 30, 10]
    assert (np.diff(train) > 0).all()
    assert np.diff(held_out).max() > 1
    again = split_rows(hashes, labels, 0.1, seed=1)
    np.testing.assert_array_equal(held_out, again[1])
    assert set(held_out) != set(split_rows(hashes, labels, 0.1, seed=2)[1])


def test_copies_of_a_text_stay_on_one_side() -> None:
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 80, 400).astype(np.uint64)
    labels = generator.integers(0, 2, 400)
    train, held_out = split_rows(hashes, labels, 0.2, seed=0)
    assert not set(hashes[train]) & set(hashes[held_out])
    assert 0.1 < len(held_out) / 400 < 0.3


def test_a_text_sent_a_thousand_times_does_not_fill_the_validation_part() -> None:
    hashes = np.concatenate([np.zeros(500), np.arange(1, 501)]).astype(np.uint64)
    for seed in range(5):
        _, held_out = split_rows(hashes, np.zeros(1000, np.int32), 0.1, seed)
        assert len(held_out) == 100
        assert 0 not in hashes[held_out]


@pytest.mark.parametrize(("rows", "expected"), [(2, 1), (5, 1), (11, 1), (16, 2), (100, 10)])
def test_the_share_that_comes_nearest_is_held_out(rows, expected) -> None:
    labels = np.repeat([0, 1], [rows, 40])
    _, held_out = split_rows(np.arange(rows + 40, dtype=np.uint64), labels, 0.1, seed=0)
    assert np.bincount(labels[held_out]).tolist() == [expected, 4]


def test_a_class_with_one_text_stays_in_training() -> None:
    labels = np.array([0] * 20 + [1])
    train, held_out = split_rows(np.arange(21, dtype=np.uint64), labels, 0.3, seed=0)
    assert 20 in train
    assert len(held_out) == 6


def test_a_sample_keeps_every_class() -> None:
    labels = np.repeat([0, 1], [1000, 5])
    rows = sample_rows(labels, 0.01, seed=0)
    assert np.bincount(labels[rows]).tolist() == [10, 1]


# --- balance


def test_oversampling_repeats_rare_rows_and_keeps_all() -> None:
    labels = np.repeat([0, 1], [90, 12])
    order = epoch_order(labels, "oversample", np.random.default_rng(0))
    assert np.bincount(labels[order]).tolist() == [90, 90]
    assert len(order) == epoch_rows(labels, "oversample") == 180
    assert set(order) == set(range(102))


def test_balanced_batches_have_each_class_as_often() -> None:
    labels = np.repeat([0, 1, 2], [70, 20, 10])
    order = epoch_order(labels, "batches", np.random.default_rng(0))
    assert len(order) == 100
    for start in range(0, 99, 3):
        assert sorted(labels[order[start : start + 3]]) == [0, 1, 2]


def test_class_weights_average_to_one() -> None:
    labels = np.repeat([0, 1], [75, 25])
    weights = class_weights(labels, 2)
    np.testing.assert_allclose(weights, [2 / 3, 2.0])
    assert weights[labels].mean() == pytest.approx(1.0)


@pytest.mark.parametrize("balance", ["none", "oversample", "batches", "class-weights"])
def test_balance_reaches_the_batches(balance, tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"balance": balance})
    data = load(write_csv(tmp_path / "a.csv", imbalanced()), settings=settings)
    with data.train:
        batches = list(data.dataset("train"))
        counts = np.bincount(np.concatenate([batch[1].numpy() for batch in batches]))
        assert len(batches) == int(data.dataset("train").cardinality())
        if balance in ("oversample", "batches"):
            assert abs(counts[0] - counts[1]) <= 1
        else:
            assert counts.tolist() == [81, 9]
        if balance == "batches":
            full = [batch for batch in batches if len(batch[1]) == 8]
            assert {tuple(np.bincount(b[1], minlength=2)) for b in full} == {(4, 4)}
        assert {len(batch) for batch in batches} == {3 if balance == "class-weights" else 2}


# --- batches


def test_every_row_comes_once_an_epoch_padded_to_its_batch(tmp_path) -> None:
    rows = [("word " * (1 + n % 30) + str(n), "ab"[n % 2]) for n in range(1000)]
    data = load(write_csv(tmp_path / "a.csv", rows))
    with data.train:
        dataset = data.dataset("train")
        epochs = [[(ids.numpy(), labels.numpy()) for ids, labels in dataset] for _ in range(2)]
        for batches in epochs:
            assert len(batches) == -(-len(data.train) // 8) == int(dataset.cardinality())
            assert sum(len(labels) for _, labels in batches) == len(data.train)
            for ids, _ in batches:
                assert (ids != 0).any(axis=0)[-1]  # no column is all padding
                assert (ids[:, 0] != 0).all()
        pad = np.mean([(ids == 0).mean() for ids, _ in epochs[0]])
        assert pad < 0.1  # bucketed by length
        rows_of = [collections.Counter(ids[i].tobytes().rstrip(b"\0") for ids, _ in batches
                                       for i in range(len(ids))) for batches in epochs]  # fmt: skip
        assert rows_of[0] == rows_of[1]
        assert epochs[0][0][0].tolist() != epochs[1][0][0].tolist()  # another order
        again = [ids.numpy().tolist() for ids, _ in data.dataset("train")]
        assert again == [ids.tolist() for ids, _ in epochs[0]]  # the same from the seed


def test_validation_batches_are_not_shuffled_away(tmp_path) -> None:
    data = load(write_csv(tmp_path / "a.csv", sentences(100)))
    with data.train:
        labels = np.concatenate([labels.numpy() for _, labels in data.dataset("validation")])
        assert sorted(labels) == sorted(data.validation.labels)


def test_long_texts_are_cut_and_empty_ones_have_one_token(tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"max_length": 5, "tokenizer": "words"})
    rows = [*sentences(40), ("word " * 500, "good"), ("", "bad"), (" ", "good")]
    data = load(write_csv(tmp_path / "a.csv", rows), settings=settings)
    with data.train:
        for part in ("train", "validation"):
            for ids, _ in data.dataset(part):
                assert ids.shape[1] <= 5
                assert (ids.numpy()[:, 0] != 0).all()


def test_texts_keep_their_labels_through_sorting_and_shuffling(tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"tokenizer": "words"})
    rows = [(f"{'good' if n % 2 else 'bad'} " + "x " * (n % 17), "pn"[n % 2]) for n in range(500)]
    for balance in ("none", "oversample", "batches"):
        chosen = settings.model_copy(update={"balance": balance})
        rows = [(f"{text}{n}", label) for n, (text, label) in enumerate(rows)]
        with load(write_csv(tmp_path / "a.csv", rows), settings=chosen) as data:
            good = data.tokenizer.pieces.index("good")
            for part in ("train", "validation"):
                for ids, labels in data.dataset(part):
                    assert ids.dtype == labels.dtype == "int32"
                    expected = [data.classes.index("n" if row[0] == good else "p") for row in ids]
                    assert labels.numpy().tolist() == expected


def test_batches_hold_what_the_tokenizer_says(tmp_path) -> None:
    with load(write_csv(tmp_path / "a.csv", sentences(60))) as data:
        expected = data.tokenizer(data.train.inputs(range(len(data.train)))).to_list()
        found = [
            [token for token in row if token]
            for ids, _ in data.dataset("train")
            for row in ids.numpy().tolist()
        ]
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("block_bytes", [1, 1000, 3000])
def test_blocks_of_long_texts_are_smaller(block_bytes, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "BLOCK_BYTES", block_bytes)
    with load(write_csv(tmp_path / "a.csv", sentences(220))) as data:
        batches = list(data.dataset("train"))
        assert len(batches) == -(-len(data.train) // 8) == 25
        assert sum(len(labels) for _, labels in batches) == len(data.train) == 198
        expected = data.tokenizer(data.train.inputs(range(198))).to_list()
        found = [[t for t in row if t] for ids, _ in batches for row in ids.numpy().tolist()]
        assert sorted(found) == sorted(expected)


def test_the_order_depends_on_the_seed_alone(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", sentences(300))

    def labels(seed):
        with load(path, seed=seed) as data:
            dataset = data.dataset("train")
            return [np.concatenate([y for _, y in dataset]).tolist() for _ in range(2)]

    assert labels(3) == labels(3)
    assert labels(3)[0] != labels(3)[1]
    assert labels(3) != labels(4)


def test_class_weights_come_with_each_row(tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"balance": "class-weights"})
    with load(write_csv(tmp_path / "a.csv", imbalanced()), settings=settings) as data:
        for _, labels, weights in data.dataset("train"):
            assert weights.dtype == "float32"
            np.testing.assert_allclose(weights, np.where(labels == 0, 0.5 / 0.9, 5.0), rtol=1e-6)
        assert len(next(iter(data.dataset("validation")))) == 2


# --- classes and labels


def test_integer_classes_are_in_numeric_order(tmp_path) -> None:
    rows = [(f"text {n}", str((2, 10, 1)[n % 3])) for n in range(60)]
    data = load(write_csv(tmp_path / "a.csv", rows))
    with data.train:
        assert data.classes == [1, 2, 10]
    words = load(write_csv(tmp_path / "b.csv", [(t, f"c{label}") for t, label in rows]))
    with words.train:
        assert words.classes == ["c1", "c10", "c2"]


def test_vocabulary_and_classes_come_from_training_only(tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"tokenizer": "words"})
    train = write_csv(tmp_path / "a.csv", sentences(40))
    other = write_csv(tmp_path / "b.csv", [("zebra zebra", "good"), ("a film", "ugly")])
    data = load(train, validation=train, test=other, settings=settings)
    assert data.classes == ["bad", "good"]
    assert "zebra" not in data.tokenizer.pieces
    unknown = finding(data, "labels unknown to training")
    assert (unknown.level, unknown.evidence["labels"], unknown.evidence["rows"]) == (
        "error", ["ugly"], [2],
    )  # fmt: skip
    data.close()


def test_classes_can_be_chosen(tmp_path) -> None:
    rows = [(f"text {n}", "abc"[n % 3]) for n in range(60)]
    path = write_csv(tmp_path / "a.csv", rows)
    data = load(path, classes=["a", "c"])
    with data.train:
        assert data.classes == ["a", "c"]
        assert len(data.train) + len(data.validation) == 40
    with pytest.raises(ZooError, match="no row has the label 'd'"):
        load(path, classes=["a", "d"])


def test_fraction(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", sentences(1000))
    data = load(path, fraction=0.1)
    with data.train:
        assert len(data.train) == 90
        assert len(data.validation) == 100
    with pytest.raises(ZooError, match="`fraction` must be in"):
        load(path, fraction=1.5)


# --- findings


def test_findings_name_counts_and_rows(tmp_path) -> None:
    rows = [*sentences(40), ("twice", "good"), ("twice", "good"), ("both", "good"), ("both", "bad")]
    rows += [("", "bad"), ("rare", "third")]
    train = write_csv(tmp_path / "a.csv", rows)
    test = write_csv(tmp_path / "t.csv", [("twice", "good"), ("new", "bad")])
    data = load(train, test=test)
    with data.train:
        assert finding(data, "is empty").evidence["rows"] == [45]
        repeated = finding(data, "repeat an earlier text")
        assert (repeated.evidence["count"], repeated.evidence["rows"]) == (2, [42, 44])
        assert finding(data, "two labels").evidence["rows"] == [43]
        assert "twice" in data.train.iter_inputs()  # both copies, and so the one of the test part
        assert finding(data, "also in training").evidence["count"] == 1
        (rare,) = checks.classes_of_batches(data.train, data.classes, SETTINGS)
        assert rare.what.startswith("1 class has less than one row in a batch of 8: third (1)")
        assert "max_length" in finding(data, "tokens a text").what
        assert finding(data, "the vocabulary has") is not None
    data.close()


def test_findings_across_files(tmp_path) -> None:
    train = write_csv(tmp_path / "a.csv", sentences(40))
    validation = write_csv(tmp_path / "v.csv", [*sentences(4), ("new", "bad"), ("", "bad")])
    test = write_csv(tmp_path / "t.csv", [("first", "bad"), (" new ", "good"), ("", "good")])
    with load(train, validation=validation, test=test) as data:
        assert len(data.train) == 40
        shared = finding(data, "of validation (66.7 %) are also in training")
        assert shared.evidence == {"count": 4, "share": 4 / 6, "rows": [1, 2, 3, 4]}
        assert finding(data, "of test (33.3 %) is also in validation").evidence["rows"] == [2]
        assert finding(data, "also in training: " + str(test)) is None
        assert finding(data, "v.csv: row 6") is not None
        assert finding(data, "t.csv: row 3") is not None


def test_clean_data_have_no_warnings(tmp_path) -> None:
    with load(write_csv(tmp_path / "a.csv", sentences(400))) as data:
        assert [f for f in data.findings if f.level != "info"] == []


def test_how_a_file_was_read_is_reported(tmp_path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{n},text {n},{'ab'[n % 2]}" for n in range(40)]
    # the mark in row 41 is closed only in row 43
    rows += ['40,"text forty,a', "41,text,b", '42,text",a', "43,text,b"]
    path.write_text("\n".join(["id,text,label", *rows]))
    with load(path) as data:
        assert finding(data, "columns not read: 'id'").evidence["columns"] == ["id"]
        swallowed = finding(data, "holds whole rows of the file inside the text")
        assert swallowed.evidence["rows"] == [41]
        assert len(data.train) + len(data.validation) == 42


def test_quoted_lines_are_no_swallowed_rows(tmp_path) -> None:
    rows = [(f"one, {n}\ntwo,good\nthree, four", ("good", "bad")[n % 2]) for n in range(40)]
    with load(write_csv(tmp_path / "a.csv", rows)) as data:
        assert finding(data, "whole rows") is None


def test_half_a_surrogate_pair_is_replaced_and_reported(tmp_path) -> None:
    rows = [(f"text {n}", "ab"[n % 2]) for n in range(40)] + [("cut \ud83d", "a\ud83d")]
    texts, labels = zip(*rows, strict=True)
    with load((list(texts), list(labels))) as data:
        assert finding(data, "half a surrogate pair").evidence["rows"] == [41]
        assert data.classes == ["a", "a\ufffd", "b"]
        assert list(data.train.store.iter_inputs(np.array([40]))) == ["cut \ufffd"]


def test_class_order_is_reported(tmp_path) -> None:
    rows = sorted(sentences(60), key=lambda row: row[1])
    data = load(write_csv(tmp_path / "a.csv", rows))
    with data.train:
        assert finding(data, "class order").level == "info"
    with load(write_csv(tmp_path / "b.csv", sentences(60))) as data:
        assert finding(data, "class order") is None


def test_uncovered_characters(tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"tokenizer": "characters"})
    rows = [(f"{'abc'[n % 3] * 5}{chr(0x4E00 + n)}", "xy"[n % 2]) for n in range(400)]
    data = load_data(
        Request(write_csv(tmp_path / "a.csv", rows)), settings=settings, vocabulary_size=100
    )
    with data.train:
        assert finding(data, "not covered by the characters tokenizer").evidence["characters"] > 200


def test_cut_texts_are_a_warning(tmp_path) -> None:
    settings = SETTINGS.model_copy(update={"max_length": 2})
    data = load(write_csv(tmp_path / "a.csv", sentences(40)), settings=settings)
    with data.train:
        lengths = finding(data, "tokens a text")
        assert lengths.level == "warning"
        assert lengths.evidence["cut_share"] == 1.0


def test_missing_labels(tmp_path) -> None:
    rows = [*sentences(20), ("no label", ""), ("none either", " ")]
    path = write_csv(tmp_path / "a.csv", rows)
    with pytest.raises(ZooError, match=r"2 rows have no label: .*a\.csv: rows 21, 22"):
        load(path)
    data = load(path, drop_missing=True)
    with data.train:
        assert len(data.train) + len(data.validation) == 20
        assert finding(data, "left out").evidence == {"count": 2}


# --- store


def test_a_store_gives_back_what_it_was_given() -> None:
    texts = ["one", "", "naïve 中文", "x" * 200_000]
    store = Store(
        [Rows("a.csv", 1, texts[:2], ["p", None]), Rows("b.csv", 7, texts[2:], ["q", "p"])]
    )
    assert list(store.iter_inputs(np.arange(4))) == texts
    assert [text.decode() for text in store.raw_inputs(np.array([3, 0]))] == [texts[3], texts[0]]
    assert store.labels.tolist() == [0, -1, 1, 0]
    assert [store.origin(row) for row in range(4)] == [
        ("a.csv", 1), ("a.csv", 2), ("b.csv", 7), ("b.csv", 8),
    ]  # fmt: skip
    assert "a.csv: row 2, b.csv: row 7" in store.describe(np.array([1, 2]))
    assert store.sizes(np.arange(4)).tolist() == [len(text.encode()) for text in texts]
    store.close()


def test_a_store_without_a_place_is_a_zoo_error(monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nothing/here")
    with pytest.raises(ZooError, match="TMPDIR"):
        Store([Rows("a.csv", 1, ["a"], ["b"])])


def test_fingerprints_tell_data_apart(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", sentences(40))
    prints = []
    for arguments in ({}, {}, {"seed": 1}, {"fraction": 0.5}):
        data = load(path, **arguments)
        prints.append(data.fingerprint)
        data.close()
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_a_split_for_scoring(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", sentences(10))
    with load_split(Request(path), ["bad", "good"]) as split:
        assert split.labels.tolist() == [1, 0] * 5
        assert list(split.iter_inputs()) == [text for text, _ in sentences(10)]
        assert split.row_number(3) == 4
    assert len(list(read_rows(path))) == 1
    with pytest.raises(ZooError, match="'bad'"):
        load_split(Request(path), ["good", "great"])


def test_a_look_at_data(tmp_path) -> None:
    rows = [*sentences(60), *((f"more {n} " + "x" * 500, "good") for n in range(20))]
    path = write_csv(tmp_path / "a.csv", rows)
    with load(path) as data:
        seen = inspect_texts(data, seed=0)
    summary, findings = seen.summary, seen.findings
    assert summary["rows"] == 80
    assert list(summary["classes"].items()) == [("good", 50), ("bad", 30)]
    assert list(summary["lengths"]) == ["median", "90 %", "99 %", "longest"]
    assert len(summary["samples"]) == 5
    for sample in summary["samples"]:
        text, label = rows[sample["row"] - 1]
        assert (sample["text"], sample["label"]) == (text[:300], label)
    assert any("tokens a text" in f.what for f in findings)


def test_long_texts_are_judged_by_a_sample(tmp_path) -> None:
    rows = [(f"{n} " + "word " * 10_000, "ab"[n % 2]) for n in range(200)]
    with load(write_csv(tmp_path / "a.csv", rows)) as data:
        lengths = finding(data, "in a sample of")
        assert 20 < lengths.evidence["texts"] < 60
        assert lengths.evidence["median"] >= 10_000


def test_the_bundled_data() -> None:
    with load(bundled_texts()) as data:
        assert data.classes == ["ham", "spam"]
        assert len(data.train) + len(data.validation) == 5_574
        assert finding(data, "repeat an earlier text").evidence["count"] == 414


DATA = SHARED / "data"


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize(
    ("name", "rows", "classes", "words"),
    [
        ("trec/train.csv", 5_452, 6, "71 texts of the data repeat"),
        ("mr/all.csv", 10_662, 2, "class order"),
        ("sst1/train.csv", 8_544, 5, "10 texts of the data repeat"),
        ("chnsenticorp/all.csv.gz", 7_766, 2, "1 text is empty"),
        ("thucnews_45k/train.csv.gz", 45_000, 10, "2 texts of the data have two labels"),
        ("newsgroups20/train.csv.gz", 11_314, 20, "are longer than max_length"),
    ],
)
def test_real_data_have_the_rows_they_are_known_for(name, rows, classes, words) -> None:
    settings = SETTINGS.model_copy(update={"tokenizer": "characters"})  # learned at once
    with load(DATA / name, settings=settings) as data:
        assert len(data.train) + len(data.validation) == rows
        assert len(data.classes) == classes
        assert finding(data, words) is not None
        assert finding(data, "whole rows") is None


def test_words_of_texts_without_blanks_are_told(tmp_path) -> None:
    # Chinese falls into characters; Thai stays one token a run.
    thai = [(f"ภาพยนตร์เรื่องนี้สนุกมากและนักแสดงเก่ง{i}", str(i % 2)) for i in range(60)]
    path = write_csv(tmp_path / "thai.csv", thai)
    settings = zoo.load_preset("textcnn", "default", {"data.tokenizer": "words"}).data
    with load_data(Request(path), settings=settings, vocabulary_size=500) as data:
        (found,) = [each for each in data.findings if "without blanks" in each.what]
    assert found.level == "warning" and "data.tokenizer=sentencepiece" in found.next
    chinese = [(f"今天天气很好我们去公园散步{i}", str(i % 2)) for i in range(60)]
    path = write_csv(tmp_path / "chinese.csv", chinese)
    with load_data(Request(path), settings=settings, vocabulary_size=500) as data:
        assert not [each for each in data.findings if "without blanks" in each.what]
