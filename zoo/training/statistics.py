"""What each step did, kept on the device: nothing here waits for it before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf


def local_variable(value: Any) -> tf.Variable:
    """Return a variable that every replica keeps and changes by itself; the first one's is read.

    Right for what all replicas compute alike, such as an average of weights that are equal on all.
    """
    return tf.Variable(
        value,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


class Totals:
    """Sums over the replicas of what each keeps by itself, such as the counts of a metric.

    In one message: TensorFlow 2.21 reads such variables one by one, and on several machines each
    takes as long as many steps.

    Args:
        strategy: that of the training; all workers must ask.
        variables: `keras.Variable`s that are summed when they are read.
    """

    def __init__(self, strategy: tf.distribute.Strategy, variables: Sequence[Any]):
        self.variables = list(variables)
        self._sum = tf.function(lambda: strategy.run(self._all_reduce))
        self._strategy = strategy

    def __call__(self) -> list[tf.Tensor]:
        """Return the sum of each variable, in its own shape and type."""
        return [self._strategy.experimental_local_results(total)[0] for total in self._sum()]

    def _all_reduce(self) -> list[tf.Tensor]:
        values = [tf.convert_to_tensor(variable.value) for variable in self.variables]
        flat = tf.concat([tf.reshape(tf.cast(one, tf.float32), [-1]) for one in values], axis=0)
        context = tf.distribute.get_replica_context()
        flat = context.all_reduce(tf.distribute.ReduceOp.SUM, flat)
        pieces = tf.split(flat, [value.shape.num_elements() for value in values])
        return [
            tf.cast(tf.reshape(piece, value.shape), value.dtype)
            for piece, value in zip(pieces, values, strict=True)
        ]


@contextmanager
def count_by_rows(means: Sequence[Any], rows: tf.Tensor) -> Iterator[None]:
    """Have what `keras.metrics.Mean`s are given in the block count as often as there are rows.

    Keras 3.15.1 counts the losses of several outputs once a batch, however few rows it has, where
    a graph does not know their number.

    Args:
        means: those of the losses; built.
        rows: rows of the batch, a scalar; 0 is fine.
    """
    before = [(mean, tf.identity(mean.total), tf.identity(mean.count)) for mean in means]
    # From zero: the difference of two large float32 totals would have lost the batch's digits.
    for mean in means:
        mean.total.assign(0.0)
        mean.count.assign(0.0)
    yield
    for mean, total, count in before:
        value = tf.math.divide_no_nan(mean.total, mean.count)
        counted = tf.cast(rows, value.dtype)
        mean.total.assign(total + counted * value)
        mean.count.assign(count + counted)


class StepStatistics:
    """Norms and rates of the steps since the last `restart`.

    The ratio of update and weight is that of the Frobenius norms, one a variable; about 1e-3 is
    healthy (A96). Embedding tables are left out: reading all of them would cost more than a step.

    Args:
        matrices: trainable variables of two or more dimensions.
    """

    def __init__(self, matrices: Sequence[Any]):
        self.matrices = list(matrices)
        self._norm = local_variable(0.0)
        self._rate = local_variable(0.0)
        self._ratios = local_variable([0.0] * len(self.matrices))
        self._steps = local_variable(tf.constant(0, tf.int64))
        self._clipped = local_variable(tf.constant(0, tf.int64))

    @property
    def variables(self) -> list[tf.Variable]:
        """The state, in a fixed order."""
        return [self._norm, self._rate, self._ratios, self._steps, self._clipped]

    def restart(self) -> None:
        """Count from zero."""
        for variable in self.variables:
            variable.assign(tf.zeros_like(variable))

    def weights(self) -> list[tf.Tensor]:
        """Return the matrices as they are now; a graph op, before the update."""
        return [tf.identity(matrix.value) for matrix in self.matrices]

    def record(
        self, norm: tf.Tensor, limit: float | None, rate: Any, before: list[tf.Tensor]
    ) -> None:
        """Take in a step; a graph op, after the update.

        Args:
            norm: of the gradients of all variables, before clipping.
            limit: what it was clipped to, or None.
            rate: learning rate.
            before: `weights()` before the update.
        """
        self._norm.assign(tf.cast(norm, tf.float32))
        self._rate.assign(tf.cast(rate, tf.float32))
        self._steps.assign_add(1)
        if limit is not None:
            # A norm that is not a number is no clipped step: it is a broken one.
            self._clipped.assign_add(tf.cast(norm > limit, tf.int64))
        ratios = [
            tf.norm(matrix.value - old) / tf.maximum(tf.norm(old), 1e-12)
            for matrix, old in zip(self.matrices, before, strict=True)
        ]
        if ratios:
            self._ratios.assign(tf.cast(tf.stack(ratios), tf.float32))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON types; waits for the device.

        `gradient_norm`, `learning_rate` and `update_ratios` (by the variable's path) are those of
        the last step; `clipped_share` is that of all steps.
        """
        steps = int(self._steps.numpy())
        ratios = self._ratios.numpy().tolist()
        return {
            "steps": steps,
            "gradient_norm": float(self._norm.numpy()),
            "clipped_share": int(self._clipped.numpy()) / max(steps, 1),
            "learning_rate": float(self._rate.numpy()),
            "update_ratios": {
                matrix.path: ratio for matrix, ratio in zip(self.matrices, ratios, strict=True)
            },
        }
