"""Rates by block, frozen blocks, gradual unfreezing, R-Drop and the last epoch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from replica_parts import rows, small

import zoo
from zoo import ZooError
from zoo.builders import build
from zoo.preset.loading import load_preset
from zoo.training.layer_groups import layer_groups, top_weights
from zoo.training.losses import binary_disagreement, disagreement
from zoo.training.multilabel import MultilabelLoss

BY_BLOCK = {"recipe.fine_tuning.name": "by-block"}


def by_block(**values):
    return BY_BLOCK | {f"recipe.fine_tuning.{key}": value for key, value in values.items()}


def names(model):
    return [[layer.name for layer in group] for group in layer_groups(model)]


@pytest.mark.parametrize(
    ("model", "changes", "groups"),
    [
        ("textcnn", {"ngram_buckets": 64, "vocabulary_size": 50},
         [["embedding"], ["filters"], ["ngram_embedding", "logits", "mixed_logits"]]),
        ("fasttext", {"ngram_buckets": 64, "vocabulary_size": 50},
         [["embedding", "ngram_embedding"], ["logits"]]),
        ("textrnn", {"num_layers": 2, "vocabulary_size": 50},
         [["embedding"], ["lstm_0"], ["lstm_1"], ["logits"]]),
        ("lstm_lm", {"vocabulary_size": 50, "hidden_dim": 8, "embedding_dim": 4},
         [["embedding"], ["lstms"], ["projection"]]),
        ("transformer_lm", {"vocabulary_size": 50, "num_layers": 2},
         [["embedding", "position_embedding"], ["layer_0"], ["layer_1"], ["final_norm"]]),
        ("transformer", {"norm": "post", "head_dim": 8, "vocabulary_size": 50},
         [["embedding", "position_embedding", "embedding_norm"], ["layer_0"], ["layer_1"],
          ["head", "logits"]]),
    ],
)  # fmt: skip
def test_bottom_blocks_and_head_of_every_family(model: str, changes, groups) -> None:
    preset = load_preset(model, changes={f"architecture.{k}": v for k, v in changes.items()})
    assert names(build(preset)) == groups


def test_a_residual_network_has_a_block_a_stage() -> None:
    groups = names(zoo.resnet(preset="debug", image_size=16))
    assert groups[-1] == ["logits"] and all("stage" not in name for name in groups[0])
    assert [{name[:6] for name in group} for group in groups[1:-1]] == [
        {f"stage{i}"} for i in range(1, len(groups) - 1)
    ]


def weights_of(model) -> dict[str, np.ndarray]:
    return {one.path: one.numpy() for one in model.weights if "seed" not in one.path}


def step(model_name: str, optimizer: str, **changes) -> dict[str, np.ndarray]:
    """Return the change of every variable in one step."""
    model = small(model_name, optimizer, **{"recipe.ema": None} | changes)
    before = weights_of(model)
    x, y = rows(8)
    model.fit(x, y, epochs=1, shuffle=False, verbose=0)
    return {path: value - before[path] for path, value in weights_of(model).items()}


@pytest.mark.parametrize(
    "optimizer",
    [
        "lazy_adamw",
        "sgd",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("adamw", "adam", "adadelta", "rmsprop", "lamb")
        ),
    ],
)
def test_every_optimizer_takes_the_steps_of_a_block_at_its_rate(optimizer: str) -> None:
    """Weight decay, rows of tables and all else that depends on the rate included."""
    decayed = {"recipe.schedule.name": "constant", "recipe.schedule.warmup_fraction": 0.0}
    if optimizer in ("lazy_adamw", "adamw", "sgd", "lamb"):
        decayed["recipe.optimizer.weight_decay"] = 0.05
    plain = step("transformer", optimizer, **decayed)
    scaled = step(
        "transformer", optimizer, **decayed | by_block(rate_decay=0.5, head_rate_factor=3.0)
    )
    factors = {"embedding": 1 / 8, "position": 1 / 8, "layer_0": 1 / 4, "layer_1": 1 / 2}
    for path, change in plain.items():
        factor = next((f for name, f in factors.items() if path.startswith(name)), 3.0)
        tolerance = 2e-6 * np.abs(change).max() + 2e-7
        np.testing.assert_allclose(scaled[path], factor * change, atol=tolerance, err_msg=path)
    assert all(np.any(change) for path, change in plain.items() if path.endswith("kernel"))


def test_factors_hold_after_loading_and_go_with_the_recipe(tmp_path) -> None:
    model = small("transformer", "adamw", **by_block(rate_decay=0.5))
    assert "update_step" in vars(model.optimizer)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert "update_step" in vars(loaded.optimizer)
    loaded.recipe = loaded.recipe.model_copy(
        update={"fine_tuning": load_preset("textcnn").recipe.fine_tuning}
    )
    loaded.name_variables()
    assert "update_step" not in vars(loaded.optimizer)


def test_frozen_blocks_do_not_move_and_cost_no_gradient(tmp_path) -> None:
    changes = by_block(rate_decay=1.0, frozen_blocks=2)
    moved = {path for path, change in step("transformer", "sgd", **changes).items() if change.any()}
    assert {path.split("/")[0] for path in moved} == {"layer_1", "final_norm", "logits"}
    model = small("transformer", "sgd", **changes)
    assert not any("layer_0" in one.path for one in model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    alone = small("transformer", "sgd", **by_block(frozen_blocks="all"))
    assert {one.path.split("/")[0] for one in alone.trainable_variables} == {"final_norm", "logits"}


def test_more_frozen_blocks_than_there_are() -> None:
    message = r"frozen_blocks 4: transformer has 3 below its head: embedding, .*Set 3 or less, or"
    with pytest.raises(ZooError, match=message):
        small("transformer", "sgd", **by_block(frozen_blocks=4))
    with pytest.raises(ZooError, match=r"reset_blocks 3: transformer has 2 blocks\. Set 2 or less"):
        top_weights(small("transformer", "sgd"), 3)
    paths = list(top_weights(small("transformer", "sgd"), 1))
    assert paths and all(path.startswith("layer_1/") for path in paths)


class Watched(keras.callbacks.Callback):
    """Notes which layers moved in each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.before = weights_of(self.model)

    def on_epoch_end(self, epoch, logs=None):
        after = weights_of(self.model)
        moved = [path.split("/")[0] for path, value in after.items()
                 if np.any(value != self.before[path])]  # fmt: skip
        self.epochs = [*getattr(self, "epochs", []), set(moved)]


