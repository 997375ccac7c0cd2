"""A step that XLA compiles is the plain one."""

import numpy as np
import pytest
from gpu_parts import FAMILIES, three_steps

from zoo.preset.loading import load_preset

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("gpu")]


@pytest.mark.parametrize("family", FAMILIES)
def test_compiled_and_plain_steps_are_alike(family, exact_float32) -> None:
    if not hasattr(load_preset(family).recipe, "jit"):
        pytest.skip("there is no recipe.jit")
    plain, _ = three_steps(family, dtype_policy="float32", jit=False)
    compiled, _ = three_steps(family, dtype_policy="float32", jit=True)
    np.testing.assert_allclose(compiled, plain, rtol=1e-3)
