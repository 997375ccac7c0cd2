"""Language models from the command to the server: train, score, write, export, go on."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas
import pytest
import tensorflow as tf
from conftest import sentences, write_csv
from corpus_parts import QUICK

import zoo
from zoo import ZooError
from zoo.files import read_json, write_json
from zoo.preset.loading import load_preset
from zoo.tasks.language_modeling.baseline import fit_bigrams, log_shares
from zoo.tasks.language_modeling.data import load_corpus
from zoo.tasks.request import Request
from zoo.tasks.task import load_task
from zoo.text.corpus_tokenizer import load_corpus_tokenizer

LINES = [text for text, _ in sentences(1200)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for name, lines in {
        "train": LINES[:1000],
        "valid": LINES[1000:1100],
        "test": LINES[1100:],
    }.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    return zoo.train("lstm_lm", corpus, set=QUICK, out=out, verbose=False)


# --- training


def test_golden_scores(run, assert_golden) -> None:
    assert_golden(run)


def test_a_run_holds_scores_baseline_and_findings(run) -> None:
    metrics = run.metrics
    for part in ("validation", "test"):
        found = metrics[part]
        assert found["perplexity"] == pytest.approx(np.exp(found["loss"]))
        assert found["tokens"] == sum(len(line.split()) + 1 for line in LINES[1000:1100])
        assert found["perplexity"] < 40  # of 45 words in no order, about 15 can be known
        assert set(metrics["baseline"][part]) == {"loss", "perplexity"}
    assert run.findings[-1].evidence["baseline"] == metrics["baseline"]["test"]["perplexity"]
    assert metrics["training"]["train_examples"] == sum(len(x.split()) + 1 for x in LINES[:1000])
    header = (run.path / "history.csv").read_text().splitlines()[0]
    assert "val_perplexity" in header


def test_perplexity_is_that_of_one_long_window(run) -> None:
    ids = run.model.tokenizer.encode(LINES[1100:])
    logits = run.model.network(np.concatenate([[0], ids[:-1]])[None].astype("int32"))
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(ids[None], logits).numpy()
    assert run.metrics["test"]["loss"] == pytest.approx(losses.mean(), rel=1e-4)


def test_evaluate_gives_the_scores_of_the_training(run, corpus) -> None:
    again = zoo.load_run(run.path).evaluate(corpus / "test.txt")
    assert again == pytest.approx(run.metrics["test"])


def test_evaluate_reads_the_column_of_the_training(run, tmp_path, zoo_command) -> None:
    rows = [(text, "a b c d e") for text, _ in sentences(100)]
    table = write_csv(tmp_path / "corpus.csv", rows, ("story", "text"))
    settings = load_preset("lstm_lm").override(QUICK).data
    with load_corpus(Request(table, text="story"), settings=settings, vocabulary_size=100) as read:
        columns = read.columns
        assert any("columns not read: 'text'" in each.what for each in read.findings)
    assert columns.to_dict() == {"text": ["story"], "label": None}
    shutil.copytree(run.path, tmp_path / "run")
    document = read_json(run.path / "environment.json")
    assert document["columns"] is None  # of lines of text
    write_json(tmp_path / "run/environment.json", document | {"columns": columns.to_dict()})
    ended = zoo_command("evaluate", tmp_path / "run", table, "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["metrics"]["tokens"] == sum(len(text.split()) + 1 for text, _ in rows)
    assert "text column 'story'" in document["findings"][0]["what"]
    write_csv(table, rows, ("tale", "text"))
    ended = zoo_command("evaluate", tmp_path / "run", table, code=1)
    assert "trained with the text column 'story'" in ended.stderr
    ended = zoo_command("evaluate", run.path, table, "--drop-missing", code=1)
    assert "a language model has no labels" in ended.stderr


def test_evaluate_and_score_read_tables(run, tmp_path) -> None:
    rows = [(text, ("train", "test")[n % 2]) for n, (text, _) in enumerate(sentences(40))]
    table = write_csv(tmp_path / "corpus.csv", rows, ("text", "split"))
    held_out = [text for text, part in rows if part == "test"]
    findings = []
    scored = run.evaluate(table, findings=findings)
    assert scored == pytest.approx(run.evaluate(held_out))
    assert "the test part is read" in findings[0].what
    frame = pandas.DataFrame({"text": held_out})
    assert run.evaluate(frame) == pytest.approx(scored)
    assert run.score(frame) == run.score(held_out) == run.score(iter(held_out))
    with pytest.raises(ZooError, match="row 1: text: a string was expected. Received int: 3"):
        run.score([3])


def test_an_interrupted_run_ends_as_one_that_was_not(run, corpus, tmp_path) -> None:
    program = (
        "import os, signal, sys, zoo, keras\n"
        "from zoo.tasks.language_modeling.model import LanguageModel\n"
        "fit = LanguageModel.fit\n"
        "class Kill(keras.callbacks.Callback):\n"
        "    def on_train_batch_end(self, batch, logs=None):\n"
        "        self.steps = getattr(self, 'steps', 0) + 1\n"
        "        if self.steps == 100: os.kill(os.getpid(), signal.SIGTERM)\n"
        "def stopped(self, *args, callbacks=(), **kwargs):\n"
        "    return fit(self, *args, callbacks=[Kill(), *callbacks], **kwargs)\n"
        "LanguageModel.fit = stopped\n"
        "zoo.train('lstm_lm', sys.argv[1], set=eval(sys.argv[2]), out=sys.argv[3], verbose=False)\n"
    )
    out = tmp_path / "b"
    done = subprocess.run(
        [sys.executable, "-c", program, str(corpus), repr(QUICK), str(out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "resumes from its last checkpoint" in done.stderr
    resumed = zoo.train("lstm_lm", corpus, set=QUICK, out=out, resume=True, verbose=False)
    assert resumed.metrics["test"] == run.metrics["test"]  # to the last bit


def test_text_that_is_no_file_trains_too(tmp_path) -> None:
    quick = QUICK | {"recipe.epochs": 1, "data.tokenizer": "characters"}
    run = zoo.train(
        "lstm_lm", np.array(LINES[:200], object), set=quick, out=tmp_path / "c", verbose=False
    )
    assert len(run.generate("the ", 12)) == len("the ") + 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label": "x"}, "no labels: leave out `label`"),
        ({"classes": ["a"]}, "no labels: leave out `classes`"),
        ({"set": QUICK | {"data.max_length": 3}}, "unknown key 'data.max_length'"),
        ({"set": {"recipe.global_clipnorm": None}}, "A02"),
    ],
)
def test_what_language_models_do_not_have_is_told(arguments, message, corpus, tmp_path) -> None:
    with pytest.raises(ZooError, match=message):
        zoo.train("lstm_lm", corpus, out=tmp_path / "d", verbose=False, **arguments)


# --- guards


@pytest.mark.parametrize(
    ("preset", "changes", "advice"),
    [
        ("default", {}, None),
        ("awd-ptb", {}, None),
        ("zaremba-large", {}, None),
        ("char", {}, None),
        ("default", {"architecture.embedding_range": 0.5}, "A03"),
        ("default", {"recipe.global_clipnorm": None, "recipe.allow_unclipped": True}, "A03"),
        ("default", {"architecture.embedding_range": 0.5, "architecture.tied": False}, None),
        ("awd-ptb", {"recipe.optimizer.learning_rate": 40.0}, "A40"),
        ("awd-ptb", {"data.window": 200}, "A40"),
        ("default", {"recipe.optimizer.learning_rate": 0.05}, "A40"),
    ],
)
def test_guides_guards(preset, changes, advice) -> None:
    found = load_task("language-modeling").check_preset(load_preset("lstm_lm", preset, changes))
    assert [advice in each.what for each in found] == ([True] if advice else [])
    assert all(each.level == "warning" for each in found)


# --- text out


def test_the_same_seed_writes_the_same_text(run) -> None:
    text = run.generate("the film", length=30, seed=1)
    assert text.startswith("the film ")
    assert run.generate("the film", length=30, seed=1) == text
    assert run.generate("the film", length=30, seed=2) != text
    assert "<unk>" not in run.generate(length=300, temperature=2.0)


def test_temperature_zero_and_the_best_alone_take_the_most_probable(run) -> None:
    greedy = run.generate("the", 20, temperature=0.0)
    assert run.generate("the", 20, top_k=1, seed=5) == greedy
    vocabulary = run.model.tokenizer
    ids = np.concatenate([[0], vocabulary.encode(["the"])[:-1]])
    logits = run.model.network(ids[None].astype("int32"))[0, -1].numpy()
    logits[1] = -np.inf
    first = vocabulary.continue_text("the", [int(logits.argmax())])
    assert greedy.startswith(first)


def test_draws_follow_the_probabilities(run) -> None:
    model = run.model
    logits = next(model.logits_after([0]))
    logits[1] = -np.inf
    expected = np.exp(logits - logits.max())
    expected /= expected.sum()
    drawn = [run.generate("", 1, seed=seed) for seed in range(400)]
    most = int(expected.argmax())
    share = np.mean([text == model.tokenizer.decode([most]) for text in drawn])
    # 400 tokens: the standard deviation of a share is at most 0.025.
    assert share == pytest.approx(expected[most], abs=0.08)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0}, "`length` must be in"),
        ({"temperature": -1.0}, "`temperature` must be 0 or more"),
        ({"temperature": float("nan")}, "`temperature`"),
        ({"top_k": 0}, "`top_k` must be at least 1"),
    ],
)
def test_values_out_of_range_are_told(arguments, message, run) -> None:
    with pytest.raises(ZooError, match=message):
        run.generate("the", **arguments)


# --- scores


def test_scores_of_texts_are_log_probabilities_of_their_tokens(run) -> None:
    first, second = run.score([LINES[0], "the film\nwas"])
    assert second["tokens"] == ["the", "film", "<eos>", "was", "<eos>"]
    assert second["loss"] == pytest.approx(-np.mean(second["log_probabilities"]), abs=1e-5)
    assert second["perplexity"] == pytest.approx(np.exp(second["loss"]))
    ids = run.model.tokenizer.encode([LINES[0]])
    logits = run.model.network(np.concatenate([[0], ids[:-1]])[None].astype("int32"))
    wanted = -tf.nn.sparse_softmax_cross_entropy_with_logits(ids[None], logits).numpy()[0]
    np.testing.assert_allclose(first["log_probabilities"], wanted, atol=1e-5)
    with pytest.raises(ZooError, match="takes a list of texts"):
        run.score("one text")


def test_a_language_model_is_no_classifier(run) -> None:
    with pytest.raises(ZooError, match=r"no classifier\. Use generate or score"):
        run.predict(["text"])


# --- serving


def test_exported_with_its_state_it_answers_token_by_token(run, tmp_path) -> None:
    folder = run.export(tmp_path / "serving")
    served = tf.saved_model.load(folder).signatures["serve"]
    pieces = json.loads((folder / "vocabulary.json").read_text())["pieces"]
    assert pieces == run.model.tokenizer.pieces
    ids = np.concatenate([[0], run.model.tokenizer.encode([LINES[0]])])
    expected = run.model.network(ids[None].astype("int32"))[0].numpy()
    states = {"hidden_0": tf.zeros((1, 16)), "cell_0": tf.zeros((1, 16))}
    for token, logits in zip(ids, expected, strict=True):
        found = served(tokens=tf.constant([[token]], tf.int32), **states)
        np.testing.assert_allclose(found["logits"][0], logits, rtol=1e-4, atol=1e-5)
        states = {name: found[name] for name in states}
    with pytest.raises(ZooError, match="is already there"):
        run.export(folder)


def test_a_network_of_another_vocabulary_is_refused(run, tmp_path) -> None:
    import shutil

    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    vocabulary = zoo.load_run(other).model.tokenizer
    shorter = type(vocabulary)("words", lowercase=False, pieces=vocabulary.pieces[:-1])
    shorter.save(other / "model")
    with pytest.raises(ZooError, match="do not belong together"):
        zoo.load_run(other).generate("a")


def test_a_network_of_another_family_is_refused(run, tmp_path) -> None:
    shutil.copytree(run.path, tmp_path / "other")
    model = zoo.textcnn(vocabulary_size=50, ngram_buckets=64)
    model.save(tmp_path / "other" / "model" / "model.keras")
    with pytest.raises(ZooError, match="'textcnn' is no language model: lstm_lm, transformer_lm"):
        zoo.load_run(tmp_path / "other").generate("a")


# --- commands


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--seed", -1), "`seed` must be a whole number in [0, 4,294,967,296). Received: -1"),
        (("--seed", 2**32), "`seed` must be"),
        (("--length", 0), "`length` must be in [1, 100,000]. Received: 0"),
        (("--top-k", 0), "`top_k` must be at least 1"),
        (("--temperature", "nan"), "`temperature` must be 0 or more"),
    ],
)
def test_generate_refuses_what_is_out_of_range(option, message, run, zoo_command) -> None:
    ended = zoo_command("generate", run.path, "the", *option, code=1)
    assert message in ended.stderr and not ended.stdout


def test_words_of_a_prompt_that_are_unknown_are_told(run, zoo_command) -> None:
    ended = zoo_command("generate", run.path, "the zyxw film", "--length", 2, code=0)
    assert ended.stdout.startswith("the zyxw film")
    assert "1 of the 3 tokens of the prompt are unknown to the model" in ended.stderr
    ended = zoo_command("generate", run.path, "the film", "--length", 2, code=0)
    assert "unknown to the model" not in ended.stderr


def test_evaluate_takes_the_test_part_of_a_folder_and_says_so(run, corpus, zoo_command) -> None:
    ended = zoo_command("evaluate", run.path, corpus, "--json", code=0)
    document = json.loads(ended.stdout)
    assert document["metrics"]["tokens"] == run.metrics["test"]["tokens"]
    assert "the test part is read, not 'train', 'validation'" in document["findings"][0]["what"]


def test_a_look_at_a_corpus(corpus, zoo_command, tmp_path) -> None:
    look = ("data", corpus, "--preset", "lstm_lm/default")
    found = json.loads(zoo_command(*look, "--json", code=0).stdout)
    assert found["parts"]["train"] == {"lines": 1000, "tokens": 8000, "unknown_share": 0.0}
    assert set(found["parts"]) == {"train", "validation", "test"}
    assert found["vocabulary"]["size"] == 1000 + 20 + 2
    assert found["samples"][0] == LINES[0]
    shown = zoo_command(*look, code=0).stdout
    assert "8,000" in shown and "vocabulary: 1,022 words" in shown and LINES[0] in shown
    assert "no labels" in zoo_command(*look, "--label", "x", code=1).stderr
    plain = zoo_command("data", corpus / "train.txt", code=1).stderr
    assert "is no table" in plain and "--preset lstm_lm/default" in plain
    path = tmp_path / "chinese.txt"
    path.write_text(
        "".join(f"今天天气很好我们去公园散步{i}\n" for i in range(4000)), encoding="utf-8"
    )
    shown = zoo_command("data", path, "--preset", "lstm_lm/default", code=0).stdout
    assert "written without blanks" in shown and "data.tokenizer=sentencepiece" in shown


@pytest.mark.parametrize("home", ["/proc/nothing", None])
def test_ids_that_cannot_be_kept_name_the_variable(home, corpus, zoo_command, monkeypatch) -> None:
    monkeypatch.delenv("ZOO_CACHE")
    if home is None:
        monkeypatch.setenv("ZOO_CACHE", "/proc/nothing")
    else:
        monkeypatch.setenv("HOME", home)
    ended = zoo_command("data", corpus, "--preset", "lstm_lm/default", code=1)
    assert "cannot be written" in ended.stderr and "ZOO_CACHE" in ended.stderr


def test_generate_and_evaluate_from_the_command_line(run, corpus, zoo_command) -> None:
    asked = ("generate", run.path, "the film", "--length", 5, "--seed", 3)
    text = zoo_command(*asked, code=0).stdout
    assert text.rstrip("\n") == run.generate("the film", 5, seed=3).rstrip("\n")
    told = zoo_command("evaluate", run.path, corpus / "test.txt", "--json", code=0).stdout
    scored = json.loads(told)
    assert scored["metrics"]["perplexity"] == pytest.approx(run.metrics["test"]["perplexity"])


# --- the start


@pytest.mark.parametrize("prior_bias", [True, False])
def test_a_prior_bias_starts_at_the_loss_of_the_words_shares(prior_bias, corpus, tmp_path) -> None:
    small = {
        "architecture.embedding_range": 1e-6,
        "recipe.optimizer.learning_rate": 1e-9,
        "recipe.prior_bias": prior_bias,
        "recipe.epochs": 1,
    }
    run = zoo.train("lstm_lm", corpus, set=QUICK | small, out=tmp_path / "a", verbose=False)
    vocabulary = load_corpus_tokenizer(run.path / "model")
    ids, count = vocabulary.encode(LINES[:1000]), vocabulary.vocabulary_size
    shares = (np.bincount(ids, minlength=count) + 1) / (len(ids) + count)
    entropy = -np.log(shares[vocabulary.encode(LINES[1000:1100])]).mean()
    expected = entropy if prior_bias else np.log(count)
    assert run.metrics["validation"]["loss"] == pytest.approx(expected, abs=1e-4)


# --- the baseline


def test_bigrams_are_counted_across_blocks(monkeypatch) -> None:
    ids = np.random.default_rng(0).integers(0, 9, 1000).astype(np.uint16)
    whole, shares = fit_bigrams(ids, 9), log_shares(ids, 9)
    monkeypatch.setattr("zoo.tasks.corpora.token_ids.BLOCK", 64)
    parts = fit_bigrams(ids, 9)
    for name in ("pairs", "counts", "contexts", "types", "single"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert whole.counts.sum() == len(ids)
    np.testing.assert_array_equal(shares, log_shares(ids, 9))


def test_bigrams_by_hand() -> None:
    ids = np.array([1, 2, 1, 2, 1, 3])  # after <eos>: 01 12 21 12 21 13
    bigrams = fit_bigrams(ids, 5)
    # One pair came once and two twice: 01, 13 once; 12, 21 twice.
    discount = 2 / (2 + 2 * 2)
    assert bigrams.discount == pytest.approx(discount)
    single = (np.array([0, 2, 1, 1, 0]) + 1) / 9
    after_1 = discount * 2 / 3 * single
    after_1[2] += (2 - discount) / 3
    after_1[3] += (1 - discount) / 3
    found = bigrams._probabilities(np.full(5, 1), np.arange(5))
    np.testing.assert_allclose(found, after_1)
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(bigrams._probabilities(np.full(5, 4), np.arange(5)), single)
    expected = -np.log(bigrams._probabilities(np.array([0, 1]), np.array([1, 3]))).mean()
    assert bigrams.scores(np.array([1, 3]))["loss"] == pytest.approx(expected)
