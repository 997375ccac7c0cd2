"""Half precision: which dtype policy a device gains from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from zoo.finding import Finding


def best_policy() -> str:
    """Return the dtype policy that the devices in use gain from.

    Tensor cores multiply float16 from compute capability 7.0 on and bfloat16 from 8.0 on; a CPU and
    an older GPU stay at float32.
    """
    capabilities = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in tf.config.get_visible_devices("GPU")
    ]
    slowest = min(capabilities, default=(0, 0))
    if slowest >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if slowest >= (7, 0) else "float32"


def chosen_policy(asked: str) -> tuple[str, list[Finding]]:
    """Return the dtype policy of a recipe for the devices in use, and what there is to say of it.

    Args:
        asked: `recipe.dtype_policy`.
    """
    best = best_policy()
    if asked == "auto":
        what = f"recipe.dtype_policy auto: {best}, which the devices in use gain most from."
        return best, [Finding("info", what, {"dtype_policy": best})]
    if asked != "float32" and best == "float32":
        what = f"recipe.dtype_policy {asked}: the devices in use do not gain from half precision."
        return asked, [Finding("warning", what, {"best": best}, "Use float32, or auto.")]
    return asked, []


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Build layers under a policy; `float32` leaves Keras' global policy as it is."""
    before = keras.config.dtype_policy()
    if name != "float32":
        keras.config.set_dtype_policy(best_policy() if name == "auto" else name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
