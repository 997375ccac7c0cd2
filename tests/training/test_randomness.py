"""`recipe.deterministic`: the same bits for the same seed, and TensorFlow as before afterwards."""

import numpy as np
import pytest
from tensorflow.python.framework import config
from training_parts import arrays, compiled

from zoo.training.randomness import deterministic_ops

X, Y = arrays(64)


def trained(seed: int) -> list[np.ndarray]:
    model = compiled(seed=seed, **{"recipe.deterministic": True, "recipe.ema": 0.9})
    model.fit(X, Y, verbose=0, validation_data=(X, Y))
    return model.get_weights()


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    one, again, other = trained(1), trained(1), trained(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True) if a.any())
    assert not config.is_op_determinism_enabled()


@pytest.mark.parametrize("wanted", [True, False])
def test_as_before_afterwards(wanted: bool) -> None:
    with deterministic_ops(wanted):
        assert config.is_op_determinism_enabled() is wanted
        with deterministic_ops(True):
            assert config.is_op_determinism_enabled()
        assert config.is_op_determinism_enabled() is wanted
    assert not config.is_op_determinism_enabled()