def test_one_more_block_is_trained_every_epoch_from_the_top() -> None:
    changes = by_block(rate_decay=1.0, frozen_blocks=1, unfreeze_epochs=1) | {"recipe.ema": None}
    model, watched = small("transformer", "adamw", **changes), Watched()
    x, y = rows()
    model.fit(x, y, verbose=0, callbacks=[watched])
    head = {"final_norm", "logits"}
    both = head | {"layer_1", "layer_0"}
    assert watched.epochs == [head, head | {"layer_1"}, both, both]
    assert {one.path.split("/")[0] for one in model.trainable_variables} == both


# --- R-Drop


def test_disagreement_in_closed_form() -> None:
    one = np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    other = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])

    def softmax(z):
        return np.exp(z) / np.exp(z).sum(1, keepdims=True)

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def divergence(p, q):
        return (p * np.log(p / q)).sum(1)

    logits = np.concatenate([one, other]).astype("float32")
    p, q = softmax(one), softmax(other)
    expected = (divergence(p, q) + divergence(q, p)).mean() / 2
    assert float(disagreement(logits)) == pytest.approx(expected, rel=1e-5)
    p, q = (np.stack([sigmoid(z), 1 - sigmoid(z)], 2).reshape(-1, 2) for z in (one, other))
    expected = (divergence(p, q) + divergence(q, p)).reshape(2, 3).mean() / 2
    assert float(binary_disagreement(logits)) == pytest.approx(expected, rel=1e-5)
    # As the loss does: summed over the labels of a row, or their mean.
    assert float(MultilabelLoss().disagreement(logits)) == pytest.approx(3 * expected, rel=1e-5)
    assert float(MultilabelLoss(mean=True).disagreement(logits)) == pytest.approx(expected)


def losses_of(**changes) -> list[float]:
    model = small("fasttext", "sgd", **{"recipe.ema": None} | changes)
    x, y = rows()
    return model.fit(x, y, shuffle=False, verbose=0).history["loss"]


def test_without_dropout_two_answers_are_one() -> None:
    np.testing.assert_allclose(losses_of(**{"recipe.r_drop": 5.0}), losses_of(), rtol=1e-5)


def test_with_dropout_the_answers_differ_and_their_disagreement_is_added() -> None:
    x, y = rows(8)
    found = []
    for weight in (1.0, 3.0, 5.0):
        model = small("fasttext", "sgd", **{"architecture.dropout": 0.5, "recipe.r_drop": weight})
        outputs, loss, count = model._forward(tf.constant(x), tf.constant(y), None, training=True)
        assert outputs.shape == (8, 3) and int(count) == 8
        found.append(float(loss))
    # The same masks each time: the loss is linear in the weight.
    assert found[1] - found[0] > 1e-4
    assert found[2] - found[1] == pytest.approx(found[1] - found[0], rel=1e-3)


@pytest.mark.parametrize("pieces", [2, 8])
def test_r_drop_in_micro_batches_takes_the_same_steps(pieces: int) -> None:
    changes = {"recipe.r_drop": 1.0}
    found = losses_of(**changes | {"recipe.micro_batches": pieces})
    np.testing.assert_allclose(found, losses_of(**changes), rtol=1e-5)


# --- the last epoch


def test_the_last_epoch_is_kept_though_another_was_better() -> None:
    changes = {"recipe.optimizer.learning_rate": 1.0, "recipe.ema": None, "recipe.epochs": 6}
    x, y = rows()
    kept = {}
    for monitor in ("loss", "last"):
        model = small("fasttext", "sgd", **changes | {"recipe.monitor": monitor})
        history = model.fit(x, y, shuffle=False, verbose=0, validation_data=(x[:9], 2 - y[:9]))
        losses = history.history["val_loss"]
        score = model.evaluate(x[:9], 2 - y[:9], verbose=0)[0]
        kept[monitor] = (model.best_epoch, score, losses)
    assert kept["loss"][0] < 6 and kept["last"][0] == 6
    assert kept["last"][1] == pytest.approx(kept["last"][2][-1], rel=1e-5)
    assert kept["loss"][1] == pytest.approx(min(kept["loss"][2]), rel=1e-5)


def test_the_last_epoch_has_no_patience() -> None:
    with pytest.raises(ZooError, match="monitor last keeps the last epoch; patience_epochs must"):
        load_preset("textcnn", "default", {"recipe.monitor": "last", "recipe.patience_epochs": 3})
