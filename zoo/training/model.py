"""The one training model: a functional `keras.Model` whose `fit` applies the preset's recipe.

What is not public in Keras was written against 3.15.1: `_loss_tracker`, the mean that metrics
report as loss; `_compile_loss`, which has a mean for each of several outputs;
`optimizer._learning_rate`, where the schedule itself is; `optimizer._all_reduce_sum_gradients`,
with which it sums over replicas.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import zoo.training.multilabel  # noqa: F401  (a saved model names its loss)
from zoo.finding import Finding
from zoo.layers.kernels import Kernels, use_kernels
from zoo.preset.derived import more_epochs
from zoo.training import batches
from zoo.training.averages import Averages, averages_of
from zoo.training.callbacks import fit_callbacks
from zoo.training.compiled import Compilation, call_compiled, is_compiled
from zoo.training.gradients import (
    add,
    as_rows,
    clip_by_global_norm,
    mean_over_replicas,
    without_repeated_rows,
)
from zoo.training.kernels import fast_kernels
from zoo.training.layer_groups import freeze_layers, rate_factors, scale_rates
from zoo.training.linear_probe import probes, with_probe
from zoo.training.losses import disagreement  # and the loss that a saved model names
from zoo.training.optimizers import LazyAdamW, MomentumSGD, name_variables, weight_matrices
from zoo.training.randomness import deterministic_ops, replica_seeds
from zoo.training.recipe_model import RecipeModel
from zoo.training.schedules import RecipeSchedule
from zoo.training.statistics import StepStatistics, count_by_rows
from zoo.training.step_callbacks import StepCallbacks
from zoo.training.strategy_model import StrategyModel


@keras.saving.register_keras_serializable(package="zoo")
class TrainingModel(RecipeModel, StrategyModel):
    """A functional model with a recipe; use it as any `keras.Model`.

    Beside what `keras.Model` does, a step sums the gradients of repeated ids before anything is
    squared, clips by the global norm, and takes the weights into their moving average. `fit` trains
    for the recipe's epochs on its schedule, validates the averaged weights, and leaves the best
    ones in the model.

    Any structure of inputs, outputs, targets and sample weights will do. On several replicas and in
    micro-batches a step is that of the undivided batch where each loss is a mean over the rows.

    Attributes:
        averages: the moving average of the weights, once `fit` has begun; None for none.
        best_epoch: the epoch whose weights are in the model, from 1; None before the first ended.
        findings: what `fit` noticed.
    """

    averages: Averages | None = None
    best_epoch: int | None = None
    findings: Sequence[Finding] = ()

    @property
    def schedule(self) -> RecipeSchedule | None:
        """The recipe's schedule in the optimizer; None once compiled with another one."""
        schedule = getattr(self.inner_optimizer, "_learning_rate", None)
        return schedule if isinstance(schedule, RecipeSchedule) else None

    @property
    def inner_optimizer(self) -> Any:
        """The optimizer; under `mixed_float16`, the one inside what scales the loss."""
        return getattr(self.optimizer, "inner_optimizer", self.optimizer)

    def name_variables(self) -> None:
        """Tell the optimizer what does not decay, what comes as rows, and the rates of layers.

        None of it is part of an optimizer's config in Keras 3.15.1: needed again after loading.
        """
        if self.recipe is not None:
            name_variables(self.inner_optimizer, self, self.recipe.decay_embeddings)
            scale_rates(self.inner_optimizer, rate_factors(self, self.recipe.fine_tuning))

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compile a loaded or cloned model as it was."""
        super().compile_from_config(config)
        self.name_variables()

    def _set_values(self, values: Mapping[str, Any]) -> None:
        super()._set_values(values)
        if self.recipe is not None:  # a file does not say it of layers within layers
            freeze_layers(self, self.recipe.fine_tuning)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one optimizer step on a batch; return the metrics so far.

        On several replicas, or in micro-batches, the step is that of the batch at once: the
        losses of all rows are averaged, gradients are summed over replicas and over repeated rows,
        and then clipped.
        """
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        gradients, outputs = self._gradients(x, y, weights)
        limit = None if self.recipe is None else self.recipe.global_clipnorm
        scale = getattr(self.optimizer, "dynamic_scale", None)
        number = len(self.trainable_variables)
        gradients, counts = gradients[:number], gradients[number:]
        gradients, norm = clip_by_global_norm(gradients, limit, scale)
        before, rate = self.statistics.weights(), self.optimizer.learning_rate
        self.inner_optimizer._all_reduce_sum_gradients = list  # they are summed
        self.optimizer.apply(as_rows(gradients, counts), self.trainable_variables)
        self.statistics.record(norm, limit, rate, before)
        if self.averages is not None:
            self.averages.update()
        return self.compute_metrics(x, y, outputs, sample_weight=weights)

    def _gradients(self, x: Any, y: Any, weights: Any) -> tuple[list[Any], Any]:
        """Return the gradients of the mean loss over all rows, and the outputs of this replica's.

        Args:
            x: inputs.
            y: targets.
            weights: sample weights, or None.
        """
        count = self.micro_batches
        gradients: list[Any] = []
        outputs, rows = [], []
        with use_kernels(self.kernels):
            for number in range(count):
                part = batches.micro_batch(number, count, (x, y, weights), after=gradients)
                with replica_seeds(self, number, count):
                    part_gradients, part_outputs, part_rows = self._part(*part)
                gradients = add(gradients, part_gradients)
                outputs.append(part_outputs)
                rows.append(part_rows)
            if self._in_parts:
                dtype = getattr(self.recipe, "reduce_dtype", "float32")
                gradients = mean_over_replicas(gradients, tf.add_n(rows), dtype)
        return gradients, batches.join_rows(outputs)

    def _part(self, *part: Any) -> tuple[list[Any], Any, tf.Tensor]:
        """Return what `_part_gradients` does, compiled where the parts are."""
        if not self.compiles_parts:
            return self._part_gradients(*part)

        def gradients(*part: Any) -> Any:
            with use_kernels(self.kernels):
                return self._part_gradients(*part)

        metrics = [variable for metric in self.metrics for variable in metric.variables]
        results: tuple[list[Any], Any, tf.Tensor] = call_compiled(
            gradients, [*self.non_trainable_variables, *metrics], *part
        )
        return results

    def _part_gradients(self, x: Any, y: Any, weights: Any) -> tuple[list[Any], Any, tf.Tensor]:
        """Return gradients of a part of a batch, its outputs, and its number of rows.

        Of the mean loss over these rows; where the batch has other parts, of the sum.

        Args:
            x: inputs.
            y: targets.
            weights: sample weights, or None.
        """
        with tf.GradientTape() as tape:
            outputs, loss, rows = self._forward(x, y, weights, training=True)
            if self._in_parts:
                loss *= tf.cast(rows, loss.dtype)
            loss = self.optimizer.scale_loss(loss)
        values = [variable.value for variable in self.trainable_variables]
        gradients = tape.gradient(loss, values)
        return self._without_repeated_rows(gradients), outputs, rows

    def _without_repeated_rows(self, gradients: list[Any]) -> list[Any]:
        by_row = isinstance(self.inner_optimizer, LazyAdamW | MomentumSGD)
        return without_repeated_rows(gradients, by_row)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Score a batch; return the metrics so far."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        with use_kernels(Kernels(recurrence=self.kernels.recurrence)):
            outputs, _, _ = self._forward(x, y, weights, training=False)
        return self.compute_metrics(x, y, outputs, sample_weight=weights)

    def _forward(
        self, x: Any, y: Any, weights: Any, training: bool
    ) -> tuple[Any, tf.Tensor, tf.Tensor]:
        """Return outputs, mean loss over these rows, and their number."""
        rows = batches.count_rows(x)
        if self._in_parts:
            x, y, weights = batches.standalone(self, x, y, weights)
        r_drop = getattr(self.recipe, "r_drop", 0.0) if training else 0.0
        if r_drop:
            x, y, weights = (batches.join_rows([part, part]) for part in (x, y, weights))
        outputs = self(x, training=training)
        # Keras divides by the number of replicas, so that their sum is a mean.
        means = [] if self._compile_loss is None else self._compile_loss.metrics
        with count_by_rows(means, rows):
            loss = self.compute_loss(
                x=x, y=y, y_pred=outputs, sample_weight=weights, training=training
            )
        loss *= tf.cast(self.replicas, loss.dtype)
        if r_drop:
            loss += r_drop * getattr(self.loss, "disagreement", disagreement)(outputs)
        self._loss_tracker.update_state(loss, sample_weight=rows)
        return batches.map_tensors(lambda tensor: tensor[:rows], outputs), loss, rows

    @property
    def compiles_steps(self) -> bool:
        """Whether XLA compiles the steps of `fit`: as the recipe has it, else `compile`."""
        if self.recipe is None:
            return super().compiles_steps
        return is_compiled(self.recipe) and self._compilable

    @property
    def kernels(self) -> Kernels:
        """The fast kernels that a training step uses."""
        return fast_kernels()

    @property
    def micro_batches(self) -> int:
        """Number of pieces that a replica takes its rows in, one after the other."""
        return 1 if self.recipe is None else self.recipe.micro_batches

    @property
    def _in_parts(self) -> bool:
        return self.replicas * self.micro_batches > 1

    @property
    def carried_variables(self) -> list[Any]:
        """Variables that one step hands to the next beside the weights; none here."""
        return []

    @functools.cached_property
    def statistics(self) -> StepStatistics:
        """Norms and rates of the steps since the last `fit` began."""
        with self.distribute_strategy.scope():
            return StepStatistics(weight_matrices(self))

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
            x: an array `(rows, ...)` or a nest of them, or a dataset of batches: `tf.data.Dataset`,
                `tf.distribute.DistributedDataset` or `keras.utils.PyDataset`.
            y: targets, an array `(rows, ...)` or a nest of them; None for a dataset.
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
        self.compilation = Compilation(getattr(self.recipe, "jit", False) is True)
        if self.recipe is None:
            return super().fit(
                x, y, batch_size=batch_size, epochs=1 if epochs is None else epochs,
                verbose=verbose, callbacks=callbacks, validation_split=validation_split,
                validation_data=validation_data, steps_per_epoch=steps_per_epoch, **kwargs,
            )  # fmt: skip
        if isinstance(x, batches.DATASETS):
            kwargs.setdefault("shuffle", False)  # they come shuffled; Keras warns otherwise
        elif batch_size is None:
            batch_size = self.batch_size
        steps = steps_per_epoch or batches.count_steps(x, batch_size, validation_split)
        planned = self.recipe.total_epochs(steps) if epochs is None else epochs
        self._begin(steps * (planned - kwargs.get("initial_epoch", 0)))
        if epochs is None:
            self.findings = more_epochs(self.recipe, planned, steps)
        validated = validation_data is not None or bool(validation_split)
        if probes(self.recipe):
            data = x, y, kwargs.get("sample_weight")
            callbacks = with_probe(
                data, validation_split, batches.adapted(validation_data, self.prefetch_device),
                callbacks, batch_size,
            )  # fmt: skip
        run = fit_callbacks(self, callbacks, validated)
        verbose, device = 1 if verbose == "auto" else verbose, self.prefetch_device
        watching = StepCallbacks(
            list(run), add_history=True, add_progbar=verbose != 0, model=self,
            verbose=verbose, epochs=planned, steps=steps,
        )  # fmt: skip
        ended = False
        try:
            with warnings.catch_warnings(), deterministic_ops(self.recipe.deterministic):
                if steps_per_epoch is None:  # Keras says so of each dataset of unknown length
                    warnings.filterwarnings("ignore", "Your input ran out of data")
                history = super().fit(
                    batches.adapted(x, device), y, batch_size=batch_size, epochs=planned,
                    verbose=verbose, callbacks=watching, validation_split=validation_split,
                    validation_data=batches.adapted(validation_data, device),
                    steps_per_epoch=steps_per_epoch, **kwargs,
                )  # fmt: skip
            ended = True
        finally:
            if not ended:
                run.leave_best_weights()
        run.raise_blow_up()
        compiled = self.compilation.findings(self.recipe.jit, self.compiles_steps)
        self.findings = [*self.findings, *compiled]
        self.best_epoch = run.best_epoch(self.best_epoch)
        return history

    def _begin(self, total_steps: int) -> None:
        """Start schedule, average and clock of a `fit`."""
        self.name_variables()  # the model may have been compiled anew
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
        self.seconds_waiting = 0.0
