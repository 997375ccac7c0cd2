"""Keras' `fit`, `evaluate` and `predict` on one device, several replicas and several machines.

What is not public in Keras was written against 3.15.1: `_maybe_symbolic_build`, `_compile_metrics`
and `_compile_loss`, which `fit` builds; `_outputs_struct`, the nest of a functional model's
outputs; `train_function` and `test_function`, which get a `tf.data` iterator from `fit` and a
generator from `train_on_batch`; `_autoconvert_optionals`, which puts None back into a nest of
arrays; `_get_metrics_result_or_logs`, what an epoch reports; `compute_output_spec`.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf
from keras.src import backend

from zoo.distribute import workers
from zoo.training.batches import is_iterator, next_batch, symbolic
from zoo.training.compiled import Compilation, CompiledStep, tensors_of
from zoo.training.prediction import predict_together
from zoo.training.randomness import are_deterministic
from zoo.training.statistics import Totals


class StrategyModel(keras.Model):
    """A functional model that runs under every `tf.distribute` strategy.

    Inputs, targets, sample weights and outputs are each a nest of tensors `(rows, ...)`: one, or
    tuples, lists and dicts of them.
    """

    train_function: Any
    test_function: Any
    _totals: Totals | None = None
    compiled_step: CompiledStep | None = None
    compiles_parts = False  # while a step of several replicas is traced

    @property
    def replicas(self) -> int:
        """Number of replicas that share a batch."""
        return int(self.distribute_strategy.num_replicas_in_sync)

    @property
    def prefetch_device(self) -> str | None:
        """Where `fit` copies batches to in advance; a strategy does it by itself."""
        gpu = tf.config.get_visible_devices("GPU")
        alone = self.distribute_strategy is tf.distribute.get_strategy()
        return "GPU:0" if gpu and alone and not tf.distribute.has_strategy() else None

    @functools.cached_property
    def compilation(self) -> Compilation:
        """What XLA compiled since the last `fit` began."""
        return Compilation()

    @property
    def seconds_waiting(self) -> float:
        """Seconds that steps spent waiting for their batch since the last `fit` began."""
        compiled = self.compiled_step.seconds_waiting if self.compiled_step else 0.0
        return compiled + float(self._waiting)

    @seconds_waiting.setter
    def seconds_waiting(self, seconds: float) -> None:
        self._waiting.assign(seconds)
        if self.compiled_step:
            self.compiled_step.seconds_waiting = 0.0

    @functools.cached_property
    def _waiting(self) -> tf.Variable:
        """Those of the steps that take their batch in TensorFlow."""
        return tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def make_train_function(self, force: bool = False) -> None:
        """Make the function of one step, which also adds up the seconds spent waiting for data."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        if not self.run_eagerly and self.steps_per_execution == 1:
            plain = self.train_function
            step = (
                self._compiled_step(self.train_step)
                if self.compiles_steps
                else self._step_on_iterator(self.train_step, timed=True)
            )
            self.train_function = lambda data: (step if is_iterator(data) else plain)(data)

    def make_test_function(self, force: bool = False) -> None:
        """Make the function that scores one batch."""
        if self.test_function is not None and not force:
            return
        super().make_test_function(force)
        if not self.run_eagerly and self.steps_per_execution == 1:
            plain, step = self.test_function, self._step_on_iterator(self.test_step, timed=False)
            self.test_function = lambda data: (step if is_iterator(data) else plain)(data)

    @property
    def compiles_steps(self) -> bool:
        """Whether XLA compiles the steps of `fit`, as `compile` was asked."""
        return bool(self.jit_compile) and self._compilable

    @property
    def _compilable(self) -> bool:
        alone = workers(self.distribute_strategy) == 1  # others may have batches of other shapes
        return (
            alone
            and not self.run_eagerly
            and self.steps_per_execution == 1
            and not (self.replicas > 1 and self._normalises_together)
        )

    @property
    def _normalises_together(self) -> bool:
        """Whether a batch norm waits for all replicas, in the midst of what each would compile."""
        return any(getattr(layer, "synchronized", False) for layer in self._flatten_layers())

    def _compiled_step(self, step: Any) -> CompiledStep:
        """Return what takes a step on the next batch, compiled for its shape.

        On several replicas, which exchange gradients in its midst, each compiles its part.
        """
        step = self._autoconvert_optionals(step)
        alone = self.replicas == 1

        def make(jit_compile: bool = True) -> Any:
            @tf.function(jit_compile=jit_compile and alone, reduce_retracing=not jit_compile)
            @tf.autograph.experimental.do_not_convert
            def step_on_batch(data: Any) -> dict[str, Any]:
                self.compiles_parts = jit_compile and not alone
                try:
                    logs = self.distribute_strategy.run(step, args=(data,))
                finally:
                    self.compiles_parts = False
                return self._of_first_replica(logs)

            return step_on_batch

        plain, compilation = make(jit_compile=False), lambda: self.compilation
        self.compiled_step = CompiledStep(make, plain, compilation)
        return self.compiled_step

    def _of_first_replica(self, logs: dict[str, Any]) -> dict[str, Any]:
        results = self.distribute_strategy.experimental_local_results
        return {key: results(logs[key])[0] for key in logs}

    def _step_on_iterator(self, step: Any, timed: bool) -> Any:
        """Return the function of a step on the next batch; it gives the first replica's metrics.

        Those of an epoch come from the metrics themselves. Keras 3.15.1 averages the replicas' at
        every step, and cannot on several machines.
        """
        strategy = self.distribute_strategy
        step = self._autoconvert_optionals(step)

        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def step_on_iterator(iterator: Any) -> dict[str, Any]:
            # Deterministic ops allow no clock.
            waited = self._waiting if timed and not are_deterministic() else None
            data = next_batch(iterator, waited)
            # Else the step that finds the data at their end would still count itself.
            with tf.control_dependencies(tensors_of(data)):
                logs = strategy.run(step, args=(data,))
            return self._of_first_replica(logs)

        return step_on_iterator

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Build optimizer, loss and metrics; a resumed run restores them before its first step.

        Keras 3.15.1 takes a batch from the iterator for it, and cannot on several machines.
        """
        if self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        loss, metrics = self._compile_loss, self._compile_metrics
        if all(part is None or part.built for part in (loss, metrics)):
            return
        data = data_batch if iterator is None else iterator._get_iterator().element_spec
        _, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        if y is None:
            return
        try:
            arguments = symbolic(y), self._outputs_struct, symbolic(weights)
        except ValueError:  # of unknown rank: the first step builds them
            return
        try:
            with self.distribute_strategy.scope():
                if loss is not None and not loss.built:
                    backend.compute_output_spec(loss, *arguments)
                if metrics is not None and not metrics.built:
                    backend.compute_output_spec(metrics.update_state, *arguments)
        except Exception:
            if self.replicas > 1:
                raise
            # What runs eagerly alone on one device is built by the first step, as in Keras.

    def get_metrics_result(self) -> dict[str, Any]:
        """Return what the metrics say of the rows of all replicas; in a step, of this one's."""
        in_step = tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()
        if self.replicas == 1 or in_step:
            return super().get_metrics_result()
        variables = [variable for metric in self.metrics for variable in metric.variables]
        if self._totals is None or self._totals.variables != variables:
            self._totals = Totals(self.distribute_strategy, variables)
        with keras.StatelessScope(state_mapping=list(zip(variables, self._totals(), strict=True))):
            return super().get_metrics_result()

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        # An epoch that is resumed after its last step takes none, so it has no logs of its own.
        return super()._get_metrics_result_or_logs(logs) if logs else self.get_metrics_result()

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", **kwargs: Any
    ) -> Any:
        """Return the outputs of every row, in order, as `keras.Model.predict` does.

        Several workers share the batches, and each gets the outputs of all rows.

        Args:
            x: nest of arrays `(rows, ...)`, or a `tf.data.Dataset` of batches.
            batch_size: rows of a batch of arrays; None is Keras' 32.
            verbose: as in Keras; several workers show nothing.
            **kwargs: as in Keras; of several workers `steps` alone.

        Returns:
            A nest of arrays `(rows, ...)`, as the model's outputs are.
        """
        if workers(self.distribute_strategy) == 1:
            return super().predict(x, batch_size=batch_size, verbose=verbose, **kwargs)
        return predict_together(self, x, batch_size or 32, **kwargs)
