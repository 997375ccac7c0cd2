"""Default presets train on a GPU as on a CPU."""

import numpy as np
import pytest
from gpu_parts import FAMILIES, STEPS, three_steps

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("gpu")]


@pytest.mark.parametrize("family", FAMILIES)
def test_three_steps_in_float32(family, cpu_losses, exact_float32) -> None:
    losses, _ = three_steps(family, dtype_policy="float32")
    np.testing.assert_allclose(losses, cpu_losses(family), rtol=2e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_three_steps_in_what_the_gpu_gains_from(family, cpu_losses) -> None:
    losses, weights = three_steps(family, dtype_policy="auto")
    assert len(losses) == STEPS
    assert all(np.isfinite(weight).all() for weight in weights)
    np.testing.assert_allclose(losses, cpu_losses(family), rtol=0.1)
