"""Mean of the token vectors, then a hidden layer: a family as small as one can be."""

import keras

from zoo.layers import ScaledSum
from zoo.models.text_parts import EmbeddingMode, classification_head, embed_tokens, token_input


def toynet(
    *,
    vocabulary_size: int,
    num_classes: int,
    embedding_dim: int,
    embedding: EmbeddingMode,
    embedding_range: float,
    embedding_dropout: float,
    word_dropout: float,
    dropout: float,
    hidden_dim: int,
) -> keras.Model:
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
    features = ScaledSum(name="mean")([vectors], [tokens])
    features = keras.layers.Dense(hidden_dim, activation="relu", name="hidden")(features)
    return keras.Model(tokens, classification_head(features, num_classes, dropout), name="toynet")
