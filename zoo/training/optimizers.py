"""Optimizers of a recipe: as their papers have them, and lazy for the rows of embedding tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.layers import NgramWeights, TransformerLayer, VocabularyEmbedding
from zoo.preset.recipe import Recipe
from zoo.training.compiled import in_xla


@keras.saving.register_keras_serializable(package="zoo")
class LazyAdamW(keras.optimizers.AdamW):
    """AdamW that touches only the embedding rows whose ids occur in the batch (A14).

    Adam keeps moving a rare word's vector along its old momentum for many steps after it was seen,
    and an update of all of the table costs as much as the rest of a small network. Here moments and
    weights of a row move only when the row has a gradient; the bias correction counts all steps.
    Where every id is in every batch it equals AdamW.

    Repeated ids must be summed before (`sum_repeated_rows`), as `TrainingModel` does. Tables named
    by `set_tables` decay, if at all, only in the rows of the batch; n-gram weights may have a rate
    and a decay of their own.

    Args:
        *args: as for `keras.optimizers.AdamW`.
        ngram_rate_factor: rate of the n-gram weights as a multiple of the learning rate.
        ngram_weight_decay: decay of the n-gram weights.
        **kwargs: as for `keras.optimizers.AdamW`.

    Raises:
        ZooError: `amsgrad`, which has no lazy form here.

    Source: LazyAdam of TensorFlow Addons; Loshchilov and Hutter 2019,
        https://arxiv.org/abs/1711.05101, for the decay.
    """

    def __init__(
        self,
        *args: Any,
        ngram_rate_factor: float = 1.0,
        ngram_weight_decay: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        if self.amsgrad:
            raise ZooError("LazyAdamW has no amsgrad. Use keras.optimizers.AdamW for it.")
        self.ngram_rate_factor = ngram_rate_factor
        self.ngram_weight_decay = ngram_weight_decay
        self._tables: frozenset[Any] = frozenset()
        self._ngrams: frozenset[Any] = frozenset()
        self._large: frozenset[Any] = frozenset()

    def set_tables(self, tables: Sequence[Any], ngrams: Sequence[Any] = ()) -> None:
        """Name the variables whose gradients come as rows, and those that are n-gram weights."""
        self._tables = frozenset(self._var_key(table) for table in tables)
        self._ngrams = frozenset(self._var_key(table) for table in ngrams)

    def set_large(self, variables: Sequence[Any]) -> None:
        """Name the variables that are updated in one pass over them where XLA does not compile.

        It is Adam's step to rounding. Keras' takes some ten passes, which costs where there are
        many weights for few tokens, as in the layers of a Transformer.
        """
        self._large = frozenset(self._var_key(variable) for variable in variables)

    # The private names below are those of Keras 3.15.1, all that an optimizer of one's own needs:
    # `_momentums` and `_velocities` (Adam's slots), `_get_variable_index` (their index),
    # `_var_key` (identity of a variable), `_use_weight_decay`, `_apply_weight_decay`.

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update the rows of an `IndexedSlices` gradient, or all of a variable.

        Args:
            gradient: without repeated rows.
            variable: what is updated in place.
            learning_rate: a scalar.
        """
        # Keras hands the bare tf.Variable of a model's variable to its optimizers.
        table = variable.value if isinstance(variable, keras.Variable) else variable
        key, rate = self._var_key(variable), tf.cast(learning_rate, table.dtype)
        decay = self.weight_decay if self._use_weight_decay(variable) else 0.0
        if key in self._ngrams:
            rate, decay = rate * self.ngram_rate_factor, self.ngram_weight_decay
        if key not in self._tables:
            decay = 0.0  # Keras decayed the whole variable before
        if not isinstance(gradient, tf.IndexedSlices):
            if decay:
                table.assign_sub(rate * decay * table)
            if key in self._large and not in_xla():
                self._update_in_one_pass(gradient, variable, rate)
            else:
                super().update_step(gradient, variable, rate)
            return
        index = self._get_variable_index(variable)
        first, second = self._momentums[index].value, self._velocities[index].value
        values = tf.cast(gradient.values, table.dtype)
        step = tf.cast(self.iterations + 1, table.dtype)
        alpha = rate * tf.sqrt(1 - tf.pow(self.beta_2, step)) / (1 - tf.pow(self.beta_1, step))
        old, old_first, old_second = (
            _read_rows(state, gradient.indices) for state in (table, first, second)
        )
        new_first = old_first + (values - old_first) * (1 - self.beta_1)
        new_second = old_second + (tf.square(values) - old_second) * (1 - self.beta_2)
        new = old - alpha * new_first / (tf.sqrt(new_second) + self.epsilon)
        if decay:
            new -= rate * decay * old
        for state, before, after in (
            (first, old_first, new_first),
            (second, old_second, new_second),
            (table, old, new),
        ):
            _write_rows(state, gradient.indices, before, after)

    def _update_in_one_pass(self, gradient: tf.Tensor, variable: Any, rate: tf.Tensor) -> None:
        weights = variable.value if isinstance(variable, keras.Variable) else variable
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, weights.dtype)
        # By the handle: under a strategy that is the copy of this device.
        tf.raw_ops.ResourceApplyAdam(
            var=weights.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, weights.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, weights.dtype), step),
            lr=rate,
            beta1=tf.constant(self.beta_1, weights.dtype),
            beta2=tf.constant(self.beta_2, weights.dtype),
            epsilon=tf.constant(self.epsilon, weights.dtype),
            grad=tf.cast(gradient, weights.dtype),
        )

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        # Here Keras decays whole variables; the rows of tables decay in `update_step`.
        if self.weight_decay:
            others = [one for one in variables if self._var_key(one) not in self._tables]
            super()._apply_weight_decay(others)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the optimizer again."""
        return {
            **super().get_config(),
            "ngram_rate_factor": self.ngram_rate_factor,
            "ngram_weight_decay": self.ngram_weight_decay,
        }


def _read_rows(state: Any, rows: tf.Tensor) -> tf.Tensor:
    """Return rows of a variable; in XLA all of them, as `as_rows` has them.

    By the handle: under a strategy that is the copy of this device.
    """
    if in_xla():
        return tf.raw_ops.ReadVariableOp(resource=state.handle, dtype=state.dtype)
    return tf.raw_ops.ResourceGather(resource=state.handle, indices=rows, dtype=state.dtype)


def _write_rows(state: Any, rows: tf.Tensor, before: tf.Tensor, after: tf.Tensor) -> None:
    """Put rows in their place; in XLA all of them, those of index -1 as they were before."""
    if in_xla():
        occurs = tf.reshape(rows >= 0, [-1] + [1] * (after.shape.rank - 1))
        after = tf.where(occurs, after, before)
        tf.raw_ops.AssignVariableOp(resource=state.handle, value=after)
        return
    # Only plain updates: a scatter that adds or subtracts takes ten times as long on a CPU.
    tf.raw_ops.ResourceScatterUpdate(resource=state.handle, indices=rows, updates=after)


@keras.saving.register_keras_serializable(package="zoo")
class MomentumSGD(keras.optimizers.SGD):
    """SGD whose velocity does not hold the learning rate, in one op a variable.

    `v = m v + g`, then `w -= rate v`, or with Nesterov's momentum `w -= rate (g + m v)`. Keras'
    velocity, `v = m v - rate g`, keeps the old rate after a jump; this one is Goyal's momentum
    correction (his equation 10). While the rate does not change they are the same.

    Source: Goyal 2017, https://arxiv.org/abs/1706.02677, section 3.
    """

    # `_get_variable_index` is Keras 3.15.1's index of a variable among the slots.

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, which Keras has decayed before.

        Args:
            gradient: dense, or Keras' own step is taken.
            variable: what is updated in place.
            learning_rate: a scalar.
        """
        if not self.momentum or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        weights = variable.value if isinstance(variable, keras.Variable) else variable
        velocity = self.momentums[self._get_variable_index(variable)].value
        # By the handle: under a strategy that is the copy of this device.
        tf.raw_ops.ResourceApplyMomentum(
            var=weights.handle,
            accum=velocity.handle,
            lr=tf.cast(learning_rate, weights.dtype),
            grad=tf.cast(gradient, weights.dtype),
            momentum=tf.constant(self.momentum, weights.dtype),
            use_nesterov=self.nesterov,
        )


