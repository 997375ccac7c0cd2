"""Batches in pieces: the same step in less memory."""

import numpy as np
import pytest
import tensorflow as tf
from replica_parts import rows, small

from zoo.training.batches import micro_batch, next_batch, without_padding


def test_pieces_are_the_batch() -> None:
    x, y = tf.range(10)[:, None] * [[1, 1]], tf.range(10)
    pieces = [micro_batch(number, 4, (x, y, None), after=[None]) for number in range(4)]
    np.testing.assert_array_equal(np.concatenate([piece[0] for piece in pieces]), x)
    np.testing.assert_array_equal(np.concatenate([piece[1] for piece in pieces]), y)
    assert [len(piece[1]) for piece in pieces] == [2, 3, 2, 3]
    assert all(piece[2] is None for piece in pieces)


def test_padding_ends_with_the_longest_text() -> None:
    ids = tf.constant([[5, 0, 7, 0, 0], [4, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(without_padding(ids), ids[:, :3])
    np.testing.assert_array_equal(without_padding(ids[1:]), ids[1:, :1])
    np.testing.assert_array_equal(without_padding(ids[2:]), ids[2:, :1])
    np.testing.assert_array_equal(without_padding(ids[:, :2]), ids[:, :1])
    # Segments of zeros stay as long as the ids that they belong to.
    cut, segments = without_padding((ids, ids * 0))
    np.testing.assert_array_equal(cut, ids[:, :3])
    assert segments.shape == cut.shape


def test_the_wait_for_a_batch_is_counted_before_it_is_used() -> None:
    """Else TensorFlow may read the clock after any work on the batch."""
    waited = tf.Variable(0.0, dtype=tf.float64)
    before: list[str] = []

    @tf.function
    def step(iterator) -> tf.Tensor:
        batch = next_batch(iterator, waited)
        before.extend(each.type for each in batch.op.control_inputs)
        return batch

    batch = step(iter(tf.data.Dataset.from_tensors(tf.ones((2, 3)))))
    np.testing.assert_array_equal(batch, np.ones((2, 3)))
    assert "AssignAddVariableOp" in before
    assert float(waited) > 0.0


@pytest.mark.parametrize(
    ("model", "optimizer", "pieces"),
    # The last batch has 5 rows: some of 8 pieces are empty.
    [
        ("textcnn", "lazy_adamw", 8),
        pytest.param("textrnn", "sgd", 3, marks=pytest.mark.slow),
        ("fasttext", "adamw", 2),
        pytest.param("transformer", "lazy_adamw", 3, marks=pytest.mark.slow),
    ],
)
def test_micro_batches_take_the_same_steps(model: str, optimizer: str, pieces: int) -> None:
    x, y = rows()
    found = []
    for count in (1, pieces):
        network = small(model, optimizer, **{"recipe.micro_batches": count})
        history = network.fit(x, y, shuffle=False, verbose=0, validation_data=(x[:9], y[:9]))
        found.append((history.history, network.statistics.to_dict(), network.get_weights()))
    (whole, step, weights), (cut, cut_step, cut_weights) = found
    for key, values in whole.items():
        np.testing.assert_allclose(values, cut[key], atol=1e-5, err_msg=key)
    assert step["gradient_norm"] == pytest.approx(cut_step["gradient_norm"], rel=1e-4)
    for one, other in zip(weights, cut_weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
