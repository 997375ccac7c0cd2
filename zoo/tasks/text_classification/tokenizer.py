"""The tokenizer of labelled texts: learned from the training part, or that of other weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.data.store import Split, Store
from zoo.errors import ZooError
from zoo.tasks.text_classification.settings import TextData
from zoo.text.graph_tokenizer import SAMPLE_TEXTS, GraphTokenizer, learn_tokenizer
from zoo.text.pair_tokenizer import PairTokenizer
from zoo.text.pairs import split_pair
from zoo.text.pretrained_tokenizer import PretrainedTokenizer
from zoo.text.tokenizers import TextTokenizer
from zoo.text.vocabulary import KINDS


def tokenizer_of(
    train: Split,
    settings: TextData,
    vocabulary_size: int,
    seed: int,
    given: TextTokenizer | None = None,
) -> TextTokenizer:
    """Return the tokenizer of single texts, or of pairs where the rows are pairs.

    Args:
        train: the training part, which it is learned from.
        settings: the preset's data block.
        vocabulary_size: number of token ids at the most.
        seed: of the sample that it is learned from.
        given: of pretrained weights, or learned before from the same data; None learns it.

    Raises:
        ZooError: its kind cannot be learned, or it is one of pairs and the rows are none.
    """
    pair = train.store.pairs
    if given is not None:
        return _for_texts(given, pair)
    learned = _learned(train, settings, vocabulary_size - pair, seed)
    return PairTokenizer(learned) if pair else learned


def _for_texts(tokenizer: TextTokenizer, pair: bool) -> TextTokenizer:
    """Return a tokenizer that came with weights for the texts of the data, single or pairs.

    Raises:
        ZooError: the weights were trained on the other kind.
    """
    if isinstance(tokenizer, PairTokenizer) == pair:
        return tokenizer
    if pair and isinstance(tokenizer, PretrainedTokenizer):
        return PairTokenizer(tokenizer)
    trained, here = ("single texts", "pairs") if pair else ("pairs of texts", "single texts")
    raise ZooError(
        f"recipe.init: the weights were trained on {trained}, and the data hold {here}: their "
        "tokens are others. Start from weights of a language model, or without any."
    )


def _learned(train: Split, settings: TextData, vocabulary_size: int, seed: int) -> GraphTokenizer:
    if settings.tokenizer not in KINDS:
        raise ZooError(
            f"data.tokenizer={settings.tokenizer} cannot be learned: it comes with pretrained "
            f"weights, which --init names. Accepted without: {', '.join(KINDS)}."
        )
    rows = train.rows
    if len(rows) > SAMPLE_TEXTS:  # more would not be kept, so they need not be read
        generator = np.random.default_rng(seed)
        rows = np.sort(generator.choice(rows, SAMPLE_TEXTS, replace=False))
    return learn_tokenizer(
        settings.tokenizer,
        _single_texts(train.store, rows),
        vocabulary_size=vocabulary_size,
        lowercase=settings.lowercase,
        seed=seed,
    )


def _single_texts(store: Store, rows: np.ndarray) -> Iterator[str]:
    """Yield the texts of rows, of pairs both."""
    for text in store.iter_inputs(rows):
        yield from filter(None, split_pair(text)) if store.pairs else (text,)
