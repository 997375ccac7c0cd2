"""The search space of a preset for keras-tuner's own tuners."""

import keras
import keras_tuner
import numpy as np
import pytest

import zoo
from zoo import ZooError

SIZES = {
    "architecture.vocabulary_size": 100,
    "architecture.num_classes": 2,
    "architecture.filters": 4,
    "architecture.embedding_dim": 8,
}


def test_the_space_is_the_search_block_in_its_order() -> None:
    space = zoo.hypermodel("textcnn", set=SIZES)
    hp = keras_tuner.HyperParameters()
    space.build(hp)
    assert list(hp.values) == [key for key in zoo.load_preset("textcnn").search if key not in SIZES]
    rate = next(p for p in hp.space if p.name == "recipe.optimizer.learning_rate")
    assert rate.sampling == "log"


def test_values_reach_the_model() -> None:
    space = zoo.hypermodel("textcnn", set=SIZES)
    hp = keras_tuner.HyperParameters()
    hp.Fixed("recipe.optimizer.learning_rate", 0.0123)
    assert space.trial_preset(hp).recipe.optimizer.learning_rate == 0.0123


def test_lists_can_be_searched(tmp_path) -> None:
    text = zoo.load_preset("textcnn", "default", SIZES).to_yaml()
    text = text.replace(
        "search:", "search:\n  architecture.kernel_sizes: {values: [[2], [3, 4]]}", 1
    )
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    space = zoo.hypermodel("textcnn", path)
    hp = keras_tuner.HyperParameters()
    assert space.trial_preset(hp).architecture.kernel_sizes == (2,)


def test_a_trial_is_seeded_and_keeps_the_dtype_policy() -> None:
    space = zoo.hypermodel("textcnn", set=SIZES, seed=3)
    first = space.build(keras_tuner.HyperParameters())
    keras.backend.clear_session()  # as keras-tuner does before each trial
    second = space.build(keras_tuner.HyperParameters())
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "tuner",
    [
        pytest.param(keras_tuner.RandomSearch, marks=pytest.mark.slow),
        keras_tuner.BayesianOptimization,
    ],
)
def test_tuners_search(tuner, tmp_path) -> None:
    tokens = np.random.default_rng(0).integers(2, 100, (64, 6)).astype("int32")
    labels = (tokens[:, 0] % 2).astype("int32")
    search = tuner(
        zoo.hypermodel("textcnn", set=SIZES),
        objective=keras_tuner.Objective("val_loss", "min"),
        max_trials=2,
        directory=tmp_path,
    )
    search.search(tokens, labels, validation_split=0.25, epochs=1, verbose=0)
    assert len(search.get_best_hyperparameters()) == 1


def test_a_preset_without_a_search_block(tmp_path) -> None:
    document = zoo.load_preset("textcnn").model_copy(update={"search": {}})
    path = tmp_path / "mine.yaml"
    path.write_text(document.to_yaml())
    with pytest.raises(ZooError, match="nothing to search"):
        zoo.hypermodel("textcnn", path)


def test_what_is_set_is_not_searched() -> None:
    searched = zoo.load_preset("textcnn").search
    assert "architecture.filters" in searched
    space = zoo.hypermodel("textcnn", set=SIZES)
    hp = keras_tuner.HyperParameters()
    model = space.build(hp)
    assert list(hp.values) == [key for key in searched if key not in SIZES]
    assert space.trial_preset(hp).architecture.filters == 4
    assert model.recipe is not None


def test_a_space_of_what_is_set_alone_is_refused() -> None:
    values = zoo.load_preset("textcnn").values()
    everything = {key: values[key] for key in zoo.load_preset("textcnn").search}
    with pytest.raises(ZooError, match="every key of its search block is set"):
        zoo.hypermodel("textcnn", set=everything)


@pytest.mark.parametrize("seed", [-1, 5_000_000_000, 1.5, "a"])
def test_a_seed_that_numpy_does_not_take_is_refused(seed) -> None:
    with pytest.raises(ZooError, match=r"`seed` must be a whole number in \[0, 4,294,967,296\)"):
        zoo.hypermodel("textcnn", seed=seed)
