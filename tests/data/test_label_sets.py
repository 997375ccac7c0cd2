"""Several labels a row: told by lists, columns of 0 and 1 and marks; split, kept and counted."""

import numpy as np
import pandas
import pytest
from conftest import sentences

from zoo import ZooError
from zoo.data import store as store_module
from zoo.data.classes import check_classes, rows_of_classes
from zoo.data.label_sets import label_counts, read_label_sets, strata
from zoo.data.label_text import MARK, found_separator, labels_in, set_text
from zoo.data.rows import Rows
from zoo.data.split import split_rows
from zoo.data.store import Store
from zoo.data.tables import read_rows
from zoo.data.targets import ClassTargets, SetTargets
from zoo.preset.labels import AutoLabels, OneLabel, SeveralLabels

TEXTS = [text for text, _ in sentences(40)]


def store_of(labels, **kwargs) -> Store:
    return Store([Rows("a.csv", 1, [f"text {n}" for n in range(len(labels))], labels)], **kwargs)


def read(labels, settings=AutoLabels()):  # noqa: B008
    with store_of(labels) as store:
        kind, separator, findings = read_label_sets({"train": store}, settings)
        sets = [labels_in(store.names[label]) for label in store.labels]
    return kind, separator, sets, findings


def test_a_set_is_a_text_whatever_its_order() -> None:
    assert set_text(["b", "a", "b"]) == set_text(("a", "b"))
    assert labels_in(set_text(["b", "a"])) == ("a", "b")
    assert set_text(["a"]) == "a" and labels_in("a") == ("a",)
    assert labels_in(set_text([])) == () and set_text([]) == MARK


@pytest.mark.parametrize(
    ("labels", "separator"),
    [
        (["joy|love", "joy", "anger"], "|"),
        (["red;shiny", "red", "blue;shiny"], ";"),
        (["a, b", "a", "b"], ","),
        (["Washington, DC", "Paris", "DC"], None),  # one part alone is no label of another row
        (['["pos"]', '["neg", "long"]'], "list"),
        (["['pos', 'neg']", "[]"], "list"),
        (["[2, 27]", "[1]"], "list"),
        (["['pos']", "['neg']"], None),
        (["['pos' 'long']", "[]"], None),
        (["['pos', 'pos']", "['neg']"], None),  # one label each
        ([set_text(["pos", "neg"]), "a|b", "a", "b"], None),  # told already
        (["Sci/Tech", "World", "a,", "|", "C++"], None),
        (["red shiny", "red", "blue", "blue shiny"], None),
    ],
)
def test_what_separates_labels(labels, separator) -> None:
    assert found_separator(labels) == separator


def test_joined_labels_are_told_and_said() -> None:
    kind, separator, sets, (finding,) = read(["joy|love", "joy", " love | joy", "anger"])
    assert (kind, separator) == ("several", "|")
    assert sets == [("joy", "love"), ("joy",), ("joy", "love"), ("anger",)]
    assert "several labels a row, separated by '|': 3 labels" in finding.what
    assert "data.labels.name=one" in finding.next


def test_what_is_asked_for_is_done() -> None:
    labels = ["a/b", "a", "b"]
    assert read(labels)[0] == "one"
    assert read(labels, SeveralLabels(separator="/"))[2] == [("a", "b"), ("a",), ("b",)]
    kind, _, sets, _ = read(["joy|love", "joy", "love"], OneLabel())
    assert kind == "one" and sets[0] == ("joy|love",)
    # a lone mark is a row that has no label
    assert read(["|", "a", "b"], SeveralLabels(separator="|"))[2] == [(), ("a",), ("b",)]
    # beside lists, what is none is one label, and an empty string is none
    lists = ['["real", ""]', "realistic", "real", "[]"]
    sets = read(lists, SeveralLabels(separator="list"))[2]
    assert sets == [("real",), ("realistic",), ("real",), ()]
    with store_of(lists) as store:
        read_label_sets({"train": store}, SeveralLabels(separator="list"))
        assert store.labels[0] == store.labels[2]
    # asked for, a mark that could be part of a name separates as well
    assert read(["Washington, DC", "Paris"], SeveralLabels())[1] == ","


