"""Recurrent convolutional text classifier (Lai 2015)."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from zoo.layers import GRU, LSTM, MaskedMax, SimpleRNN
from zoo.models.text_parts import EmbeddingMode, classification_head, embed_tokens, token_input

CELLS: dict[str, Any] = {"simple": SimpleRNN, "lstm": LSTM, "gru": GRU}


def rcnn(
    *,
    vocabulary_size: int,
    num_classes: int,
    embedding_dim: int,
    embedding: EmbeddingMode,
    embedding_range: float,
    embedding_dropout: float,
    word_dropout: float,
    dropout: float,
    cell: Literal["simple", "lstm", "gru"],
    context_dim: int,
    hidden_dim: int,
    activation: str,
) -> keras.Model:
    """Build the network: every word between its left and right context, maximum over time.

    The left context of a word is a recurrent state that has read the words before it and not the
    word itself; the right context likewise from the end. The context of the first and of the last
    word is the cell's answer to a zero vector, which its bias learns (the paper learns the two
    vectors as such). The activation comes after the maximum, which for the increasing ones (relu,
    tanh, linear) is the same as before it.

    The arguments are those of `zoo.rcnn`, which describes them.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Source: Lai 2015, https://ojs.aaai.org/index.php/AAAI/article/view/9513. Differs: cells other
        than the simple one, biases in the recurrence.
    """
    tokens = token_input()
    vectors = embed_tokens(
        tokens,
        vocabulary_size=vocabulary_size,
        embedding_dim=embedding_dim,
        embedding=embedding,
        embedding_range=embedding_range,
        embedding_dropout=embedding_dropout,
        word_dropout=word_dropout,
    )
    present = ops.not_equal(tokens, 0)
    before = ops.pad(vectors[:, :-1], [[0, 0], [1, 0], [0, 0]])
    after = ops.pad(vectors[:, 1:], [[0, 0], [0, 1], [0, 0]])
    recurrent = CELLS[cell]
    # Padding comes after the text: only the backward direction starts in it and needs the mask.
    left = recurrent(context_dim, return_sequences=True, name="left_context")(before)
    right = recurrent(context_dim, return_sequences=True, go_backwards=True, name="right_context")(
        after, mask=present
    )
    words = ops.concatenate([left, vectors, ops.flip(right, axis=1)], axis=-1)
    words = keras.layers.Dense(hidden_dim, name="word_in_context")(words)
    features = MaskedMax(name="pooling")(words, mask=present)
    features = keras.layers.Activation(activation, name="activation")(features)
    return keras.Model(tokens, classification_head(features, num_classes, dropout), name="rcnn")
