"""Half precision: which dtype policy a device gains from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from zoo.finding import Finding


def best_policy(sparse: bool) -> str:
    """Return the dtype policy that the devices in use gain from.

    Tensor cores multiply float16 from compute capability 7.0 on and bfloat16 from 8.0 on; an older
    GPU stays at float32. A CPU gains where it has instructions for bfloat16 and the time goes into
    products of matrices and convolutions.

    Args:
        sparse: whether the time goes into rows of tables and products of sparse matrices, which
            are float32 whatever the policy.
    """
    capabilities = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in tf.config.get_visible_devices("GPU")
    ]
    if not capabilities:
        return "mixed_bfloat16" if not sparse and _cpu_has_bfloat16() else "float32"
    slowest = min(capabilities)
    if slowest >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if slowest >= (7, 0) else "float32"


def _cpu_has_bfloat16() -> bool:
    """Whether Linux names such instructions; other systems do not say."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def chosen_policy(asked: str, sparse: bool) -> tuple[str, list[Finding]]:
    """Return the dtype policy of a recipe for the devices in use, and what there is to say of it.

    Args:
        asked: `recipe.dtype_policy`.
        sparse: as in `best_policy`.
    """
    best = best_policy(sparse)
    if asked == "auto":
        what = f"recipe.dtype_policy auto: {best}, which the devices in use gain most from."
        return best, [Finding("info", what, {"dtype_policy": best})]
    if asked != "float32" and best == "float32":
        what = f"recipe.dtype_policy {asked}: the devices in use do not gain from half precision."
        return asked, [Finding("warning", what, {"best": best}, "Use float32, or auto.")]
    return asked, []


@contextmanager
def dtype_policy(name: str, sparse: bool) -> Iterator[None]:
    """Build layers under a policy; `float32` leaves Keras' global policy as it is."""
    before = keras.config.dtype_policy()
    if name != "float32":
        keras.config.set_dtype_policy(best_policy(sparse) if name == "auto" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
