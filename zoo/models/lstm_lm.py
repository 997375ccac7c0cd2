"""LSTM language model with tied embeddings (Press and Wolf 2017, Merity 2017)."""

from __future__ import annotations

import keras
from keras import ops

from zoo.errors import ZooError
from zoo.layers import LSTMStack, VocabularyEmbedding
from zoo.models.text_parts import token_input


def lstm_lm(
    *,
    vocabulary_size: int,
    embedding_dim: int,
    num_layers: int,
    hidden_dim: int,
    tied: bool,
    projection_l2: float | None,
    embedding_range: float,
    kernel_range: float | None,
    forget_bias: float,
    embedding_dropout: float,
    input_dropout: float,
    hidden_dropout: float,
    output_dropout: float,
    weight_dropout: float,
    locked_dropout: bool,
    dropout_scale: float,
    activation_penalty: float,
    temporal_activation_penalty: float,
) -> keras.Model:
    """Build the network: embedding, LSTMs, and logits of the next token at every position.

    The arguments are those of `zoo.lstm_lm`, which describes them.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, time, vocabulary)` logits, each text
        from a state of zeros. `with_states` gives the same network with its state in and out.

    Raises:
        ZooError: a rate times `dropout_scale` is not below 1.

    Source: Merity 2017, https://arxiv.org/abs/1708.02182; Press and Wolf 2017,
        https://arxiv.org/abs/1608.05859.
    """
    rates = {
        "embedding_dropout": embedding_dropout,
        "input_dropout": input_dropout,
        "hidden_dropout": hidden_dropout,
        "output_dropout": output_dropout,
        "weight_dropout": weight_dropout,
    }
    for name, rate in rates.items():
        rates[name] = rate * dropout_scale
        if not 0.0 <= rates[name] < 1.0:
            raise ZooError(
                f"lstm_lm: `dropout_scale` times `{name}` must be in [0, 1). Received: "
                f"{dropout_scale} * {rate} = {rates[name]:.3g}. Lower dropout_scale."
            )
    projected = projection_l2 is not None
    last_units = embedding_dim if tied and not projected else hidden_dim
    tokens = token_input()
    embedding = VocabularyEmbedding(
        vocabulary_size,
        embedding_dim,
        tied=tied,
        embedding_range=embedding_range,
        embedding_dropout=rates.pop("embedding_dropout"),
        output_dim=embedding_dim if tied or projected else hidden_dim,
        name="embedding",
    )
    stack = LSTMStack(
        [*[hidden_dim] * (num_layers - 1), last_units],
        **rates,
        locked=locked_dropout,
        activation_penalty=activation_penalty,
        temporal_activation_penalty=temporal_activation_penalty,
        kernel_range=kernel_range,
        forget_bias=forget_bias,
        name="lstms",
    )
    features, _ = stack(embedding(ops.transpose(tokens)))
    if projected:
        limit = hidden_dim**-0.5 if kernel_range is None else kernel_range
        features = keras.layers.Dense(
            embedding_dim,
            kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
            kernel_regularizer=keras.regularizers.L2(projection_l2),
            name="projection",
        )(features)
    logits = embedding(ops.transpose(features, (1, 0, 2)), reverse=True)
    return keras.Model(tokens, logits, name="lstm_lm")


def with_states(network: keras.Model) -> keras.Model:
    """Return the same network, of the same weights, with its state in and out.

    Args:
        network: made by `lstm_lm`, or loaded from a file.

    Returns:
        `[tokens, *states]` to `[features, *states]`: int32 `(batch, time)` ids and the hidden and
        cell state of each LSTM in turn, float32 `(batch, units)`; features `(time, batch,
        features)`, time first, of which `embedding(features, reverse=True)` makes logits.
    """
    embedding, stack = network.get_layer("embedding"), network.get_layer("lstms")
    tokens = token_input()
    states = [
        keras.Input((units,), dtype="float32", name=f"{kind}_{i}")
        for i, units in enumerate(stack.units)
        for kind in ("hidden", "cell")
    ]
    features, next_states = stack(embedding(ops.transpose(tokens)), states=states)
    if any(layer.name == "projection" for layer in network.layers):
        features = network.get_layer("projection")(features)
    return keras.Model(
        [tokens, *states], [features, *next_states], name=f"{network.name}_with_states"
    )


def with_cache(network: keras.Model) -> keras.Model:
    """Return `with_states`: what a window leaves to the next is all that a token does, too.

    Args:
        network: made by `lstm_lm`, or loaded from a file.
    """
    return with_states(network)
