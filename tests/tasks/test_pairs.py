"""Pairs of texts, from tables and tuples to predictions."""

import json
import random

import numpy as np
import pandas
import pytest
import tensorflow as tf
from conftest import NEUTRAL, QUICK, sentences, write_csv
from start_parts import bert_folder

import zoo
from zoo import ZooError
from zoo.data.columns import ColumnRequest
from zoo.data.tables import read_rows
from zoo.text.graph_tokenizer import learn_tokenizer
from zoo.text.pair_tokenizer import PairTokenizer
from zoo.text.pairs import pair_text, split_pair
from zoo.text.tokenizers import load_tokenizer

HEADER = ("sentence1", "sentence2", "label")


def pairs(count: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """Return pairs that share most words, or none: `same` or `other`."""
    generator = random.Random(seed)
    rows = []
    for index in range(count):
        first, second = generator.sample(NEUTRAL, 4), generator.sample(NEUTRAL, 4)
        label = ("same", "other")[index % 2]
        if label == "same":
            second = [*first[:3], second[0]]
        else:
            second = [word for word in NEUTRAL if word not in first][:4]
        rows.append((" ".join([*first, str(index)]), " ".join(second), label))
    return rows


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A run on pairs beside its table."""
    folder = tmp_path_factory.mktemp("pairs")
    write_csv(folder / "train.csv", pairs(200), HEADER)
    zoo.train("textcnn", folder / "train.csv", set=QUICK, out=folder / "run", verbose=False)
    return folder


def test_a_pair_is_a_text_that_can_be_told() -> None:
    assert split_pair(pair_text("a b", "c")) == ("a b", "c")
    assert split_pair(pair_text("", "c")) == ("", "c")
    assert pair_text(" ", "") == ""
    assert split_pair(pair_text("a\x1eb", "c")) == ("a b", "c")


@pytest.mark.parametrize("kind", ["sentencepiece", "words", "characters"])
def test_ids_of_a_pair_are_those_of_its_texts_with_a_separator(kind, tmp_path) -> None:
    texts = [f"{first} {second}" for first, second, _ in pairs(60)]
    single = learn_tokenizer(kind, texts, vocabulary_size=60, lowercase=True)
    tokenizer = PairTokenizer(single)
    separator = single.vocabulary_size
    assert tokenizer.vocabulary_size == separator + 1
    assert tokenizer.pieces[separator] == "<sep>" and len(tokenizer.pieces) == separator + 1
    first, second = "the film was a story", "music"
    one, other = (single.encode(tf.constant([t]), 99).to_list()[0] for t in (first, second))
    joined = [pair_text(first, second), pair_text(second, first), ""]
    (forth, back, empty) = tokenizer.encode(tf.constant(joined), 99).to_list()
    assert forth == [*one, separator, *other] and back == [*other, separator, *one]
    assert empty == [1, separator, 1]
    # the longer text is cut first
    (cut,) = tokenizer.encode_pairs(tf.constant([first]), tf.constant([second]), 6).to_list()
    kept = min(len(other), 2)
    assert cut == [*one[: 5 - kept], separator, *other[:kept]]
    flat, lengths = tokenizer.encode_rows([text.encode() for text in joined], 99)
    assert flat.tolist() == [*forth, *back, *empty]
    assert lengths.tolist() == tokenizer.count(joined).tolist()
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert isinstance(again, PairTokenizer)
    assert again.encode(tf.constant(joined), 99).to_list() == [forth, back, empty]


def test_pairs_of_all_tables_and_of_tuples(tmp_path) -> None:
    rows = pairs(4)
    frame = pandas.DataFrame(rows, columns=HEADER)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "a.parquet")
    auto = ColumnRequest(texts="auto")
    expected = [pair_text(first, second) for first, second, _ in rows]
    for source in [*sorted(tmp_path.iterdir()), frame]:
        (read,) = read_rows(source, auto)
        assert read.inputs == expected and read.columns.pair, source
    tuples = [(first, second) for first, second, _ in rows]
    (read,) = read_rows((tuples, [label for _, _, label in rows]))
    assert read.inputs == expected
    with pytest.raises(ZooError, match="row 2: text: a pair of texts was expected. Received str"):
        list(read_rows(([("a", "b"), "c"], ["x", "y"])))


@pytest.mark.parametrize(
    ("header", "asked", "found"),
    [
        (("Question1", "question2", "label"), {"texts": "auto"}, ("Question1", "question2")),
        (("a", "b", "label"), {"texts": "pair"}, ("a", "b")),
        (("a", "b", "label"), {"texts": "pair", "inputs": "b,a"}, ("b", "a")),
        (("a", "b", "label"), {"texts": "auto", "inputs": "a,b"}, None),
        (("text_a", "text_b", "label"), {"texts": "one", "inputs": "text_a,text_b"}, None),
    ],
)
def test_which_columns_are_a_pair(header, asked, found, tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", [("x y", "z", "0")], header)
    (read,) = read_rows(path, ColumnRequest(**asked))
    assert read.columns.pair == (found is not None)
    assert read.inputs == (["z\x1ex y"] if found == ("b", "a") else
                           ["x y\x1ez"] if found else ["x y z"])  # fmt: skip


def test_columns_that_are_no_pair_are_refused(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", [("x", "y", "z", "0")], ("text", "b", "c", "label"))
    with pytest.raises(ZooError, match="a pair of texts is in two columns. Received: 'b'"):
        list(read_rows(path, ColumnRequest("b", texts="pair")))
    with pytest.raises(ZooError, match="which column is the text"):
        list(read_rows(path, ColumnRequest(texts="pair")))


def test_a_run_on_pairs(files, zoo_command) -> None:
    run = zoo.load_run(files / "run")
    assert run.preset.data.texts == "pair" and run.columns.pair
    assert isinstance(run.model.tokenizer, PairTokenizer)
    assert any("rows are pairs of texts ('sentence1', 'sentence2')" in str(f) for f in run.findings)
    # a bag of words of both sees nothing; what they share says it all
    assert run.metrics["baseline"]["validation"]["accuracy"] > 0.9
    header = (files / "run" / "mistakes.csv").read_text().splitlines()[0]
    assert header == "row,probability,label,predicted,first,second"
    scored = run.evaluate(files / "train.csv")
    tuples = [(first, second) for first, second, _ in pairs(200)]
    assert run.evaluate((tuples, [label for _, _, label in pairs(200)])) == scored
    shown = zoo_command("data", files / "train.csv", code=0).stdout
    assert " | " in shown and "pairs of texts" in shown


def test_predictions_of_pairs(files, zoo_command, tmp_path) -> None:
    run = zoo.load_run(files / "run")
    rows = pairs(6, seed=4)
    tuples = [(first, second) for first, second, _ in rows]
    expected = run.predict(tuples)
    (tmp_path / "new.txt").write_text("".join(f"{a}\t{b}\n" for a, b in tuples))
    write_csv(tmp_path / "new.csv", rows, HEADER)
    for name in ("new.txt", "new.csv"):
        ended = zoo_command("predict", files / "run", tmp_path / name, code=0)
        assert [json.loads(line) for line in ended.stdout.splitlines()] == expected
    loaded = tf.saved_model.load(str(run.export(tmp_path / "serving")))
    first, second = (tf.constant(texts) for texts in zip(*tuples, strict=True))
    served = loaded.signatures["serve"](first=first, second=second)
    labels = [label.decode() for label in served["label"].numpy()]
    assert labels == [answer["label"] for answer in expected]
    vectors = list(run.iter_features(tuples))
    assert [(row["first"], row["second"]) for row in vectors] == tuples
    assert np.isfinite([row["embedding"] for row in vectors]).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (["one text"], "row 1: text: a pair of texts was expected. Received str: 'one text'"),
        ([("a", "b", "c")], "a pair of texts was expected. Received tuple"),
    ],
)
def test_single_texts_are_no_pairs(data, message, files) -> None:
    with pytest.raises(ZooError, match=message):
        zoo.load_run(files / "run").predict(data)


def test_what_is_not_expected_is_refused(files, trained, tmp_path) -> None:
    run = zoo.load_run(files / "run")
    with pytest.raises(ZooError, match="data: holds single texts where pairs of texts"):
        run.evaluate((["a", "b"], ["same", "other"]))
    with pytest.raises(ZooError, match="data: holds pairs of texts where single texts"):
        trained.evaluate(([("a", "b")], ["good"]))
    with pytest.raises(ZooError, match="a string was expected. Received tuple"):
        trained.predict([("a", "b")])
    (tmp_path / "new.txt").write_text("a\tb\nalone\n")
    with pytest.raises(ZooError, match="new.txt: line 2: two texts with a tab between them"):
        list(run.iter_predictions(tmp_path / "new.txt"))
    with pytest.raises(ZooError, match="holds pairs of texts where single texts are expected"):
        zoo.train(
            "fasttext", ([("a", "b"), ("c", "d")] * 9, ["x", "y"] * 9), set={"data.texts": "one"},
            out=tmp_path / "run", verbose=False,
        )  # fmt: skip


@pytest.mark.slow
def test_pairs_for_weights_of_a_language_model(tmp_path) -> None:
    """`[CLS] a [SEP] b [SEP]`, with the tokens of the second in a segment of their own."""
    bert, path = bert_folder(tmp_path / "bert"), write_csv(tmp_path / "a.csv", pairs(40), HEADER)
    short = {"recipe.epochs": 1, "recipe.min_steps": 0}
    run = zoo.train("transformer", path, init=bert, set=short, out=tmp_path / "run", verbose=False)
    tokenizer = run.model.tokenizer
    single = tokenizer.tokenizer
    ids = tokenizer.encode(tf.constant([pair_text("the film", "a story")]), 32).to_list()[0]
    start, end = single.marks.start, single.marks.end
    assert ids[0] == start and ids[-1] == end and ids.count(end) == 2
    assert run.preset.values()["architecture.num_segments"] == 2
    assert len(run.predict([("the film", "a story")])) == 1


def test_weights_of_pairs_are_no_start_for_single_texts(files, trained, tmp_path) -> None:
    single = write_csv(tmp_path / "single.csv", sentences(60))
    with pytest.raises(ZooError, match="were trained on pairs of texts, and the data hold single"):
        zoo.train("textcnn", single, init=files / "run", out=tmp_path / "a", verbose=False)
    with pytest.raises(ZooError, match="were trained on single texts, and the data hold pairs"):
        zoo.train(
            "textcnn", files / "train.csv", init=trained.path, out=tmp_path / "b", verbose=False
        )


def test_a_mark_in_a_single_text_makes_no_pair(tmp_path, zoo_command) -> None:
    rows = [(f"{text}\x1eend" if n == 3 else text, x) for n, (text, x) in enumerate(sentences(60))]
    path = write_csv(tmp_path / "a.csv", rows)
    shown = zoo_command("data", path, code=0).stdout
    assert "pairs of texts" not in shown and "60 rows" in shown
