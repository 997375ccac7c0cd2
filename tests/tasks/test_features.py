"""Vectors before the head, and the files they are written to."""

import io

import numpy as np
import pyarrow.parquet as parquet
import pytest
from classifier_parts import CLASSIFIERS, small_classifier, small_inputs
from conftest import sentences, write_csv

from zoo import ZooError
from zoo.tasks import embeddings
from zoo.training.features import feature_network

CHANGES = {
    "resnet": {"architecture.flip_average": True},
    "efficientnet": {"architecture.flip_average": True},
    # the logits of n-grams are added beside the head: they have no features
    "textcnn": {"architecture.ngram_sizes": (), "architecture.ngram_buckets": 0},
}


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_features_are_what_the_logits_are_made_of(model: str) -> None:
    network = small_classifier(model, CHANGES.get(model, {}))
    x = small_inputs(model, 5)
    features = np.asarray(feature_network(network)(x, training=False))
    head = network.get_layer("logits")
    logits = features @ np.asarray(head.kernel) + (np.asarray(head.bias) if head.use_bias else 0.0)
    assert features.shape == (5, head.kernel.shape[0])
    np.testing.assert_allclose(logits, network(x, training=False), rtol=1e-4, atol=1e-5)


def test_features_of_texts(trained) -> None:
    texts = [text for text, _ in sentences(50, seed=7)] + [""]
    vectors = trained.features(texts)
    network = trained.model.network
    assert vectors.shape == (51, network.get_layer("logits").input.shape[-1])
    np.testing.assert_allclose(trained.features(texts[:3]), vectors[:3], atol=1e-6)
    labels = [label for _, label in sentences(50, seed=7)]
    centers = {
        label: vectors[:50][np.array(labels) == label].mean(axis=0) for label in ("good", "bad")
    }
    nearest = [min(centers, key=lambda c: np.linalg.norm(v - centers[c])) for v in vectors[:50]]
    assert np.mean(np.array(nearest) == labels) > 0.9
    with pytest.raises(ZooError, match="features takes a list of texts"):
        trained.features("one text")
    with pytest.raises(ZooError, match="features: there are no rows"):
        trained.features([])


def test_tables_and_pipes_are_embedded_in_blocks(
    trained, zoo_command, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embeddings, "BLOCK", 7)
    rows = sentences(20)
    write_csv(tmp_path / "new.csv", rows)
    ended = zoo_command("embed", trained.path, "new.csv", "--out", "vectors/a.parquet", code=0)
    assert "vectors/a.parquet: 20 rows" in ended.stdout
    table = parquet.read_table(tmp_path / "vectors" / "a.parquet")
    assert table["text"].to_pylist() == [text for text, _ in rows]
    assert table["row"].to_pylist() == list(range(1, 21))
    lines = "\n".join(text for text, _ in rows).encode()

    class Pipe:
        buffer = io.BytesIO(lines)

    monkeypatch.setattr("sys.stdin", Pipe)
    zoo_command("embed", trained.path, code=0)
    piped = parquet.read_table(tmp_path / "stdin-embeddings.parquet")
    assert piped["embedding"].to_pylist() == table["embedding"].to_pylist()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--out", "a.csv"], "a.csv: must end with .parquet"),
        (["--out", "empty.parquet"], "not written: there is nothing to embed"),
    ],
)
def test_what_is_not_written(asked, message, trained, zoo_command, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none.txt").write_text("")
    assert message in zoo_command("embed", trained.path, "none.txt", *asked, code=1).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["none.txt"]


def test_an_image_that_cannot_be_read_has_no_vector(tmp_path) -> None:
    vector = np.arange(3, dtype=np.float32)
    rows = [{"file": "a.png", "error": "is empty"}, {"file": "b.png", "embedding": vector}]
    written = embeddings.write_embeddings(tmp_path / "a.parquet", rows)
    assert written.problems == ["a.png: is empty"] and written.features == 3
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table["embedding"].to_pylist() == [None, [0.0, 1.0, 2.0]]
    with pytest.raises(ZooError, match="there is nothing to embed: a.png: is empty"):
        embeddings.write_embeddings(tmp_path / "b.parquet", rows[:1])
    assert not (tmp_path / "b.parquet").exists()
