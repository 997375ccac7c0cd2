"""Runs of a Transformer: resumed, exported, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import sentences, write_csv
from resume_parts import Killed, assert_equal_runs, kill_at, train, write_always

import zoo
from zoo import ZooError
from zoo.training.monitor import Monitor

SMALL = {
    "architecture.hidden_dim": 16,
    "architecture.feed_forward_dim": 32,
    "architecture.num_layers": 1,
    "architecture.vocabulary_size": 200,
    "recipe.epochs": 2,
    "data.batch_size": 16,
    # What fine-tuning has, so that a resumed run shows that it continues.
    "recipe.fine_tuning.name": "by-block",
    "recipe.fine_tuning.unfreeze_epochs": 1,
    "recipe.monitor": "last",
    "recipe.r_drop": 1.0,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    return write_csv(tmp_path_factory.mktemp("rows") / "reviews.csv", sentences(120))


@pytest.fixture(scope="module")
def whole(rows, tmp_path_factory) -> Path:
    """The run that nothing interrupts."""
    return train(rows, tmp_path_factory.mktemp("whole") / "run", "transformer", set=SMALL).path


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_weights(rows, whole, tmp_path) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        write_always(patch)
        kill_at(patch, Monitor, "on_train_batch_end", 10)
        with pytest.raises(Killed):
            train(rows, run, "transformer", set=SMALL)
    train(rows, run, "transformer", set=SMALL, resume=True)
    assert_equal_runs(whole, run)


def test_exported_it_answers_the_same(whole, tmp_path) -> None:
    run = zoo.load_run(whole)
    texts = ["a great film", "dull", "the story was moving " * 20]
    model = tf.saved_model.load(str(run.export(tmp_path / "serving")))
    served = model.serve(tf.constant(texts))
    for found, expected in zip(served["probabilities"].numpy(), run.predict(texts), strict=True):
        np.testing.assert_allclose(found, list(expected["probabilities"].values()), atol=1e-5)


def test_texts_longer_than_the_positions_are_refused_before_training(rows) -> None:
    message = r"data\.max_length 256: .* vectors of 64 positions\. Set data\.max_length to 64 or"
    with pytest.raises(ZooError, match=message):
        zoo.train("transformer", rows, set=SMALL | {"architecture.max_positions": 64})


def test_start_vectors_of_another_size_name_the_setting(rows, tmp_path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("great " + " ".join(["0.5"] * 12) + "\n")
    changes = SMALL | {"data.vectors": str(vectors)}
    with pytest.raises(ZooError, match=r"the embedding has 16\. Set architecture\.hidden_dim to"):
        zoo.train("transformer", rows, set=changes, out=tmp_path / "run", verbose=False)
