"""Mean of word and n-gram vectors (Joulin 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from zoo.errors import ZooError
from zoo.layers import NgramHash, ScaledSum, TokenEmbedding
from zoo.models.text_parts import EmbeddingMode, classification_head, embed_tokens, token_input


def fasttext(
    *,
    vocabulary_size: int,
    num_classes: int,
    embedding_dim: int,
    embedding: EmbeddingMode,
    embedding_range: float,
    embedding_dropout: float,
    word_dropout: float,
    dropout: float,
    ngram_sizes: Sequence[int],
    ngram_buckets: int,
    hidden_dim: int,
) -> keras.Model:
    """Build the network: the mean of the vectors of all words and n-grams, linear classifier.

    The arguments are those of `zoo.fasttext`, which describes them.

    Returns:
        int32 `(batch, time)` token ids to float32 `(batch, num_classes)` logits.

    Raises:
        ZooError: `ngram_sizes` contains 1.

    Source: Joulin 2016, https://arxiv.org/abs/1607.01759. Differs: softmax only, no hierarchy.
    """
    if 1 in ngram_sizes:
        raise ZooError(
            f"fasttext: `ngram_sizes` must start at 2. Received: {tuple(ngram_sizes)}. "
            "Single words are always in; leave the 1 out."
        )
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
    groups, ids = [vectors], [tokens]
    if ngram_sizes:
        hashing = NgramHash(ngram_sizes, ngram_buckets, vocabulary_size, name="ngrams")
        grams = hashing(tokens)
        table = TokenEmbedding(
            hashing.rows,
            embedding_dim,
            embeddings_initializer=keras.initializers.RandomUniform(
                -embedding_range, embedding_range
            ),
            name="ngram_embedding",
        )
        groups.append(table(grams))
        ids.append(grams)
    features = ScaledSum(1.0, name="mean")(groups, ids)
    if hidden_dim:
        features = keras.layers.Dense(hidden_dim, activation="relu", name="hidden")(features)
    return keras.Model(tokens, classification_head(features, num_classes, dropout), name="fasttext")
