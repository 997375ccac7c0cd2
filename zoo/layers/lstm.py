"""LSTM layers of language models: time first, state in and out, dropout of recurrent weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.layers.cells import LSTM
from zoo.layers.recurrence import recurrence
from zoo.preset.renamed import current_key


@keras.saving.register_keras_serializable(package="zoo")
class WeightDropLSTM(keras.layers.Layer):
    """An LSTM over `(time, batch, features)` that drops weights of its recurrent kernel.

    There is one mask a call, for all steps and rows (DropConnect on the weights), so that the loop
    over time is that of a plain LSTM. Weights are those of `keras.layers.LSTM`, gates in its order.
    Inputs are time-major: a step is then one block of memory.

    Args:
        units: features of the hidden state.
        weight_dropout: fraction of the recurrent kernel dropped in training, in [0, 1).
        kernel_range: both kernels start uniform in [-range, range]; None is `1 / sqrt(units)`, as
            in PyTorch.
        forget_bias: start of the forget gates' biases; the others start at 0.
        seed: of the masks; None takes one from `keras.utils.set_random_seed`.

    Source: Merity 2017, section 2, https://arxiv.org/abs/1708.02182.
    """

    def __init__(
        self,
        units: int,
        *,
        weight_dropout: float = 0.0,
        kernel_range: float | None = None,
        forget_bias: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.weight_dropout = weight_dropout
        self.kernel_range = kernel_range
        self.forget_bias = forget_bias
        self.seed = seed
        if weight_dropout:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """Create kernel `(features, 4 units)`, recurrent kernel `(units, 4 units)` and bias."""
        limit = self.units**-0.5 if self.kernel_range is None else self.kernel_range
        for name, rows in (("kernel", input_shape[-1]), ("recurrent_kernel", self.units)):
            weight = self.add_weight(
                shape=(rows, 4 * self.units),
                initializer=keras.initializers.RandomUniform(-limit, limit),
                name=name,
            )
            setattr(self, name, weight)

        def bias(shape: Any, dtype: Any = None) -> Any:
            forget = ops.full((self.units,), self.forget_bias, dtype)
            rest = ops.zeros((2 * self.units,), dtype)
            return ops.concatenate([ops.zeros((self.units,), dtype), forget, rest])

        self.bias = self.add_weight(shape=(4 * self.units,), initializer=bias, name="bias")

    def call(
        self, inputs: Any, states: Sequence[Any] | None = None, training: bool = False
    ) -> tuple[Any, list[Any]]:
        """Return all hidden states `(time, batch, units)`, and the last hidden and cell state.

        Args:
            inputs: `(time, batch, features)`.
            states: hidden and cell state before the first step, float32 `(batch, units)` each;
                None is zeros.
            training: whether weights are dropped.
        """
        batch = ops.shape(inputs)[1]
        if states is None:
            states = [ops.zeros((batch, self.units), "float32")] * 2
        # Reshaping reads the variable: a custom gradient of TensorFlow wants a tensor.
        recurrent = ops.reshape(self.recurrent_kernel, (self.units, 4 * self.units))
        if training and self.weight_dropout:
            recurrent = keras.random.dropout(
                recurrent, self.weight_dropout, seed=self.seed_generator
            )
        # Gates and states stay in float32 under a mixed policy; products are in its dtype.
        projected = ops.matmul(inputs, ops.convert_to_tensor(self.kernel))
        projected = ops.cast(projected, "float32") + ops.cast(self.bias, "float32")
        hidden, cell = (ops.cast(state, "float32") for state in states)
        outputs, cell = recurrence(LSTM, projected, (hidden, cell), recurrent)
        return ops.cast(outputs, self.compute_dtype), [outputs[-1], cell]

    def compute_output_spec(
        self, inputs: Any, states: Sequence[Any] | None = None, training: bool = False
    ) -> tuple[Any, list[Any]]:
        """Return the shapes; PyTorch and JAX cannot trace an unknown time."""
        time, batch = inputs.shape[:2]
        outputs = keras.KerasTensor((time, batch, self.units), self.compute_dtype)
        return outputs, [keras.KerasTensor((batch, self.units), "float32") for _ in range(2)]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {
            **super().get_config(),
            "units": self.units,
            "weight_dropout": self.weight_dropout,
            "kernel_range": self.kernel_range,
            "forget_bias": self.forget_bias,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="zoo")
class LSTMStack(keras.layers.Layer):
    """Stacked LSTMs with the dropouts and the regularisation of the AWD-LSTM.

    Args:
        units: hidden features of each layer, from the first on.
        input_dropout: fraction of the features dropped before the first layer, in [0, 1).
        hidden_dropout: fraction dropped between two layers.
        output_dropout: fraction dropped after the last.
        weight_dropout: fraction of the recurrent kernels dropped.
        locked: whether a mask is the same at all steps of a window (variational dropout), or one is
            drawn at each.
        activation_penalty: factor of the mean square of the last layer's dropped output, added to
            the loss (AR).
        temporal_activation_penalty: factor of the mean square of that output's change from step to
            step (TAR).
        kernel_range: as for `WeightDropLSTM`.
        forget_bias: as for `WeightDropLSTM`.

    Source: Merity 2017, https://arxiv.org/abs/1708.02182 (weight drop); Gal and Ghahramani 2016,
        https://arxiv.org/abs/1512.05287 (locked masks); Merity 2017,
        https://arxiv.org/abs/1708.01009 (AR and TAR).
    """

    def __init__(
        self,
        units: Sequence[int],
        *,
        input_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        output_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        locked: bool = True,
        activation_penalty: float = 0.0,
        temporal_activation_penalty: float = 0.0,
        kernel_range: float | None = None,
        forget_bias: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._settings = {
            "input_dropout": input_dropout,
            "hidden_dropout": hidden_dropout,
            "output_dropout": output_dropout,
            "weight_dropout": weight_dropout,
            "locked": locked,
            "activation_penalty": activation_penalty,
            "temporal_activation_penalty": temporal_activation_penalty,
            "kernel_range": kernel_range,
            "forget_bias": forget_bias,
        }
        self.units = tuple(units)
        self.activation_penalty = activation_penalty
        self.temporal_activation_penalty = temporal_activation_penalty
        self.lstms = [
            WeightDropLSTM(
                layer_units,
                weight_dropout=weight_dropout,
                kernel_range=kernel_range,
                forget_bias=forget_bias,
                dtype=self.dtype_policy,
                name=f"lstm_{i}",
            )
            for i, layer_units in enumerate(self.units)
        ]
        rates = [input_dropout, *[hidden_dropout] * (len(self.units) - 1), output_dropout]
        noise_shape = (1, None, None) if locked else None
        self.dropouts = [
            keras.layers.Dropout(rate, noise_shape=noise_shape, dtype=self.dtype_policy)
            for rate in rates
        ]

    def build(self, input_shape: Any) -> None:
        """Build the LSTMs."""
        features = input_shape[-1]
        for lstm in self.lstms:
            lstm.build((None, None, features))
            features = lstm.units

    def call(
        self, inputs: Any, states: Sequence[Any] | None = None, training: bool = False
    ) -> tuple[Any, list[Any]]:
        """Return the last layer's output `(time, batch, units)` and the states after the window.

        Args:
            inputs: `(time, batch, features)`.
            states: hidden and cell state of each layer in turn, float32 `(batch, units)`; None is
                zeros.
            training: whether anything is dropped, and the penalties are added.
        """
        next_states: list[Any] = []
        features = inputs
        raw = inputs
        for i, lstm in enumerate(self.lstms):
            features = self.dropouts[i](features, training=training)
            layer_states = None if states is None else list(states[2 * i : 2 * i + 2])
            raw, layer_states = lstm(features, states=layer_states, training=training)
            features, next_states = raw, [*next_states, *layer_states]
        features = self.dropouts[-1](raw, training=training)
        if training and self.activation_penalty:
            self.add_loss(self.activation_penalty * _mean_square(features))
        if training and self.temporal_activation_penalty:
            self.add_loss(self.temporal_activation_penalty * _mean_square(raw[1:] - raw[:-1]))
        return features, next_states

    def compute_output_spec(
        self, inputs: Any, states: Sequence[Any] | None = None, training: bool = False
    ) -> tuple[Any, list[Any]]:
        """Return the shapes; PyTorch and JAX cannot trace an unknown time."""
        time, batch = inputs.shape[:2]
        states = [keras.KerasTensor((batch, n), "float32") for n in self.units for _ in range(2)]
        return keras.KerasTensor((time, batch, self.units[-1]), self.compute_dtype), states

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the layer again."""
        return {**super().get_config(), "units": self.units, **self._settings}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LSTMStack:
        """Build the layer of a config, whose arguments may have their former names."""
        block = "architecture."
        current = {
            current_key(block + name).removeprefix(block): value for name, value in config.items()
        }
        layer: LSTMStack = super().from_config(current)
        return layer


def _mean_square(values: Any) -> Any:
    """Return the mean of the squares, 0 for no values: a window of one step has no change."""
    values = ops.cast(values, "float32")
    count = ops.maximum(ops.cast(ops.size(values), "float32"), 1.0)
    return ops.sum(values * values) / count
