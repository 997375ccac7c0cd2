"""Memory that a run takes: told before, and refused where there is not so much."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.common import global_state

import zoo
from zoo import ZooError
from zoo import memory as sizes
from zoo.builders import build
from zoo.preset.derived import findings_on
from zoo.preset.loading import load_preset

SMALL = {
    "textcnn": {"vocabulary_size": 50, "ngram_buckets": 64},
    "rcnn": {"vocabulary_size": 50, "context_dim": 8},
    "textrnn": {"vocabulary_size": 50, "hidden_dim": 8},
    "fasttext": {"vocabulary_size": 50, "ngram_buckets": 64},
    "transformer": {"vocabulary_size": 50, "hidden_dim": 16},
    "transformer_lm": {"vocabulary_size": 50, "hidden_dim": 16},
    "transformer_mlm": {"vocabulary_size": 50, "hidden_dim": 16},
    "lstm_lm": {"vocabulary_size": 50, "hidden_dim": 16, "embedding_dim": 8},
    "resnet": {"depth": 8, "filters": (8, 8, 8)},
    "efficientnet": {"width_factor": 0.1, "depth_factor": 0.1},
}


def small(model: str, **more):
    changes = {f"architecture.{key}": value for key, value in (SMALL[model] | more).items()}
    return load_preset(model, "default", changes)


@pytest.mark.parametrize("model", SMALL)
def test_weights_are_counted_without_any(model: str) -> None:
    preset = small(model)
    before = random.getstate()
    need = sizes.needed(preset)
    assert random.getstate() == before
    network = build(preset)
    seeds = sum(1 for each in network.variables if "seed" in each.name)
    own = sum(int(np.prod(each.shape)) for each in network.variables if "seed" not in each.name)
    assert own <= need.weights <= own + 2 * seeds + 2
    assert all(each._value is not None for each in network.variables)


def test_what_waits_for_its_values_is_not_made_afterwards() -> None:
    before = list(global_state.get_global_attribute("uninitialized_variables", []))
    sizes.needed(small("textcnn", vocabulary_size=10_000_000, num_classes=1000))
    assert global_state.get_global_attribute("uninitialized_variables", []) == before
    with keras.StatelessScope():  # at whose end Keras makes the values of all that wait
        pass


def test_a_network_that_does_not_fit_is_refused_before_it_is_made() -> None:
    with pytest.raises(ZooError) as refused:
        zoo.textcnn(num_classes=60_000, ngram_buckets=2_621_440)
    message = str(refused.value)
    assert "textcnn: the model needs about " in message
    assert "2,621,440 buckets of n-grams by 60,000 classes" in message
    assert "GB are free. Lower architecture.ngram_buckets" in message


@pytest.mark.parametrize(
    ("model", "sizes_set", "remedy"),
    [
        ("fasttext", {"ngram_buckets": 50_000_000, "embedding_dim": 10_000}, "ngram_buckets"),
        ("lstm_lm", {"vocabulary_size": 10**9, "embedding_dim": 10_000}, "vocabulary_size"),
        ("resnet", {"filters": (90_000, 90_000, 90_000)}, "filters"),
        ("efficientnet", {"variant": "b7", "num_classes": 100_000_000}, "width_factor"),
    ],
)
def test_other_models_are_refused_too(model: str, sizes_set, remedy: str) -> None:
    with pytest.raises(ZooError, match=rf"GB are free\. Lower .*architecture\.{remedy}"):
        build(small(model, **sizes_set))


def test_a_batch_of_large_images_counts_in_training(monkeypatch) -> None:
    preset = small("resnet", image_size=512).override({"data.batch_size": 4096})
    need = sizes.needed(preset)
    assert need.step > 4096 * 512**2 * 8 * 2
    monkeypatch.setattr(sizes, "available", lambda: need.step)
    build(preset)  # of a network alone nobody knows the batches
    said = r"images of 512 pixels, 4,096 at a time.*architecture\.image_size"
    with pytest.raises(ZooError, match=said):
        sizes.check_fits(preset)


def test_much_of_the_memory_is_a_warning(monkeypatch) -> None:
    preset = small("textcnn", ngram_buckets=50_000_000, num_classes=2)
    need = sizes.needed(preset)
    monkeypatch.setattr(sizes, "available", lambda: need.state + 1)
    (found,) = sizes.check_fits(preset)
    assert found.level == "warning"
    assert found.evidence["weights"] == need.weights
    monkeypatch.setattr(sizes, "available", lambda: None)
    assert sizes.check_fits(preset) == []


def test_this_machine_says_what_is_free() -> None:
    free = sizes.available()
    assert free is None or free > 50_000_000


def test_the_limit_of_a_container(tmp_path) -> None:
    assert sizes._left_in_container(tmp_path) == []
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 400\ninactive_file 200\n")
    (tmp_path / "memory.max").write_text("1000\n")
    assert sizes._left_in_container(tmp_path) == [500]
    (tmp_path / "memory.max").write_text("max\n")
    assert sizes._left_in_container(tmp_path) == []


@pytest.mark.parametrize(
    ("classes", "buckets"), [(2, 262_144), (20, 262_144), (128, 262_144), (129, 131_072),
                             (1000, 32_768), (10_000, 2048), (10**6, 256)],
)  # fmt: skip
def test_buckets_shrink_with_the_classes(classes: int, buckets: int) -> None:
    before = load_preset("textcnn")
    changes = {"architecture.num_classes": classes}
    after = before.override(changes)
    assert after.architecture.ngram_buckets == buckets
    said = findings_on(before.values(), after.values(), changes)
    assert [each.what.split(":")[0] for each in said] == (
        [] if buckets == 262_144 else [f"architecture.ngram_buckets 262,144 -> {buckets:,}"]
    )
    assert ("architecture.ngram_buckets" in after.why) and after.override(changes) == after


def test_buckets_that_are_set_hold() -> None:
    changes = {"architecture.num_classes": 1000, "architecture.ngram_buckets": 100_000}
    assert load_preset("textcnn", "default", changes).architecture.ngram_buckets == 100_000


def test_a_device_without_memory_left_says_what_to_change() -> None:
    preset = load_preset("textcnn", "default", {"recipe.micro_batches": 2})
    message = (
        r"no memory left for a step of 64 rows in 2 micro-batches \(.*allocating 8 bytes.*\)\. "
        r"Start anew with recipe\.micro_batches=4 or "
    )
    with pytest.raises(ZooError, match=message), sizes.report_exhausted(preset):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating 8 bytes")
