"""Which training steps XLA compiles, and for which shapes of a batch.

Inside a function that XLA compiles, ops have other costs and limits: no shape may depend on values,
so that the gradient of a table has no rows of its own, and what passes over the same memory becomes
one kernel. What is traced asks `in_xla`.

What is not public in TensorFlow was written against 2.21: `GraphOrParentsInXlaContext`, which
knows a function with `jit_compile=True` and all that is traced in it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from zoo.errors import ZooError
from zoo.finding import Finding, counted
from zoo.preset.recipe import Recipe

# What TensorFlow raises of a graph that XLA cannot compile: an op it does not know, a part of CUDA
# that is not installed, memory that the device has not.
UNABLE = (
    tf.errors.InvalidArgumentError,
    tf.errors.UnimplementedError,
    tf.errors.NotFoundError,
    tf.errors.InternalError,
    tf.errors.FailedPreconditionError,
    tf.errors.ResourceExhaustedError,
)
# Shapes of a batch that are compiled; batches of others take the plain step. Twice the lengths that
# the zoo's own batches have: each takes seconds, and memory for good.
MOST_SHAPES = 16


def in_xla() -> bool:
    """Whether what is traced now will be compiled by XLA."""
    graph = tf.compat.v1.get_default_graph()
    return bool(control_flow_util.GraphOrParentsInXlaContext(graph))


def tensors_of(nest: Any) -> list[tf.Tensor]:
    """Return all tensors of a nest, with those inside of composite ones."""
    leaves = tf.nest.flatten(nest, expand_composites=True)
    return [leaf for leaf in leaves if hasattr(leaf, "shape")]


def is_compiled(recipe: Recipe) -> bool:
    """Whether the step of a recipe is compiled on the devices in use.

    `auto` is yes on GPUs. A CPU gains nothing: convolutions are slower, tables have dense gradients
    there. It is no where the same bits are wanted: compiled kernels add up in another order.
    """
    if recipe.jit == "auto":
        return bool(tf.config.get_visible_devices("GPU")) and not recipe.deterministic
    return recipe.jit


class Assignments(keras.StatelessScope):
    """Keeps what is assigned to variables in the block; others have the value they had.

    What is not public in Keras was written against 3.15.1: `state_mapping`, what was assigned, by
    the identity of the variable; `_value`, the variable of TensorFlow.
    """

    def get_current_value(self, variable: Any) -> Any:
        """Return the value of a variable."""
        # Keras' own has none: a regularizer wants it, and its gradient.
        return self.state_mapping.get(id(variable), variable._value)


def call_compiled(function: Callable[..., Any], variables: Sequence[Any], *arguments: Any) -> Any:
    """Call a function that XLA compiles from within a replica's step, which it does not.

    What is compiled must not wait for other replicas, as assigning a mean over them does: what the
    function assigns to `keras.Variable`s is assigned after it.

    Args:
        function: from nests of tensors to a nest of tensors, with None in it.
        variables: all that it may assign to.
        *arguments: nests of tensors, with None in it.
    """
    assigned: list[Any] = []
    structure: list[Any] = []

    @tf.function(jit_compile=True, autograph=False)
    def pure(*tensors: tf.Tensor) -> list[tf.Tensor]:
        with Assignments(collect_losses=True) as scope:
            results = function(*tf.nest.pack_sequence_as(arguments, _with_none(arguments, tensors)))
        values = [scope.state_mapping.get(id(variable)) for variable in variables]
        assigned[:] = [
            one for one, value in zip(variables, values, strict=True) if value is not None
        ]
        structure[:] = [results]
        return [*(value for value in values if value is not None), *tensors_of(results)]

    outputs = pure(*tensors_of(arguments))
    for variable, value in zip(assigned, outputs, strict=False):
        variable.assign(value)
    (results,) = structure
    flat = _with_none(results, outputs[len(assigned) :])
    return tf.nest.pack_sequence_as(results, flat)


def _with_none(nest: Any, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor | None]:
    """Return tensors with None in between, where a nest has it."""
    rest = iter(tensors)
    return [None if leaf is None else next(rest) for leaf in tf.nest.flatten(nest)]


@dataclasses.dataclass
class Compilation:
    """What was compiled in a `fit`.

    Args:
        required: whether a step that XLA cannot compile is an error.
        shapes: shapes of a batch.
        seconds: that tracing and compiling took, with the first step of each.
        refused: why XLA could not, or empty.
        most_rows: of a batch of a replica; those of fewer are not compiled.
    """

    required: bool = False
    shapes: int = 0
    seconds: float = 0.0
    refused: str = ""
    most_rows: float = 0.0

    def findings(self, jit: str | bool, tried: bool) -> list[Finding]:
        """Return what there is to say of it.

        Args:
            jit: the recipe's.
            tried: whether steps were given to XLA.
        """
        key = f"recipe.jit {str(jit).lower()}"
        if self.required and not tried:
            what = f"{key}: nothing was compiled: eager steps, several in one execution, those of "
            what += "several workers, and of replicas with batch norm over all of them are not."
            return [Finding("warning", what, {}, "Set recipe.jit to false.")]
        if self.refused:
            what = f"{key}: XLA cannot compile this step, which runs as it is ({self.refused})."
            return [Finding("warning", what, {}, "Set recipe.jit to false to try no more.")]
        if not self.shapes:
            return []
        shapes = counted(self.shapes, "shape")
        what = f"{key}: XLA compiled the step for {shapes} of a batch in {self.seconds:.0f} s."
        return [Finding("info", what, {"shapes": self.shapes, "seconds": round(self.seconds, 2)})]


class CompiledStep:
    """A step that is compiled for each shape of a batch.

    The last batch of an epoch has fewer rows than the others and takes the plain step. Padding it
    with rows of weight 0 would change the statistics of batch norm, and compiling it takes longer
    than that one step an epoch saves.

    Args:
        make: returns the compiled `tf.function` anew: one for each shape, so that TensorFlow traces
            it with known sizes.
        plain: the same step, not compiled, for batches of any shape.
        compilation: returns what takes down what is compiled.

    Attributes:
        steps: the compiled ones, by the shapes of a batch.
        seconds_waiting: that batches were waited for.

    Raises:
        ZooError: XLA cannot compile the step, and that is required.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        plain: Callable[[Any], Any],
        compilation: Callable[[], Compilation],
    ):
        self.plain, self.steps = plain, dict[Any, Callable[[Any], Any]]()
        self.seconds_waiting = 0.0
        self._make, self._compilation = make, compilation
        self._unable = False

    def __call__(self, iterator: Any) -> Any:
        """Take the step on the next batch of an iterator."""
        asked = time.perf_counter()
        batch = next(iterator)
        self.seconds_waiting += time.perf_counter() - asked
        shapes = tuple(tuple(tensor.shape) for tensor in tensors_of(batch))
        compilation = self._compilation()
        sizes = [shape[0] for shape in shapes if shape]
        rows = sum(sizes) / max(len(sizes), 1)  # replicas have unequal parts of some batches
        compilation.most_rows = max(compilation.most_rows, rows)
        step = self.steps.get(shapes)
        if step is not None:
            return step(batch)
        full = rows == compilation.most_rows and len(self.steps) < MOST_SHAPES
        return self._first(batch, shapes) if full and not self._unable else self.plain(batch)

    def _first(self, batch: Any, shapes: Any) -> Any:
        """Compile the step for a shape, and take it."""
        begun, step, compilation = time.perf_counter(), self._make(), self._compilation()
        try:
            logs = step(batch)
        except UNABLE as error:
            reason = str(error).strip().splitlines()[0][:200]
            if compilation.required and isinstance(error, tf.errors.ResourceExhaustedError):
                raise  # the plain step needs no less
            if compilation.required:
                raise ZooError(
                    f"recipe.jit true: XLA cannot compile this step: {reason}. Set recipe.jit to "
                    "auto, which runs such a step as it is, or to false."
                ) from error
            self._unable, compilation.refused = True, reason
            return self.plain(batch)
        # What is called need not look for the trace that serves, which a small step waits for.
        self.steps[shapes] = step.get_concrete_function(batch)
        compilation.shapes += 1
        compilation.seconds += time.perf_counter() - begun
        return logs
