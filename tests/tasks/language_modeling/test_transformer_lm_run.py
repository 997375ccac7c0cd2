"""Transformer language models from the command to the server: scores, text and steps are exact."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import sentences
from resume_parts import Killed, kill_at, write_always

import zoo
from zoo import ZooError, builders
from zoo.distribute import distributed, strategy_for
from zoo.files import read_json
from zoo.preset.loading import load_preset
from zoo.tasks.language_modeling.separate import overlapping_windows, shuffled_windows
from zoo.tasks.task import load_task
from zoo.training.monitor import Monitor

CONTEXT, STRIDE = 12, 5
QUICK = {
    "recipe.dtype_policy": "float32",
    "architecture.hidden_dim": 16,
    "architecture.feed_forward_dim": 32,
    "architecture.num_layers": 2,
    "architecture.num_heads": 2,
    "architecture.max_positions": CONTEXT,
    "architecture.dropout": 0.1,
    "data.window": CONTEXT,
    "data.scoring_stride": STRIDE,
    "data.batch_size": 8,
    "recipe.epochs": 2,
    "recipe.min_steps": 0,
    "recipe.optimizer.learning_rate": 0.01,
}
LINES = [text for text, _ in sentences(350)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    parts = {"train": LINES[:300], "valid": LINES[300:325], "test": LINES[325:]}
    for name, lines in parts.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    return zoo.train("transformer_lm", corpus, set=QUICK, out=out, verbose=False)


def by_hand(model, ids):
    """Return the loss of each token of a stream, each from the tokens that it may see alone."""
    losses = []
    inputs = np.concatenate([[0], ids[:-1]]).astype("int32")
    for end, target in enumerate(ids, start=1):
        first = STRIDE * -(-max(end - CONTEXT, 0) // STRIDE)
        logits = model.network(inputs[None, first:end])[:, -1]
        losses.append(tf.nn.sparse_softmax_cross_entropy_with_logits([target], logits)[0])
    return np.array(losses)


# --- scores


def test_golden_scores(run, assert_golden) -> None:
    assert_golden(run)


def test_every_token_is_scored_once_in_its_context(run, corpus) -> None:
    model = zoo.load_run(run.path).model
    ids = model.tokenizer.encode(LINES[325:])[:40]
    np.testing.assert_allclose(model.losses(ids), by_hand(model, ids), atol=1e-5)
    assert run.metrics["test"]["tokens"] == len(model.tokenizer.encode(LINES[325:]))
    again = run.evaluate(corpus / "test.txt")
    assert again == pytest.approx(run.metrics["test"])
    vector = next(run.model.embeddings(["\n".join(LINES[325:329])]))["embedding"]
    text = model.tokenizer.encode(LINES[325:329])
    inputs = np.concatenate([[0], text[:-1]]).astype("int32")
    features = keras.Model(model.network.input, model.network.get_layer("final_norm").output)
    firsts = [STRIDE * -(-max(end - CONTEXT, 0) // STRIDE) for end in range(1, len(text) + 1)]
    rows = [features(inputs[None, first : end + 1])[0, -1] for end, first in enumerate(firsts)]
    np.testing.assert_allclose(vector, np.mean(rows, axis=0), atol=1e-5)
    short = run.score(["the film"])[0]
    np.testing.assert_allclose(
        [-each for each in short["log_probabilities"]],
        by_hand(model, model.tokenizer.encode(["the film"])),
        atol=1e-5,
    )


def test_validation_in_training_is_the_score_afterwards(run) -> None:
    lines = [line.split(",") for line in (run.path / "history.csv").read_text().splitlines()]
    column = lines[0].index("val_loss")
    best = min(float(line[column]) for line in lines[1:])
    assert run.metrics["validation"]["loss"] == pytest.approx(best, rel=1e-4)
    assert run.metrics["validation"]["perplexity"] < 100  # it learns: 22 words come often


# --- text


def test_text_through_the_cache_is_that_without(run) -> None:
    """Past the end of the context, too, where the cache is made anew."""
    model = run.model
    text = [0, *model.tokenizer.encode(["the film was"])[:-1]]
    following = model.logits_after(text)
    for _ in range(3 * CONTEXT):
        logits = next(following)
        seen = text[model.first_input(len(text)) :]
        whole = model.network(np.array([seen], "int32"))[0, -1]
        np.testing.assert_allclose(logits, whole, atol=1e-5)
        assert CONTEXT - STRIDE < len(seen) <= CONTEXT or len(text) < CONTEXT
        text.append(int(logits[2:].argmax()) + 2)
    # What is made has the probabilities that scores tell of it.
    scored = model.losses(np.array(text[1:]))
    made = [0]
    following = model.logits_after(made)
    for token, loss in zip(text[1:], scored, strict=True):
        assert float(-tf.nn.log_softmax(next(following))[token]) == pytest.approx(loss, abs=1e-5)
        made.append(token)


def test_a_prompt_longer_than_the_context_is_seen_from_its_end(run) -> None:
    prompt = " ".join(LINES[:4])
    text = run.generate(prompt, 20, seed=1)
    assert text.startswith(prompt) and text == run.generate(prompt, 20, seed=1)
    assert text != run.generate(prompt, 20, seed=2)


def test_generate_and_evaluate_from_the_command_line(run, corpus, zoo_command) -> None:
    asked = ("generate", run.path, "the film", "--length", 5, "--seed", 3)
    text = zoo_command(*asked, code=0).stdout
    assert text.rstrip("\n") == run.generate("the film", 5, seed=3).rstrip("\n")
    told = zoo_command("evaluate", run.path, corpus / "test.txt", "--json", code=0).stdout
    assert json.loads(told)["metrics"]["loss"] == pytest.approx(run.metrics["test"]["loss"])


def test_exported_with_its_cache_it_answers_token_by_token(run, tmp_path) -> None:
    folder = run.export(tmp_path / "serving")
    served = tf.saved_model.load(folder).signatures["serve"]
    ids = np.concatenate([[0], run.model.tokenizer.encode([LINES[0]])])
    expected = run.model.network(ids[None].astype("int32"))[0].numpy()
    states = {"before": tf.zeros((1,), tf.int32)}
    states |= {f"cache_{i}": tf.zeros((1, CONTEXT, 32)) for i in range(2)}
    for token, logits in zip(ids, expected, strict=True):
        found = served(tokens=tf.constant([[token]], tf.int32), **states)
        np.testing.assert_allclose(found["logits"][0], logits, rtol=1e-4, atol=1e-5)
        states = {name: found[name] for name in states}


# --- steps


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_weights(run, corpus, tmp_path) -> None:
    out = tmp_path / "b"
    again = {"set": QUICK, "out": out, "verbose": False}
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, Monitor, "on_train_batch_end", 35)  # within the second epoch
        with pytest.raises(Killed):
            zoo.train("transformer_lm", corpus, **again)
    resumed = zoo.train("transformer_lm", corpus, **again, resume=True)
    weights = [each.model.network.get_weights() for each in (run, resumed)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert resumed.metrics["test"] == run.metrics["test"]


SIZES = QUICK | {
    "architecture.vocabulary_size": 30,
    "architecture.num_layers": 1,
    "architecture.dropout": 0.0,
    "architecture.attention_dropout": 0.0,
    "data.batch_size": 5,
}
STREAM = np.array([7 * i % 30 for i in range(400)], np.uint16)


def build(**changes):
    keras.utils.set_random_seed(3)
    return builders.build(load_preset("transformer_lm", "default", SIZES | changes))


def stream(**more):
    return shuffled_windows(STREAM, rows=5, window=CONTEXT, seed=1, **more)


@pytest.mark.slow
def test_two_replicas_train_as_one_in_micro_batches() -> None:
    """Batches of five rows: one has three, the other two; with dropout."""
    changes = {"architecture.dropout": 0.3, "architecture.attention_dropout": 0.3}
    changes |= {"recipe.epochs": 1}
    alone = build(**changes, **{"recipe.micro_batches": 2})
    alone.fit(stream(), verbose=0)
    strategy = strategy_for("cpu:0,1")
    keras.utils.set_random_seed(3)
    with strategy.scope():
        shared = builders.build(load_preset("transformer_lm", "default", SIZES | changes))
    shared.fit(
        distributed(strategy, lambda here, total: stream(replica_ids=here, replicas=total)),
        verbose=0,
    )
    assert_same(alone, shared)
    assert alone.carried_variables == []


def test_micro_batches_take_the_same_steps() -> None:
    batches = list(stream().take(3))
    models = [build(**{"recipe.micro_batches": count}) for count in (1, 3)]
    for model in models:
        model._begin(10)
        step = tf.function(model.train_step)
        for batch in batches:
            step(batch)
    assert_same(*models)


def assert_same(one, other):
    for a, b in zip(one.trainable_variables, other.trainable_variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


def test_scores_are_the_same_on_two_replicas() -> None:
    def scored(**more):
        return overlapping_windows(STREAM, rows=5, window=CONTEXT, stride=STRIDE, **more)

    alone = build().evaluate(scored(), verbose=0, return_dict=True)
    strategy = strategy_for("cpu:0,1")
    keras.utils.set_random_seed(3)
    with strategy.scope():
        shared = builders.build(load_preset("transformer_lm", "default", SIZES))
    made = distributed(strategy, lambda here, total: scored(replica_ids=here, replicas=total))
    found = shared.evaluate(made, verbose=0, return_dict=True)
    assert found == pytest.approx(alone, rel=1e-5)


def test_a_step_is_that_of_plain_keras() -> None:
    sgd = {"recipe.optimizer.name": "sgd", "recipe.optimizer.learning_rate": 0.5,
           "recipe.optimizer.weight_decay": 0.0, "recipe.schedule.name": "constant",
           "recipe.schedule.warmup_fraction": 0.0, "recipe.global_clipnorm": 0.7}  # fmt: skip
    model = build(**sgd)
    x, y, weights = next(iter(stream()))
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    values = [variable.value for variable in model.trainable_variables]
    gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, values)]
    clipped, _ = tf.clip_by_global_norm(gradients, 0.7)
    expected = [(value - 0.5 * each).numpy() for value, each in zip(values, clipped, strict=True)]
    model._begin(10)
    tf.function(model.train_step)((x, y, weights))
    for found, wanted in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_it_learns_a_stream_with_a_rule() -> None:
    model = build(**{"recipe.epochs": 20, "recipe.optimizer.learning_rate": 0.02})
    history = model.fit(stream(), verbose=0).history
    assert history["loss"][0] > 2.5
    scored = overlapping_windows(STREAM, rows=4, window=CONTEXT, stride=STRIDE)
    assert model.evaluate(scored, verbose=0, return_dict=True)["loss"] < 0.5


# --- what does not fit together


def test_a_window_longer_than_the_positions_is_refused_before_training(corpus) -> None:
    changes = QUICK | {"architecture.max_positions": 8}
    message = r"data\.window 12: .* vectors of 8 positions\. Set data\.window to 8 or less, or"
    with pytest.raises(ZooError, match=message):
        zoo.train("transformer_lm", corpus, set=changes, verbose=False)


@pytest.mark.parametrize(
    ("preset", "changes", "advice"),
    [
        *((name, {}, None) for name in ("default", "char", "char-nanogpt")),
        ("default", {"architecture.initial_std": 0.5}, "A03"),
        ("default", {"recipe.optimizer.learning_rate": 0.05}, None),  # A40 is of recurrences
    ],
)
def test_guides_guards(preset, changes, advice) -> None:
    loaded = load_preset("transformer_lm", preset, changes)
    found = load_task("language-modeling").check_preset(loaded)
    assert [advice in each.what for each in found] == ([True] if advice else [])


def test_the_run_remembers_its_context(run) -> None:
    assert read_json(run.path / "metrics.json")["model"] == "transformer_lm"
    network = zoo.load_run(run.path).model.network
    assert (network.context, network.scoring_stride, network.window) == (CONTEXT, STRIDE, None)
