"""`recipe.deterministic` gives the same bits twice."""

import numpy as np
import pytest
from gpu_parts import FAMILIES, three_steps

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("gpu")]


@pytest.mark.parametrize("family", FAMILIES)
def test_deterministic_steps_give_the_same_bits(family) -> None:
    first = three_steps(family, dropout=True, dtype_policy="float32", deterministic=True)
    second = three_steps(family, dropout=True, dtype_policy="float32", deterministic=True)
    assert first[0] == second[0]
    for one, other in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(one, other)
