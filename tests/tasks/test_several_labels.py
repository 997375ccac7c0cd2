"""Several labels a row, from files to predictions: texts and images, every family."""

import json
import random

import numpy as np
import pytest
import tensorflow as tf
from classifier_parts import CLASSIFIERS, small_classifier, small_inputs
from conftest import BAD, GOOD, NEUTRAL, QUICK, write_csv
from image_parts import QUICK as QUICK_IMAGES
from PIL import Image
from resume_parts import Killed, kill_at, write_always

import zoo
from zoo import ZooError
from zoo.tasks.several_labels import SeveralLabels
from zoo.training.monitor import Monitor
from zoo.training.multilabel import MultilabelLoss

WORDS = {"good": GOOD, "bad": BAD, "long": ["endless", "slow", "epic"]}
METRICS = ["loss", "micro_f1", "macro_f1", "exact_match"]


def labelled(count: int, seed: int = 0, none: bool = False) -> list[tuple[str, list[str]]]:
    """Return learnable texts with one to three labels, or also with none."""
    generator = random.Random(seed)
    rows = []
    for index in range(count):
        labels = [label for label in WORDS if generator.random() < 0.4]
        labels = labels or ([] if none else [generator.choice(list(WORDS))])
        words = generator.sample(NEUTRAL, 4) + [generator.choice(WORDS[label]) for label in labels]
        generator.shuffle(words)
        rows.append((" ".join([*words, str(index)]), labels))
    return rows