@keras.saving.register_keras_serializable(package="zoo")
class Lamb(keras.optimizers.Lamb):
    """LAMB with the decay inside the trust ratio, as in its paper.

    Keras 3.15.1 decays `w -= rate decay w` beside an update that is scaled by the norm of `w`: with
    weights of norm .02 a value that the papers' decay is 50 times too strong.

    Source: You 2020, https://arxiv.org/abs/1904.00962, algorithm 2; as in timm, variables without
        decay have a trust ratio of 1.
    """

    # `_momentums` and `_velocities` are Keras 3.15.1's slots, `_use_weight_decay` its exemptions.

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable.

        Args:
            gradient: dense or `IndexedSlices`.
            variable: what is updated in place.
            learning_rate: a scalar.
        """
        weights = variable.value if isinstance(variable, keras.Variable) else variable
        index = self._get_variable_index(variable)
        first, second = self._momentums[index].value, self._velocities[index].value
        gradient = tf.cast(tf.convert_to_tensor(gradient), weights.dtype)
        rate = tf.cast(learning_rate, weights.dtype)
        step = tf.cast(self.iterations + 1, weights.dtype)
        first.assign_add((gradient - first) * (1 - self.beta_1))
        second.assign_add((tf.square(gradient) - second) * (1 - self.beta_2))
        mean = first / (1 - tf.pow(self.beta_1, step))
        square = second / (1 - tf.pow(self.beta_2, step))
        update = mean / (tf.sqrt(square) + self.epsilon)
        trust = tf.constant(1.0, weights.dtype)
        if self.weight_decay and self._use_weight_decay(variable):
            update += self.weight_decay * weights
            norms = tf.norm(weights), tf.norm(update)
            both = tf.logical_and(norms[0] > 0, norms[1] > 0)
            trust = tf.where(both, tf.math.divide_no_nan(*norms), trust)
        weights.assign_sub(rate * trust * update)

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        # `update_step` decays.
        return


@keras.saving.register_keras_serializable(package="zoo")
class RMSprop(keras.optimizers.RMSprop):
    """RMSprop with a penalty on the weights inside the squares; with momentum one op a variable.

    As TensorFlow's: `s = rho s + (1 - rho) g^2`, `v = momentum v + rate g / sqrt(s + epsilon)`,
    `w -= v`, where `g` has `l2 w` in it.

    Args:
        *args: as for `keras.optimizers.RMSprop`.
        l2: of the penalty `l2 / 2 |w|^2`.
        **kwargs: as for `keras.optimizers.RMSprop`.
    """

    # `_velocities` and `_momentums` are Keras 3.15.1's slots, `_use_weight_decay` its exemptions.

    def __init__(self, *args: Any, l2: float = 0.0, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.l2 = l2

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable.

        Args:
            gradient: dense or `IndexedSlices`.
            variable: what is updated in place.
            learning_rate: a scalar.
        """
        weights = variable.value if isinstance(variable, keras.Variable) else variable
        if self.l2 and self._use_weight_decay(variable):
            gradient = tf.cast(tf.convert_to_tensor(gradient), weights.dtype) + self.l2 * weights
        if not self.momentum or self.centered or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        # By the handle: under a strategy that is the copy of this device.
        tf.raw_ops.ResourceApplyRMSProp(
            var=weights.handle,
            ms=self._velocities[index].value.handle,
            mom=self._momentums[index].value.handle,
            lr=tf.cast(learning_rate, weights.dtype),
            rho=tf.constant(self.rho, weights.dtype),
            momentum=tf.constant(self.momentum, weights.dtype),
            epsilon=tf.constant(self.epsilon, weights.dtype),
            grad=tf.cast(gradient, weights.dtype),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the optimizer again."""
        return {**super().get_config(), "l2": self.l2}


def make_optimizer(recipe: Recipe, learning_rate: Any) -> keras.optimizers.Optimizer:
    """Return the optimizer of a recipe.

    Args:
        recipe: the recipe; clipping and averaging are `TrainingModel`'s work.
        learning_rate: a number or a schedule.
    """
    block = recipe.optimizer
    settings = block.model_dump(exclude={"name", "learning_rate"})
    if not settings.get("weight_decay", 1.0):
        # Keras multiplies every weight by 1 - 0 at every step when the decay is 0.0.
        settings["weight_decay"] = None if block.name == "sgd" else 0.0
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "lazy_adamw": LazyAdamW,
        "lamb": Lamb,
        "sgd": MomentumSGD,
        "adadelta": keras.optimizers.Adadelta,
        "rmsprop": RMSprop,
    }
    if block.name == "adamw" and not settings["weight_decay"]:
        settings.pop("weight_decay")
        return keras.optimizers.Adam(learning_rate=learning_rate, **settings)
    return kinds[block.name](learning_rate=learning_rate, **settings)


TABLES = (keras.layers.Embedding, VocabularyEmbedding)


def embedding_tables(model: keras.Model, kind: Any = TABLES) -> list[Any]:
    """Return the trainable tables of a model's embedding layers of a kind, nested ones too."""
    tables: list[Any] = []
    layers: list[Any] = model.layers
    for layer in layers:
        if isinstance(layer, keras.Model):
            tables += embedding_tables(layer, kind)
        elif isinstance(layer, kind) and layer.trainable:
            tables.append(layer.embeddings)
            if getattr(layer, "tied", True) is False:
                tables.append(layer.output_embeddings)
    return tables


def weight_matrices(model: keras.Model) -> list[Any]:
    """Return the trainable variables of two or more dimensions that are no embedding tables."""
    tables = {id(table) for table in embedding_tables(model)}
    variables: list[Any] = model.trainable_variables
    return [one for one in variables if len(one.shape) > 1 and id(one) not in tables]


def without_decay(model: keras.Model, decay_embeddings: bool) -> list[Any]:
    """Return the variables that weight decay must not touch (A109, D21).

    Biases, norms and all else of one dimension; embedding tables unless `decay_embeddings`.
    """
    kept = [variable for variable in model.trainable_variables if len(variable.shape) <= 1]
    return kept if decay_embeddings else kept + embedding_tables(model)


def name_variables(optimizer: Any, model: keras.Model, decay_embeddings: bool) -> None:
    """Tell an optimizer which variables do not decay, and which are tables of rows.

    Args:
        optimizer: the one inside what scales the loss, if there is that.
        model: whose variables it updates.
        decay_embeddings: whether embedding tables decay, too.
    """
    if getattr(optimizer, "weight_decay", None) or getattr(optimizer, "l2", None):
        optimizer.exclude_from_weight_decay(var_list=without_decay(model, decay_embeddings))
    if isinstance(optimizer, LazyAdamW):
        optimizer.set_tables(embedding_tables(model), embedding_tables(model, NgramWeights))
        layers: list[Any] = list(model._flatten_layers(include_self=False))
        blocks = [layer for layer in layers if isinstance(layer, TransformerLayer)]
        optimizer.set_large([one for block in blocks for one in block.trainable_variables])