def test_one_label_where_several_are_given_is_refused() -> None:
    with pytest.raises(ZooError, match=r"a.csv: row 2: 'a', 'b' where data.labels.name is one"):
        read(["a", set_text(["a", "b"])], OneLabel())


def test_rows_without_a_label_among_rows_with_one_may_be_a_fault() -> None:
    with pytest.raises(ZooError, match="a.csv: row 2: no label, and no row has several"):
        read(["a", set_text([]), "b"])
    assert read(["a", set_text([]), "b"], SeveralLabels())[2][1] == ()


def test_lists_and_columns_of_0_and_1_are_sets(tmp_path) -> None:
    flags = {"text": ["x", "y", "z"], "joy": [1, 0, 0], "love": [1, 1, 0]}
    lists = {"text": flags["text"], "labels": [["love", "joy"], ["love"], []]}
    for name, columns in (("flags", flags), ("lists", lists)):
        frame = pandas.DataFrame(columns)
        frame.to_json(tmp_path / f"{name}.jsonl", orient="records", lines=True)
        frame.to_parquet(tmp_path / f"{name}.parquet")
        if name == "flags":
            frame.astype({"joy": bool}).to_csv(tmp_path / "flags.csv", index=False)
    for path in sorted(tmp_path.iterdir()):
        rows = next(read_rows(path))
        assert rows.labels == [set_text(["joy", "love"]), "love", MARK], path
    pair = next(read_rows((flags["text"], np.array([[1, 1], [0, 1], [0, 0]]))))
    assert pair.labels == [set_text(["0", "1"]), "1", MARK]