def joined(rows, mark: str = "|") -> list[tuple[str, str]]:
    return [(text, mark.join(labels)) for text, labels in rows]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A run on texts whose labels are joined, with a test part, beside its files."""
    folder = tmp_path_factory.mktemp("several")
    write_csv(folder / "train.csv", joined(labelled(400)))
    write_csv(folder / "test.csv", joined(labelled(80, seed=1)))
    zoo.train(
        "textcnn",
        folder / "train.csv",
        test=folder / "test.csv",
        set=QUICK | {"recipe.epochs": 8, "recipe.optimizer.learning_rate": 0.02},
        out=folder / "run",
        verbose=False,
    )
    return folder


def test_it_learns_and_says_what_it_does(files) -> None:
    run = zoo.load_run(files / "run")
    assert run.metrics["labels"] == "several"
    for part in ("validation", "test"):
        assert [key for key in METRICS if key in run.metrics[part]] == METRICS
        assert [key for key in METRICS if key in run.metrics["baseline"][part]] == METRICS
        assert run.metrics[part]["micro_f1"] > 0.8
    assert list(run.metrics["test"]["classes"]) == ["bad", "good", "long"]
    assert 0 < run.metrics["test"]["threshold"] < 1
    written = [str(finding) for finding in run.findings]
    assert any("several labels a row, separated by '|': 3 labels" in text for text in written)
    assert any("% micro F1 on test" in text for text in written)
    values = run.preset.values()
    assert values["data.labels.name"] == "several" and values["data.labels.separator"] == "|"
    assert values["recipe.monitor"] == "micro_f1"
    assert (run.info.primary_metric, list(run.info.metrics)) == ("micro_f1", METRICS)


def test_predictions_and_scores(files, zoo_command) -> None:
    run = zoo.load_run(files / "run")
    (both, one) = run.predict(["a great but endless film", "the plot was dull"])
    assert set(both["labels"]) == {"good", "long"} and one["labels"] == ["bad"]
    assert set(both["probabilities"]) == set(WORDS)
    ended = zoo_command("evaluate", files / "run", files / "test.csv", "--json", code=0)
    metrics = json.loads(ended.stdout)["metrics"]
    assert metrics["micro_f1"] == pytest.approx(run.metrics["test"]["micro_f1"])
    shown = zoo_command("evaluate", files / "run", files / "test.csv", code=0).stdout
    assert "micro_f1 " in shown and "exact_match " in shown
    listed = json.loads(zoo_command("runs", files, "--json", code=0).stdout)
    assert [line["micro_f1"] for line in listed] == [run.metrics["test"]["micro_f1"]]
    rows = (files / "run" / "mistakes.csv").read_text().splitlines()
    assert rows[0] == "row,probability,label,predicted,text"
    assert len(rows) - 1 == run.metrics["test"]["mistakes"]


def test_labels_are_scored_however_they_are_written(files) -> None:
    run = zoo.load_run(files / "run")
    rows = labelled(40, seed=2)
    texts, labels = [text for text, _ in rows], [own for _, own in rows]
    expected = run.evaluate((texts, labels))
    assert run.evaluate((texts, ["|".join(own) for own in labels])) == expected
    import pandas

    flags = {name: [int(name in own) for own in labels] for name in WORDS}
    assert (
        run.evaluate(pandas.DataFrame({"text": texts, **flags}), label="good,bad,long") == expected
    )
    with pytest.raises(ZooError, match="labels unknown to training: 'glad' .*row 2"):
        run.evaluate((texts[:2], ["good", "bad|glad"]))


def test_an_export_answers_as_the_run(files, tmp_path) -> None:
    run = zoo.load_run(files / "run")
    texts = [text for text, _ in labelled(20, seed=3)]
    loaded = tf.saved_model.load(str(run.export(tmp_path / "serving")))
    served = loaded.serve(tf.constant(texts))
    for row, answer in enumerate(run.predict(texts)):
        names = sorted(answer["labels"])
        assert served["labels"][row].numpy().decode() == "|".join(names)
        chosen = np.array(["bad", "good", "long"])[served["predicted"][row].numpy()]
        assert chosen.tolist() == names
        np.testing.assert_allclose(
            served["probabilities"][row], list(answer["probabilities"].values()), atol=2e-6
        )


@pytest.mark.parametrize(
    ("separator", "joined_by"), [(None, "a|c"), ("list", "a|c"), (";", "a;c"), (" / ", "a / c")]
)
def test_what_joins_the_labels_of_an_export(separator, joined_by) -> None:
    served = SeveralLabels(separator).serve(tf.constant([[2.0, -2.0, 2.0]]), ["a", "b", "c"])
    assert served["labels"].numpy().tolist() == [joined_by.encode()]


def test_a_repeated_run_is_the_same(files, tmp_path) -> None:
    first = zoo.load_run(files / "run")
    again = zoo.train(
        files / "run" / "preset.yaml",
        set={"recipe.epochs": 1},
        out=tmp_path / "run",
        verbose=False,
    )
    assert again.model.labels == first.model.labels
    assert again.preset.data.labels == first.preset.data.labels
    ended = zoo.train(files / "run" / "preset.yaml", out=files / "run", resume=True, verbose=False)
    assert ended.metrics == first.metrics


@pytest.mark.slow
def test_rows_without_labels_may_be_answered_with_none(tmp_path, zoo_command) -> None:
    rows = labelled(120, none=True)
    header = ("text", *WORDS)
    flags = [(text, *(str(int(name in labels)) for name in WORDS)) for text, labels in rows]
    path = write_csv(tmp_path / "a.csv", flags, header)
    seen = json.loads(zoo_command("data", path, "--json", code=0).stdout)
    assert set(seen["classes"]) == set(WORDS)
    sizes = {str(n): sum(len(own) == n for _, own in rows) for n in range(4)}
    assert seen["labels_a_row"] == {size: count for size, count in sizes.items() if count}
    shown = zoo_command("data", path, code=0).stdout
    assert (
        "labels a row, " in shown and "have no label" in shown and "several labels a row" in shown
    )
    run = zoo.train("fasttext", path, set=QUICK_FASTTEXT, out=tmp_path / "run", verbose=False)
    assert run.preset.data.labels.at_least_one is False
    assert run.columns.flags == tuple(WORDS)
    assert run.evaluate(path)["examples"] == 120
    asked = {"data.labels.at_least_one": True}
    run = zoo.train("fasttext", path, set=QUICK_FASTTEXT | asked, out=tmp_path / "b", verbose=False)
    assert run.preset.data.labels.at_least_one is True
    assert all(answer["labels"] for answer in run.predict([text for text, _ in rows[:30]]))


QUICK_FASTTEXT = {
    "recipe.epochs": 1, "recipe.min_steps": 0, "architecture.embedding_dim": 8,
    "architecture.vocabulary_size": 200, "architecture.ngram_buckets": 64,
}  # fmt: skip


def test_a_separator_of_ones_own_and_weights_by_label(tmp_path) -> None:
    rows = joined(labelled(120), " / ")
    asked = {"data.labels.separator": "/", "data.balance": "class-weights"}
    run = zoo.train(
        "fasttext", tuple(zip(*rows, strict=True)), set=QUICK_FASTTEXT | asked,
        out=tmp_path / "run", fraction=0.8, verbose=False,
    )  # fmt: skip
    assert run.model.labels == ["bad", "good", "long"]
    assert (run.preset.data.labels.name, run.preset.data.labels.separator) == ("several", "/")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"data.balance": "oversample"}, "data.balance=oversample is for one label a row"),
        ({"recipe.monitor": "accuracy"}, "recipe.monitor=accuracy is no score of several labels"),
        ({"data.labels.name": "one", "recipe.monitor": "micro_f1"}, "no score of one label a row"),
        ({"data.labels.nam": "one"}, "unknown key 'data.labels.nam'"),
        ({"data.labels.name": "some"}, "Accepted: auto, one, several"),
    ],
)
def test_what_does_not_fit_is_refused(asked, message, files, tmp_path) -> None:
    with pytest.raises(ZooError, match=message):
        zoo.train(
            "fasttext", files / "test.csv", set=QUICK_FASTTEXT | asked, out=tmp_path / "run",
            verbose=False,
        )  # fmt: skip


def test_conflicting_labels_and_copies_are_told(tmp_path, zoo_command) -> None:
    rows = joined(labelled(60))
    path = write_csv(tmp_path / "a.csv", [*rows, (rows[0][0], "good|bad|long"), rows[1]])
    found = zoo_command("data", path, code=0).stdout
    assert "2 texts of the data repeat an earlier text" in found
    assert "of the data has different labels" in found


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_every_classifier_takes_a_step(model: str) -> None:
    model_ = small_classifier(model, {"data.labels.name": "several"})
    x = small_inputs(model, 8)
    y = (np.random.default_rng(1).random((8, 3)) < 0.5).astype("float32")
    before = model_.get_weights()
    assert isinstance(model_.loss, MultilabelLoss)
    model_.run_eagerly = True  # quicker than a graph for a step
    logs = model_.train_on_batch(x, y, return_dict=True)
    assert np.isfinite(logs["loss"]) and 0 <= logs["micro_f1"] <= 1
    assert any((a != b).any() for a, b in zip(before, model_.get_weights(), strict=True))


def test_images_with_several_labels(tmp_path) -> None:
    generator = np.random.default_rng(0)
    rows = []
    for number in range(90):
        labels = [name for name in ("red", "blue") if generator.random() < 0.6] or ["red"]
        image = generator.integers(0, 90, (24, 24, 3))
        for label in labels:
            image[..., 0 if label == "red" else 2] += 160
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append((f"{number}.png", ";".join(labels)))
    path = write_csv(tmp_path / "a.csv", rows, ("path", "labels"))
    blends = {"data.mixup": 0.2, "recipe.epochs": 4}
    run = zoo.train("resnet", path, set=QUICK_IMAGES | blends, out=tmp_path / "run", verbose=False)
    assert [key for key in METRICS if key in run.metrics["validation"]] == METRICS
    assert [key for key in METRICS if key in run.metrics["baseline"]["validation"]] == METRICS
    assert run.preset.data.labels.separator == ";"
    answers = run.predict([str(tmp_path / f"{n}.png") for n in range(12)])
    assert all(set(answer["labels"]) <= {"red", "blue"} and answer["labels"] for answer in answers)
    assert run.evaluate(path)["micro_f1"] > 0.5
    served = tf.saved_model.load(str(run.export(tmp_path / "serving")))
    images = [(tmp_path / f"{n}.png").read_bytes() for n in range(12)]
    outputs = served.serve(tf.constant(images))
    found = [text.decode().split(";") for text in outputs["labels"].numpy()]
    assert found == [sorted(answer["labels"]) for answer in answers]


@pytest.mark.slow
def test_pairs_with_several_labels_are_resumed_bit_for_bit(tmp_path, monkeypatch) -> None:
    rows = [
        (text, f"about {n % 7}", labels) for n, (text, labels) in enumerate(joined(labelled(90)))
    ]
    path = write_csv(tmp_path / "a.csv", rows, ("text_a", "text_b", "labels"))
    changes = QUICK_FASTTEXT | {"recipe.epochs": 2, "data.batch_size": 8}
    changes |= {"data.balance": "class-weights", "recipe.monitor": "macro_f1"}

    def run(out: str, **arguments) -> zoo.Run:
        return zoo.train(
            "fasttext", path, set=changes, out=tmp_path / out, verbose=False, **arguments
        )

    whole = run("whole")
    with monkeypatch.context() as patch:
        write_always(patch)
        kill_at(patch, Monitor, "on_train_batch_end", 15)  # of 11 steps an epoch
        with pytest.raises(Killed):
            run("killed")
    resumed = run("killed", resume=True)
    for one, other in zip(
        whole.model.network.get_weights(), resumed.model.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert resumed.model.kind == whole.model.kind
    assert resumed.metrics["validation"] == whole.metrics["validation"]
    assert resumed.preset.values() == whole.preset.values()
    (answer,) = resumed.predict([("a great film", "about 3")])
    assert answer["labels"]
