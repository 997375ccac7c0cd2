"""Masked language models from the command to a classifier that starts from one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import sentences, write_csv
from resume_parts import Killed, kill_at, write_always
from start_parts import bert_folder

import zoo
from zoo import ZooError, builders
from zoo.distribute import distributed, strategy_for
from zoo.preset.loading import load_preset
from zoo.starts.resolve import resolve_start
from zoo.tasks.masked_language_modeling.masking import Masking, masked_rows
from zoo.tasks.masked_language_modeling.stream import masked_tokenizer
from zoo.text.graph_tokenizer import learn_tokenizer
from zoo.training.monitor import Monitor

PAIRS = [("great", "lovely"), ("dull", "boring"), ("funny", "moving"), ("awful", "tired")]
# What is hidden follows from what is left.
LINES = [f"the {a} film was {b} and the {a} plot was {b}" for _ in range(60) for a, b in PAIRS]
QUICK = {
    "architecture.vocabulary_size": 200,
    "architecture.hidden_dim": 16,
    "architecture.feed_forward_dim": 32,
    "data.tokenizer": "words",
    "data.max_length": 24,
    "data.batch_size": 8,
    "recipe.epochs": 4,
    "recipe.optimizer.learning_rate": 0.02,
    "recipe.dtype_policy": "float32",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for name, lines in (("train", LINES), ("valid", LINES[:40]), ("test", LINES[100:140])):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    return zoo.train("transformer_mlm", corpus, set=QUICK, out=out, verbose=False)


# --- scores


def test_golden_scores(run, assert_golden) -> None:
    assert_golden(run)


def test_it_tells_hidden_tokens_from_what_is_left(run, corpus) -> None:
    scores, unigrams = run.metrics["test"], run.metrics["baseline"]["test"]
    assert scores["loss"] < 0.6 * unigrams["loss"]
    assert scores["accuracy"] > unigrams["accuracy"] + 0.2
    assert "has a lower loss than unigrams" in str(run.findings[-1])
    again = zoo.load_run(run.path).evaluate(corpus / "test.txt")
    assert again == pytest.approx(run.metrics["test"])


def test_validation_in_training_is_the_score_afterwards(run) -> None:
    lines = [line.split(",") for line in (run.path / "history.csv").read_text().splitlines()]
    last = dict(zip(lines[0], lines[-1], strict=True))
    for name in ("loss", "accuracy"):
        found = run.metrics["validation"][name]
        assert found == pytest.approx(float(last[f"val_{name}"]), rel=1e-4)


def test_a_loaded_run_has_the_same_vectors(run) -> None:
    expected = run.features(["the great film", "dull"])
    keras.utils.clear_session()  # the names of operations begin anew, as in another process
    loaded = zoo.load_run(run.path).features(["the great film", "dull"])
    np.testing.assert_allclose(loaded, expected, atol=1e-6)


def test_vectors_are_those_that_an_export_serves(run, tmp_path) -> None:
    texts = ["the great film", "dull"]
    vectors = run.features(texts)
    served = tf.saved_model.load(str(run.export(tmp_path / "served")))
    np.testing.assert_allclose(served.serve(tf.constant(texts))["embedding"], vectors, atol=1e-5)
    encoder = keras.Model(run.model.network.input, run.model.network.get_layer("final_norm").output)
    (ids,) = run.model.tokenizer.encode(tf.constant(texts[:1]), 24).to_list()
    expected = encoder(np.array([ids], "int32"))[0].numpy().mean(0)
    np.testing.assert_allclose(vectors[0], expected, atol=1e-5)


# --- steps


STREAM_LINES = [" ".join(f"w{(7 * i + j) % 30}" for j in range(3 + i % 7)) for i in range(40)]
SIZES = {
    "architecture.vocabulary_size": 33,
    "architecture.hidden_dim": 16,
    "architecture.feed_forward_dim": 32,
    "architecture.dropout": 0.0,
    "architecture.attention_dropout": 0.0,
    "data.batch_size": 6,
    "recipe.epochs": 2,
    "recipe.min_steps": 0,
    "recipe.dtype_policy": "float32",
    "recipe.optimizer.learning_rate": 0.01,
}


def stream(**more):
    tokenizer = learn_tokenizer("words", STREAM_LINES, vocabulary_size=99, lowercase=True)
    masked = masked_tokenizer(tokenizer)
    assert masked.vocabulary_size == 33
    ids = masked.encode(STREAM_LINES)
    return masked_rows(ids, Masking(masked, 16, 0.15), **{"rows": 6, "seed": 1} | more)


def build(**changes):
    keras.utils.set_random_seed(3)
    return builders.build(load_preset("transformer_mlm", "default", SIZES | changes))


def assert_same(one, other) -> None:
    for a, b in zip(one.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


def test_a_step_is_that_of_plain_keras() -> None:
    sgd = {"recipe.optimizer.name": "sgd", "recipe.optimizer.learning_rate": 0.5,
           "recipe.optimizer.weight_decay": 0.0, "recipe.schedule.name": "constant",
           "recipe.schedule.warmup_fraction": 0.0, "recipe.global_clipnorm": 0.7}  # fmt: skip
    model = build(**sgd)
    x, y, weights = next(iter(stream()))
    told = tf.where(weights > 0)
    rows, where = told[:, 0], tf.gather_nd(x["positions"], told)
    at = tf.stack([rows, tf.cast(where, tf.int64)], axis=1)
    with tf.GradientTape() as tape:
        logits = tf.gather_nd(model(x["tokens"], training=True), at)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather_nd(y, told), logits)
        loss = tf.reduce_mean(losses)
    values = [variable.value for variable in model.trainable_variables]
    gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, values)]
    clipped, _ = tf.clip_by_global_norm(gradients, 0.7)
    expected = [(value - 0.5 * each).numpy() for value, each in zip(values, clipped, strict=True)]
    model._begin(10)
    logs = tf.function(model.train_step)((x, y, weights))
    for found, wanted in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert float(logs["loss"]) == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.slow
def test_micro_batches_and_replicas_take_the_same_steps() -> None:
    """The mean is over the hidden tokens of the whole batch: pieces have unlike numbers of them."""
    alone, pieces = build(), build(**{"recipe.micro_batches": 4})
    for model in (alone, pieces):
        model.fit(stream(), verbose=0)
    assert_same(alone, pieces)
    strategy = strategy_for("cpu:0,1")
    keras.utils.set_random_seed(3)
    with strategy.scope():
        shared = builders.build(load_preset("transformer_mlm", "default", SIZES))
    shared.fit(
        distributed(strategy, lambda here, total: stream(replica_ids=here, replicas=total)),
        verbose=0,
    )
    assert_same(alone, shared)
    scored = alone.evaluate(stream(seed=None), verbose=0, return_dict=True)
    made = distributed(
        strategy, lambda here, total: stream(seed=None, replica_ids=here, replicas=total)
    )
    found = shared.evaluate(made, verbose=0, return_dict=True)
    assert found == pytest.approx(scored, rel=1e-3) and set(found) == {"loss", "accuracy"}


def test_arrays_of_ids_are_told_at_every_position() -> None:
    model = build()
    x = next(iter(stream()))[0]
    tokens = x["tokens"].numpy()
    history = model.fit(tokens, tokens, epochs=1, verbose=0).history
    logits = build()(tokens)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens, logits)
    assert history["loss"][0] == pytest.approx(float(tf.reduce_mean(losses)), rel=1e-4)


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_weights(
    run, corpus, tmp_path, monkeypatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        write_always(patch)
        kill_at(patch, Monitor, "on_train_batch_end", 50)  # within the last epoch
        zoo.train("transformer_mlm", corpus, set=QUICK, out=tmp_path / "run", verbose=False)
    resumed = zoo.train(
        "transformer_mlm", corpus, set=QUICK, out=tmp_path / "run", resume=True, verbose=False
    )
    for one, other in zip(resumed.model.network.weights, run.model.network.weights, strict=True):
        assert (np.asarray(one) == np.asarray(other)).all(), one.path
    assert resumed.metrics["validation"] == run.metrics["validation"]


# --- starts


def weights_of(path) -> dict[str, np.ndarray]:
    network = zoo.load_run(path).model.network
    return {variable.path: np.asarray(variable) for variable in network.weights}


@pytest.fixture(scope="module")
def tuned(run, tmp_path_factory) -> zoo.Run:
    """A classifier that started from it: its table has no row of the mask."""
    folder = tmp_path_factory.mktemp("tuned")
    rows = str(write_csv(folder / "rows.csv", sentences(60)))
    few = {"recipe.epochs": 1}
    return zoo.train("transformer", rows, init=run.path, set=few, verbose=False, out=folder / "run")


def test_a_classifier_starts_from_it(run, tuned) -> None:
    model = zoo.transformer(init=run.path, num_classes=3)
    own, rows = weights_of(run.path), run.model.tokenizer.vocabulary_size
    for variable in model.weights:
        if not variable.path.startswith("logits"):
            kept = own[variable.path]
            kept = kept[:rows] if variable.path == "embedding/embeddings" else kept
            assert (np.asarray(variable) == kept).all(), variable.path
    assert len(own["embedding/embeddings"]) == rows + 1  # the mask
    texts = " ".join(map(str, tuned.findings))
    assert "34 at random: logits" in texts
    assert tuned.model.tokenizer.pieces == run.model.tokenizer.pieces
    assert tuned.predict(["the great film"])[0]["label"] in {"bad", "good"}


@pytest.mark.slow
def test_it_starts_from_an_encoder_and_goes_on_from_itself(corpus, tmp_path) -> None:
    bert = bert_folder(tmp_path / "bert")
    changes = {"recipe.epochs": 1, "recipe.optimizer.learning_rate": 1e-6}
    first = zoo.train(
        "transformer_mlm", corpus, init=bert, set=changes, verbose=False, out=tmp_path / "a"
    )
    texts = " ".join(map(str, first.findings))
    assert "350 at random: embedding/bias, transform, transform_norm" in texts
    assert first.preset.data.max_length == 32  # as many positions as there are
    start = resolve_start(bert)
    for path, value in weights_of(first.path).items():
        if path in start.weights:
            np.testing.assert_allclose(value, start.weights[path], atol=1e-3)
    again = zoo.train(
        "transformer_mlm", corpus, init=first.path, set=changes, verbose=False, out=tmp_path / "b"
    )
    assert any("the head among them" in str(finding) for finding in again.findings)


def test_a_tokenizer_without_a_mask_is_no_start(tuned, corpus, tmp_path) -> None:
    with pytest.raises(ZooError, match="its tokenizer has no token that hides another"):
        zoo.train("transformer_mlm", corpus, init=tuned.path, verbose=False, out=tmp_path / "b")
    with pytest.raises(ZooError, match="is a transformer, and a textcnn cannot start from it"):
        zoo.textcnn(init=tuned.path)


# --- what does not fit together


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.max_length": 600}, r"data.max_length 600: the network has vectors of 512"),
        ({"data.tokenizer": "wordpiece"}, r"data.tokenizer=wordpiece cannot be learned"),
        ({"data.mask_fraction": 0.0}, "mask_fraction"),
        ({"architecture.num_heads": 3}, "num_heads must divide hidden_dim"),
        ({"architecture.num_segments": 2}, "num_segments and separator_id go together"),
        ({"architecture.position_offset": 9, "architecture.max_positions": 9},
         "position_offset must be below max_positions"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(changes: dict, message: str, corpus, tmp_path) -> None:
    with pytest.raises(ZooError, match=message):
        zoo.train(
            "transformer_mlm", corpus, set=QUICK | changes, out=tmp_path / "run", verbose=False
        )


def test_texts_that_cannot_be_learned_from(tmp_path, corpus, run) -> None:
    blank = tmp_path / "blank.txt"
    blank.write_text(" \n\n \n")
    with pytest.raises(ZooError, match=r"no labels: leave out `label`"):
        zoo.train("transformer_mlm", corpus, label="label", verbose=False, out=tmp_path / "a")
    with pytest.raises(ZooError, match="the test part holds no text"):
        zoo.train(
            "transformer_mlm", LINES[:100], test=blank, set=QUICK, verbose=False, out=tmp_path / "b"
        )
    with pytest.raises(ZooError, match="no tokens to score"):
        run.evaluate(blank)
    (run.path / "model" / "masking.json").rename(tmp_path / "masking.json")
    try:
        (run.path / "model" / "masking.json").write_text("{}")
        with pytest.raises(ZooError, match=r"masking.json: is damaged"):
            _ = zoo.load_run(run.path).model
    finally:
        (tmp_path / "masking.json").replace(run.path / "model" / "masking.json")


@pytest.mark.slow
def test_the_text_column_of_a_table_is_read(tmp_path) -> None:
    rows = write_csv(tmp_path / "rows.csv", [(line, "good") for line in LINES[:100]])
    changes = QUICK | {"recipe.epochs": 1}
    trained = zoo.train(
        "transformer_mlm", rows, text="text", set=changes, out=tmp_path / "run", verbose=False
    )
    pieces = trained.model.tokenizer.pieces
    assert "film" in pieces and "good" not in pieces