def test_a_column_of_labels_holds_0_and_1_alone(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,a,b\nx,1,0\ny,2,0\n")
    with pytest.raises(ZooError, match=r"row 2: 'a' must be 0 or 1.*Received: '2'"):
        list(read_rows(path, _columns("a,b")))
    path.write_text("text,a,b\nx,1,0\ny,,1\n")
    with pytest.raises(ZooError, match="row 2: 'a' is empty, and other labels are not"):
        list(read_rows(path))
    (tmp_path / "a.jsonl").write_text(
        '{"text": "x", "a": 1, "b": 0}\n{"text": "y", "a": [1], "b": 0}\n'
    )
    with pytest.raises(ZooError, match=r"row 2: 'a' must be 0 or 1.*Received: \[1\]"):
        list(read_rows(tmp_path / "a.jsonl", _columns("a,b")))
    path.write_text("text,a,b\nx,1,0\ny,,\n")
    assert next(read_rows(path)).labels == ["a", None]


def _columns(label):
    from zoo.data.columns import ColumnRequest

    return ColumnRequest(label=label)


def test_a_rare_label_is_in_both_parts_however_it_is_combined() -> None:
    """Each combination is there once: split by combinations, nothing could be validated."""
    sets = [[f"l{bit}" for bit in range(7) if row >> bit & 1] for row in range(1, 101)]
    labels = [set_text([*own, "rare"] if n < 12 else own) for n, own in enumerate(sets)]
    with store_of(labels) as store:
        rows = np.arange(len(labels), dtype=np.int32)
        train, held_out = split_rows(store.hashes, strata(store, rows), 0.25, seed=0)
        counts = [label_counts(store, part)["rare"] for part in (train, held_out)]
        every = label_counts(store, rows)
        assert set(label_counts(store, train)) == set(every)
    assert counts == [9, 3]
    assert abs(len(held_out) - 25) < 5


def test_many_combinations_of_few_labels_are_labels() -> None:
    labels = ["|".join(f"l{n}" for n in range(12) if row >> n & 1) for row in range(1, 2500)]
    with store_of(labels) as store:
        assert read_label_sets({"train": store}, AutoLabels())[0] == "several"
    with pytest.raises(ZooError, match="Is this the label column"):
        store_of([f"{n}|{n + 3000}" for n in range(2500)])
    store_of([f"{n}|{n + 3000}" for n in range(2500)], several_labels=True).close()


def test_reading_many_combinations_takes_time_in_proportion(monkeypatch) -> None:
    looked_at = []

    def counted(names):
        looked_at.append(len(names))
        return found_separator(names)

    monkeypatch.setattr(store_module, "found_separator", counted)
    labels = ["|".join(f"l{n}" for n in range(14) if row >> n & 1) for row in range(1, 12_000)]
    blocks = [
        Rows("a.csv", start + 1, labels[start : start + 100], labels[start : start + 100])
        for start in range(0, len(labels), 100)
    ]
    with Store(blocks) as store:
        assert len(store.names) == len(labels)
    assert 0 < sum(looked_at) < 2 * len(labels)


def test_classes_that_are_kept_leave_the_others_out() -> None:
    with store_of([set_text(s) for s in (["a", "b"], ["b", "c"], ["c"], [])]) as store:
        check_classes(store, ["a", "b"])
        with pytest.raises(ZooError, match="no row has the label 'd'"):
            check_classes(store, ["d"])
        rows = rows_of_classes(store, np.arange(4), ["a", "b"])
        assert rows.tolist() == [0, 1]
        assert [labels_in(store.names[label]) for label in store.labels[rows]] == [
            ("a", "b"),
            ("b",),
        ]


def test_targets_of_sets() -> None:
    targets = SetTargets(["a", "b", 3])
    texts = [set_text(["b", "3"]), "a", set_text([]), "zebra", set_text(["a", "zebra"])]
    ids = targets.ids(texts)
    assert ids.tolist() == [0, 1, 2, -1, -1]
    assert targets.unknown(texts[3:]) == ["zebra"]
    rows = np.array([1, 0, 0, 2])
    expected = [[1, 0, 0], [0, 1, 1], [0, 1, 1], [0, 0, 0]]
    np.testing.assert_array_equal(targets.indicator(rows).toarray(), expected)
    np.testing.assert_array_equal(targets.batch(rows), expected)
    assert targets.counts(rows).tolist() == [1, 2, 2]
    assert targets.sizes(rows).tolist() == [1, 2, 2, 0]
    assert targets.first_rows(rows, np.array([0, 2])).tolist() == [0, 1]
    assert [targets.shown(id) for id in range(3)] == ["b|3", "a", "no label"]
    # all rows of a label weigh as much as those of another: 4 rows of 3 labels
    weights = targets.weigher(rows)(rows).numpy()
    np.testing.assert_allclose((weights * expected).sum(axis=0), 4 / 3, rtol=1e-6)
    assert (weights[np.array(expected) == 0] == 1).all()


def test_rows_are_not_repeated_for_one_of_their_labels() -> None:
    with pytest.raises(ZooError, match="data.balance=oversample is for one label a row"):
        SetTargets(["a", "b"]).check_balance("oversample")
    SetTargets(["a", "b"]).check_balance("class-weights")
    ClassTargets(["a", "b"]).check_balance("oversample")


def test_a_separator_that_separates_nothing_beside_one_that_does() -> None:
    with pytest.raises(ZooError, match=r"separator '#': .* 'joy\|love'\. Did you mean '\|'\?"):
        read(["joy|love", "joy", "love|joy"], SeveralLabels(separator="#"))
    # Of another part of the data, or of new data, all rows may have one label.
    assert read(["a", "b"], SeveralLabels(separator="#"))[2] == [("a",), ("b",)]
    assert read(['["a", "b"]', '["a"]'], SeveralLabels(separator="list"))[2] == [("a", "b"), ("a",)]
