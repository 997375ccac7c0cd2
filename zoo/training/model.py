"""The one training model: a functional `keras.Model` whose `fit` applies the preset's recipe.

What is not public in Keras was written against 3.15.1: `_loss_tracker`, the mean that metrics
report as loss; `optimizer._learning_rate`, where the schedule itself is;
`optimizer._all_reduce_sum_gradients`, with which it sums over replicas; `_maybe_symbolic_build`,
`_compile_metrics` and `_compile_loss`, which `fit` builds under a strategy; `train_function` and
`test_function`, which get a `tf.data` iterator from `fit` and a generator from `train_on_batch`;
`_get_metrics_result_or_logs`, what an epoch reports; `TFDatasetAdapter`, which takes any
`tf.distribute` dataset.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.tf_dataset_adapter import TFDatasetAdapter

import zoo.training.losses  # noqa: F401  (a saved model names its loss)
from zoo.distribute import OwnBatches, workers
from zoo.finding import Finding
from zoo.layers import NgramWeights
from zoo.layers.kernels import Kernels, use_kernels
from zoo.preset.derived import more_epochs
from zoo.training.averages import Averages, averages_of
from zoo.training.batches import (
    DATASETS,
    by_itself,
    count_steps,
    is_iterator,
    micro_batch,
    next_batch,
)
from zoo.training.callbacks import fit_callbacks
from zoo.training.gradients import add, clip_by_global_norm, mean_over_replicas, sum_repeated_rows
from zoo.training.kernels.convolution import convolve, fused_batch_norm
from zoo.training.kernels.sparse import sparse_matmul
from zoo.training.optimizers import LazyAdamW, embedding_tables, kernels, without_decay
from zoo.training.prediction import predict_together
from zoo.training.randomness import are_deterministic, deterministic_ops, replica_seeds
from zoo.training.recipe_model import RecipeModel
from zoo.training.schedules import RecipeSchedule
from zoo.training.statistics import StepStatistics, Totals


@keras.saving.register_keras_serializable(package="zoo")
class TrainingModel(RecipeModel):
    """A functional model with a recipe; use it as any `keras.Model`.

    Beside what `keras.Model` does, a step sums the gradients of repeated token ids before anything
    is squared, clips by the global norm, and takes the weights into their moving average. `fit`
    trains for the recipe's epochs on its schedule, validates the averaged weights, and leaves the
    best ones in the model.
    """

    averages: Averages | None = None
    best_epoch: int | None = None
    findings: Sequence[Finding] = ()
    train_function: Any
    test_function: Any
    _totals: Totals | None = None

    @property
    def schedule(self) -> RecipeSchedule | None:
        """The recipe's schedule in the optimizer; None once compiled with another one."""
        schedule = getattr(self.inner_optimizer, "_learning_rate", None)
        return schedule if isinstance(schedule, RecipeSchedule) else None

    @property
    def inner_optimizer(self) -> Any:
        """The optimizer; under `mixed_float16`, the one inside what scales the loss."""
        return getattr(self.optimizer, "inner_optimizer", self.optimizer)

    def set_exemptions(self) -> None:
        """Tell the optimizer what does not decay and which gradients come as rows.

        Neither is part of an optimizer's config in Keras 3.15.1, so it is said again after loading.
        """
        if self.recipe is None:
            return
        optimizer = self.inner_optimizer
        if getattr(optimizer, "weight_decay", None):
            exempt = without_decay(self, self.recipe.decay_embeddings)
            optimizer.exclude_from_weight_decay(var_list=exempt)
        if isinstance(optimizer, LazyAdamW):
            optimizer.set_tables(embedding_tables(self), embedding_tables(self, NgramWeights))

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile a loaded or cloned model as it was."""
        super().compile_from_config(config)
        self.set_exemptions()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one optimizer step on a batch; return the metrics so far.

        On several replicas, or in micro-batches, the step is that of the whole batch at once: the
        losses of all rows are averaged, gradients are summed over replicas and over repeated rows,
        and then clipped.
        """
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        gradients, logits = self._gradients(x, y, weights)
        limit = None if self.recipe is None else self.recipe.global_clipnorm
        scale = getattr(self.optimizer, "dynamic_scale", None)
        gradients, norm = clip_by_global_norm(gradients, limit, scale)
        before, rate = self.statistics.weights(), self.optimizer.learning_rate
        self.inner_optimizer._all_reduce_sum_gradients = list  # they are summed
        self.optimizer.apply(gradients, self.trainable_variables)
        self.statistics.record(norm, limit, rate, before)
        if self.averages is not None:
            self.averages.update()
        return self.compute_metrics(x, y, logits, sample_weight=weights)

    def _gradients(self, x: Any, y: Any, weights: Any) -> tuple[list[Any], tf.Tensor]:
        """Return the gradients of the mean loss over all rows, and the logits of the rows here."""
        values = [variable.value for variable in self.trainable_variables]
        gradients: list[Any] = []
        logits, total = [], tf.constant(0)
        # The product is faster than dense gradients on a CPU, and XLA does not know it.
        sparse = not self.jit_compile and not tf.config.get_visible_devices("GPU")
        with use_kernels(Kernels(fused_batch_norm, convolve, sparse_matmul if sparse else None)):
            for number in range(self._micro_batches):
                part = micro_batch(number, self._micro_batches, (x, y, weights), after=gradients)
                with replica_seeds(self, number, self._micro_batches), tf.GradientTape() as tape:
                    outputs, loss, rows = self._forward(part, training=True)
                    if self._in_parts:
                        loss *= tf.cast(rows, loss.dtype)
                    loss = self.optimizer.scale_loss(loss)
                found = [sum_repeated_rows(each) for each in tape.gradient(loss, values)]
                gradients = add(gradients, found)
                logits.append(outputs)
                total += rows
            if self._in_parts:
                gradients = mean_over_replicas(gradients, total)
        return gradients, tf.concat(logits, axis=0) if len(logits) > 1 else logits[0]

    def test_step(self, data: Any) -> dict[str, Any]:
        """Score a batch; return the metrics so far."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        logits, _, _ = self._forward((x, y, weights), training=False)
        return self.compute_metrics(x, y, logits, sample_weight=weights)

    def _forward(self, batch: Any, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return logits, mean loss over the rows here, and the number of these rows."""
        x, y, weights = batch
        rows = tf.shape(y)[0]
        if self._in_parts:
            x, y, weights = by_itself(self, x, y, weights)
        logits = self(x, training=training)
        # Keras divides by the number of replicas, so that their sum is a mean.
        loss = self.compute_loss(x=x, y=y, y_pred=logits, sample_weight=weights, training=training)
        loss *= tf.cast(self._replicas, loss.dtype)
        self._loss_tracker.update_state(loss, sample_weight=rows)
        return logits[:rows], loss, rows

    @property
    def _replicas(self) -> int:
        return int(self.distribute_strategy.num_replicas_in_sync)

    @property
    def _micro_batches(self) -> int:
        return 1 if self.recipe is None else self.recipe.micro_batches

    @property
    def _in_parts(self) -> bool:
        return self._replicas * self._micro_batches > 1

    @functools.cached_property
    def statistics(self) -> StepStatistics:
        """Norms and rates of the steps since the last `fit` began."""
        with self.distribute_strategy.scope():
            return StepStatistics(kernels(self))

    def make_train_function(self, force: bool = False) -> None:
        """Make the function of one step, which also adds up the seconds spent waiting for data."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        if not self.run_eagerly and self.steps_per_execution == 1:
            plain, step = self.train_function, self._step_on_iterator(self.train_step, timed=True)
            self.train_function = lambda data: (step if is_iterator(data) else plain)(data)

    def make_test_function(self, force: bool = False) -> None:
        """Make the function that scores one batch."""
        if self.test_function is not None and not force:
            return
        super().make_test_function(force)
        if not self.run_eagerly and self.steps_per_execution == 1:
            plain, step = self.test_function, self._step_on_iterator(self.test_step, timed=False)
            self.test_function = lambda data: (step if is_iterator(data) else plain)(data)

    def _step_on_iterator(self, step: Any, timed: bool) -> Any:
        """Return the function of a step on the next batch; it gives the first replica's metrics.

        Those of an epoch come from the metrics themselves. Keras 3.15.1 averages the replicas' at
        every step, and cannot on several machines.
        """
        strategy = self.distribute_strategy

        @tf.function(reduce_retracing=True)
        @tf.autograph.experimental.do_not_convert
        def step_on_iterator(iterator: Any) -> dict[str, Any]:
            # Deterministic ops allow no clock.
            waited = self.seconds_waiting if timed and not are_deterministic() else None
            data = next_batch(iterator, waited)
            # Else the step that finds the data at their end would still count itself.
            with tf.control_dependencies(tf.nest.flatten(data, expand_composites=True)):
                logs = strategy.run(step, args=(data,))
            return {key: strategy.experimental_local_results(logs[key])[0] for key in logs}

        return step_on_iterator

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Build metrics and loss under a strategy.

        Keras 3.15.1 takes a batch from the iterator for it, and cannot on several machines.
        """
        if self._distribute_strategy is None:
            return
        logits = np.zeros([size or 1 for size in self.outputs[0].shape], "float32")
        labels = np.zeros(logits.shape[:-1], "int32")
        with self._distribute_strategy.scope():
            for part in (self._compile_metrics, self._compile_loss):
                if part is not None and not part.built:
                    part.build(labels, logits)

    @functools.cached_property
    def seconds_waiting(self) -> tf.Variable:
        """Seconds that steps spent waiting for their batch since the last `fit` began."""
        return tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def build_metrics(self) -> None:
        """Make the variables of the metrics, as the first step would; they are reset."""
        shape = [size or 1 for size in self.output_shape]
        self.compute_metrics(None, np.zeros(shape[:-1], "int32"), np.zeros(shape, "float32"))
        self.reset_metrics()

    def get_metrics_result(self) -> dict[str, Any]:
        """Return what the metrics say of the rows of all replicas; in a step, of those here."""
        in_step = tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()
        if self._replicas == 1 or in_step:
            return super().get_metrics_result()
        variables = [variable for metric in self.metrics for variable in metric.variables]
        if self._totals is None or self._totals.variables != variables:
            self._totals = Totals(self.distribute_strategy, variables)
        with keras.StatelessScope(state_mapping=list(zip(variables, self._totals(), strict=True))):
            return super().get_metrics_result()

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        # An epoch that is resumed after its last step takes none, so it has no logs of its own.
        return super()._get_metrics_result_or_logs(logs) if logs else self.get_metrics_result()

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        verbose: Any = "auto",
        callbacks: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        *,
        steps_per_epoch: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """Train with the recipe; arguments as in `keras.Model.fit`.

        Args:
            x: token ids `(rows, time)`, or a `tf.data.Dataset` of batches.
            y: labels `(rows,)`; None for a dataset.
            batch_size: rows a step; the preset's unless given. None for a dataset.
            epochs: passes over the data; the recipe's unless given.
            verbose: as in Keras.
            callbacks: run beside the recipe's own. At the end of an epoch they see the averaged
                weights, which were validated, where the recipe averages.
            validation_split: share of the arrays held out, the last rows.
            validation_data: what picks the best epoch; without it the last weights stay.
            steps_per_epoch: needed for a dataset that does not end.
            **kwargs: passed on to Keras.

        Returns:
            Keras' history.

        Raises:
            ZooError: there is no data, or no telling how much; a callback sets the learning rate;
                or the loss blew up and did so again at lower rates (`zoo.training.blowup`), and the
                best weights so far are in the model.
        """
        if self.recipe is None:
            return super().fit(
                x, y, batch_size=batch_size, epochs=1 if epochs is None else epochs,
                verbose=verbose, callbacks=callbacks, validation_split=validation_split,
                validation_data=validation_data, steps_per_epoch=steps_per_epoch, **kwargs,
            )  # fmt: skip
        if isinstance(x, DATASETS):
            kwargs.setdefault("shuffle", False)  # they come shuffled; Keras warns otherwise
        elif batch_size is None:
            batch_size = self.batch_size
        steps = steps_per_epoch or count_steps(x, batch_size, validation_split)
        planned = self.recipe.total_epochs(steps) if epochs is None else epochs
        self._begin(steps * (planned - kwargs.get("initial_epoch", 0)))
        if epochs is None:
            self.findings = more_epochs(self.recipe, planned, steps)
        validated = validation_data is not None or bool(validation_split)
        run = fit_callbacks(self, callbacks, validated)
        ended = False
        try:
            with warnings.catch_warnings(), deterministic_ops(self.recipe.deterministic):
                if steps_per_epoch is None:  # Keras says so of each dataset of unknown length
                    warnings.filterwarnings("ignore", "Your input ran out of data")
                history = super().fit(
                    _read(x), y, batch_size=batch_size, epochs=planned, verbose=verbose,
                    callbacks=list(run), validation_split=validation_split,
                    validation_data=_read(validation_data), steps_per_epoch=steps_per_epoch,
                    **kwargs,
                )  # fmt: skip
            ended = True
        finally:
            if not ended:
                run.leave_best_weights()
        run.raise_blow_up()
        self.best_epoch = run.best_epoch(self.best_epoch)
        return history

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", **kwargs: Any
    ) -> Any:
        """Return the logits of every row, in order; arguments as in `keras.Model.predict`.

        Several workers share the batches, and all get the whole.
        """
        if workers(self.distribute_strategy) == 1:
            return super().predict(x, batch_size=batch_size, verbose=verbose, **kwargs)
        return predict_together(self, x, batch_size or 32, **kwargs)

    def _begin(self, total_steps: int) -> None:
        """Start schedule, average and clock of a training."""
        self.set_exemptions()  # the model may have been compiled anew
        if self.schedule is not None:
            self.schedule.begin(int(np.asarray(self.optimizer.iterations)), total_steps)
        if self.averages is None:
            with self.distribute_strategy.scope():
                self.averages = averages_of(self.recipe, self)
        if self.averages is not None:
            self.averages.restart()
        self.best_epoch = None
        self.statistics.restart()
        self.findings = []
        self.seconds_waiting.assign(0.0)


def _read(data: Any) -> Any:
    """Return data as `fit` takes them; Keras 3.15.1 goes by the class of a dataset."""
    return TFDatasetAdapter(data) if isinstance(data, OwnBatches) else data
